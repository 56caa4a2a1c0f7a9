"""The group, level, unit and step of a setting, in addition to its range, default and description."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal, NamedTuple, cast, get_args

from pydantic import AfterValidator, BaseModel, Field
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

Level = Literal["plain", "advanced", "reproduction"]
"""Who needs a setting: everybody, someone who knows the method, or someone who reproduces another system."""

LEVELS: Final = get_args(Level)

GROUPS: Final = {
    "picture": "Picture",
    "strokes": "Strokes",
    "finish": "Strength and colour",
    "photo": "What stays of the photo",
    "style": "What comes from the style",
    "matching": "Matching",
    "data": "Training pictures",
    "losses": "Losses",
    "steps": "Steps",
    "network": "Networks",
    "running": "Running",
}
"""Title of every group, in the order of help and forms."""


class NamesFile(NamedTuple):
    """Marks a text field that names a file.

    Attributes:
        words: values of the field that are not names of files.
    """

    words: tuple[str, ...] = ()

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        """Say in the JSON schema that the field is a path, so that forms offer to choose a file."""
        return {**handler(schema), "format": "path"}


def _not_empty(name: str) -> str:
    if not name.strip():
        raise ValueError("a name is empty; expected the name of a file, or of something shipped")
    return name


FileName = Annotated[str, NamesFile(), AfterValidator(_not_empty)]
"""Type of a setting that names a file, or something shipped under a name."""


class Place(NamedTuple):
    """Where help and forms show a setting.

    Attributes:
        group: one of GROUPS.
        level: one of LEVELS.
        unit: unit of a number, such as ``px``; may be empty.
        step: step of a slider; None for no preference.
    """

    group: str
    level: Level
    unit: str = ""
    step: float | None = None


def setting(
    group: str,
    level: Level = "plain",
    *,
    default: Any = PydanticUndefined,
    description: str | None = None,
    min_length: int | None = None,
    unit: str = "",
    step: float | None = None,
) -> Any:
    """Make a field of a model with a group and a level, which become part of the model's JSON schema.

    Args:
        group: one of GROUPS.
        level: one of LEVELS.
        default: default of the field; left out when this describes a type that several fields share.
        description: what the field means, in a sentence; None keeps that of the field's type.
        min_length: smallest number of items.
        unit: unit of a number.
        step: step of a slider.

    Raises:
        ValueError: there is no such group or level.

    Examples:
        >>> class Settings(BaseModel):
        ...     size: int = setting("picture", default=512, description="Longest side.", unit="px")
        >>> place_of(Settings.model_fields["size"]).unit
        'px'
    """
    if group not in GROUPS:
        raise ValueError(f"group is {group!r}; expected one of {', '.join(GROUPS)}")
    if level not in LEVELS:
        raise ValueError(f"level is {level!r}; expected one of {', '.join(LEVELS)}")
    place: dict[str, Any] = {"group": group, "level": level}
    if unit:
        place["unit"] = unit
    if step is not None:
        place["step"] = step
    words: dict[str, Any] = {} if description is None else {"description": description}
    return Field(default=default, min_length=min_length, json_schema_extra=place, **words)


def place_of(field: FieldInfo) -> Place:
    """Return the group, level, unit and step of a field.

    Raises:
        ValueError: the field was not made by `setting`.
    """
    extra = field.json_schema_extra
    if not isinstance(extra, dict) or "group" not in extra:
        raise ValueError("a setting says neither group nor level; expected it to be made by impasto.settings.setting")
    return Place(**cast(dict[str, Any], extra))


def names_file(field: FieldInfo) -> NamesFile | None:
    """Return the mark of a field that names a file; None for other fields."""
    found = [*field.metadata, *_metadata(field.annotation)]
    return next((each for each in found if isinstance(each, NamesFile)), None)


def _metadata(annotation: Any) -> list[Any]:
    """The metadata of the `Annotated` types inside a type, such as ``FileName | None``."""
    inner = [each for argument in get_args(annotation) for each in _metadata(argument)]
    return [*getattr(annotation, "__metadata__", ()), *inner]


def check_places(model: type[BaseModel], without: Iterable[str] = ()) -> None:
    """Check that each field of a model states its group and level.

    Args:
        model: the model.
        without: names of fields to skip.

    Raises:
        TypeError: a field does not.
    """
    for name, field in model.model_fields.items():
        if name in without:
            continue
        try:
            place_of(field)
        except ValueError as error:
            raise TypeError(f"{model.__name__}.{name}: {error}") from None


def in_order(fields: Iterable[tuple[str, FieldInfo]]) -> list[tuple[str, FieldInfo]]:
    """Sort fields by group; fields of a group keep their order."""
    order = list(GROUPS)
    return sorted(fields, key=lambda item: order.index(place_of(item[1]).group))
