"""How painted frames are coded: the codecs, the containers, and what each of them holds."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import PurePath
from typing import Any

import av

from ..errors import RequestError, near_misses
from .colours import BT709, to_yuv
from .frames import Pixels

CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
ANIMATIONS = (".gif", ".apng", ".webp")
_INSIDE = "matroska"  # container of segments of what is written otherwise
_THREADS = 2  # always, since a codec's result depends on it


@dataclass(frozen=True)
class Codec:
    """A codec of films.

    Attributes:
        name: as ``--codec`` has it, and as FFmpeg calls it.
        encoder: FFmpeg's encoder.
        crf: default quality; None if it has none.
        most_crf: the worst quality.
        pixels: pixel format.
        alpha_pixels: pixel format with transparency; empty if it holds none.
        options: of the encoder.
    """

    name: str
    encoder: str
    crf: int | None
    most_crf: int = 0
    pixels: str = "yuv420p"
    alpha_pixels: str = ""
    options: Mapping[str, str] = field(default_factory=dict[str, str])


CODECS = {
    codec.name: codec
    for codec in (
        Codec("h264", "libx264", 18, 51, options={"preset": "faster"}),
        Codec("hevc", "libx265", 20, 51, options={"preset": "fast", "x265-params": "log-level=error:bframes=0"}),
        Codec("vp9", "libvpx-vp9", 26, 63, alpha_pixels="yuva420p", options={"cpu-used": "4", "auto-alt-ref": "0"}),
        Codec("av1", "libsvtav1", 28, 63, options={"preset": "8"}),
        Codec("prores", "prores_ks", None, pixels="yuv422p10le", alpha_pixels="yuva444p10le"),
        Codec("ffv1", "ffv1", None, pixels="bgr0", alpha_pixels="bgra"),
    )
}
_OTHER_NAMES = {"h265": "hevc", "x264": "h264", "x265": "hevc", "avc": "h264"}


@dataclass(frozen=True)
class Coding:
    """How the frames of a job are coded.

    Attributes:
        codec: the codec.
        container: FFmpeg's name of the container.
        size: width and height.
        ticks: unit of times in seconds.
        rate: about how many frames there are a second.
        crf: quality; None if the codec has none.
        alpha: whether transparency is kept.
    """

    codec: Codec
    container: str
    size: tuple[int, int]
    ticks: Fraction
    rate: Fraction
    crf: int | None = None
    alpha: bool = False

    @property
    def pixel_format(self) -> str:
        """FFmpeg's name of the pixel format."""
        return self.codec.alpha_pixels if self.alpha else self.codec.pixels

    def tag(self, stream: Any) -> None:
        """Say in a stream that it has transparency, as WebM wants it."""
        if self.alpha and self.codec.name == "vp9":
            stream.metadata["alpha_mode"] = "1"

    def add_stream(self, container: Any) -> Any:
        """Add a stream of pictures to a container that is written."""
        os.environ.setdefault("SVT_LOG", "1")  # otherwise this encoder writes about itself
        options = dict(self.codec.options)
        if self.crf is not None:
            options["crf"] = str(self.crf)
        stream = container.add_stream(self.codec.encoder, rate=self.rate, options=options)
        context = stream.codec_context
        stream.width, stream.height = self.size
        stream.pix_fmt, stream.time_base = self.pixel_format, self.ticks
        context.time_base, context.framerate = self.ticks, self.rate
        context.thread_count, context.max_b_frames = _THREADS, 0
        if self.codec.name == "vp9":
            context.bit_rate = 0
        self.tag(stream)
        if self.codec.name == "hevc" and self.container in ("mp4", "mov"):
            context.codec_tag = "hvc1"  # the one that Apple's players know
        if "yuv" in self.pixel_format:
            context.colorspace = context.color_primaries = context.color_trc = BT709
            context.color_range = 1
        return stream


