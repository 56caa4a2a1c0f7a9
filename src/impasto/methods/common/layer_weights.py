"""Settings that give each of several layers a weight. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator
from pydantic.fields import FieldInfo

from ...errors import RequestError
from ...recipe import NonNegative
from ...weights.layers import resolve_layer


def _layer_weights(value: Any) -> Any:
    """Convert ``"relu1_1:0.5,relu2_1"``, or a sequence of its parts, to a weight by layer."""
    if isinstance(value, str):
        value = [part for part in value.split(",") if part.strip()]
    if isinstance(value, Mapping) or not isinstance(value, Sequence):
        return value
    weights: dict[str, float] = {}
    for part in value:
        name, colon, number = str(part).strip().partition(":")
        try:
            weight = float(number) if colon else 1.0
        except ValueError:
            raise ValueError(f"weight of {name} is {number!r}; expected a number, as in {name}:0.5") from None
        if name in weights:
            raise ValueError(f"{name} is named twice")
        weights[name] = weight
    return weights


def _known_layer(name: str) -> str:
    """Check that VGG-19 or VGG-16 has such a layer, and return its name as given; the network is not known yet."""
    try:
        resolve_layer(name, "vgg19")
    except RequestError as error:
        try:
            resolve_layer(name, "vgg16")
        except RequestError:
            raise ValueError(str(error)) from None
    return name


def _known_layers(weights: dict[str, float]) -> dict[str, float]:
    return {_known_layer(name): weight for name, weight in weights.items()}


LayerWeights = Annotated[dict[str, NonNegative], BeforeValidator(_layer_weights), AfterValidator(_known_layers)]
"""A weight by layer, or text such as ``"relu1_1:0.5,relu2_1"``; `resolve_layer` says how layers can be written."""


def weighs_layers(field: FieldInfo) -> bool:
    """Say whether a setting is of the type `LayerWeights`."""
    return any(isinstance(each, AfterValidator) and each.func is _known_layers for each in field.metadata)


def equal(weight: float, *layers: str) -> dict[str, float]:
    """Give every layer the same weight."""
    return dict.fromkeys(layers, weight)
