"""``impasto studio``: a page in the browser to paint in."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..errors import MissingExtraError
from . import DONE

_NEEDED = {"starlette": "starlette", "uvicorn": "uvicorn", "python_multipart": "python-multipart"}


def studio(
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    token: str | None = None,
    password: str | None = None,
    https: Annotated[tuple[Path, Path] | None, Parameter(negative="")] = None,
    name: Annotated[list[str] | None, Parameter(negative="")] = None,
    device: str = "auto",
    browser: bool = True,
) -> int:
    """Open a page in the browser to paint in, until Ctrl-C ends it.

    It listens on this machine only. The printed address has a token in it, which lets in whoever has it.

    Args:
        host: Name or IP address to listen on; another than this machine's own needs --token or --password.
        port: Port to listen on. By default 8765, or a free one.
        token: The token; by default a new one each time.
        password: A password that lets people in beside the token.
        https: A certificate and its key, two files in PEM, to speak HTTPS.
        name: Another name by which people reach the studio; may be given several times.
        device: auto, cpu, cuda, cuda:N or mps.
        browser: Open the page in the browser.
    """
    for module, library in _NEEDED.items():
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(library, "studio", "impasto studio")
    from ..studio.serve import Settings, serve

    def ready(address: str) -> None:
        print(f"The studio is open: {address}\nCtrl-C ends it.", flush=True)

    names = tuple(name or ())
    serve(Settings(host, port, token, password, https, names, device), ready, browser=browser)
    return DONE
