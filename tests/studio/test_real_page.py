"""The page with the real server, and the networks that ship, in headless Chromium."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from impasto.images.metadata import metadata_in
from tests.chromium import start_chromium

from .browser import Page, picture_bytes
from .real import Running, until
from .test_refusals import bomb

pytestmark = pytest.mark.browser

SLOW = {"method": "gatys", "settings": {"steps": 100_000, "precision": "exact"}, "size": 32, "keep": True}


class RealPage(Page):
    """The page of a real studio."""

    seconds = 90  # networks are loaded, and pictures painted

    def __init__(self, chromium: Any, running: Running) -> None:
        self.chromium, self.running, self.address = chromium, running, running.url

    @property
    def painted(self) -> list[Any]:
        """The jobs of everybody, the oldest first."""
        return self.running.studio.jobs.all()

    def close(self) -> None:
        self.chromium.get("about:blank")


@pytest.fixture(scope="module")
def start_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Any]]:
    """Starts browsers that know nothing of each other; each is started once."""
    begun: list[Any] = []

    def start() -> Any:
        begun.append(start_chromium(tmp_path_factory.mktemp("profile")))
        return begun[-1]

    yield start
    for each in begun:
        each.quit()


@pytest.fixture(scope="module")
def chromium(start_browser: Callable[[], Any]) -> Any:
    return start_browser()


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "lake.jpg"
    path.write_bytes(picture_bytes((400, 300), "JPEG"))
    return path


@pytest.fixture
def page(chromium: Any, run_studio: Callable[..., Running]) -> Iterator[RealPage]:
    """A page that isn't opened yet; what the browser complains of fails the test."""
    chromium.get_log("browser")
    page = RealPage(chromium, run_studio(eager=True, leave=2.0, sweep=0.2))
    yield page
    severe = [entry["message"] for entry in chromium.get_log("browser") if entry["level"] == "SEVERE"]
    page.close()
    assert [message for message in severe if "Failed to load resource" not in message] == []


def newest_file(folder: Path) -> bytes | None:
    files = sorted(folder.glob("lake*.*"), key=os.path.getmtime)
    whole = [file for file in files if file.suffix != ".crdownload"]
    return whole[-1].read_bytes() if whole else None


def test_from_a_photo_to_a_saved_painting(page: RealPage, photo: Path) -> None:
    """Four clicks: photo, style, take home, save."""
    page.open().pick_photo(photo)
    page.wait("document.querySelectorAll('.style[data-key]').length > 10")
    page.wait(
        "document.querySelectorAll('.thumb img').length === document.querySelectorAll('.style[data-key]').length"
    )
    looks = "return [...document.querySelectorAll('.thumb img')].every((each) => each.naturalWidth >= 96)"
    assert page.js(looks)
    page.choose_style("great-wave")
    page.wait_painted()
    page.wait("document.getElementById('after').src.startsWith('blob:')")
    page.click("#take")
    page.click("#save")
    folder = Path(page.chromium.capabilities["chrome"]["userDataDir"])
    until(lambda: newest_file(folder) is not None)
    saved = newest_file(folder)
    assert max(Image.open(io.BytesIO(saved)).size) == max(page.painted[-1].result.size)
    assert metadata_in(saved, "it")["recipe"]["method"] == "johnson"


def test_two_people_see_only_their_own(page: RealPage, photo: Path, start_browser: Callable[[], Any]) -> None:
    other = RealPage(start_browser(), page.running)
    for each, style in ((page, "great-wave"), (other, "the-scream")):
        each.open().pick_photo(photo)
        each.choose_style(style)
    for each, style in ((page, "great-wave"), (other, "the-scream")):
        each.wait_painted()
        each.wait(f"document.querySelector('.style[data-key={style}] .thumb[aria-pressed=true]')")
    jobs = {job.request.styles[0].name: job for job in page.painted}
    assert len({job.owner for job in jobs.values()}) == 2
    ask = "const done = arguments[1]; fetch(arguments[0]).then((answer) => done(answer.status))"
    for each, status in ((page, 404), (other, 200)):
        found = each.chromium.execute_async_script(ask, f"/api/jobs/{jobs['the-scream'].id}/picture")
        assert found == status
    other.close()


