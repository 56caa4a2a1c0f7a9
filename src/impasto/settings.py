"""How a setting says where it stands: in which group, and for whom, beside its range, default and description."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

Level = Literal["plain", "advanced", "reproduction"]
"""Whom a setting is for: everybody; who knows the method; or who reproduces another system."""

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
"""Title of every group, in the order that helps and forms have them."""


class NamesFile(NamedTuple):
    """Metadata of a text field that names a file, or is one of a few words that name none."""

    words: tuple[str, ...] = ()

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        """Tell forms: what they show there lets a person choose a file."""
        return {**handler(schema), "format": "path"}


FileName = Annotated[str, NamesFile()]
"""The type of a setting that names a file, or what ships under a name."""


class Place(NamedTuple):
    """Where a setting stands.

    Attributes:
        group: one of GROUPS.
        level: one of LEVELS.
        unit: of a number, as in ``px``; empty for none.
        step: of a slider; None for none.
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
    """A field of a model that says its group and level; both are part of the model's JSON schema.

    Args:
        group: one of GROUPS.
        level: one of LEVELS.
        default: the field's; left out where a type is described that several fields have.
        description: what the field means, in a sentence.
        min_length: least number of items.
        unit: of a number.
        step: of a slider.

    Raises:
        ValueError: there is no such group or level.

    Example:
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
    return Field(default=default, description=description, min_length=min_length, json_schema_extra=place)


def place_of(field: FieldInfo) -> Place:
    """Where a field stands.

    Raises:
        ValueError: it was not made by `setting`.
    """
    extra = field.json_schema_extra
    if not isinstance(extra, dict) or "group" not in extra:
        raise ValueError("a setting says neither group nor level; expected it to be made by impasto.settings.setting")
    return Place(**extra)  # pyright: ignore[reportArgumentType]  # as `setting` wrote it


def names_file(field: FieldInfo) -> NamesFile | None:
    """What says that a field names a file; None where it is another."""
    found = [*field.metadata, *_metadata(field.annotation)]
    return next((each for each in found if isinstance(each, NamesFile)), None)


def _metadata(annotation: Any) -> list[Any]:
    """What is annotated within a type, as in ``FileName | None``."""
    inner = [each for argument in get_args(annotation) for each in _metadata(argument)]
    return [*getattr(annotation, "__metadata__", ()), *inner]


def check_places(model: type[BaseModel], without: Iterable[str] = ()) -> None:
    """See that each field of a model says where it stands, but those named.

    Raises:
        TypeError: one does not.
    """
    for name, field in model.model_fields.items():
        if name in without:
            continue
        try:
            place_of(field)
        except ValueError as error:
            raise TypeError(f"{model.__name__}.{name}: {error}") from None


def in_order(fields: Iterable[tuple[str, FieldInfo]]) -> list[tuple[str, FieldInfo]]:
    """Fields by group, each group in the order given."""
    order = list(GROUPS)
    return sorted(fields, key=lambda item: order.index(place_of(item[1]).group))
