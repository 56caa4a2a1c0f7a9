"""What tests of the page with a real server share: one server a module, and a page of a new visitor for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .browser import RealPage
from .real import Running

SAVED = ("more-*", "tour-*", "harbour*")  # names of files that these tests save


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    running = Running(eager=True)
    yield running
    running.stop()


@pytest.fixture
def page(start_browser: Callable[[], Any], running: Running) -> Iterator[RealPage]:
    """A page of a new visitor that isn't opened yet, with nothing saved."""
    chromium = start_browser()
    chromium.get(f"{running.address}/health")
    chromium.delete_all_cookies()
    chromium.execute_cdp_cmd("Storage.clearDataForOrigin", {"origin": running.address, "storageTypes": "all"})
    with RealPage(chromium, running).watched() as page:
        for file in (file for name in SAVED for file in page.saved(name)):
            file.unlink()
        yield page
