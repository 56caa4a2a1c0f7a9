"""Who may ask for what: addresses, origins, tokens, and the headers of every answer. Pure ASGI."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .bodies import CLOSE, Body, check_length
from .limits import Limits
from .refusals import Refusal, describe, refuse
from .visitors import Visitors

POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_WAY_IN = (  # files that its page needs
    "css/theme.css",
    "css/controls.css",
    "css/layout.css",
    "js/early.js",
    "js/login.js",
    "js/words.js",
    "js/dom.js",
    "words.json",
    "icon.svg",
)
OPEN = frozenset({"/health", *(f"/static/{name}" for name in _WAY_IN)})  # asked for without a token
_ENTRANCES = frozenset({"/", "/login"})  # these look at the token themselves
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Address:
    """Where a studio listens.

    Attributes:
        host: a name or an IP address.
        names: more names by which people reach it.
        secure: it speaks HTTPS.
    """

    host: str = "127.0.0.1"
    names: tuple[str, ...] = ()
    secure: bool = False

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        if self.host == "localhost":
            return True
        address = _ip(self.host)
        return address is not None and address.is_loopback

    def accepts(self, name: str) -> bool:
        """Whether a request may name this host.

        A page of another site can have its own name lead to this machine (DNS rebinding), but then the request names
        that site. So a studio on loopback accepts its own names, and any other also IP addresses.
        """
        name = name.lower().rstrip(".")
        if name in _LOOPBACK or name == self.host.lower() or name in [each.lower() for each in self.names]:
            return True
        if self.is_loopback:
            return False
        own = socket.gethostname().lower()
        return _ip(name) is not None or name in (own, own.partition(".")[0], f"{own.partition('.')[0]}.local")


class Guard:
    """Lets in what is allowed, limits bodies, answers errors, and completes the headers of every answer.

    Args:
        app: what answers.
        address: where the studio listens.
        visitors: its sessions.
        limits: of the studio.
        cookie: name of the cookie.
    """

    def __init__(
        self, app: ASGIApp, *, address: Address, visitors: Visitors, limits: Limits, cookie: str = "impasto_session"
    ) -> None:
        self._app, self._address, self._visitors, self._limits = app, address, visitors, limits
        self._cookie = cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no web sockets
            await send({"type": "websocket.close", "code": 1008})
            return
        begun, body = False, Body(receive, scope, self._limits)

        async def completed(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                self._complete(MutableHeaders(scope=message))
            elif body.has_more and not message.get("more_body", False) and _session(scope) is not None:
                await send({**message, "more_body": True})
                await body.drain()
                message = {"type": "http.response.body"}
            await send(message)

        try:
            self._admit(scope)
            await self._app(scope, body.receive, completed)
        except ClientDisconnect:  # nobody is there to be told
            return
        except Exception as error:
            if begun:  # the application has answered, or nothing but the end of the connection can tell
                return
            status, said = describe(error)
            headers = error.headers if isinstance(error, Refusal) else {}
            await refuse(status, said, headers)(scope, receive, completed)

    def _complete(self, headers: MutableHeaders) -> None:
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        headers.setdefault("Cache-Control", "no-store")

    def _admit(self, scope: Scope) -> None:
        """Check a request before its body is read, and note whose it is.

        Raises:
            Refusal: it is not allowed.
        """
        headers, method = Headers(scope=scope), scope["method"]
        host = self._host(headers)
        bearer = _bearer(headers)
        if method not in SAFE:
            self._check_origin(headers, host, bearer=bearer is not None)
        elif headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
            raise Refusal(403, "the request comes from a page of another site; expected the studio's own")
        scope.setdefault("state", {})
        scope["state"]["session"] = session = self._session(headers, bearer)
        if session is not None:
            self._visitors.see(session)
        elif scope["path"] not in OPEN | _ENTRANCES:
            raise Refusal(
                401,
                "the request has no valid token; expected the cookie of the page, or Authorization: Bearer TOKEN: "
                "impasto studio prints the address with the token",
                {**CLOSE, "WWW-Authenticate": "Bearer"},
            )
        check_length(scope, self._limits)

    def _host(self, headers: Headers) -> str:
        """The host and port that a request names.

        Raises:
            Refusal: it names none, several, or another one than this.
        """
        named = headers.getlist("host")
        if len(named) != 1 or not self._address.accepts(_name(named[0])):
            raise Refusal(
                400,
                "the request names another host than this studio; expected the address that impasto studio printed: "
                "impasto studio --name NAME allows another",
                CLOSE,
            )
        return named[0].lower()

    def _check_origin(self, headers: Headers, host: str, *, bearer: bool) -> None:
        """Check that a change is asked for by the studio's own page, or by a program that has the token.

        Raises:
            Refusal: it is not.
        """
        site, origins = headers.get("sec-fetch-site"), headers.getlist("origin")
        schemes = ("https",) if self._address.secure else ("http", "https")  # https: a proxy before it
        own = [f"{scheme}://{host}" for scheme in schemes]
        foreign = any(origin.lower() not in own for origin in origins)
        if foreign or (site is not None and site not in ("same-origin", "none")):
            raise Refusal(403, "the request comes from a page of another site; expected the studio's own", CLOSE)
        if not origins and site is None and not bearer:
            raise Refusal(
                403,
                "the request states no Origin; expected that of the studio, or Authorization: Bearer TOKEN",
                CLOSE,
            )

    def _session(self, headers: Headers, bearer: str | None) -> str | None:
        """The session of a request; None if it has no valid token.

        Raises:
            Refusal: too many wrong tokens were tried.
        """
        if bearer is not None:
            return self._visitors.by_name(headers.get("x-session", "")) if self._visitors.admits(bearer) else None
        try:
            cookie = SimpleCookie("; ".join(headers.getlist("cookie"))).get(self._cookie)
        except CookieError:
            return None
        return None if cookie is None else self._visitors.by_cookie(cookie.value)


def require_secret(address: Address, *, token: str | None, password: str | None) -> None:
    """Check that a studio which other machines reach asks for a secret of its owner's choice.

    Raises:
        Refusal: it does not, or a secret is too short.
    """
    for name, secret, least in (("--token", token, 16), ("--password", password, 8)):
        if secret is not None and (len(secret) < least or not secret.isprintable()):
            raise Refusal(400, f"{name} has {len(secret)} characters; expected at least {least}, printable")
    if not address.is_loopback and token is None and password is None:
        raise Refusal(
            400,
            f"--host {address.host} lets other machines in, and there is neither --token nor --password; expected "
            "one of them: add --password, or leave --host out to paint on this machine only",
        )


def _session(scope: Scope) -> str | None:
    """The session of a request; None if it has none, or was refused before that was known."""
    return scope.get("state", {}).get("session")


def _bearer(headers: Headers) -> str | None:
    kind, _, secret = headers.get("authorization", "").partition(" ")
    return secret.strip() if kind.lower() == "bearer" else None


def _name(host: str) -> str:
    """The name in ``NAME[:PORT]``; empty if it is something else."""
    found = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([\w.-]+))(?::\d{1,5})?", host, re.ASCII)
    return (found[1] or found[2]) if found else ""


def _ip(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
