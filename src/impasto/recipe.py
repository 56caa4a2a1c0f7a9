"""`Recipe`: all that determines a painting except the photograph, as validated, immutable data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, ValidationError, field_validator

from .errors import RequestError
from .prints import Dpi, PrintSize
from .settings import FileName, NamesFile, check_places, names_file, setting

# Some of these are only here for methods in other packages, which define their settings with them.
from .values import ALPHA as ALPHA
from .values import GRAIN as GRAIN
from .values import PICTURES as PICTURES
from .values import Detail, Memory, NonNegative, Positive, Precision, Size, UnitInterval, split_mask, split_weight
from .values import Grain as Grain
from .values import NetName as NetName
from .values import SidesUsed as SidesUsed
from .values import StyleScale as StyleScale
from .values import is_picture as is_picture

MaskName = Annotated[str, NamesFile(words=(ALPHA,))]


class Frozen(BaseModel):
    """Base of the data models here: immutable, and unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    FORM: ClassVar[str] = "TEXT"
    """How a value is written as text on the command line."""

    def rename_files(self, data: dict[str, Any], rename: Callable[[str], str], without: Sequence[str] = ()) -> None:
        """Replace the file names in the plain data of this model, also those in models inside it.

        Args:
            data: this model as plain data; changed in place.
            rename: called with each name that may be a file's, in the order of the fields; returns the new name.
            without: names of fields to leave as they are.

        Examples:
            >>> style = impasto.Style(path="paintings/scream.jpg")
            >>> data = style.model_dump()
            >>> style.rename_files(data, str.upper)
            >>> data["path"]
            'PAINTINGS/SCREAM.JPG'
        """
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if name in without or value is None:
                continue
            if (file := names_file(field)) is not None and value not in file.words:
                data[name] = rename(value)
            if isinstance(value, Frozen):
                value.rename_files(data[name], rename)
            elif isinstance(value, tuple):
                for part, table in zip(cast(tuple[Any, ...], value), data[name], strict=True):
                    if isinstance(part, Frozen):
                        part.rename_files(table, rename)


class Options(Frozen):
    """Base of every method's settings.

    A subclass states a field's name, type, range, default, description, group and level, by `setting`. Command-line
    flags, help, forms, presets and metadata are derived from these.

    Raises:
        TypeError: a subclass has a field without group and level.
    """

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Check that every field states its group and level."""
        super().__pydantic_init_subclass__(**kwargs)
        check_places(cls)

    @property
    def known_styles(self) -> tuple[NetShare, ...]:
        """The styles that the method's networks know; empty for a method that takes style pictures."""
        return ()

    def with_masks(self, masks: Sequence[str | None]) -> Self:  # noqa: ARG002 (a hook)
        """Return the settings with other masks for `known_styles`, one each; None means everywhere."""
        return self

    def rescaled(self, standard: float, bare: float) -> Self:  # noqa: ARG002 (a hook)
        """Return the settings for an encoder that sees values so many times as large, normalised or bare."""
        return self

    def continued(self) -> Self:
        """Return the settings that paint a film's next frame, beginning with the last one's painting."""
        return self

    @property
    def style_name(self) -> str:
        """The name of the style in file names, if a network knows it; empty if the style is a picture."""
        return ""

    def sides_used(self, size: int) -> SidesUsed:  # noqa: ARG002 (a hook)
        """Return the largest sides at which a painting of longest side `size` uses its pictures.

        Larger files are read with fewer pixels, at least twice as many on a side. By default they are read whole.
        """
        return SidesUsed()


class Share(Frozen):
    """The weight and the mask of a style."""

    weight: NonNegative = Field(
        default=1.0, description="Weight of this style; weights are scaled so that they sum to 1."
    )
    mask: MaskName | None = Field(
        default=None,
        description="Grey picture that says where the style applies: fully where it is white, not at all where it is "
        "black. 'alpha': the photo's own alpha channel; unset: everywhere.",
    )

    def written(self, name: str) -> str:
        """Write the style as text, ``NAME[:WEIGHT][@MASK]``.

        Args:
            name: what stands for the style itself.

        Examples:
            >>> impasto.Style(path="scream.jpg", weight=0.3, mask="sky.png").written("scream")
            'scream:0.3@sky.png'
        """
        weight = "" if self.weight == 1 else f":{self.weight:g}"
        return name + weight + ("" if self.mask is None else f"@{self.mask}")