def choose_codec(target: str, name: str | None, crf: int | None) -> tuple[Codec, str, int | None]:
    """Return the codec, the container and the quality for a file.

    Args:
        target: the file.
        name: codec that was asked for; None for the usual one.
        crf: quality that was asked for; None for the codec's own.

    Raises:
        RequestError: the ending is unknown, the container does not hold the codec, or the quality is out of range.
    """
    ending = PurePath(target).suffix.lower()
    if is_numbered(target) or ending in ANIMATIONS:
        if name is not None or crf is not None:
            raise RequestError(
                f"--codec and --crf belong to films, and {target} is none; expected a film, as {_as_film(target)}"
            )
        return CODECS["ffv1"], _INSIDE, None
    if ending not in CONTAINERS:
        raise RequestError(
            f"output {target} ends in {ending or 'nothing'}; expected one of "
            f"{', '.join([*CONTAINERS, *ANIMATIONS])}, or numbered pictures: write {_as_film(target)} or "
            "frames/%05d.png"
        )
    wanted = ("vp9" if ending == ".webm" else "h264") if name is None else _OTHER_NAMES.get(name, name)
    if wanted not in CODECS:
        raise RequestError(f"--codec is {name}; expected one of {', '.join(CODECS)}{near_misses(wanted, CODECS)}")
    codec, container = CODECS[wanted], CONTAINERS[ending]
    if not holds(container, codec.name):
        able = [each for each, form in CONTAINERS.items() if holds(form, codec.name)]
        raise RequestError(f"{ending} does not hold {codec.name}; expected {' or '.join(able)}, or another --codec")
    if crf is not None and (codec.crf is None or not 0 <= crf <= codec.most_crf):
        most = f"expected 0 to {codec.most_crf}" if codec.crf is not None else f"{codec.name} has none: leave it out"
        raise RequestError(f"--crf is {crf}; {most}")
    return codec, container, codec.crf if crf is None else crf


def holds(container: str, codec: str) -> bool:
    """Say whether a container holds a codec, by FFmpeg's names."""
    with av.open(io.BytesIO(), "w", format=container) as made:
        return codec in made.supported_codecs


def is_numbered(path: str) -> bool:
    """Say whether a path stands for numbered pictures, as ``frames/%05d.png``."""
    name = PurePath(path).name
    return "%" in name and name.partition("%")[2].lstrip("0123456789").startswith("d")


def is_film_name(path: str) -> bool:
    """Say whether a path is one that a film is written to."""
    return is_numbered(path) or PurePath(path).suffix.lower() in (*CONTAINERS, *ANIMATIONS)


class SegmentWriter:
    """Codes the frames of one segment, which begins with a whole picture, into memory.

    Args:
        coding: how.
    """

    def __init__(self, coding: Coding) -> None:
        self._coding, self._file = coding, io.BytesIO()
        self._container: Any = av.open(self._file, "w", format=coding.container)
        self._stream = coding.add_stream(self._container)
        self.times: list[tuple[int, int]] = []

    def add(self, pixels: Pixels, time: int, duration: int) -> None:
        """Add a frame.

        Args:
            pixels: H×W×3, or H×W×4 with transparency.
            time: when it is shown, in ticks.
            duration: in ticks.
        """
        coding = self._coding
        begin = self.times[0][0] if self.times else time
        self.times.append((time, duration))
        frame = av.VideoFrame.from_ndarray(pixels, format="rgba" if pixels.shape[2] == 4 else "rgb24")
        if "yuv" in coding.pixel_format:
            frame = to_yuv(frame, coding.pixel_format)
        else:
            frame = frame.reformat(format=coding.pixel_format)
        frame.pts, frame.time_base = time - begin, coding.ticks
        self._container.mux(self._stream.encode(frame))

    def done(self) -> bytes:
        """Return the bytes of the segment."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._file.getvalue()

    def close(self) -> None:
        """Leave the segment unfinished."""
        self._container.close()


def _as_film(target: str) -> str:
    return f"{PurePath(target).stem.replace('%', '') or 'painting'}.mp4"
