"""`Visitors`: which sessions there are, and which of them have been left."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from .limits import Limits
from .refusals import Refusal

_API = "api"  # the session of programs that choose none
_LONGEST_NAME = 100
_UNGUESSABLE = 24  # characters of a secret that nobody finds by trying


def make_secret() -> str:
    """Make a secret that cannot be guessed."""
    return secrets.token_urlsafe(24)


@dataclass
class Visitor:
    """A session.

    Attributes:
        seen: time of its last request.
        streams: streams of events that it has open.
    """

    seen: float
    streams: int = 0


@dataclass
class Visitors:
    """The sessions of a studio. One that has an open stream of events has not been left.

    Args:
        secrets: any of these lets somebody in.
        limits: of the studio.
        clock: the time in seconds.
    """

    secrets: tuple[str, ...]
    limits: Limits
    clock: Callable[[], float] = time.monotonic
    _known: dict[str, Visitor] = field(default_factory=dict[str, Visitor])
    _failures: list[float] = field(default_factory=list[float])

    def new_cookie(self) -> str:
        """Make a cookie for a new session: its name, and a proof that it was let in."""
        name = secrets.token_urlsafe(18)
        return f"{name}.{self._proof(name)}"

    def by_cookie(self, cookie: str) -> str | None:
        """Return the session of a cookie, or None if the cookie proves nothing."""
        name, _, proof = cookie.partition(".")
        if not (name and cookie.isascii() and hmac.compare_digest(self._proof(name), proof)):
            return None
        return f"page {name}"

    def by_name(self, name: str) -> str:
        """Return the session of a program that chose a name; an empty one is shared by all programs.

        Raises:
            Refusal: the name is too long.
        """
        if len(name) > _LONGEST_NAME or not name.isprintable():
            raise Refusal(400, f"X-Session has {len(name)} characters; expected at most {_LONGEST_NAME}, printable")
        return f"{_API} {name}"

    def admits(self, secret: str) -> bool:
        """Whether a secret is right.

        Raises:
            Refusal: too many wrong ones were tried.
        """
        now = self.clock()
        self._failures = [then for then in self._failures if now - then < 60]
        given = secret.encode("utf-8", "surrogateescape")
        right = sum(hmac.compare_digest(each.encode(), given) for each in self.secrets) > 0  # as long for each
        exhausted = len(self._failures) >= self.limits.attempts
        if right and (len(given) >= _UNGUESSABLE or not exhausted):
            return True
        if exhausted:
            raise Refusal(429, "too many wrong tokens were given; expected the right one: wait a minute")
        self._failures.append(now)
        return False

    def see(self, session: str) -> None:
        """Note that a session has asked for something.

        Raises:
            Refusal: there are too many sessions.
        """
        if session in self._known:
            self._known[session].seen = self.clock()
            return
        if len(self._known) >= self.limits.sessions:
            self.sweep()
        if len(self._known) >= self.limits.sessions:
            raise Refusal(503, f"{len(self._known)} sessions are open; expected fewer: try again later")
        self._known[session] = Visitor(self.clock())

    @contextlib.contextmanager
    def stream(self, session: str) -> Generator[None]:
        """Count a stream of events as open inside the block."""
        visitor = self._known.setdefault(session, Visitor(self.clock()))
        visitor.streams += 1
        try:
            yield
        finally:
            visitor.streams -= 1
            visitor.seen = self.clock()

    def check_streams(self, session: str) -> None:
        """Check that a session may open another stream of events.

        Raises:
            Refusal: too many are open.
        """
        own = self._known[session].streams if session in self._known else 0
        if own >= self.limits.own_streams or self.streams >= self.limits.streams:
            raise Refusal(
                429, f"{own} streams of events are open; expected at most {self.limits.own_streams}: close one"
            )

    @property
    def streams(self) -> int:
        """Streams of events that are open."""
        return sum(visitor.streams for visitor in self._known.values())

    def has_left(self, session: str) -> bool:
        """Whether a session has asked for nothing for a while."""
        visitor = self._known.get(session)
        return visitor is None or (not visitor.streams and self.clock() - visitor.seen > self.limits.leave)

    def sweep(self) -> None:
        """Forget the sessions that were left long ago."""
        before = self.clock() - self.limits.session_age
        for name in [name for name, each in self._known.items() if not each.streams and each.seen < before]:
            del self._known[name]

    def _proof(self, name: str) -> str:
        return hmac.new(self.secrets[0].encode(), name.encode(), hashlib.sha256).hexdigest()
