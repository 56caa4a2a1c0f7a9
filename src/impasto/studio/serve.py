"""`serve`: a studio on an address of this machine, until it is interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
import sys
import threading
import warnings
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..errors import ImpastoWarning, RequestError
from .app import make_app
from .limits import Limits
from .refusals import Refusal
from .security import Address, require_secret
from .state import Studio
from .visitors import make_secret

PORT = 8765
"""The port, if it is free and no other is asked for."""

_CONNECTIONS = 256
_HEAD_BYTES = 32_768  # of a request before its body
_HEAD_SECONDS = 20.0  # in which they must have come
_GRACE = 3  # seconds that requests have to end when the studio closes


@dataclass(frozen=True)
class Settings:
    """How a studio is served.

    Attributes:
        host: name or IP address to listen on.
        port: port to listen on; None takes `PORT`, or a free one.
        token: lets programs and pages in; None makes one.
        password: lets pages in too; None for none.
        certificate: files of a certificate and its key, for HTTPS; None for plain HTTP.
        names: more names by which people reach the studio.
        device: where to paint; see `impasto.bind`.
        limits: how much is taken and kept.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    token: str | None = None
    password: str | None = None
    certificate: tuple[Path, Path] | None = None
    names: tuple[str, ...] = ()
    device: str = "auto"
    limits: Limits | None = None


def serve(settings: Settings, ready: Callable[[str], None], *, browser: bool = True) -> None:
    """Serve a studio until it is interrupted.

    Args:
        settings: how.
        ready: called with the address, with the token in it, when the studio listens.
        browser: open the address in the browser.

    Raises:
        RequestError: the address cannot be used, or other machines would be let in without a secret.
    """

    def begun(url: str) -> None:
        ready(url)
        if browser:
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

    server = StudioServer(settings, begun)
    with warnings.catch_warnings(), contextlib.suppress(KeyboardInterrupt):
        warnings.simplefilter("ignore", ImpastoWarning)  # they name the files of people
        server.run()


class StudioServer:
    """A studio that listens on an address. What is asked of it is answered while `run` runs.

    Args:
        settings: how it is served.
        ready: called with `url` once requests are answered.

    Attributes:
        studio: what is served.
        url: its address, with the token in it.

    Raises:
        RequestError: see `serve`.
    """

    def __init__(self, settings: Settings, ready: Callable[[str], None]) -> None:
        address = Address(settings.host, settings.names, secure=settings.certificate is not None)
        try:
            require_secret(address, token=settings.token, password=settings.password)
        except Refusal as error:
            raise RequestError(error.message) from None
        _check_certificate(settings.certificate)
        token = settings.token or make_secret()
        secrets = (token, *([settings.password] if settings.password else []))
        self.studio = Studio(secrets, device=settings.device, limits=settings.limits)
        self._listening = _listen(settings.host, settings.port)
        port = self._listening.getsockname()[1]
        scheme = "https" if address.secure else "http"
        self.url = f"{scheme}://{_shown(settings.host)}:{port}/?token={quote(token, safe='')}"
        # Browsers send a cookie to every port of a host, so its name tells studios apart.
        app = make_app(self.studio, address, cookie=f"impasto_session_{port}")
        self._server = _Server(_config(app, settings), lambda: ready(self.url))
        self.studio.closing = lambda: self._server.should_exit

    def run(self) -> None:
        """Answer requests until `stop` is called or the program is interrupted, and free everything."""
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        with self._listening:
            self._server.run(sockets=[self._listening])

    def stop(self) -> None:
        """Have `run` end. Any thread may call this."""
        self._server.should_exit = True


class _Server(uvicorn.Server):
    """A server that says when it listens."""

    def __init__(self, config: uvicorn.Config, begun: Callable[[], None]) -> None:
        super().__init__(config)
        self._begun = begun

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        if not self.should_exit:
            self._begun()


class PatientProtocol(H11Protocol):
    """HTTP that closes connections on which the head of a request does not come to its end in time."""

    seconds = _HEAD_SECONDS
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(self.seconds, self._give_up)

    def data_received(self, data: bytes) -> None:
        """Go on, and wait anew where a request has only begun."""
        super().data_received(data)
        if not self._waits_for_head():
            self._stop_timer()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.seconds, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the waiting."""
        self._stop_timer()
        super().connection_lost(exc)

    def _waits_for_head(self) -> bool:
        return self.cycle is None or self.cycle.response_complete  # pyright: ignore[reportUnnecessaryComparison] (it is None at first)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if self._waits_for_head() and not self.transport.is_closing():
            self.transport.close()


def _config(app: Any, settings: Settings) -> uvicorn.Config:
    certificate, key = settings.certificate or (None, None)
    return uvicorn.Config(
        app,
        http=PatientProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_CONNECTIONS,
        h11_max_incomplete_event_size=_HEAD_BYTES,
        timeout_graceful_shutdown=_GRACE,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )


def _check_certificate(certificate: tuple[Path, Path] | None) -> None:
    """Check that a certificate can be used.

    Raises:
        RequestError: it cannot.
    """
    if certificate is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*certificate)
    except (OSError, ValueError) as error:
        raise RequestError(
            f"--https {certificate[0]} {certificate[1]} cannot be used ({error}); expected a certificate and its "
            "key, both in PEM"
        ) from None


def _listen(host: str, port: int | None) -> socket.socket:
    """Return a socket that listens on an address.

    Raises:
        RequestError: it is taken, not allowed, or not of this machine.
    """
    for wanted in (PORT, 0) if port is None else (port,):
        try:
            family, kind, proto, _, place = socket.getaddrinfo(host, wanted, type=socket.SOCK_STREAM)[0]
            listening = socket.socket(family, kind, proto)
        except OSError as error:
            raise _unusable(host, wanted, error) from None
        try:
            if sys.platform != "win32":  # where it would let two programs listen
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(place)
            listening.listen(128)
        except OSError as error:
            listening.close()
            if port is None and wanted and error.errno == errno.EADDRINUSE:
                continue
            raise _unusable(host, wanted, error) from None
        return listening
    raise RequestError(f"no port of {host} is free; expected one: give --port")


def _unusable(host: str, port: int, error: OSError) -> RequestError:
    reason = error.strerror or str(error)
    return RequestError(
        f"the studio cannot listen on {host}, port {port} ({reason}); expected an address of this machine and a port "
        "that is free: give another --host or --port"
    )


def _shown(host: str) -> str:
    """The host as an address of the web has it; for all addresses of this machine, its name."""
    if host in ("0.0.0.0", "::", ""):
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host
