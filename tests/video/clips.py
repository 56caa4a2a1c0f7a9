"""Small films for tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

RATE = 25
LIMITED, FULL = 1, 2
MATRICES = {"601": (5, 0.299, 0.114), "709": (1, 0.2126, 0.0722), "2020": (9, 0.2627, 0.0593)}


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A picture H×W×3 with forms of many sizes."""
    import cv2

    generator = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for side in (4, 8, 16, 32):
        coarse = generator.random((side, side, 3), np.float32) - 0.5
        total += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) * 4 / side**0.5
    return np.clip(128 + 60 * total, 0, 255).astype(np.uint8)


def panning(count: int, size: tuple[int, int] = (96, 64), step: int = 2, seed: int = 0) -> list[np.ndarray]:
    """Frames of a camera that moves over a picture, `step` pixels a frame."""
    width, height = size
    whole = texture(height, width + step * count, seed)
    return [whole[:, n * step : n * step + width].copy() for n in range(count)]


def moving_object(count: int, size: tuple[int, int] = (96, 64), step: int = 2) -> list[np.ndarray]:
    """Frames of a thing that crosses a picture."""
    width, height = size
    back, thing = texture(height, width, 1), texture(height // 2, width // 4, 2)
    frames = []
    for n in range(count):
        frame = back.copy()
        left = min(n * step, width - thing.shape[1])
        frame[height // 4 : height // 4 + thing.shape[0], left : left + thing.shape[1]] = thing
        frames.append(frame)
    return frames


def with_cut(count: int, size: tuple[int, int] = (96, 64)) -> list[np.ndarray]:
    """Frames of two shots of `count` frames each."""
    return panning(count, size) + [255 - frame for frame in panning(count, size, seed=9)]


def write_clip(
    path: Path,
    frames: Sequence[np.ndarray],
    *,
    times: Sequence[int] | None = None,
    codec: str = "libx264",
    sound: str | None = None,
    rotation: int = 0,
    aspect: Fraction | None = None,
    title: str = "",
    chapters: Sequence[tuple[float, float, str]] = (),
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    **colours: int,
) -> Path:
    """Write a film: `times` in milliseconds; frames of RGB or RGBA."""
    import av

    with av.open(str(path), "w") as made:
        chosen = {"crf": "12", "preset": "ultrafast"} if codec == "libx264" and options is None else options or {}
        stream: Any = made.add_stream(codec, rate=RATE, options=chosen)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.codec_context.thread_count = pixels, 1
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for name, value in colours.items():
            setattr(stream.codec_context, name, value)
        if aspect:
            stream.sample_aspect_ratio = stream.codec_context.sample_aspect_ratio = aspect
        if rotation:
            stream.set_display_rotation(rotation)
        tone: Any = made.add_stream(sound, rate=48000, layout="mono") if sound else None
        if title:
            made.metadata["title"] = title
        if chapters:
            unit = Fraction(1, 1000)
            made.set_chapters(
                [
                    {
                        "id": n,
                        "start": round(a * 1000),
                        "end": round(b * 1000),
                        "time_base": unit,
                        "metadata": {"title": t},
                    }
                    for n, (a, b, t) in enumerate(chapters)
                ]
            )
        for number, pixels_of_frame in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(
                pixels_of_frame, format="rgba" if pixels_of_frame.shape[2] == 4 else "rgb24"
            )
            frame = frame.reformat(format=pixels, dst_colorspace="ITU709", dst_color_range=1)
            frame.pts = number * 1000 // RATE if times is None else times[number]
            frame.time_base = Fraction(1, 1000)
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
        if tone is not None:
            _write_tone(made, tone, len(frames) / RATE)
    return path


def add_subtitles(film: Path, path: Path, lines: Sequence[str]) -> Path:
    """Write a film again with a track of subtitles, a line each quarter of a second."""
    import av

    words = path.with_suffix(".srt")
    at = "00:00:0{},{:03d}".format
    words.write_text(
        "\n".join(
            f"{n + 1}\n{at(*divmod(n * 250, 1000))} --> {at(*divmod(n * 250 + 200, 1000))}\n{line}\n"
            for n, line in enumerate(lines)
        ),
        "utf-8",
    )
    with av.open(str(film)) as moving, av.open(str(words)) as told, av.open(str(path), "w") as made:
        streams = {each: made.add_stream_from_template(each) for each in (*moving.streams, *told.streams)}
        for source in (moving, told):
            for packet in source.demux():
                if packet.dts is not None:
                    packet.stream = streams[packet.stream]
                    made.mux(packet)
    return path


def _write_tone(made: Any, stream: Any, seconds: float) -> None:
    import av

    context = stream.codec_context
    size = 960
    form = context.format.name
    for number in range(int(seconds * 48000) // size):
        wave = np.sin((np.arange(size) + number * size) * 0.05)[None]
        values = wave.astype(np.float32) if form.startswith("flt") else (wave * 20000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(values, format=form, layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, number * size, Fraction(1, 48000)
        made.mux(stream.encode(frame))
    made.mux(stream.encode(None))


def write_yuv(path: Path, rgb: Iterable[float], matrix: str, span: int, *, tagged: bool = True) -> Path:
    """Write three frames of one colour, given in [0, 1], coded as the standard says by a formula of its own."""
    import av

    code, red, blue = MATRICES[matrix]
    r, g, b = rgb
    luma = red * r + (1 - red - blue) * g + blue * b
    chroma = ((b - luma) / (2 - 2 * blue), (r - luma) / (2 - 2 * red))
    if span == FULL:
        values = [255 * luma, *(128 + 255 * each for each in chroma)]
    else:
        values = [16 + 219 * luma, *(128 + 224 * each for each in chroma)]
    planes = np.empty((96, 64), np.uint8)  # yuv420p of 64×64, as PyAV lays it out
    planes[:64], planes[64:80], planes[80:] = (round(float(value)) for value in values)
    with av.open(str(path), "w") as made:
        stream: Any = made.add_stream("libx264", rate=RATE, options={"qp": "0", "preset": "ultrafast"})
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        if tagged:
            stream.codec_context.colorspace, stream.codec_context.color_range = code, span
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            if tagged:
                frame.colorspace, frame.color_range = code, span
            frame.pts = number
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
    return path
