"""A studio on a real port of this machine, and ways to send it what no ordinary client would."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from impasto.studio import Client
from impasto.studio.limits import Limits
from impasto.studio.serve import Settings, StudioServer

from .studios import TOKEN, kept_session

SECONDS = 20.0


@dataclass
class Reply:
    """An answer as it came over the connection."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> str:
        return json.loads(self.body)["error"]

    @classmethod
    def read(cls, data: bytes) -> Reply:
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = [line.partition(":") for line in lines]
        return cls(int(first.split()[1]), {name.lower(): value.strip() for name, _, value in pairs}, body)


class Running:
    """A studio that runs in a thread of this process."""

    def __init__(self, *, eager: bool = False, certificate: tuple[Path, Path] | None = None, **limits: Any) -> None:
        begun = threading.Event()
        settings = Settings(port=0, token=TOKEN, device="cpu", limits=Limits(**limits), certificate=certificate)
        self.server = StudioServer(settings, lambda _: begun.set())
        self.studio = self.server.studio
        self.studio._session, self.studio.thumbnails._eager = kept_session(), eager
        self.address, self.url = self.server.url.partition("/?")[0], self.server.url
        self.port = int(self.address.rpartition(":")[2])
        self.thread = threading.Thread(target=self.server.run, name="a studio")
        self.thread.start()
        assert begun.wait(SECONDS)

    def client(self, session: str = "me") -> Client:
        return Client(self.url, session=session, timeout=SECONDS)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), SECONDS)

    def head(self, method: str, target: str, *headers: str, host: str | None = None) -> bytes:
        """The head of a request with the token. An empty `host` leaves that line out."""
        host = f"127.0.0.1:{self.port}" if host is None else host
        lines = [f"{method} {target} HTTP/1.1", *([f"Host: {host}"] if host else [])]
        lines += [f"Authorization: Bearer {TOKEN}", "X-Session: me", "Connection: close", *headers]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def send(self, *parts: bytes) -> Reply:
        """Send bytes as they are, and read the answer to its end. What is not taken any more is not sent."""
        with self.connect() as connection:
            with contextlib.suppress(ConnectionError):
                for part in parts:
                    connection.sendall(part)
            return Reply.read(read_all(connection))

    def ask(self, method: str, target: str, *headers: str, host: str | None = None, body: bytes = b"") -> Reply:
        length = (f"Content-Length: {len(body)}",) if body else ()
        return self.send(self.head(method, target, *headers, *length, host=host), body)

    def is_well(self) -> bool:
        """Whether it answers somebody else."""
        return self.ask("GET", "/health").status == 200 and self.ask("GET", "/api/jobs").status == 200

    def stop(self) -> None:
        self.server.stop()
        self.thread.join(SECONDS)
        assert not self.thread.is_alive()


@pytest.fixture
def run_studio() -> Iterator[Callable[..., Running]]:
    """Runs studios: run_studio(**limits)."""
    running: list[Running] = []

    def make(**limits: Any) -> Running:
        running.append(Running(**limits))
        return running[-1]

    yield make
    for each in running:
        each.stop()


def read_all(connection: socket.socket) -> bytes:
    """Read until the other side closes the connection."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(1 << 16):
            data += part
    return data


def until(condition: Callable[[], bool], seconds: float = SECONDS) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)
