"""Films that are no films: animated pictures (GIF, APNG, WebP) and numbered pictures, read and written."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..errors import ImageError, ImpastoError, OutputError
from ..images.atomic import make_folder
from ..images.metadata import METADATA_KEY, as_exif, as_text
from ..images.source import load_bytes, open_image
from ..recipe import is_picture
from .coding import is_numbered
from .frames import DEFAULT_RATE, Film, FilmInfo, Frame, Pixels

_TICKS = Fraction(1, 1000)
_SHORTEST = 20  # milliseconds; browsers show shorter frames for 100
_NUMBER = re.compile(r"%0?(\d*)d")


class Animation(Film):
    """An animated picture.

    Args:
        path: the file.

    Raises:
        ImageError: it cannot be read.
    """

    def __init__(self, path: str) -> None:
        self.path, self.problems = path, []
        image = self._open()
        lengths: list[int] = []
        for number in range(getattr(image, "n_frames", 1)):
            try:
                image.seek(number)
                if image.format == "WEBP":
                    image.load()  # which only then says how long it is shown
                lengths.append(_length(image))
            except (EOFError, OSError, SyntaxError, ValueError):
                break
        self._lengths = lengths
        duration = Fraction(sum(lengths), 1000)
        image.seek(0)
        self.info = FilmInfo(
            path,
            image.size,
            len(lengths) / duration,
            duration,
            _TICKS,
            alpha=image.has_transparency_data or image.mode in ("RGBA", "LA"),
        )

    def frames(self, size: tuple[int, int], begin: Fraction = Fraction(0)) -> Iterator[Frame]:
        """See `Film.frames`."""
        image, time = self._open(), Fraction(0)
        for number, length in enumerate(self._lengths):
            duration = Fraction(length, 1000)
            try:
                image.seek(number)
                shown = image.convert("RGBA")
            except (EOFError, OSError, SyntaxError, ValueError):
                self.problems.append(f"{self.path} ends after {number} frames of {len(self._lengths)}: it is damaged")
                return
            if time >= begin:
                values = np.asarray(shown.resize(size, Image.Resampling.LANCZOS))
                alpha = np.ascontiguousarray(values[..., 3]) if self.info.alpha else None
                yield Frame(np.ascontiguousarray(values[..., :3]), time, duration, alpha)
            time += duration

    def _open(self) -> Image.Image:
        data, name = load_bytes(self.path)
        return open_image(data, name, ("GIF", "PNG", "WEBP"))


class Numbered(Film):
    """Numbered pictures, as a pattern or a folder.

    Args:
        path: ``frames/%05d.png``, or a folder.
        rate: pictures a second.

    Raises:
        ImageError: there are none.
    """

    def __init__(self, path: str, rate: Fraction | None = None) -> None:
        from ..images.read import read, stated_size

        self.problems, self._rate = [], rate or DEFAULT_RATE
        self.files = _numbered_files(path)
        if not self.files:
            raise ImageError(f"there are no pictures {path}; expected some, as frames/%05d.png or a folder of them")
        first = str(self.files[0])
        size = stated_size(first) or read(first).size
        self.info = FilmInfo(path, size, self._rate, len(self.files) / self._rate, 1 / self._rate)

    def frames(self, size: tuple[int, int], begin: Fraction = Fraction(0)) -> Iterator[Frame]:
        """See `Film.frames`. A picture that cannot be read is skipped."""
        for number, path in enumerate(self.files):
            time = number / self._rate
            if time >= begin:
                try:
                    pixels = _read(path, size)
                except ImpastoError as error:
                    self.problems.append(f"{error}; it is skipped")
                    continue
                yield Frame(pixels, time, 1 / self._rate)


def write_animation(
    target: Path,
    frames: Callable[[], Iterator[Pixels]],
    times: list[tuple[int, int]],
    ticks: Fraction,
    recipe: Mapping[str, Any],
) -> None:
    """Write an animated picture that repeats for ever.

    Args:
        target: a file that ends in .gif, .apng or .webp.
        frames: returns the frames, H×W×3 or H×W×4 each; called again if they are needed twice.
        times: time and duration of each, in ticks.
        ticks: in seconds.
        recipe: JSON data to store in the file.

    Raises:
        OutputError: the system refuses.
    """
    form = {".gif": "GIF", ".apng": "PNG", ".webp": "WEBP"}[target.suffix.lower()]
    unit = Fraction(1, 100 if form == "GIF" else 1000)
    ends = [round(time * ticks / unit) for time, _ in times] + [round(sum(times[-1]) * ticks / unit)]
    lengths = [max(round((end - begin) * unit * 1000), _SHORTEST) for begin, end in itertools.pairwise(ends)]
    settings: dict[str, Any] = {"save_all": True, "duration": lengths, "loop": 0}
    if form == "GIF":
        settings |= {"comment": as_text({METADATA_KEY: recipe}).encode(), "disposal": 1}
    elif form == "PNG":
        info = PngInfo()
        info.add_itxt(METADATA_KEY, as_text(recipe))
        settings["pnginfo"] = info
    else:
        settings |= {"exif": as_exif(None, recipe, keep_gps=False).tobytes(), "quality": 90}
    images = _Images(frames)
    try:
        next(iter(images)).save(target, form, append_images=_Images(frames, 1), **settings)
    except OSError as error:
        raise OutputError(
            f"{target} cannot be written ({error.strerror or error}); expected a writable folder with free space: "
            "make room, and give the same command again"
        ) from None


def write_numbered(target: str, frames: Iterator[Pixels], recipe: Mapping[str, Any], *, overwrite: bool) -> None:
    """Write numbered pictures, from 1, each with the recipe.

    Raises:
        OutputError: the system refuses.
        RequestError: a picture exists already.
    """
    import torch

    from ..images.write import write

    make_folder(Path(target).parent)
    for number, pixels in enumerate(frames, 1):
        values = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
        alpha = values[:, 3:] if values.shape[1] == 4 else None
        write(values[:, :3], numbered(target, number), overwrite=overwrite, metadata=recipe, alpha=alpha)


def numbered(pattern: str, number: int) -> Path:
    """Return the path of a numbered picture.

    Examples:
        >>> numbered("frames/%03d.png", 7).name
        '007.png'
    """
    path = Path(pattern)
    return path.with_name(_NUMBER.sub(lambda found: f"{number:0{found[1] or 1}}", path.name, count=1))


class _Images:
    """Frames as images, which are made anew each time, so that they are never in memory together."""

    def __init__(self, frames: Callable[[], Iterator[Pixels]], first: int = 0) -> None:
        self._frames, self._first = frames, first

    def __iter__(self) -> Iterator[Image.Image]:
        return map(Image.fromarray, itertools.islice(self._frames(), self._first, None))


def _numbered_files(path: str) -> list[Path]:
    if is_numbered(path):
        before, after = (re.escape(part) for part in _NUMBER.sub("\0", Path(path).name, count=1).split("\0"))
        fits = re.compile(f"{before}\\d+{after}")
        folder = Path(path).parent
    else:
        fits, folder = re.compile(".*"), Path(path)
    if not folder.is_dir():
        return []
    found = [each for each in folder.iterdir() if each.is_file() and fits.fullmatch(each.name)]
    return sorted((each for each in found if is_picture(each.name)), key=lambda each: _by_number(each.name))


def _by_number(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]


def _read(path: Path, size: tuple[int, int]) -> Pixels:
    from ..images.geometry import resize
    from ..images.picture import quantise, to_raster
    from ..images.read import read

    return quantise(to_raster(resize(read(str(path)).pixels, size[1], size[0])))


def _length(image: Image.Image) -> int:
    stated = image.info.get("duration")
    return max(1, round(float(stated))) if stated else 100
