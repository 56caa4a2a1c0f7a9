"""The application: routes, guarded, and what begins and ends with it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount
from starlette.types import ASGIApp

from ..errors import ImpastoError
from . import choice_routes, clip_routes, job_routes, live_route, openapi, page_routes, paint_route, picture_routes
from .endpoints import Endpoint
from .refusals import Refusal, describe, log, refuse
from .security import Address, Guard
from .state import Studio


async def _openapi(request: Request) -> Response:  # noqa: ARG001 (every handler takes the request)
    from .. import __version__

    return JSONResponse(openapi.document(ENDPOINTS, __version__))


ENDPOINTS: Sequence[Endpoint] = (
    *page_routes.ENDPOINTS,
    Endpoint("GET", "/openapi.json", _openapi, "This description."),
    *choice_routes.ENDPOINTS,
    *picture_routes.ENDPOINTS,
    *clip_routes.ENDPOINTS,
    *job_routes.ENDPOINTS,
    *live_route.ENDPOINTS,
    *paint_route.ENDPOINTS,
)
"""Every route but the files of the page."""


def make_app(studio: Studio, address: Address, cookie: str = "impasto_session") -> ASGIApp:
    """Make the application of a studio.

    Args:
        studio: what it shows.
        address: where it listens.
        cookie: name of the cookie of a session. Cookies know no ports, so two studios on a machine need two names.
    """
    routes = [endpoint.route() for endpoint in ENDPOINTS]

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        sweeping = asyncio.create_task(_sweep(studio))
        try:
            yield
        finally:
            sweeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sweeping
            await asyncio.to_thread(studio.close)

    app = Starlette(
        routes=[*routes, Mount("/static", page_routes.Files(directory=page_routes.STATIC))],
        lifespan=lifespan,
        exception_handlers={
            HTTPException: _refuse,
            Refusal: _explain,
            ImpastoError: _explain,
            ClientDisconnect: _leave,
            Exception: _explain,
        },
    )
    app.state.studio, app.state.cookie, app.state.secure = studio, cookie, address.secure
    app.router.redirect_slashes = False
    return Guard(app, address=address, visitors=studio.visitors, limits=studio.limits, cookie=cookie)


async def _explain(request: Request, error: Exception) -> Response:  # noqa: ARG001 (a hook of Starlette)
    status, said = describe(error)
    return refuse(status, said, error.headers if isinstance(error, Refusal) else {})


async def _leave(request: Request, error: Exception) -> Response:  # noqa: ARG001 (a hook of Starlette)
    return Response(status_code=400)  # nobody is there to read it


async def _refuse(request: Request, error: Exception) -> Response:
    """Answer for Starlette, which knows no such route or method."""
    assert isinstance(error, HTTPException)
    said = {
        404: "there is nothing at this address; expected one that the OpenAPI document lists",
        405: f"{request.method} is not possible here; expected another method: see the OpenAPI document",
    }
    return refuse(error.status_code, said.get(error.status_code, str(error.detail)), dict(error.headers or {}))


async def _sweep(studio: Studio) -> None:
    while True:
        await asyncio.sleep(studio.limits.sweep)
        try:
            await asyncio.to_thread(studio.sweep)
        except Exception as error:  # the next look may go well
            log(error)
