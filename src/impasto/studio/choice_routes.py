"""Routes of what there is to choose from: methods, styles, limits."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..methods.effort import EFFORTS
from . import clips, forms, previews
from .endpoints import Endpoint, in_thread, session_of, studio_of
from .orders import DRAWN, drawn
from .picture_routes import answer_picture
from .previews import EXTENSIONS
from .refusals import Refusal

_READ = ("png", "jpeg", "webp", "tiff", "gif", "bmp", "avif")


async def _health(request: Request) -> Response:  # noqa: ARG001 (every handler takes the request)
    from .. import __version__

    return JSONResponse({"status": "ok", "version": __version__})


async def _methods(request: Request) -> Response:
    studio = studio_of(request)
    session_of(request)
    return JSONResponse(await in_thread(studio, forms.described, studio.limits))


async def _styles(request: Request) -> Response:
    session_of(request)
    return JSONResponse(await in_thread(studio_of(request), _described))


def _described() -> dict[str, Any]:
    from ..demo.styles import STYLES
    from ..methods.johnson.gallery import gallery

    # A painting that several networks know is listed once; the names of all are accepted.
    credits = {name: entry.credit for name, entry in gallery().items() if name == entry.credit.name}
    return {
        "gallery": [
            {"name": name, "title": credit.title or name, "artist": credit.artist, "year": credit.year}
            for name, credit in credits.items()
        ],
        "drawn": [
            {"name": style.name, "title": style.title, "description": style.description} for style in STYLES.values()
        ],
        "efforts": {"gallery": list(EFFORTS[:1]), "drawn": list(EFFORTS), "picture": list(EFFORTS)},
    }


async def _style_picture(request: Request) -> Response:
    from ..demo.styles import STYLES

    session_of(request)
    name = request.path_params["name"]
    if name not in STYLES:
        raise Refusal(404, f"there is no picture of such a style; expected one of {', '.join(STYLES)}")
    return answer_picture(await in_thread(studio_of(request), _draw, name))


def _draw(name: str) -> previews.Encoded:
    import numpy as np

    return previews.encode(np.asarray(drawn(name, DRAWN)))


async def _limits(request: Request) -> Response:
    import importlib.util

    session_of(request)
    limits = studio_of(request).limits
    heic = ("heic",) if importlib.util.find_spec("pi_heif") else ()
    return JSONResponse(
        {
            "max_bytes": limits.max_bytes,
            "max_pixels": limits.max_pixels,
            "max_size": limits.max_size,
            "jobs": limits.own_queue,
            "clips": {
                "installed": clips.is_possible(),
                "max_bytes": limits.clip_bytes,
                "max_frames": limits.clip_frames,
                "max_pixels": limits.clip_pixels,
                "max_size": limits.clip_size,
                "read": list(clips.READ),
            },
            "formats": {"read": [*_READ, *heic], "write": [name for name in EXTENSIONS if previews.has(name)]},
        }
    )


ENDPOINTS = (
    Endpoint("GET", "/health", _health, "Whether the studio is there, and its version; needs no token."),
    Endpoint("GET", "/api/methods", _methods, "The methods, with the JSON schema of their settings, and presets."),
    Endpoint("GET", "/api/styles", _styles, "The styles of the gallery, and those that are drawn by code."),
    Endpoint(
        "GET",
        "/api/styles/{name}/picture",
        _style_picture,
        "The picture of a drawn style.",
        answers={200: "image/webp"},
    ),
    Endpoint(
        "GET", "/api/limits", _limits, "How large pictures and clips may be, and which formats are read and written."
    ),
)
"""The routes of this module."""
