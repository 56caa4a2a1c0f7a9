"""Presets whose encoder is not on this machine: the installed encoder takes its place. Imports no torch."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Collection, Mapping

from ..errors import ImpastoWarning, RequestError, WeightsError
from ..weights.catalogue import CATALOGUE, DEFAULT, Entry
from ..weights.layers import resolve_layer
from ..weights.locate import is_here
from .common.layer_weights import weighs_layers
from .common.preset import Preset


def with_encoder_here(preset: Preset, method: str, name: str, overridden: Collection[str] = ()) -> Preset:
    """Return a preset with the installed encoder if its own is not on this machine, and warn.

    Layers keep their meaning: a name that counts layers, such as ``conv_8``, is replaced where the networks differ.
    Losses keep their balance: see `Options.rescaled`.

    Args:
        preset: the preset.
        method: its method, for messages.
        name: its name, for messages.
        overridden: names of options that the preset does not decide.

    Returns:
        The preset; unchanged if its encoder is here, is a file, or if the installed one is missing too.

    Raises:
        WeightsError: the installed encoder lacks a layer that the preset uses.
    """
    wanted, here = CATALOGUE.get(preset.encoder), CATALOGUE[DEFAULT]
    if wanted is None or wanted is here or is_here(wanted) or not is_here(here):
        return preset
    label = f"the preset {name} of {method}"
    changes: dict[str, Mapping[str, float]] = {}
    for setting, field in type(preset.options).model_fields.items():
        if setting in overridden or not weighs_layers(field):
            continue
        layers: Mapping[str, float] = getattr(preset.options, setting)
        translated = {_translated(layer, wanted, here, label, setting): weight for layer, weight in layers.items()}
        if translated != layers:
            changes[setting] = translated
    options = preset.options.model_copy(update=changes)
    rescaled = options.rescaled(*(now / then for now, then in zip(here.levels, wanted.levels, strict=True)))
    weights = "" if rescaled == options else ", with weights that suit it"
    warnings.warn(
        f"{label} is made for the encoder {wanted.name}, which is not on this machine; {here.name} takes its place"
        f"{weights}, and the picture differs: `impasto weights fetch {wanted.name}` ({wanted.size_text}) gets the "
        f"original, `impasto {method} --exact-preset` refuses to paint without it",
        ImpastoWarning,
        stacklevel=4,
    )
    return dataclasses.replace(preset, encoder=here.name, options=rescaled)


def _translated(layer: str, wanted: Entry, here: Entry, label: str, setting: str) -> str:
    """Return the name, in the encoder that is here, of a layer of the encoder that is wanted.

    Raises:
        WeightsError: there is no such layer.
    """
    meant = resolve_layer(layer, wanted.arch)
    try:
        resolve_layer(meant, here.arch)
    except RequestError:
        raise WeightsError(
            f"{label} uses the layer {layer} of the encoder {wanted.name}, which is not on this machine; "
            f"{here.name}, which is here, has no such layer: `impasto weights fetch {wanted.name}` "
            f"({wanted.size_text}) gets the original, or give other layers with --{setting.replace('_', '-')}"
        ) from None
    return layer if _resolved(layer, here) == meant else meant


def _resolved(layer: str, entry: Entry) -> str | None:
    try:
        return resolve_layer(layer, entry.arch)
    except RequestError:
        return None
