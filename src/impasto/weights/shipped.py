"""Trained nets: those inside the package, and files of the same format."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import WeightsError, near_misses
from ..untrusted import shorten
from . import container
from .catalogue import encoder_label
from .files import checked_file, sha256_of

_FOLDER = Path(str(resources.files("impasto.weights"))) / "shipped"


def net_names() -> tuple[str, ...]:
    """The names of the nets inside the package, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.safetensors")))


def locate_net(name_or_path: str | Path) -> Path:
    """Find the file of a shipped net's name or a path.

    Raises:
        WeightsError: there is no such net; the message has similar names.
    """
    text = str(name_or_path)
    if text in net_names():
        return _FOLDER / f"{text}.safetensors"
    path = Path(name_or_path).expanduser()
    if path.exists() or path.suffix or len(path.parts) > 1:
        return path
    known = net_names()
    hint = near_misses(text, known) or (f"; known: {', '.join(known)}" if known else "; impasto ships none yet")
    raise WeightsError(f"no net is called {text!r}, and no file has that path{hint}")


def save_net(
    path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any], *, overwrite: bool = True
) -> Path:
    """Write a trained net atomically, with floats in 16 bits.

    Args:
        path: a file that ends in ``.safetensors``.
        tensors: the state dict.
        metadata: JSON data. Required are ``kind`` (such as ``adain-decoder``, ``swap-decoder`` or ``johnson``) and
            ``encoder_sha256``, of the encoder it was trained against, or None if it works without one. Usual are
            also ``arch``, ``layer``, ``recipe``, ``data`` and ``validation``.
        overwrite: replace an existing file.

    Raises:
        WeightsError: a required entry is missing, or a value is not finite or too large for float16.
        OutputError: the file cannot be written.
    """
    missing = [key for key in ("kind", "encoder_sha256") if key not in metadata]
    if missing:
        raise WeightsError(f"a net's metadata lacks {', '.join(missing)}; expected at least kind and encoder_sha256")
    return container.save(path, tensors, metadata, half=True, overwrite=overwrite)


def parent_of(name_or_path: str | Path | None) -> dict[str, str] | None:
    """Return name and sha256 of the net that training starts from, for the new net's metadata; None if there is none.

    Raises:
        WeightsError: there is no such net.
    """
    if name_or_path is None:
        return None
    path = checked_file(locate_net(name_or_path))
    return {"name": path.name, "sha256": sha256_of(path)}


def load_net(
    name_or_path: str | Path, *, kind: str, encoder_sha256: str | None, layer: str | None = None
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a trained net, with floats as float32, and its metadata.

    Args:
        name_or_path: the name of a shipped net, or a file.
        kind: the kind that it must have.
        encoder_sha256: hash of the encoder in use; a net trained against another one is refused. None if the net is
            used without an encoder.
        layer: canonical layer that it must work on; None accepts any.

    Raises:
        WeightsError: the file is missing, cut short or not a net, or the net was made for something else.
    """
    path = locate_net(name_or_path)
    tensors, metadata = container.load(path)
    if metadata is None or "encoder_sha256" not in metadata:
        raise WeightsError(
            f"{path} is not a net that impasto trained; expected kind {kind}, as `impasto train` makes"
        )
    if metadata["kind"] != kind:
        raise WeightsError(f"{path}: its kind is {shorten(metadata['kind'])}; expected {kind}: give another net")
    if layer is not None and metadata.get("layer") != layer:
        raise WeightsError(
            f"{path} works on {shorten(metadata.get('layer'))}; expected one for {layer}: give another net"
        )
    trained_on = metadata["encoder_sha256"]
    if not isinstance(trained_on, str | None):
        raise WeightsError(
            f"{path}: its encoder_sha256 is {shorten(trained_on)}; expected a hash: get the file again"
        )
    if encoder_sha256 is not None and trained_on is not None and trained_on != encoder_sha256:
        raise WeightsError(
            f"{path} was trained against {encoder_label(trained_on)}, but the encoder in use is "
            f"{encoder_label(encoder_sha256)}: give the former with --encoder, or a net made for the latter"
        )
    return {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}, metadata