def start_long_painting(page: RealPage, photo: Path) -> Any:
    page.open().pick_photo(photo)
    page.choose_style("night", mix=True)
    page.click("input[name=effort][value=best]")
    page.click("#paint")
    page.wait("document.getElementById('after').src.includes('preview')")
    until(lambda: page.painted[-1].request.effort == "best")
    return page.painted[-1]


def test_a_tab_that_is_closed_midway_frees_the_machine(page: RealPage, photo: Path) -> None:
    job = start_long_painting(page, photo)
    page.chromium.switch_to.new_window("tab")
    new = page.chromium.current_window_handle
    (old,) = [each for each in page.chromium.window_handles if each != new]
    page.chromium.switch_to.window(old)
    page.chromium.close()
    page.chromium.switch_to.window(new)
    until(lambda: job.is_over, 60)
    assert job.state == "stopped"
    client = page.running.client("next")
    assert client.wait(client.start(picture_bytes((64, 48)), "great-wave", size=64))["state"] == "done"


def test_stop_keeps_the_picture(page: RealPage, photo: Path) -> None:
    job = start_long_painting(page, photo)
    page.wait("document.getElementById('losses').hidden === false")
    page.click("#stop")
    page.wait_painted()
    assert job.state == "stopped" and "kept" in page.text(".notice")
    page.wait("document.getElementById('after').src.startsWith('blob:')")
    assert page.js("return document.getElementById('after').naturalWidth") > 100


def test_a_reload_finds_the_draft_and_goes_on(page: RealPage, photo: Path) -> None:
    others = page.running.client("others")
    page.open().pick_photo(photo)
    long = others.start(picture_bytes((64, 48)), picture_bytes((48, 48)), **SLOW)
    page.choose_style("night")
    page.wait("document.getElementById('progress-text').textContent === 'Waiting, 1 before you'")
    page.chromium.refresh()
    page.ready().wait("document.getElementById('progress-text').textContent === 'Waiting, 1 before you'")
    others.stop(long)
    page.wait_painted()
    assert [job.request.effort for job in page.painted][-1] == "quick"
    page.chromium.refresh()
    page.ready().wait_painted()
    page.wait("document.getElementById('after').src.startsWith('blob:')")


def test_a_painting_dropped_in_brings_back_its_settings(page: RealPage) -> None:
    client = page.running.client("maker")
    how = {"method": "adain", "settings": {"alpha": 0.5, "seed": 7}, "size": 64}
    made = client.paint(picture_bytes((64, 48)), "night", **how)
    page.open().give("drop", ("old.png", "image/png", made))
    page.wait("document.querySelector('.notice .actions button')")
    page.click(".notice .actions button")
    page.click("#paint")
    page.wait_painted()
    asked = page.painted[-1].request
    assert (asked.method, asked.settings["alpha"], asked.settings["seed"]) == ("adain", 0.5, 7)
    assert page.painted[-1].state == "done"


@pytest.mark.parametrize(
    ("name", "data", "word"),
    [
        ("bomb.png", bomb(60_000, 60_000), "megapixels"),
        ("new.jxl", b"\xff\x0a" + b"x" * 100, "expected a PNG, JPEG, WebP, TIFF, AVIF, HEIC, GIF or BMP"),
    ],
)
def test_what_is_refused_is_said(page: RealPage, name: str, data: bytes, word: str) -> None:
    page.open().give("drop", (name, "image/png" if name.endswith("png") else "image/jxl", data))
    page.wait("document.querySelector('.notice.error')")
    assert word in page.text(".notice.error")
    assert page.js("return document.body.dataset.state") == "empty"
    assert len(page.running.studio.pictures) == 0