class NetShare(Share):
    """A style that a network knows, with its weight and mask."""

    FORM = "NAME[:WEIGHT][@MASK]"

    name: FileName = Field(description="Name of a style in the gallery; or a network's file, as FILE or FILE#STYLE.")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``NAME[:WEIGHT][@MASK]``."""
        rest, mask = split_mask(text)
        name, weight = split_weight(rest)
        return cls(name=name, weight=1.0 if weight is None else weight, mask=mask)

    def __str__(self) -> str:
        return self.written(self.name)


class Style(Share):
    """A style picture, with its weight among several styles and its mask.

    Examples:
        >>> impasto.Style(path="scream.jpg", weight=0.3)
        Style(weight=0.3, mask=None, path='scream.jpg')
    """

    path: Annotated[str, NamesFile()] = Field(description="File the style is read from; '-' for standard input.")
    weight: Positive = Field(
        default=1.0, description="Weight of this style; weights are scaled so that they sum to 1."
    )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a style from text, ``PATH[:WEIGHT][@MASK]``.

        A colon without a number after it belongs to the path. An @ belongs to the path unless a picture's name stands
        before it and a mask's after it: ``me@home.jpg`` is a path.

        Args:
            text: the style.

        Raises:
            RequestError: the weight is not a positive number.

        Examples:
            >>> str(impasto.Style.parse("scream.jpg:0.3@sky.png"))
            'scream.jpg:0.3@sky.png'
        """
        rest, mask = split_mask(text)
        path, weight = split_weight(rest)
        if mask is not None and weight is None and path != "-" and not is_picture(path):
            path, mask = text, None
        try:
            return cls(path=path, weight=1.0 if weight is None else weight, mask=mask)
        except ValidationError:
            raise RequestError(
                f"style weight is {weight!r} in {text!r}; expected a positive number, as in scream.jpg:0.3"
            ) from None

    def __str__(self) -> str:
        return self.written(self.path)


DECIDED = frozenset({"version", "method", "options", "styles", "nets"})
"""Fields of a recipe that are not settings: impasto fills them in."""

VERSION = 2
"""Version of the recipes that are written; `impasto.methods.migrations` reads earlier ones."""


