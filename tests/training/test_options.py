"""Help of the trainers' settings: it can be understood without the code."""

from __future__ import annotations

import re
from typing import Literal, get_args, get_origin

import pytest
from pydantic.fields import FieldInfo

from impasto.training.tasks.adain_options import AdainTraining
from impasto.training.tasks.johnson_options import JohnsonTraining
from impasto.training.tasks.swap import SwapTraining
from impasto.training.tasks.swap_steps import SwapStepsTraining

SETTINGS = [
    pytest.param(field, id=f"{model.__name__}.{name}")
    for model in (AdainTraining, JohnsonTraining, SwapTraining, SwapStepsTraining)
    for name, field in model.model_fields.items()
]


@pytest.mark.parametrize("field", SETTINGS)
def test_help_stands_alone(field: FieldInfo) -> None:
    text = field.description or ""
    assert text.endswith(".") and len(text) > 15
    assert not re.match(r"(Of|As|That|Factor on|With it)\b", text), "it leans on another setting's help"
    assert not re.search(r"\b(that|those|the same|of them)\b[^.]*\bdistance|those differences|last of them", text)
    assert "shard" not in text


@pytest.mark.parametrize("field", [each for each in SETTINGS if get_origin(each.values[0].annotation) is Literal])
def test_help_explains_every_choice(field: FieldInfo) -> None:
    choices = [choice for choice in get_args(field.annotation) if not choice.startswith("relu")]
    assert [choice for choice in choices if not re.search(rf"\b{choice}\b", field.description or "")] == []


def test_size_of_strokes_says_of_what_it_is_a_factor() -> None:
    text = JohnsonTraining.model_fields["style_scale"].description or ""
    assert "--style-size" in text and "strokes" in text
