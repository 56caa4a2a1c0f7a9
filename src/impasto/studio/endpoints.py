"""`Endpoint`: a route with all that is said of it, from which both the routes and their description are made."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .refusals import Refusal, public
from .state import Studio

Kind = Literal["text", "number", "whole number", "yes or no"]
Handler = Callable[[Request], Awaitable[Response]]

_LONGEST = 200  # characters of a parameter


@dataclass(frozen=True)
class Parameter:
    """A parameter of a query.

    Attributes:
        kind: what it is.
        about: what it means.
        low: smallest number.
        high: largest number.
        choices: the texts that it may be; empty for any.
    """

    kind: Kind
    about: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    def parse(self, name: str, text: str) -> Any:
        """Read the parameter.

        Raises:
            Refusal: it is something else.
        """
        if len(text) > _LONGEST:
            raise Refusal(400, f"{name} has {len(text)} characters; expected at most {_LONGEST}")
        if self.kind == "text":
            if self.choices and text not in self.choices:
                raise Refusal(422, f"{name} is {public(repr(text))}; expected one of {', '.join(self.choices)}")
            return text
        if self.kind == "yes or no":
            if text not in ("0", "1", "false", "true"):
                raise Refusal(422, f"{name} is {public(repr(text))}; expected 1 or 0")
            return text in ("1", "true")
        return self._number(name, text)

    def _number(self, name: str, text: str) -> float:
        whole = self.kind == "whole number"
        fits = re.fullmatch(r"-?\d{1,9}" if whole else r"-?\d{0,9}(\.\d{0,12})?(e-?\d{1,2})?", text, re.ASCII)
        try:
            value = (int(text) if whole else float(text)) if fits else None
        except ValueError:
            value = None
        low = self.low if self.low is not None else float("-inf")
        high = self.high if self.high is not None else float("inf")
        if value is None or not low <= value <= high:
            between = f" from {low:g} to {high:g}" if self.low is not None and self.high is not None else ""
            raise Refusal(
                422, f"{name} is {public(repr(text))}; expected a {'whole ' if whole else ''}number{between}"
            )
        return value


@dataclass(frozen=True)
class Endpoint:
    """A route.

    Attributes:
        method: of HTTP.
        path: with names of its parts in braces.
        handler: answers.
        summary: what it does, in a sentence.
        query: its parameters by name; others are refused.
        body: model of its JSON; or ``form`` for a form with files, or ``picture`` for the bytes of one; None if
            it has no body.
        fields: the fields of a form by name, with what they mean. ``file`` in the meaning's first word marks files.
        answers: media types by status of what it answers if all goes well.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    query: Mapping[str, Parameter] = field(default_factory=dict[str, Parameter])
    body: type[BaseModel] | Literal["form", "picture"] | None = None
    fields: Mapping[str, str] = field(default_factory=dict[str, str])
    answers: Mapping[int, str] = field(default_factory=lambda: {200: "application/json"})

    def route(self) -> Route:
        """Make the route, which checks the query before the handler sees it."""

        async def answer(request: Request) -> Response:
            request.state.query = self._parse(request)
            return await self.handler(request)

        answer.__name__ = getattr(self.handler, "__name__", "answer")
        return Route(self.path, answer, methods=[self.method])

    def _parse(self, request: Request) -> dict[str, Any]:
        given = request.query_params.multi_items()
        for name, _ in given:
            if name not in self.query:
                raise Refusal(
                    400,
                    f"there is no parameter {public(repr(name[:60]))} here; expected "
                    f"{', '.join(self.query) or 'none'}",
                )
        if len({name for name, _ in given}) < len(given):
            raise Refusal(400, "a parameter is given twice; expected it once")
        return {name: self.query[name].parse(name, text) for name, text in given}


def studio_of(request: Request) -> Studio:
    """Return the studio that a request was sent to."""
    return cast(Studio, request.app.state.studio)


def session_of(request: Request) -> str:
    """Return the session of a request, which `security.Guard` has found.

    Raises:
        Refusal: it has none.
    """
    session = getattr(request.state, "session", None)
    if session is None:
        raise Refusal(401, "the request has no valid token; expected one")
    return cast(str, session)


def query_of(request: Request) -> dict[str, Any]:
    """Return the parameters of a query that were given, by name."""
    return cast(dict[str, Any], request.state.query)


async def in_thread(studio: Studio, function: Callable[..., Any], *arguments: Any) -> Any:
    """Run what decodes or encodes a picture, or imports much, in one of the studio's few threads."""
    return await asyncio.get_running_loop().run_in_executor(studio.workers, function, *arguments)
