"""Joins coded segments to a film, and copies sound, subtitles, chapters and texts of the film that was painted."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError

from ..errors import OutputError, RequestError
from .coding import CONTAINERS, Coding, holds
from .frames import Track
from .parts import Segment
from .read import beginning, open_container

_WITHIN = frozenset({"encoder", "major_brand", "minor_version", "compatible_brands", "comment"})
_PLACES = ("location", "gps")  # in names of texts that say where a film was taken


@dataclass(frozen=True)
class Carried:
    """What is carried over from the film that was painted.

    Attributes:
        path: the film; None if nothing is.
        tracks: its sound and subtitles.
        begin: time in it that becomes 0, in seconds.
        end: time at which it ends; None for its end.
        keep_gps: keep the place where it was taken.
    """

    path: str | None
    tracks: Sequence[Track] = ()
    begin: Fraction = Fraction(0)
    end: Fraction | None = None
    keep_gps: bool = False


def check_tracks(coding: Coding, path: str, tracks: Sequence[Track], target: str) -> tuple[list[Track], list[str]]:
    """Check before painting that a container holds the sound.

    Args:
        coding: how the result is coded.
        path: the film.
        tracks: its sound and subtitles.
        target: file to write.

    Returns:
        The tracks that it holds, and what to tell of the others: subtitles are left out.

    Raises:
        RequestError: it does not hold the sound.
    """
    held: list[Track] = []
    told: list[str] = []
    ending = Path(target).suffix.lower()
    for track in tracks:
        if holds(coding.container, track.codec) and _takes(coding, path, track):
            held.append(track)
        elif track.kind == "audio":
            able = [
                each for each, form in CONTAINERS.items() if form != coding.container and holds(form, track.codec)
            ]
            where = f"{' or '.join(able)}, or " if able else ""
            raise RequestError(
                f"the sound is {track.codec}, which {ending} does not hold; expected {where}--no-sound"
            )
        else:
            told.append(f"{ending} does not hold {track.codec} subtitles, which are left out: .mkv holds most kinds")
    return held, told


def _takes(coding: Coding, path: str, track: Track) -> bool:
    """Try whether a container takes a track: some refuse what they say that they hold."""
    try:
        with open_container(path) as source, av.open(io.BytesIO(), "w", format=coding.container) as made:
            _copied(made, source.streams[track.index])
            made.start_encoding()
    except (FFmpegError, OSError, ValueError):
        return False
    return True


def join(
    target: Path,
    segments: Iterable[Segment],
    coding: Coding,
    carried: Carried,
    comment: str,
    *,
    until: int | None = None,
) -> None:
    """Write a film of segments.

    Args:
        target: file to write.
        segments: its segments.
        coding: how they are coded.
        carried: what is copied.
        comment: text to write into it.
        until: leave out frames that are shown at or after this time in ticks, and what is copied from there.

    Raises:
        OutputError: the system refuses.
    """
    options = {"movflags": "faststart"} if coding.container in ("mp4", "mov") else {}
    try:
        with av.open(str(target), "w", format=coding.container, options=options) as made:
            _join(made, iter(segments), coding, carried, comment, until)
    except (FFmpegError, OSError) as error:
        raise OutputError(
            f"{target} cannot be written ({getattr(error, 'strerror', None) or error}); expected a writable folder "
            "with free space: make room, and give the same command again"
        ) from None


def _join(
    made: Any, segments: Iterator[Segment], coding: Coding, carried: Carried, comment: str, until: int | None
) -> None:
    first = next(segments)
    end = None if until is None else until * coding.ticks
    with av.open(io.BytesIO(first.data), "r") as template:
        pictures = made.add_stream_from_template(template.streams.video[0], opaque=True)
    coding.tag(pictures)
    pictures.time_base = coding.ticks
    if carried.path is None:
        made.metadata["comment"] = comment
        _mux(made, _picture_packets(first, segments, coding, pictures, until), iter(()))
        return
    with open_container(carried.path) as source:
        streams = {track.index: _copied(made, source.streams[track.index]) for track in carried.tracks}
        texts = source.metadata.items()
        made.metadata.update({name: text for name, text in texts if _kept(name, keep_gps=carried.keep_gps)})
        made.metadata["comment"] = comment
        if chapters := _chapters(source, carried, end):
            made.set_chapters(chapters)
        others = _other_packets(source, streams, carried, end) if streams else iter(())
        _mux(made, _picture_packets(first, segments, coding, pictures, until), others)


_Timed = tuple[Fraction, Any]


def _mux(made: Any, pictures: Iterator[_Timed], others: Iterator[_Timed]) -> None:
    """Write packets in the order of their times."""
    other = next(others, None)
    for time, packet in pictures:
        while other is not None and other[0] <= time:
            made.mux(other[1])
            other = next(others, None)
        made.mux(packet)
    while other is not None:
        made.mux(other[1])
        other = next(others, None)


def _picture_packets(
    first: Segment, segments: Iterator[Segment], coding: Coding, stream: Any, until: int | None
) -> Iterator[_Timed]:
    for segment in itertools.chain([first], segments):
        with av.open(io.BytesIO(segment.data), "r") as container:
            packets = (packet for packet in container.demux(video=0) if packet.size)
            for packet, (time, duration) in zip(packets, segment.times, strict=True):
                if until is not None and time >= until:
                    return
                packet.time_base = coding.ticks
                packet.pts = packet.dts = time
                packet.duration = duration
                packet.stream = stream
                yield time * coding.ticks, packet


def _other_packets(
    source: Any, streams: Mapping[int, Any], carried: Carried, end: Fraction | None
) -> Iterator[_Timed]:
    """Yield the packets of sound and subtitles, moved in time. A damaged end of the file is left out."""
    start = beginning(source)
    length = None if carried.end is None else carried.end - carried.begin
    end = length if end is None else end if length is None else min(end, length)
    packets = source.demux([source.streams[index] for index in streams])
    while True:
        try:
            packet = next(packets)
        except (StopIteration, FFmpegError):
            return
        if not packet.size or packet.dts is None:
            continue
        ticks = packet.time_base
        time = (packet.dts if packet.pts is None else packet.pts) * ticks - start - carried.begin
        if (carried.begin and time < 0) or (end is not None and time >= end):
            continue
        moved = round((start + carried.begin) / ticks)
        packet.dts -= moved
        if packet.pts is not None:
            packet.pts -= moved
        packet.stream = streams[packet.stream_index]
        yield time, packet


def _copied(made: Any, stream: Any) -> Any:
    copy = made.add_stream_from_template(stream, opaque=True)
    copy.metadata.update(stream.metadata)
    copy.disposition = stream.disposition
    copy.time_base = stream.time_base
    return copy


def _kept(name: str, *, keep_gps: bool) -> bool:
    """Whether a text of the film also holds for its painting."""
    place = any(each in name.lower() for each in _PLACES)
    return name.lower() not in _WITHIN and (keep_gps or not place)


def _chapters(source: Any, carried: Carried, end: Fraction | None) -> list[Any]:
    """The chapters that lie in what was painted, moved in time."""
    found: list[Any] = []
    ends = [each for each in (end, None if carried.end is None else carried.end - carried.begin) if each is not None]
    for chapter in source.chapters():
        ticks = chapter["time_base"] or Fraction(1, av.time_base)
        moved = carried.begin / ticks
        begin, stop = chapter["start"] - moved, chapter["end"] - moved
        if ends:
            stop = min(stop, min(ends) / ticks)
        if stop > max(begin, 0):
            found.append({**chapter, "start": round(max(begin, 0)), "end": round(stop), "time_base": ticks})
    return found
