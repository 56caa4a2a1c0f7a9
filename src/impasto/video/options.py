"""`FilmSettings`: what decides a painted film beside the recipe of its frames. Imports neither torch nor PyAV."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated

from pydantic import Field, field_validator

from ..recipe import Frozen, UnitInterval
from .times import parse_time

DEFAULT_STEADY = 0.95


class FilmSettings(Frozen):
    """How a film is painted, beside the recipe of its frames."""

    steady: UnitInterval = Field(
        default=DEFAULT_STEADY,
        description="How steady strokes are: 0 paints each frame by itself, 1 keeps strokes as long as things "
        "can be seen.",
    )
    begin: str | None = Field(default=None, description="Time to begin at, as 3s or 1:02.")
    end: str | None = Field(default=None, description="Time to end at.")
    fps: Annotated[float, Field(gt=0, le=1000)] | None = Field(
        default=None, description="Frames a second; unset: every frame at its own time."
    )
    style_at: tuple[str, ...] = Field(
        default=(), description="Styles that follow each other, as TIME=STYLE; they fade into each other in between."
    )
    codec: str | None = Field(default=None, description="Codec: h264, hevc, vp9, av1, prores or ffv1.")
    crf: int | None = Field(default=None, description="Quality of the codec; smaller is better.")
    sound: bool = Field(default=True, description="Copy sound and subtitles.")

    @field_validator("begin", "end")
    @classmethod
    def _a_time(cls, text: str | None) -> str | None:
        if text is not None:
            parse_time(text, "the time")
        return text

    @property
    def span(self) -> tuple[Fraction, Fraction | None]:
        """Begin and end in seconds; None for the end of the film."""
        begin = Fraction(0) if self.begin is None else parse_time(self.begin, "--from")
        return begin, None if self.end is None else parse_time(self.end, "--to")

    @property
    def rate(self) -> Fraction | None:
        """Frames a second, if they are stated."""
        if self.fps is None:
            return None
        near = Fraction(self.fps).limit_denominator(1000)
        ntsc = Fraction(round(self.fps * 1.001) * 1000, 1001)  # such as 29.97
        return ntsc if abs(float(ntsc) - self.fps) < 0.005 and near.denominator != 1 else near
