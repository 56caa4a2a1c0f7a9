"""Routes of the page: the way in, the page itself, and its files."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from .endpoints import Endpoint, Parameter, query_of, studio_of
from .refusals import Refusal

STATIC = Path(str(resources.files("impasto.studio"))) / "static"
_YEAR = 365 * 24 * 3600
_HTML = "text/html"
_LOGIN = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>impasto studio</title>
<main>
<h1>impasto studio</h1>
<p>%s</p>
<form method="post" action="login">
<label>Token or password
<input type="password" name="secret" autocomplete="current-password" required autofocus></label>
<button>Come in</button>
</form>
</main>
"""
_ASK = "Open the address that <code>impasto studio</code> printed, or type its token, or the password."
_WRONG = "That was not right. The token is in the address that <code>impasto studio</code> printed."


async def _page(request: Request) -> Response:
    studio, token = studio_of(request), query_of(request).get("token")
    if token is not None:
        return _let_in(request) if studio.visitors.admits(token) else HTMLResponse(_LOGIN % _WRONG, 401)
    if getattr(request.state, "session", None) is None:
        return HTMLResponse(_LOGIN % _ASK, 401)
    studio.thumbnails.warm()
    return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})


async def _login(request: Request) -> Response:
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise Refusal(415, "the body is no form; expected application/x-www-form-urlencoded")
    form = await request.form(max_fields=4)
    secret = form.get("secret")
    if isinstance(secret, str) and studio_of(request).visitors.admits(secret):
        return _let_in(request)
    return HTMLResponse(_LOGIN % _WRONG, 401)


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
