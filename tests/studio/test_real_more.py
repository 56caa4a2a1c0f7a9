"""More of what the page does with one real server for all these tests: ways in, masks, sharing, ages."""

from __future__ import annotations

import io
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from impasto.images.metadata import metadata_in
from impasto.images.read import read

from . import real_pages
from .browser import DESK, PHONE, RealPage, picture_bytes
from .pages import begun_with
from .real import Running, until

pytestmark = pytest.mark.browser

page, running = real_pages.page, real_pages.running

SIZE = (200, 150)
KEYS = "return [...document.querySelectorAll('.style[data-key]')].map((each) => each.dataset.key)"
LONG = {"method": "gatys", "settings": {"steps": 100_000, "precision": "exact"}, "size": 32, "keep": True}


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "more.png"
    path.write_bytes(picture_bytes(SIZE))
    return path


def painted(page: RealPage, photo: Path, style: str = "great-wave", size: tuple[int, int] = DESK) -> Any:
    """Paint a painting; return its job."""
    page.open(size).pick_photo(photo)
    page.choose_style(style)
    page.wait_painted()
    page.wait("document.getElementById('after').src.startsWith('blob:')")
    return page.painted[-1]


# See before choosing.


@pytest.mark.slow
def test_a_picture_that_is_pasted_is_painted(page: RealPage) -> None:
    page.open().give("paste", ("image.png", "image/png", picture_bytes(SIZE)))
    page.wait("document.querySelectorAll('.thumb img').length > 0")
    page.choose_style("great-wave")
    page.wait_painted()
    assert page.painted[-1].state == "done"


@pytest.mark.slow
def test_favourites_recent_and_surprise_outlive_a_reload(page: RealPage, photo: Path) -> None:
    page.open().pick_photo(photo)
    page.click("input[name=effort][value=draft]")
    starred = page.js(KEYS)[2]
    page.js("document.querySelectorAll('.mini.star')[2].click()")
    page.click("#surprise")
    page.wait_painted()
    surprise = page.painted[-1].request.styles[0].name
    assert surprise in page.js(KEYS)
    page.chromium.refresh()
    page.ready().wait_painted()
    for at, expected in ((1, [starred]), (2, [surprise]), (3, [])):
        page.click("#style-filters button", at)
        assert page.js(KEYS) == expected


# Masks.


