"""Reads films by PyAV: any container and codec, every frame at its own time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.error import FFmpegError
from av.stream import Disposition

from ..errors import ImageError
from ..untrusted import irregular, shorten
from .colours import dynamic_range_of, to_alpha, to_rgb
from .frames import DEFAULT_RATE, Film, FilmInfo, Frame, Pixels, Track

_ATTACHED = Disposition.attached_pic
_EARLIER = Fraction(1)  # seconds before the wanted frame that are read too: seeking is not exact
_SHORT = 0.9  # share of the stated duration; a film that ends before was cut short
_MOST_BOXES = 64  # kinds of boxes of an MP4 file that are looked at
_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}  # decoders that read transparency


class AvFilm(Film):
    """A film in a file that FFmpeg's libraries read.

    Args:
        path: the file.

    Raises:
        ImageError: it cannot be opened, or has no picture track.
    """

    def __init__(self, path: str) -> None:
        self.path, self.problems = path, []
        with open_container(path) as container:
            stream = _picture_track(container, path)
            context, first = stream.codec_context, None
            texts = {name.lower(): text for name, text in stream.metadata.items()}
            alpha = texts.get("alpha_mode") == "1" and context.name in _WITH_ALPHA
            with contextlib.suppress(StopIteration, FFmpegError):
                first = next(_decoded(container, stream, [0], alpha=alpha))
            if first is None:
                raise ImageError(f"{path} has no frame that can be decoded; expected a film: convert it first")
            duration = stream.duration and stream.duration * cast(Fraction, stream.time_base)
            if not duration and container.duration:
                duration = Fraction(container.duration, av.time_base)
            rate = stream.average_rate or stream.guessed_rate or DEFAULT_RATE
            self._turn = int(first.rotation) % 360
            self._decoder_alpha = alpha
            self.info = FilmInfo(
                path,
                _shown_size(first, stream.sample_aspect_ratio, self._turn),
                Fraction(rate),
                Fraction(duration) if duration else None,
                Fraction(cast(Fraction, stream.time_base)),
                to_alpha(first, 2, 2) is not None,
                dynamic_range_of(first),
                tuple(
                    Track(each.index, each.type, each.codec_context.name if each.codec_context else each.type)
                    for each in container.streams
                    if each.type in ("audio", "subtitle")
                ),
                dict(container.metadata),
            )
            self._coded = (first.width, first.height)

    def frames(self, size: tuple[int, int], begin: Fraction = Fraction(0)) -> Iterator[Frame]:
        """See `Film.frames`. A frame that cannot be decoded is skipped."""
        skipped = [0]
        last = Fraction(0)
        with open_container(self.path) as container:
            stream = _picture_track(container, self.path)
            start = beginning(container)
            ticks = cast(Fraction, stream.time_base)
            if begin > _EARLIER:
                with contextlib.suppress(FFmpegError):
                    container.seek(int((begin - _EARLIER + start) / ticks), stream=stream)
            step = 1 / self.info.rate
            waiting: tuple[av.VideoFrame, Fraction] | None = None
            for frame in _decoded(container, stream, skipped, alpha=self._decoder_alpha):
                time = last + step if frame.pts is None else frame.pts * ticks - start
                if waiting is not None and time <= waiting[1]:
                    continue  # a time that does not advance cannot be shown
                last = time
                if waiting is not None and waiting[1] >= begin:
                    yield self._made(waiting[0], size, waiting[1], time - waiting[1])
                waiting = frame, time
            if waiting is not None and waiting[1] >= begin:
                own = (waiting[0].duration or 0) * ticks
                yield self._made(waiting[0], size, waiting[1], own or step)
        self._note(skipped[0], last + step)

    def _note(self, skipped: int, end: Fraction) -> None:
        if skipped:
            self.problems.append(f"{skipped} damaged frames of {self.path} were skipped")
        stated = self.info.duration
        if stated is not None and end < stated * Fraction(_SHORT) and stated - end > 1:
            self.problems.append(
                f"{self.path} ends after {float(end):.1f} s, though it states {float(stated):.1f} s: it was cut short"
            )

    def _made(self, frame: av.VideoFrame, size: tuple[int, int], time: Fraction, duration: Fraction) -> Frame:
        """Scale a frame, turn it upright, and fit one of other proportions onto black."""
        width, height = (size[1], size[0]) if self._turn in (90, 270) else size
        inner, place = (width, height), (slice(None), slice(None))
        coded = (frame.width, frame.height)
        if coded != self._coded:
            inner, place = _inside(coded, self._coded, (width, height))
            note = f"frames of {self.path} change from {self._coded[0]}×{self._coded[1]} to {coded[0]}×{coded[1]}"
            if (told := f"{note}; they are scaled to fit") not in self.problems:
                self.problems.append(told)
        pixels: Pixels = to_rgb(frame, *inner)
        alpha = to_alpha(frame, *inner) if self.info.alpha else None
        if inner != (width, height):
            whole = np.zeros((height, width, 3), np.uint8)
            whole[place] = pixels
            pixels = whole
            if alpha is not None:
                alpha, part = np.zeros((height, width), np.uint8), alpha
                alpha[place] = part
        turns = self._turn // 90
        if turns:
            pixels = np.ascontiguousarray(np.rot90(pixels, turns))
            alpha = None if alpha is None else np.ascontiguousarray(np.rot90(alpha, turns))
        return Frame(pixels, time, duration, alpha)


def open_container(path: str) -> Any:
    """Open a film to read it.

    Raises:
        ImageError: it cannot be opened.
    """
    if kind := irregular(path):
        raise ImageError(f"{path} is {kind}; expected a file with a film")
    try:
        return av.open(path, metadata_errors="replace")
    except FileNotFoundError:
        raise ImageError(f"there is no file {path}; expected a film") from None
    except (FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        if _has_no_index(path):
            raise ImageError(
                f"{path} has no index, without which none of it can be read: it was cut short; expected a whole "
                "film: copy it again"
            ) from None
        raise ImageError(f"{path} cannot be read as a film ({shorten(reason)}); expected one, as .mp4") from None


def _has_no_index(path: str) -> bool:
    """Whether a file is a film of MP4 or QuickTime whose index, which often stands at its end, is missing."""
    with contextlib.suppress(OSError), Path(path).open("rb") as file:
        place, size = 0, file.seek(0, 2)
        seen: set[bytes] = set()
        while place + 8 <= size and len(seen) < _MOST_BOXES:
            file.seek(place)
            head = file.read(16)
            length = int.from_bytes(head[:4])
            if length == 1:
                length = int.from_bytes(head[8:])
            seen.add(head[4:8])
            if length < 8:
                break
            place += length
        return b"ftyp" in seen and b"moov" not in seen
    return False


def beginning(container: Any) -> Fraction:
    """Return the time of a container at which its film begins, in seconds."""
    return Fraction(container.start_time or 0, av.time_base)


def _picture_track(container: Any, path: str) -> Any:
    for stream in container.streams.video:
        if not stream.disposition & _ATTACHED and stream.codec_context is not None:
            # More threads would keep more frames, and painting needs the cores.
            stream.thread_type, stream.codec_context.thread_count = "AUTO", 2
            return stream
    held = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
    raise ImageError(f"{path} has no picture track (it has {held}); expected a film")


def _decoded(container: Any, stream: Any, skipped: list[int], *, alpha: bool) -> Iterator[av.VideoFrame]:
    """Yield the frames that can be decoded, and count those that cannot."""
    decoder: Any = None
    if alpha:  # FFmpeg's own decoders of VP8 and VP9 leave the transparency out
        decoder = av.CodecContext.create(_WITH_ALPHA[stream.codec_context.name], "r")
        decoder.extradata = stream.codec_context.extradata
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except FFmpegError:  # the file was cut short; what is before stays
            return
        try:
            found = packet.decode() if decoder is None else decoder.decode(packet if packet.size else None)
        except FFmpegError:
            skipped[0] += 1
            continue
        for frame in found:
            if frame.is_corrupt:
                skipped[0] += 1
            else:
                yield frame


def _shown_size(frame: av.VideoFrame, aspect: Fraction | None, turn: int) -> tuple[int, int]:
    """Width and height of a frame with square pixels, upright."""
    width, height = frame.width, frame.height
    if aspect and aspect > 0 and aspect != 1:
        width = max(1, round(width * aspect))
    return (height, width) if turn in (90, 270) else (width, height)


def _inside(
    coded: tuple[int, int], first: tuple[int, int], size: tuple[int, int]
) -> tuple[tuple[int, int], tuple[slice, slice]]:
    """Return the size and place of a frame inside frames of the proportions of the first."""
    width, height = size
    stretch = (width / first[0]) / (height / first[1])  # of pixels that are not square
    scale = min(width / (coded[0] * stretch), height / coded[1])
    inner = (min(width, max(1, round(coded[0] * stretch * scale))), min(height, max(1, round(coded[1] * scale))))
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    return inner, (slice(top, top + inner[1]), slice(left, left + inner[0]))
