"""`Client`: paints in a studio from a program, by the standard library alone."""

from __future__ import annotations

import json
import secrets
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from ..errors import ImpastoError, RequestError

Source = str | Path | bytes
"""A picture: the path of a file, or its bytes."""

_ENDED = ("done", "stopped", "failed")


class StudioError(ImpastoError):
    """A studio has refused a request, or cannot be reached.

    Attributes:
        status: HTTP status of the answer; 0 without one.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """A connection to a studio.

    Args:
        address: where it is, as `impasto studio` prints it; the token may be in it.
        token: the token, if it is not in the address.
        session: name of a session; clients of the same name see each other's jobs. None makes one.
        timeout: seconds to wait for an answer.
        context: for HTTPS with a certificate of one's own.

    Examples:
        >>> from impasto.studio import Client
        >>> studio = Client("http://127.0.0.1:8765/?token=the-token-that-was-printed")
        >>> studio.session == Client("http://127.0.0.1:8765", token="the-token").session
        False
    """

    def __init__(
        self,
        address: str = "http://127.0.0.1:8765",
        token: str | None = None,
        *,
        session: str | None = None,
        timeout: float = 600.0,
        context: ssl.SSLContext | None = None,
    ) -> None:
        parts = urllib.parse.urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise RequestError(f"the address is {address!r}; expected one as in http://127.0.0.1:8765")
        self.address = f"{parts.scheme}://{parts.netloc}"
        found = urllib.parse.parse_qs(parts.query).get("token", [""])
        self.session = secrets.token_hex(8) if session is None else session
        self._token, self._timeout = token or found[0], timeout
        # A proxy that the environment names does not reach this machine.
        handlers: list[Any] = [urllib.request.ProxyHandler({})] if _is_here(parts.hostname) else []
        if context is not None:
            handlers.append(urllib.request.HTTPSHandler(context=context))
        self._opener = urllib.request.build_opener(*handlers)

    def paint(
        self,
        photo: Source,
        *styles: Source,
        masks: Sequence[Source | None] = (),
        format: str = "png",
        quality: int = 92,
        **fields: Any,
    ) -> bytes:
        """Paint a photograph and wait for it.

        Args:
            photo: the photograph.
            styles: style pictures; a text that names no file is the name of a style.
            masks: where each style applies, one each; None means everywhere.
            format: of the file: png, jpeg, webp, avif or tiff.
            quality: of JPEG, WebP and AVIF, from 1 to 100.
            **fields: effort, boldness, size and others; see `start`.

        Returns:
            The bytes of the file.

        Raises:
            StudioError: the studio refuses, or the painting fails.
        """
        name = self.start(photo, *styles, masks=masks, **fields)
        state = self.wait(name)
        if state["state"] != "done":
            raise StudioError(state["error"] or f"the job was {state['state']}; expected it to be painted to its end")
        return self.picture(name, format=format, quality=quality)

    def start(self, photo: Source, *styles: Source, masks: Sequence[Source | None] = (), **fields: Any) -> str:
        """Ask for a painting and return the id of its job.

        Args:
            photo: the photograph.
            styles: see `paint`.
            masks: see `paint`.
            **fields: of the request: effort, boldness, method, preset, settings, size, print, dpi, start, keep; with
                ``film={"steady": 0.95}`` the photograph is a clip, which is painted whole.

        Raises:
            StudioError: the studio refuses.
        """
        chosen: list[dict[str, Any]] = []
        for number, style in enumerate(styles):
            named = isinstance(style, str) and not Path(style).is_file()
            choice: dict[str, Any] = {"name": style} if named else {"picture": self.send(style)["id"]}
            mask = masks[number] if number < len(masks) else None
            if mask is not None:
                choice["mask"] = self.send(mask)["id"]
            chosen.append(choice)
        send = self.send if fields.get("film") is None else self.send_clip
        request = {"photo": send(photo)["id"], "styles": chosen, **fields}
        return self._json("POST", "/api/jobs", request)["id"]

    def send(self, picture: Source) -> dict[str, Any]:
        """Send a picture; return its id, size, recipe and main colours."""
        return self._send("/api/pictures", picture)

    def send_clip(self, clip: Source) -> dict[str, Any]:
        """Send a clip; return its id, size, main colours, frames, seconds, rate, and whether it has sound."""
        return self._send("/api/clips", clip)

    def paint_clip(self, clip: Source, *styles: Source, steady: float = 0.95, **fields: Any) -> bytes:
        """Paint a clip and wait for it.

        Args:
            clip: the clip.
            styles: see `paint`.
            steady: from 0, each frame by itself, to 1.
            **fields: see `start`.

        Returns:
            The bytes of an MP4 file.

        Raises:
            StudioError: the studio refuses, or the painting fails.
        """
        name = self.start(clip, *styles, film={"steady": steady}, **fields)
        state = self.wait(name)
        if state["state"] != "done":
            raise StudioError(state["error"] or f"the job was {state['state']}; expected it to be painted to its end")
        return self.clip(name)

    def clip(self, name: str) -> bytes:
        """Return the painted clip of a job that is over, an MP4 file; of one that was stopped, what was painted."""
        return self._ask("GET", f"/api/jobs/{_quoted(name)}/clip")

    def paint_live(self, frame: bytes, style: str, *, size: int = 256) -> bytes:
        """Paint one frame of a camera at once, and return it as JPEG.

        Args:
            frame: the bytes of a JPEG file.
            style: see `thumbnail`.
            size: longest side in pixels.
        """
        return self._ask("POST", f"/api/live?style={_quoted(style)}&size={size}", frame, "image/jpeg")

    def _send(self, path: str, picture: Source) -> dict[str, Any]:
        data, name = (picture, "picture") if isinstance(picture, bytes) else _file(picture)
        edge = secrets.token_hex(16)
        head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{_quoted(name)}"\r\n\r\n'
        body = head.encode() + data + f"\r\n--{edge}--\r\n".encode()
        return json.loads(self._ask("POST", path, body, f"multipart/form-data; boundary={edge}"))

    def thumbnail(self, picture: str, style: str, *, size: int = 192) -> bytes:
        """Return a picture painted small, as WebP.

        Args:
            picture: id of a picture that was sent.
            style: name of a style, or ``picture:`` and the id of a picture that was sent.
            size: longest side in pixels.
        """
        return self._ask("GET", f"/api/pictures/{_quoted(picture)}/thumbnail/{_quoted(style)}?size={size}")

    def job(self, name: str) -> dict[str, Any]:
        """Return the state of a job."""
        return self._json("GET", f"/api/jobs/{_quoted(name)}")

    def jobs(self) -> list[dict[str, Any]]:
        """Return the states of this session's jobs, the newest first."""
        return self._json("GET", "/api/jobs")

    def watch(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield the state of a job whenever it changes, until it is over."""
        with self._open("GET", f"/api/jobs/{_quoted(name)}/events") as answer:
            for line in answer:
                if line.startswith(b"data:"):
                    yield json.loads(line[5:])

    def wait(self, name: str) -> dict[str, Any]:
        """Wait until a job is over, and return its state.

        Raises:
            StudioError: the studio closes.
        """
        last = deque(self.watch(name), maxlen=1)
        state = last[0] if last else {}
        if state.get("state") not in _ENDED:
            raise StudioError("the studio ended the stream before the job; expected it to stay open")
        return state

    def picture(self, name: str, **options: Any) -> bytes:
        """Return the painting of a job that is over.

        Args:
            name: id of the job.
            **options: format, quality, strength, colour, size, longest, dpi.
        """
        query = urllib.parse.urlencode(options)
        return self._ask("GET", f"/api/jobs/{_quoted(name)}/picture{'?' if query else ''}{query}")

    def enlarge(self, name: str, **wanted: Any) -> str:
        """Paint an ended job again, large, and return the id of the new job.

        Args:
            name: id of the ended job.
            **wanted: print and dpi, or size.
        """
        return self._json("POST", f"/api/jobs/{_quoted(name)}/print", wanted)["id"]

    def stop(self, name: str, *, forget: bool = False) -> None:
        """Stop a job; the painting so far is kept, unless it is to be forgotten."""
        self._ask("DELETE", f"/api/jobs/{_quoted(name)}{'?forget=1' if forget else ''}")

    def methods(self) -> dict[str, Any]:
        """Return the methods with the schemas of their settings."""
        return self._json("GET", "/api/methods")

    def styles(self) -> dict[str, Any]:
        """Return the styles that have a name."""
        return self._json("GET", "/api/styles")

    def _json(self, method: str, path: str, data: Mapping[str, Any] | None = None) -> Any:
        body = None if data is None else json.dumps(data).encode()
        return json.loads(self._ask(method, path, body, "application/json"))

    def _ask(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> bytes:
        with self._open(method, path, body, kind) as answer:
            return answer.read()

    def _open(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> IO[bytes]:
        headers = {"Authorization": f"Bearer {self._token}", "X-Session": self.session}
        if body is not None:
            headers["Content-Type"] = kind
        request = urllib.request.Request(self.address + path, body, headers, method=method)
        try:
            return self._opener.open(request, timeout=self._timeout)
        except urllib.error.HTTPError as error:
            with error:
                raise StudioError(_said(error.read()), error.code) from None
        except OSError as error:
            reason = getattr(error, "reason", None) or error
            raise StudioError(
                f"the studio at {self.address} cannot be reached ({reason}); expected it to run"
            ) from None


def _said(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return "the studio has refused, and does not say why"


def _file(path: str | Path) -> tuple[bytes, str]:
    try:
        return Path(path).read_bytes(), Path(path).name
    except OSError as error:
        raise RequestError(f"{path} cannot be read ({error.strerror}); expected a picture") from None


def _quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="")


def _is_here(host: str | None) -> bool:
    return host in ("localhost", "::1") or (host or "").startswith("127.")