def coverage(page: RealPage) -> Any:
    """Paint with the mask that is there; return the coverage in ten places across."""
    page.click("#mask-done")
    page.wait("document.querySelector('#chosen [aria-pressed=true]')")
    page.click("#paint")
    page.wait_painted(page.js("return document.querySelectorAll('#results-list .result').length") + 1)
    covered = page.painted[-1].result.coverage / 255
    height, width = covered.shape
    return covered[height // 2, [round(width * (place + 0.5) / 10) for place in range(10)]]


def masking(page: RealPage, photo: Path) -> None:
    page.open().pick_photo(photo)
    page.choose_style("great-wave", mix=True)
    page.click("#chosen button")
    page.wait("document.querySelector('#mask-done')")


def test_a_mask_by_pen_is_undone_softened_inverted_and_cleared(page: RealPage, photo: Path) -> None:
    masking(page, photo)
    seen = """
        const {width, height} = document.getElementById("mask-canvas");
        const {data} = document.getElementById("mask-canvas").getContext("2d").getImageData(0, 0, width, height);
        const alpha = data.filter((_, i) => i % 4 === 3);
        return [alpha.reduce((sum, each) => sum + each, 0) / alpha.length / 255,
                alpha.filter((each) => each > 20 && each < 235).length / alpha.length];
    """
    page.draw("pen", (0.25, 0.1), (0.25, 0.9))
    full, hard = page.js(seen)
    page.draw("pen", (0.8, 0.1), (0.8, 0.9))
    assert page.js(seen)[0] > 1.5 * full
    page.click("#mask-undo")
    assert page.js(seen)[0] == pytest.approx(full)
    page.click("#mask-soften")
    assert page.js(seen)[1] > 1.5 * hard
    page.click("#mask-invert")
    assert page.js(seen)[0] == pytest.approx(1 - full, abs=0.02)
    page.click("#mask-clear")
    assert page.js(seen) == [0, 0]
    page.click("#mask-undo")
    across = coverage(page)
    assert across[2] < 0.2
    assert across[6:].min() > 0.95


@pytest.mark.slow
def test_masks_by_keys_and_from_a_file(page: RealPage, photo: Path, tmp_path: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    masking(page, photo)
    page.keys(Keys.ENTER, on="[data-rectangle]")
    for field, value in enumerate(("0", "0", "50", "100")):
        page.js("document.querySelectorAll('#mask-tools .rectangle input')[arguments[0]].select()", field)
        page.keys(value)
    page.keys(Keys.ENTER)
    across = coverage(page)
    assert across[:4].min() > 0.95 and across[6:].max() < 0.05
    halves = np.zeros((40, 60), np.uint8)
    halves[:, 30:] = 255
    Image.fromarray(halves).save(tmp_path / "mask.png")
    page.click("#chosen button")
    page.chromium.find_element("id", "mask-file").send_keys(str(tmp_path / "mask.png"))
    right = "document.getElementById('mask-canvas').getContext('2d').getImageData(190, 75, 1, 1).data[3] === 255"
    page.wait(right)
    across = coverage(page)
    assert across[:4].max() < 0.05 and across[6:].min() > 0.95


# Take home.

SHARING = """
navigator.canShare = ({files}) => files.length === 1;
navigator.share = async ({files}) => {
  if (window.refuse) throw new DOMException("", window.refuse);
  const data = new Uint8Array(await files[0].arrayBuffer());
  const signs = Array.from(data, (byte) => String.fromCharCode(byte));
  window.shared = [files[0].name, files[0].type, btoa(signs.join(""))];
};
"""


def test_the_file_that_is_shared_is_the_painting_with_its_recipe(page: RealPage, photo: Path) -> None:
    with begun_with(page, SHARING):
        job = painted(page, photo, size=PHONE)
        page.click("#take")
        page.click("#take-dialog .chips[aria-label=Format] button", 1)
        page.click("#take-dialog .sheet-actions button", 1)
        name, kind, data = page.wait("window.shared")
        assert (name, kind) == ("more-The-Great-Wave-off-Kanagawa.jpg", "image/jpeg")
        assert read(b64decode(data)).size == job.size
        assert metadata_in(b64decode(data), "it")["recipe"]["method"] == job.method
        page.js("window.refuse = 'AbortError'")  # somebody thought better of it
        page.click("#take-dialog .sheet-actions button", 1)
        page.js("window.refuse = 'NotAllowedError'")
        page.click("#take-dialog .sheet-actions button", 1)
        page.wait("document.querySelectorAll('.notice.error').length === 1")
        page.js("document.getElementById('take-dialog').close()")
        page.click(".notice .actions button")
        assert page.downloads("more-*.jpg", 1)


@pytest.mark.slow
def test_where_nothing_can_be_shared_the_file_is_offered(page: RealPage, photo: Path) -> None:
    with begun_with(page, "navigator.canShare = undefined; navigator.share = undefined;"):
        painted(page, photo)
        page.click("#take")
        assert page.text("#take-dialog .sheet-actions").startswith("Save the file")
        assert "Share" not in page.text("#take-dialog .sheet-actions")
        page.click("#save")
        assert read(page.downloads("more-*.png", 1)[0]).size == page.painted[-1].size


# The way in.


@pytest.mark.parametrize(
    ("language", "enter", "wrong"),
    [("ru", "Войти", "Неверно"), ("zh", "进入", "不正确"), ("en", "Come in", "That was not right")],
)
def test_the_way_in_is_in_the_language_that_was_chosen(page: RealPage, language: str, enter: str, wrong: str) -> None:
    page.chromium.get(page.running.address)
    page.wait("document.querySelectorAll('#language option').length === 3")
    page.choose("#language", language)
    assert page.text("button") == enter
    page.chromium.find_element("name", "secret").send_keys("wrong")
    page.click("button")
    page.wait(f"document.querySelector('p').textContent.startsWith('{wrong}')")
    assert page.js("return document.documentElement.lang").startswith(language)
    page.chromium.find_element("name", "secret").send_keys(page.running.url.partition("token=")[2])
    page.click("button")
    page.ready()
    assert page.js("return document.getElementById('language').value") == language


# A page that is left open for hours.


@pytest.fixture
def later(running: Running) -> Iterator[Callable[[float], None]]:
    """Lets hours pass for what the studio keeps."""
    studio = running.studio
    shelves = (studio.pictures, studio.jobs)

    def pass_time(hours: float) -> None:
        for shelf in shelves:
            shelf._clock = lambda: time.monotonic() + 3600 * hours
        studio.sweep()

    yield pass_time
    for shelf in shelves:
        shelf._clock = time.monotonic


@pytest.mark.slow
def test_what_was_forgotten_overnight_is_sent_again_and_paintings_are_still_there(
    page: RealPage, photo: Path, later: Callable[[float], None]
) -> None:
    painted(page, photo)
    page.click("input[name=effort][value=draft]")
    later(10)
    assert len(page.running.studio.pictures) == len(page.painted) == 0
    page.give("drop", ("mine.png", "image/png", picture_bytes((64, 64))), to="style")  # seen on the photo
    page.wait("document.querySelector('.style[data-key^=picture] .thumb img')?.naturalWidth > 0")
    page.wait_painted(2)
    page.click("#results-list .open", 1)  # of yesterday
    page.wait("document.querySelector('.style[data-key=great-wave] .thumb[aria-pressed=true]')")
    page.choose("#colour", "luminance")
    page.wait("document.querySelector('.notice.error')")
    assert "no longer has this painting" in page.text(".notice.error")
    page.click("#take")
    page.wait("document.getElementById('take-dialog').textContent.includes('no longer has this painting')")
    page.click("#save")
    assert Image.open(io.BytesIO(page.downloads("more-*.webp", 1)[0])).size == (512, 384)


@pytest.mark.slow
def test_a_painting_that_is_forgotten_while_it_is_taken_home_can_be_saved_from_the_browser(
    page: RealPage, photo: Path, later: Callable[[float], None]
) -> None:
    painted(page, photo)
    page.click("#take")
    page.wait("document.querySelector('#save')")
    later(10)
    page.click("#save")
    page.wait("document.querySelector('.notice.error .actions button')")
    assert "has forgotten this" in page.text(".notice.error")
    page.click(".notice.error .actions button")
    assert page.downloads("more-*.webp", 1)


def long_painting(page: RealPage, photo: Path) -> Any:
    page.open().pick_photo(photo)
    page.choose_style("night", mix=True)
    page.click("input[name=effort][value=best]")
    page.click("#paint")
    until(lambda: bool(page.painted) and page.painted[-1].request.effort == "best", 60)
    until(lambda: page.running.studio.visitors.streams == 1)
    return page.painted[-1]


@pytest.mark.slow
def test_events_that_break_off_are_taken_up_again(page: RealPage, photo: Path) -> None:
    job, studio = long_painting(page, photo), page.running.studio
    studio.closing = lambda: True  # every stream ends
    until(lambda: studio.visitors.streams == 0)
    studio.closing = lambda: False
    until(lambda: studio.visitors.streams == 1)
    assert not job.is_over
    page.click("#stop")
    page.wait("document.getElementById('progress').hidden")
    assert job.state == "stopped"


def test_a_session_that_has_expired_is_told_and_its_paintings_stay(page: RealPage, photo: Path) -> None:
    painted(page, photo)
    studio = page.running.studio
    old, title = studio.visitors.secrets, page.js("return document.querySelector('#results-list .open').title")
    studio.visitors.secrets = ("a studio that was started anew",)
    try:
        page.choose_style("red-fuji")
        page.wait("document.querySelector('.notice.error')")
        assert "Open the address that the studio printed" in page.text(".notice.error")
        page.click("#take")
        page.click("#save")
        page.wait("document.querySelector('.notice.error .actions button')")
        assert page.js("return document.querySelector('#results-list .open').title") == title
        page.chromium.refresh()
        assert page.chromium.find_element("name", "secret")
    finally:
        studio.visitors.secrets = old
    page.open().wait_painted()


@pytest.mark.slow
def test_a_session_that_expires_while_it_watches_is_told(page: RealPage, photo: Path) -> None:
    job, studio = long_painting(page, photo), page.running.studio
    old = studio.visitors.secrets
    try:
        studio.visitors.secrets, studio.closing = ("a studio that was started anew",), lambda: True
        page.wait("document.querySelector('.notice.error')")
        assert "Open the address that the studio printed" in page.text(".notice.error")
        page.wait("document.getElementById('progress').hidden")
    finally:
        studio.visitors.secrets, studio.closing = old, lambda: False
    studio.queue.stop(job)
    until(lambda: job.is_over)


@pytest.mark.slow
def test_a_busy_studio_is_told_and_asked_again(page: RealPage, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = page.running.studio.queue
    monkeypatch.setattr(queue, "_limits", replace(queue._limits, queue=1))
    others = page.running.client("others")
    first = others.start(picture_bytes((64, 48)), picture_bytes((48, 48)), **LONG)
    until(lambda: page.painted[-1].state == "painting")
    second = others.start(picture_bytes((64, 48)), picture_bytes((48, 48)), **LONG)
    page.open().pick_photo(photo)
    page.choose_style("great-wave")
    page.wait("document.getElementById('progress-text').textContent.includes('The studio is busy')")
    for job in (second, first):
        others.stop(job)
    page.wait_painted()
