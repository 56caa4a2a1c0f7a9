"""Clips for `benchmarks.video`, made from the demo's photos: frames H×W×3 of 8 bits."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

RATE = 25


def camera(count: int, size: tuple[int, int], photo: str = "astronaut") -> list[Pixels]:
    """Frames of a camera that glides over a photo, nears it and turns a little; `size` is width and height."""
    import cv2

    whole = _photo(photo)
    width, height = size
    frames: list[Pixels] = []
    for number in range(count):
        at = number / RATE
        scale = 0.8 * min(whole.shape[1] / width, whole.shape[0] / height) * (1 - 0.03 * at)
        middle = whole.shape[1] * (0.45 + 0.04 * at), whole.shape[0] * (0.5 - 0.02 * at)
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), 2 * at, 1 / scale)
        turn[:, 2] += turn[:, :2] @ [width / 2 - middle[0], height / 2 - middle[1]]
        frames.append(_warped(whole, turn, size))
    return frames


def thing(count: int, size: tuple[int, int], photo: str = "coffee", cut_out: str = "chelsea") -> list[Pixels]:
    """Frames of a round thing with soft edges that crosses a photo and turns."""
    import cv2

    width, height = size
    side = height // 2
    back = np.asarray(cv2.resize(_photo(photo), size, interpolation=cv2.INTER_AREA), np.uint8)
    face = np.asarray(cv2.resize(_photo(cut_out), (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    disc = cv2.circle(np.zeros((side, side), np.float32), (side // 2, side // 2), side // 2 - 2, 1.0, -1)
    disc = cv2.GaussianBlur(disc, (0, 0), 1)
    frames: list[Pixels] = []
    for number in range(count):
        at = number / RATE
        turn = cv2.getRotationMatrix2D((side / 2, side / 2), 15 * at, 1)
        turn[:, 2] += [width * (0.1 + 0.25 * at), height * (0.25 + 0.1 * np.sin(2 * at))]
        share = _warped(disc, turn, size, 0)[..., None]
        frames.append((back + share * (_warped(face, turn, size) - back.astype(np.float32)) + 0.5).astype(np.uint8))
    return frames


def with_cuts(count: int, size: tuple[int, int]) -> list[Pixels]:
    """Frames of three shots: a camera, a thing, and another camera."""
    parts = [count // 3, count // 3, count - 2 * (count // 3)]
    return camera(parts[0], size, "coffee") + thing(parts[1], size, "astronaut") + camera(parts[2], size, "chelsea")


CLIPS = {"camera": camera, "thing": thing, "cuts": with_cuts}
"""The clips by name."""


def write_clip(path: Path, frames: Iterable[Pixels], size: tuple[int, int]) -> None:
    """Write frames of a width and height as a film of H.264 that hardly loses anything."""
    import av

    with av.open(str(path), "w") as made:
        stream: Any = made.add_stream("libx264", rate=RATE, options={"crf": "10", "preset": "veryfast"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))


def _photo(name: str) -> Pixels:
    from impasto.demo.photos import demo_photo

    return np.asarray(demo_photo(name).convert("RGB"), np.uint8)


def _warped(
    picture: NDArray[Any], matrix: NDArray[Any], size: tuple[int, int], outside: float | None = None
) -> NDArray[Any]:
    import cv2

    border = cv2.BORDER_REFLECT if outside is None else cv2.BORDER_CONSTANT
    return cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border, borderValue=outside or 0)
