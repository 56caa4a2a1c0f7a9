"""A studio in this process, with tiny networks, and ways to ask it."""

from __future__ import annotations

import asyncio
import functools
import io
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from impasto.session.session import Session
from impasto.studio.app import make_app
from impasto.studio.limits import Limits
from impasto.studio.security import Address
from impasto.studio.state import Studio

TOKEN = "a-token-of-thirty-two-characters"
HERE = "http://127.0.0.1:8765"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def pixels(width: int = 48, height: int = 36, seed: int = 0) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 255, (5, 5, 3), np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def picture(width: int = 48, height: int = 36, seed: int = 0, format: str = "PNG", **more: Any) -> bytes:
    out = io.BytesIO()
    pixels(width, height, seed).save(out, format, **more)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


class Api:
    """A program that uses a studio; a name makes it another session."""

    def __init__(self, client: TestClient, name: str = "") -> None:
        self.client, self.headers = client, {**BEARER, "X-Session": name}

    def ask(self, method: str, path: str, **more: Any) -> Any:
        headers = {**self.headers, **more.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **more)

    def send(self, data: bytes, name: str = "photo.png") -> dict[str, Any]:
        answer = self.ask("POST", "/api/pictures", files={"file": (name, data)})
        assert answer.status_code == 201, answer.text
        return answer.json()

    def photo(self, seed: int = 0) -> str:
        return self.send(picture(seed=seed))["id"]

    def request(self, **more: Any) -> dict[str, Any]:
        return {"photo": self.photo(), "styles": [{"name": "great-wave"}], "size": 48, **more}

    def slow(self, **more: Any) -> dict[str, Any]:
        """A request for a painting in very many steps."""
        settings = {"steps": 100_000, "precision": "exact"}
        styles = [{"picture": self.send(picture(seed=3), "style.png")["id"]}]
        return {"photo": self.photo(), "styles": styles, "method": "gatys", "settings": settings, "size": 32, **more}

    def start(self, request: dict[str, Any]) -> str:
        answer = self.ask("POST", "/api/jobs", json=request)
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    def job(self, name: str) -> dict[str, Any]:
        answer = self.ask("GET", f"/api/jobs/{name}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def wait(self, name: str, *states: str) -> dict[str, Any]:
        return self.until(lambda: self.job(name), lambda job: job["state"] in (states or ("done",)))

    @staticmethod
    def until(look: Callable[[], Any], fits: Callable[[Any], bool]) -> Any:
        for _ in range(2000):
            if fits(seen := look()):
                return seen
            time.sleep(0.01)
        raise AssertionError(f"it did not come to that: {seen}")


@dataclass
class Clock:
    """A time that tests move."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Opened:
    """A studio and its client."""

    studio: Studio
    client: TestClient
    app: Any
    clock: Clock

    @property
    def api(self) -> Api:
        return Api(self.client)

    def other(self, name: str) -> Api:
        return Api(self.client, name)


class KeptSession(Session):
    """Keeps networks from one test to the next: loading those of the gallery takes half a second."""

    def close(self) -> None:
        """Keep everything."""


@functools.cache
def kept_session() -> KeptSession:
    return KeptSession(device="cpu")


@pytest.fixture
def open_studio() -> Iterator[Callable[..., Opened]]:
    """Opens studios: open_studio(address, **limits). With pictures as styles they paint by `tiny_shipped`."""
    begun: list[TestClient] = []

    def make(address: Address | None = None, *, fresh: bool = False, eager: bool = False, **limits: Any) -> Opened:
        clock = Clock()
        bounds = Limits(**{"frame": 0.01, "linger": 0.1, **limits})
        studio = Studio((TOKEN, "a password"), device="cpu", limits=bounds, eager=eager, clock=clock)
        if not fresh:
            studio._session = kept_session()
        app = make_app(studio, address or Address())
        client = TestClient(app, base_url=HERE, follow_redirects=False)
        client.__enter__()
        begun.append(client)
        return Opened(studio, client, app, clock)

    yield make
    for client in begun:
        client.__exit__(None, None, None)


@pytest.fixture
def api(open_studio: Callable[..., Opened]) -> Api:
    return open_studio().api


@dataclass
class Answer:
    """What an application has sent."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    asked: int = 0  # how often the body was asked for before the answer was there

    @property
    def error(self) -> str:
        return json.loads(self.body)["error"]


def scope_of(method: str, path: str, headers: dict[str, str]) -> dict[str, Any]:
    path, _, query = path.partition("?")
    named = {"host": "127.0.0.1:8765", **BEARER, **headers}
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in named.items()]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": raw,
        "client": ("127.0.0.1", 5),
        "server": ("127.0.0.1", 8765),
        "state": {},
    }


async def ask_raw(
    app: Any,
    method: str,
    path: str,
    headers: dict[str, str] | None = None,
    parts: tuple[tuple[float, bytes], ...] = (),
    leave_after: int | None = None,
) -> Answer:
    """Ask an application by ASGI.

    Args:
        app: the application.
        method: of HTTP.
        path: with the query.
        headers: beside Host and token.
        parts: seconds before each part of the body, and the part; after them the client waits for ever.
        leave_after: parts of the answer after which the client leaves.
    """
    answer, left, waiting = Answer(), asyncio.Event(), list(parts)
    got = receptions = 0

    async def receive() -> dict[str, Any]:
        nonlocal receptions
        receptions += 1
        answer.asked += not got
        if waiting:
            seconds, part = waiting.pop(0)
            await asyncio.sleep(seconds)
            return {"type": "http.request", "body": part, "more_body": bool(waiting) or bool(parts and parts[-1][1])}
        if not parts and receptions == 1:
            return {"type": "http.request", "body": b"", "more_body": False}
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        nonlocal got
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        else:
            answer.body += message.get("body", b"")
            got += 1
            if leave_after is not None and got >= leave_after:
                left.set()

    await app(scope_of(method, path, headers or {}), receive, send)
    return answer
