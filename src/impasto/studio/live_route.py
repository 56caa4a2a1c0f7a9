"""The routes of live painting: one frame in, the painted frame out."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from .endpoints import Endpoint, Parameter, query_of, session_of, studio_of
from .live import LEAST, MOST, Painted
from .pictures import Upload
from .refusals import Refusal

_USUAL = 256


async def _paint(request: Request) -> Response:
    studio, owner, asked = studio_of(request), session_of(request), query_of(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("image/jpeg", "image/webp", "image/png"):
        raise Refusal(415, f"the body is {kind[:60] or 'of no kind'}; expected image/jpeg")
    if "style" not in asked:
        raise Refusal(422, "there is no style; expected the name of one, or picture: and the id of a picture")

    def find(name: str) -> Upload:
        return studio.pictures.get(owner, name)

    data, size = await request.body(), asked.get("size", _USUAL)
    studio.live.begin(owner)
    try:
        painted: Painted = await asyncio.get_running_loop().run_in_executor(
            studio.live.workers, studio.live.paint, owner, data, asked["style"], size, find
        )
        rest = studio.live.rest_after(painted)
        if rest:
            await asyncio.sleep(rest)
    finally:
        studio.live.end(owner)
    headers = {"X-Painted-Ms": str(round(1000 * painted.seconds)), "X-Others": str(painted.others)}
    return Response(painted.data, media_type="image/jpeg", headers=headers)


async def _leave(request: Request) -> Response:
    studio_of(request).live.leave(session_of(request))
    return Response(status_code=204)


ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/live",
        _paint,
        "Paint one frame of a camera at once. X-Painted-Ms says how long that took, X-Others how many jobs of other "
        "people are painted or wait; then frames come slower.",
        query={
            "style": Parameter("text", "A name of the list, or picture: and the id of a picture."),
            "size": Parameter("whole number", "Pixels of the longest side.", LEAST, MOST),
        },
        body="picture",
        answers={200: "image/jpeg"},
    ),
    Endpoint("DELETE", "/api/live", _leave, "Paint live no more, which makes room for others.", answers={204: ""}),
)
"""The routes of this module."""
