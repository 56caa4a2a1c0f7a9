"""How settings say their group and level."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import BaseModel, Field

from impasto.methods import METHODS
from impasto.recipe import DECIDED, Options, Recipe
from impasto.settings import GROUPS, LEVELS, FileName, NamesFile, Place, in_order, names_file, place_of, setting


def test_a_setting_says_where_it_stands() -> None:
    class Some(BaseModel):
        a: Annotated[int, Field(ge=3)] = setting("picture", default=4, description="An a.", unit="px", step=2)
        b: Annotated[float, Field(le=1), setting("steps", "advanced", description="A b.")] = 0.5

    assert place_of(Some.model_fields["a"]) == Place("picture", "plain", "px", 2)
    assert place_of(Some.model_fields["b"]) == Place("steps", "advanced")
    assert Some.model_fields["b"].description == "A b."
    schema = Some.model_json_schema()["properties"]
    assert schema["a"] == {
        "title": "A", "type": "integer", "minimum": 3, "default": 4, "description": "An a.",
        "group": "picture", "level": "plain", "unit": "px", "step": 2,
    }  # fmt: skip
    with pytest.raises(ValueError, match="greater than or equal to 3"):
        Some(a=1)


def test_unknown_groups_and_levels() -> None:
    with pytest.raises(ValueError, match="group is 'colours'; expected one of picture"):
        setting("colours", default=1)
    with pytest.raises(ValueError, match="level is 'expert'; expected one of plain"):
        setting("picture", "expert", default=1)


def test_options_without_a_place_are_refused_when_they_are_made() -> None:
    with pytest.raises(TypeError, match=r"Lost\.amount: .*group nor level"):

        class Lost(Options):
            amount: float = 0.5


@pytest.mark.parametrize("name", METHODS)
def test_a_methods_schema_serves_a_form(name: str) -> None:
    schema = METHODS[name].schema()
    common = {key: each for key, each in schema["properties"].items() if key not in DECIDED}
    own = schema["$defs"]["Options"]["properties"]
    assert set(common) == set(Recipe.model_fields) - DECIDED and set(own) == set(METHODS[name].options.model_fields)
    for each in (*common.values(), *own.values()):
        assert each["group"] in GROUPS and each["level"] in LEVELS and each["description"]
    assert schema["properties"]["method"]["const"] == name
    if "net" in own and name != "johnson":
        assert own["net"]["format"] == "path"


def test_fields_in_the_order_of_groups() -> None:
    fields = METHODS["gatys"].options.model_fields
    groups = [list(GROUPS).index(place_of(field).group) for _, field in in_order(fields.items())]
    assert groups == sorted(groups) and len(groups) == len(fields)


def test_what_names_a_file_is_known_by_its_type() -> None:
    class Some(BaseModel):
        brush: FileName = "round"
        canvas: FileName | None = None
        ground: Annotated[str, NamesFile(words=("white", "black"))] | None = None
        title: str = ""

    found = {name: names_file(field) for name, field in Some.model_fields.items()}
    assert found == {
        "brush": NamesFile(),
        "canvas": NamesFile(),
        "ground": NamesFile(("white", "black")),
        "title": None,
    }
