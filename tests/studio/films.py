"""Small clips to send to a studio."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tests.video.clips import panning, write_clip

SIZE = (64, 48)


def clip(count: int = 12, suffix: str = ".mp4", **more: Any) -> bytes:
    """A film of a camera that moves."""
    size = more.pop("size", SIZE)
    with tempfile.TemporaryDirectory() as folder:
        return write_clip(Path(folder) / f"clip{suffix}", panning(count, size), **more).read_bytes()


def gif(count: int = 4) -> bytes:
    from PIL import Image

    first, *others = [Image.fromarray(frame) for frame in panning(count, SIZE)]
    out = io.BytesIO()
    first.save(out, "GIF", save_all=True, append_images=others, duration=80)
    return out.getvalue()


def sound_alone() -> bytes:
    import av

    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as made:
        tone: Any = made.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48000
        made.mux(tone.encode(frame))
        made.mux(tone.encode(None))
    return out.getvalue()


def decoded(data: bytes) -> tuple[int, float, list[str]]:
    """How many frames a film has, how long it is, and the codecs in it."""
    import av

    with av.open(io.BytesIO(data)) as film:
        codecs = [stream.codec_context.name for stream in film.streams]
        frames = sum(1 for _ in film.decode(video=0))
        return frames, float((film.duration or 0) / av.time_base), codecs
