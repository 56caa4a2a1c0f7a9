"""Clips that people send: checked before they are decoded, and kept in a temporary folder."""

from __future__ import annotations

import io
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO, TYPE_CHECKING, Any

from ..errors import ImageError
from . import previews
from .folders import Folder
from .limits import Limits
from .names import safe_name
from .pictures import LEAST_SIDE, Upload
from .recipes import found_in_clip
from .refusals import Refusal, public

if TYPE_CHECKING:
    from numpy.typing import NDArray

READ = ("mp4", "mov", "webm", "mkv", "avi", "gif", "apng", "ts", "mpg", "flv", "ogv", "wmv")
"""Kinds of clips that are read, by the usual extensions."""

# FFmpeg's names of their containers. Playlists are not among them: they would have files and addresses opened.
_CONTAINERS = "mov,matroska,avi,gif,apng,mpegts,mpeg,flv,ogg,asf"
_KEPT = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mpg", ".flv", ".ogv", ".wmv")
_EXPECTED = "expected an MP4, MOV, WebM, MKV, AVI or GIF clip"
_QUALITY = 95  # of the first frame, as JPEG


@dataclass(frozen=True, eq=False)
class Clip:
    """A clip that somebody sent. Its file is there as long as something refers to this object.

    Attributes:
        folder: holds the file.
        path: the file.
        frames: how many there are at most.
        seconds: how long it is; 0 if it does not say.
        rate: mean number of frames a second.
        sound: whether it has sound.
        bytes: of the file.
    """

    folder: Folder
    path: Path
    frames: int
    seconds: float
    rate: float
    sound: bool
    bytes: int

    def described(self) -> dict[str, Any]:
        """Return what a client is told of it."""
        return {
            "frames": self.frames,
            "seconds": round(self.seconds, 3),
            "rate": round(self.rate, 3),
            "sound": self.sound,
        }


def is_possible() -> bool:
    """Whether the extra ``video`` is installed."""
    from ..errors import MissingExtraError
    from ..video import require_extra

    try:
        require_extra()
    except MissingExtraError:
        return False
    return True


def receive_clip(file: IO[bytes], filename: str, limits: Limits, folder: Folder) -> Upload:
    """Check and keep a clip. The picture that is returned is its first frame.

    Args:
        file: the file.
        filename: what its owner calls it.
        limits: of the studio.
        folder: where it is kept.

    Raises:
        MissingExtraError: the extra ``video`` is not installed.
        Refusal: it is too large or too long, no clip, or damaged.
    """
    from ..video import require_extra

    require_extra()
    name = safe_name(filename)
    path = folder.path / _stored(name)
    size = _copy(file, path, name, limits)
    frames = _check(path, name, limits)
    from ..video.read import AvFilm

    try:
        film = AvFilm(str(path))
        info = film.info
        _check_size(info.size, name, limits)
        first = next(film.frames(info.size), None)
    except ImageError as error:
        raise Refusal(422, public(error)) from None
    if first is None:
        raise Refusal(422, f"{name} has no frame that can be decoded; {_EXPECTED}: send it again")
    seconds = float(info.duration or frames / info.rate)
    sound = any(track.kind == "audio" for track in info.tracks)
    clip = Clip(folder, path, frames, seconds, float(info.rate), sound, size)
    view = previews.shrunk(first.pixels, previews.LONGEST)
    return Upload(
        _jpeg(first.pixels), name, info.size, view, found_in_clip(str(path)), previews.palette(view), clip=clip
    )


def _stored(name: str) -> str:
    """The name of the file. An animated picture gets no extension, so that it is read as other clips are."""
    path = PurePath(name)
    stem = path.stem.replace(".", "-").strip() or "clip"
    return stem + (path.suffix.lower() if path.suffix.lower() in _KEPT else "")


def _copy(file: IO[bytes], path: Path, name: str, limits: Limits) -> int:
    """Copy a file into its folder, and return its size.

    Raises:
        Refusal: it is empty or too large, or the disk is full.
    """
    file.seek(0, io.SEEK_END)
    size = file.tell()
    if not size:
        raise Refusal(422, f"{name} is empty (0 bytes); expected a clip: send it again")
    if size > limits.clip_bytes:
        raise Refusal(
            413,
            f"{name} has {size / 1e6:.0f} MB; expected at most {limits.clip_bytes / 1e6:g}: cut it, or save it "
            "smaller",
        )
    file.seek(0)
    try:
        with path.open("wb") as kept:
            shutil.copyfileobj(file, kept, 1 << 20)
    except OSError:
        raise Refusal(503, "the studio's disk is full; expected room for a clip: try again later") from None
    return size


def _check(path: Path, name: str, limits: Limits) -> int:
    """Check a clip by its container, before a frame is decoded; return how many frames it has.

    Raises:
        Refusal: it is of another kind, its frames are too large, or there are too many.
    """
    import av
    from av.error import FFmpegError

    options = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
    try:
        with av.open(str(path), options=options, metadata_errors="replace") as container:
            if not container.streams.video:
                raise Refusal(415, f"{name} has no picture track; {_EXPECTED}")
            stream = container.streams.video[0]
            _check_size((stream.width or 0, stream.height or 0), name, limits)
            frames = 0
            for packet in container.demux(stream):
                frames += packet.size > 0
                if frames > limits.clip_frames:
                    break
    except (FFmpegError, OSError, ValueError):
        raise Refusal(415, f"{name} is not a clip that can be read; {_EXPECTED}: convert it first") from None
    if frames > limits.clip_frames:
        raise Refusal(
            413, f"{name} has more than {limits.clip_frames} frames; expected at most that many: cut it shorter"
        )
    return max(frames, 1)


def _check_size(size: tuple[int, int], name: str, limits: Limits) -> None:
    width, height = size
    if width * height > limits.clip_pixels:
        raise Refusal(
            413,
            f"{name} has frames of {width}×{height}; expected at most {limits.clip_pixels / 1e6:g} megapixels: save "
            "it smaller first",
        )
    if min(size) < LEAST_SIDE:
        raise Refusal(
            422, f"{name} has frames of {width}×{height}; expected at least {LEAST_SIDE} pixels a side: {_EXPECTED}"
        )


def _jpeg(pixels: NDArray[Any]) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=_QUALITY, subsampling=0)
    return out.getvalue()


def clip_of(upload: Upload) -> Clip:
    """Return the clip of which a picture is the first frame.

    Raises:
        Refusal: it is of none.
    """
    if upload.clip is None:
        raise Refusal(422, f"{upload.name} is a picture; expected a clip to paint a film of: send one to /api/clips")
    return upload.clip
