"""What tests of the page before a studio without networks share: pages, a photo, and what was asked."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterator
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from .browser import Page, picture_bytes
from .fake import DRAWN, GALLERY, Studio

STYLES = len(GALLERY) + len(DRAWN)


@pytest.fixture
def page(start_browser: Callable[[], Any]) -> Iterator[Page]:
    """A page that isn't opened yet."""
    with Page(start_browser(), Studio(slowness=0.2)).watched() as page:
        yield page


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "lake.png"
    path.write_bytes(picture_bytes())
    return path


@pytest.fixture
def opened(page: Page, photo: Path) -> Page:
    """The page with a photo."""
    page.open().pick_photo(photo)
    return page


def jobs(page: Page) -> list[dict[str, Any]]:
    return [json.loads(body) for body in page.requests()]


def sent_files(page: Page) -> list[tuple[str, bytes]]:
    """Names and bytes of the pictures that were sent."""
    found = []
    for body in page.requests("/api/pictures"):
        head = b"Content-Type: multipart/form-data; boundary=" + body.split(b"\r\n", 1)[0][2:] + b"\r\n\r\n"
        (part,) = BytesParser(policy=HTTP).parsebytes(head + body).iter_parts()
        found.append((part.get_filename(), part.get_payload(decode=True)))
    return found


def last_mask(page: Page) -> Any:
    """The mask that was sent last, as shares of full coverage."""
    name, data = sent_files(page)[-1]
    image = Image.open(io.BytesIO(data))
    assert name == "mask.png" and image.format == "PNG" and max(image.size) <= 1024
    return np.asarray(image.convert("L"), np.float32) / 255


@pytest.fixture
def painted(opened: Page) -> Page:
    """The page with two paintings."""
    opened.click("input[name=effort][value=draft]")
    for count, name in enumerate(("night", "wave"), 1):
        opened.choose_style(name)
        opened.wait_painted(count)
    return opened


@contextlib.contextmanager
def begun_with(page: Page, script: str) -> Iterator[None]:
    """Run a script before the page's own."""
    command = page.chromium.execute_cdp_cmd
    name = command("Page.addScriptToEvaluateOnNewDocument", {"source": script})
    yield
    command("Page.removeScriptToEvaluateOnNewDocument", name)
