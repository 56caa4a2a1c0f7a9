"""Bodies of requests, limited in bytes and time before anything reads them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from starlette.datastructures import FormData, Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message, Receive, Scope

from ..untrusted import read_json
from .limits import Limits
from .refusals import Refusal

CLOSE = {"Connection": "close"}
_FORM_SPARE = 200_000  # bytes of a form beside its pictures


def most_bytes(scope: Scope, limits: Limits) -> int:
    """Return how many bytes the body of a request may have: those with pictures may have more."""
    kind = Headers(scope=scope).get("content-type", "")
    if kind.startswith("multipart/form-data") and scope["path"] == "/api/clips":
        return limits.clip_bytes + _FORM_SPARE
    if kind.startswith("multipart/form-data") and scope["path"] in ("/api/pictures", "/api/paint"):
        pictures = 1 if scope["path"] == "/api/pictures" else 3
        return pictures * limits.max_bytes + _FORM_SPARE
    return limits.json_bytes


def check_length(scope: Scope, limits: Limits) -> None:
    """Check the length that a request states, before its body is read.

    Raises:
        Refusal: it is too large, or no number.
    """
    stated = Headers(scope=scope).get("content-length")
    if stated is None:
        return
    if not _is_length(stated):
        raise Refusal(400, "Content-Length is not a number; expected the bytes of the body", CLOSE)
    if int(stated) > (most := most_bytes(scope, limits)):
        raise _too_large(int(stated), most)


class Body:
    """The body of a request: bounded in bytes and time, and taken to its end once the answer is there.

    Args:
        receive: of the server.
        scope: of the request.
        limits: of the studio.
    """

    def __init__(self, receive: Receive, scope: Scope, limits: Limits) -> None:
        headers = Headers(scope=scope)
        stated = headers.get("content-length", "0")
        self._receive, self._limits, self._most = receive, limits, most_bytes(scope, limits)
        self._began, self._got, self._ended = 0.0, 0, False
        self._expected = "transfer-encoding" in headers or (_is_length(stated) and int(stated) > 0)

    async def receive(self) -> Message:
        """Receive the next part of the body; after its end, whether the client has gone.

        Raises:
            Refusal: it has too many bytes, or comes too slowly.
        """
        if self._ended:
            return await self._receive()
        self._began = self._began or time.monotonic()
        limits = self._limits
        left = self._began + limits.body_wait + self._got / limits.body_rate - time.monotonic()
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, min(left, limits.body_wait)))
        except TimeoutError:
            self._ended = True
            raise Refusal(
                408, f"the body came too slowly ({self._got} bytes); expected it whole: send it again", CLOSE
            ) from None
        self._got += len(message.get("body", b""))
        self._expected = message.get("more_body", False)
        self._ended = not self._expected
        if self._got > self._most:
            raise _too_large(self._got, self._most)
        return message

    @property
    def has_more(self) -> bool:
        """Whether some of it was not received yet."""
        return self._expected and not self._ended

    async def drain(self) -> None:
        """Take the rest of the body for a while, and throw it away.

        Simple clients send all of it before they read the answer. If the connection is closed under them, they never
        see the answer.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._limits.linger):
                while not self._ended:
                    message = await asyncio.wait_for(self._receive(), self._limits.linger / 5)
                    self._ended = not message.get("more_body", False)


def _is_length(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20


def _too_large(size: int, most: int) -> Refusal:
    return Refusal(
        413,
        f"the body has at least {size / 1e6:.3g} MB; expected at most {most / 1e6:.3g}: send a smaller file",
        CLOSE,
    )


async def json_of(request: Request, *, optional: bool = False) -> dict[str, Any]:
    """Return the JSON object in a body.

    Args:
        request: the request.
        optional: an empty body stands for an empty object.

    Raises:
        Refusal: it is something else.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    if not body and optional:
        return {}
    if kind != "application/json":
        raise Refusal(415, f"the body is {kind[:60] or 'of no kind'}; expected application/json")
    try:
        found = read_json(body)
    except (ValueError, json.JSONDecodeError):
        raise Refusal(400, "the body is not JSON; expected one object") from None
    if not isinstance(found, dict):
        raise Refusal(400, "the body is JSON, but no object; expected one object")
    return found


@asynccontextmanager
async def form_of(request: Request, limits: Limits) -> AsyncGenerator[FormData]:
    """Read a form with files, which are gone after the block.

    Raises:
        Refusal: it is no such form, or has too many parts.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise Refusal(415, "the body is no form with files; expected multipart/form-data")
    try:
        form = await request.form(max_files=limits.parts, max_fields=limits.parts, max_part_size=limits.json_bytes)
    except HTTPException as error:
        raise Refusal(
            400, f"the form cannot be read ({error.detail}); expected at most {limits.parts} parts"
        ) from None
    try:
        yield form
    finally:
        await form.close()
