"""Routes of the page: the way in, the page itself, and its files."""

from __future__ import annotations

import html
import re
from importlib import resources
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from .endpoints import Endpoint, Parameter, query_of, studio_of
from .refusals import Refusal
from .words import language_for, tag_of, word

STATIC = Path(str(resources.files("impasto.studio"))) / "static"
_YEAR = 365 * 24 * 3600
_HTML = "text/html"
_WORD = re.compile(r'data-word="(\w+)">(?=</)')


async def _page(request: Request) -> Response:
    studio, token = studio_of(request), query_of(request).get("token")
    if token is not None:
        return _try(request, token)
    if getattr(request.state, "session", None) is None:
        return _way_in(request, "login_ask")
    studio.thumbnails.warm()
    return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})


async def _login(request: Request) -> Response:
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise Refusal(415, "the body is no form; expected application/x-www-form-urlencoded")
    form = await request.form(max_fields=4)
    secret = form.get("secret")
    return _try(request, secret if isinstance(secret, str) else "")


def _try(request: Request, secret: str) -> Response:
    """Let in whoever has the right token or password; else ask again."""
    try:
        right = studio_of(request).visitors.admits(secret)
    except Refusal as refusal:
        return _way_in(request, "login_wait", refusal.status)
    return _let_in(request) if right else _way_in(request, "login_wrong")


def _way_in(request: Request, told: str, status: int = 401) -> Response:
    """The page that asks for the token, in the language that the browser likes best."""
    language = language_for(request.headers.get("accept-language", ""))
    page = (STATIC / "login.html").read_text("utf-8").replace('"login_ask"', f'"{told}"')
    page = page.replace('lang="en"', f'lang="{tag_of(language)}"', 1)
    page = _WORD.sub(lambda found: found[0] + html.escape(word(found[1], language)), page)
    return HTMLResponse(page, status, {"Vary": "Accept-Language"})


def _let_in(request: Request) -> Response:
    """Lead to the page, with a cookie for a new session unless there is one."""
    answer = RedirectResponse("/", 303)
    if getattr(request.state, "session", None) is None:
        answer.set_cookie(
            request.app.state.cookie,
            studio_of(request).visitors.new_cookie(),
            max_age=_YEAR,
            secure=request.app.state.secure,
            httponly=True,
            samesite="strict",
        )
    return answer


class Files(StaticFiles):
    """The files of the page. Browsers ask each time whether one has changed."""

    def file_response(self, *arguments: Any, **more: Any) -> Response:
        """Answer with a file."""
        answer = super().file_response(*arguments, **more)
        answer.headers["Cache-Control"] = "no-cache"
        return answer


ENDPOINTS = (
    Endpoint(
        "GET",
        "/",
        _page,
        "The page. With the right token it sets the cookie of a session, and leads to itself without the token.",
        query={"token": Parameter("text", "The token that is in the printed address.")},
        answers={200: _HTML},
    ),
    Endpoint(
        "POST",
        "/login",
        _login,
        "The way in by token or password: sets the cookie of a session, and leads to the page.",
        answers={303: ""},
    ),
)
"""The routes of this module."""
