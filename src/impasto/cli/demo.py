"""``impasto demo``: a first painting, from pictures that come with impasto."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..errors import RequestError
from ..methods import make_recipe
from ..methods.effort import way
from ..recipe import Style
from . import DONE
from .painting import Output, run


def demo(
    *,
    photo: str = "astronaut",
    style: str = "wave",
    size: int = 512,
    draw_styles: Path | None = None,
    output: Annotated[Output | None, Parameter(name="*")] = None,
) -> int:
    """Paint a demo photo in a demo style, which both come with impasto.

    Args:
        photo: Name of the photo: astronaut, chelsea, coffee or rocket.
        style: Name of the style: wave, night, window, river or rhythm.
        size: Longest side of the result in pixels.
        draw_styles: Instead of painting, write all demo styles to this folder, SIZE pixels a side.
        output: Where the result goes.
    """
    from ..demo.photos import demo_photo
    from ..demo.styles import draw, draw_all

    output = output or Output()
    if draw_styles is not None:
        if output.output is not None:
            raise RequestError("--draw-styles and -o are both given; expected one: --draw-styles paints nothing")
        draw_all(draw_styles, size, overwrite=output.overwrite, report=functools.partial(print, flush=True))
        return DONE
    method, preset, settings = way()
    recipe = make_recipe(method, [Style(path=style)], preset=preset, settings={**settings, "size": size})
    if output.output is None:
        output = replace(output, output=f"{photo}.{style}.png")
    return run(recipe, demo_photo(photo), [draw(style)], output)