class Recipe(Frozen):
    """What to paint with: a method and its options, the styles, and the settings that all methods share.

    The photograph is not part of it, so one recipe can paint a folder or a clip. `make_recipe` makes one, and
    ``Recipe.model_fields`` describes each field.

    Raises:
        ValidationError: a value is out of range, or a style is given twice (from pydantic).

    Examples:
        >>> style = impasto.Style(path="painting.jpg", weight=0.5)
        >>> recipe = impasto.make_recipe("swap", [style], settings={"size": 1024})
        >>> recipe.method, recipe.size, recipe.options.alpha
        ('swap', 1024, 1.0)
    """

    version: Literal[2] = Field(default=VERSION, description="Version of the recipe format.")
    method: str
    options: SerializeAsAny[Options]
    styles: tuple[Style, ...] = ()
    encoder: FileName = setting(
        "network",
        "advanced",
        default="vgg19",
        description="Encoder: a name from `impasto weights list`, or a weights file, as FILE[#LAYOUT]. Say the "
        "layout where the file does not tell it: torchvision, caffe, height-first, width-first.",
    )
    size: Size | None = setting(
        "picture", default=512, description="Longest side of the result in pixels; none: as the photo.", unit="px"
    )
    print: PrintSize | None = setting("picture", default=None, description="Fit a print, as 60x40cm or A4.")
    dpi: Dpi | None = setting(
        "picture",
        "advanced",
        default=None,
        description="Pixels per inch of the print, and of the file; none: 300 for a print, otherwise as the photo.",
    )
    print_crop: bool = setting(
        "picture",
        "advanced",
        default=False,
        description="Fill the print, and cut off what lies over its edges; otherwise the whole photo fits inside.",
    )
    strength: UnitInterval = setting(
        "finish", default=1.0, description="How much of the painting shows: 0 gives the photo, 1 the whole painting."
    )
    colour: Literal["style", "luminance", "oklab", "histogram", "coral"] = setting(
        "finish",
        default="style",
        description="Whose colours. luminance, oklab: the photo's, with the painting's lightness; histogram: the "
        "photo's levels; coral: the photo's, given to the style first.",
    )
    colour_strength: UnitInterval = setting(
        "finish",
        "advanced",
        default=1.0,
        description="How far the colours follow `colour`: 0 keeps the style's, 1 follows it fully.",
    )
    feather: UnitInterval = setting(
        "finish",
        "advanced",
        default=0.01,
        description="Width of the soft border of masks, as a fraction of the longest side.",
    )
    start: FileName | None = setting(
        "photo",
        "advanced",
        default=None,
        description="Picture file to continue painting from, of the photo's proportions.",
    )
    start_detail: Detail = setting(
        "photo",
        "advanced",
        default=1.0,
        description="How much of the photo's fine detail is added to the start, from 0 to 4: detail of brightness "
        "that is finer than the start's pixels. 1 adds it as it is, more exaggerates it.",
    )
    seed: Annotated[int, Field(ge=0, lt=2**63)] = setting(
        "running", default=0, description="Seed of all random numbers."
    )
    precision: Precision = setting(
        "running",
        "advanced",
        default="auto",
        description="auto: the fastest arithmetic that the device does well, such as bfloat16; exact: float32 "
        "everywhere.",
    )
    memory: Memory | None = setting(
        "running",
        "advanced",
        default=None,
        description="Most memory to use, such as 4GB; unset: most of what is free. With less memory painting takes "
        "longer. The picture stays the same, but gatys's changes a little where its progress says '12 of 20 pairs'.",
    )
    preset: str | None = setting(
        "picture", default=None, description="Named settings, which other flags override: see `impasto presets`."
    )
    nets: dict[str, str] = Field(default_factory=dict, description="sha256 of each network by name, once loaded.")

    @field_validator("styles")
    @classmethod
    def _unique(cls, styles: tuple[Style, ...]) -> tuple[Style, ...]:
        if len({(style.path, style.mask) for style in styles}) < len(styles):
            raise ValueError("the same style is given twice; give it once with the summed weight")
        return styles

    @property
    def parts(self) -> tuple[Share, ...]:
        """The styles to mix: the style pictures, or the styles that the method's networks know.

        Examples:
            >>> recipe.parts == recipe.styles
            True
        """
        return self.styles or self.options.known_styles

    def with_masks(self, masks: Sequence[str | None]) -> Self:
        """Return the recipe with other masks.

        Args:
            masks: one file name for each of `parts`; None means everywhere.

        Raises:
            ValueError: there are more or fewer masks than styles.

        Examples:
            >>> recipe.with_masks(["sky.png"]).styles[0].mask
            'sky.png'
        """
        if not self.styles:
            return self.model_copy(update={"options": self.options.with_masks(masks)})
        pairs = zip(self.styles, masks, strict=True)
        return self.model_copy(update={"styles": tuple(s.model_copy(update={"mask": mask}) for s, mask in pairs)})

    def style_shares(self) -> tuple[float, ...]:
        """Return the weights of the style pictures, scaled so that they sum to 1.

        Examples:
            >>> recipe.style_shares()
            (1.0,)
        """
        total = sum(style.weight for style in self.styles)
        return tuple(style.weight / total for style in self.styles)

    def portable(self) -> dict[str, Any]:
        """Return the recipe as JSON data with file names instead of paths, as a picture's metadata has it.

        Examples:
            >>> impasto.make_recipe("adain", [impasto.Style(path="paintings/scream.jpg")]).portable()["styles"]
            [{'weight': 1.0, 'path': 'scream.jpg'}]
        """
        data = self.renamed(lambda name: PurePath(name).name)
        data["nets"] = {PurePath(name).name: sha256 for name, sha256 in data["nets"].items()}
        return data

    def sides_used(self) -> SidesUsed:
        """Return the largest sides at which photograph and style pictures are used; see `Options.sides_used`.

        Examples:
            >>> recipe.sides_used()
            SidesUsed(photo=1024, style=1024)
        """
        return SidesUsed() if self.size is None or self.print is not None else self.options.sides_used(self.size)

    def renamed(self, rename: Callable[[str], str]) -> dict[str, Any]:
        """Return the recipe as JSON data with other file names.

        `memory` is left out: it changes no picture. So is `size` where a print decides it.

        Args:
            rename: called with each name that may be a file's, in the order of the fields; returns the new name.

        Examples:
            >>> recipe.renamed(lambda name: f"folder/{name}")["styles"]
            [{'weight': 0.5, 'path': 'folder/painting.jpg'}]
        """
        apart = {"memory", "print_crop" if self.print is None else "size"}
        data = self.model_dump(mode="json", exclude_none=True, exclude=apart)
        for table, model in ((data, self), (data["options"], self.options)):
            # A field that is None, but not by default, has to be written out.
            others = (name for name, field in type(model).model_fields.items() if field.get_default() is not None)
            table.update({name: None for name in others if getattr(model, name) is None and name not in apart})
        for each, table in zip(self.styles, data["styles"], strict=True):
            each.rename_files(table, rename)
        self.options.rename_files(data["options"], rename)
        self.rename_files(data, rename, without=("styles", "options"))
        return data


check_places(Recipe, without=DECIDED)
