"""Masks on the page, before a studio without networks."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from .browser import DESK, PHONE, Page, gesture
from .pages import jobs, last_mask

pytestmark = pytest.mark.browser


@pytest.fixture
def masking(opened: Page) -> Page:
    """The mask of a style."""
    opened.choose_style("night", mix=True)
    opened.click("#chosen button")
    opened.wait("document.querySelector('#mask-done')")
    return opened


@pytest.mark.parametrize(("kind", "size"), [("mouse", DESK), ("touch", PHONE), ("pen", DESK)])
def test_a_mask_is_drawn(page: Page, photo: Path, kind: str, size: tuple[int, int]) -> None:
    page.open(size).pick_photo(photo)
    page.choose_style("night", mix=True)
    page.click("#chosen button")
    page.wait("document.querySelector('#mask-done')")
    page.js("scrollTo(0, 0)")
    page.draw(kind, (0.2, 0.5), (0.5, 0.5), (0.8, 0.5))
    page.click("#mask-done")
    page.wait("document.querySelector('#chosen [aria-pressed=true]')")
    mask = last_mask(page)
    assert mask[120, 80:240].min() > 0.9 and mask[:60].max() == 0 and mask[180:].max() == 0
    page.click("#paint")
    page.wait_painted()
    assert jobs(page)[-1]["styles"][0]["mask"] in page.studio.pictures


def test_tools_of_a_mask(masking: Page) -> None:
    masking.draw("mouse", (0.5, 0.5), (0.5, 0.6))
    masking.click("#mask-invert")
    masking.click("#mask-clear")
    masking.click("#mask-undo")
    masking.click("#mask-soften")
    masking.keys("[", on="#stage")
    masking.click("#mask-done")
    masking.wait("document.querySelector('#chosen [aria-pressed=true]')")
    mask = last_mask(masking)
    assert mask[130, 160] == 0 and mask[10, 10] == 1  # inverted, and not cleared
    assert ((mask > 0.1) & (mask < 0.9)).any(1).sum() > 20  # soft


def test_two_fingers_zoom_and_draw_nothing_and_a_palm_beside_a_pen_neither(page: Page, photo: Path) -> None:
    page.open(PHONE).pick_photo(photo)
    page.choose_style("night", mix=True)
    page.click("#chosen button")
    page.wait("document.querySelector('#mask-done')")
    page.js("scrollTo(0, 0)")
    gesture(
        page, lambda at: [("touch", "a", [at(0.4, 0.5), at(0.2, 0.5)]), ("touch", "b", [at(0.6, 0.5), at(0.8, 0.5)])]
    )
    assert "scale" in page.js("return document.getElementById('picture').style.transform")
    page.draw("pen", (0.5, 0.5), (0.52, 0.5))
    page.draw("touch", (0.45, 0.4), (0.55, 0.4))
    page.click("#mask-done")
    page.wait("document.querySelector('#chosen [aria-pressed=true]')")
    mask = last_mask(page)
    assert 0 < (mask > 0.5).mean() < 0.05


def test_a_mask_without_a_pointer(masking: Page, tmp_path: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    masking.keys(Keys.ENTER, on="[data-rectangle]")
    masking.keys(Keys.ARROW_DOWN * 25, Keys.ENTER, on="#mask-tools .rectangle input")
    masking.wait("document.getElementById('live').textContent.includes('0%')")
    masking.keys(Keys.ENTER, on="#mask-done")
    masking.wait("document.querySelector('#chosen [aria-pressed=true]')")
    assert last_mask(masking).mean() == pytest.approx(0.25, abs=0.01)
    Image.new("L", (50, 40), 255).save(tmp_path / "white.png")
    masking.click("#chosen button")
    masking.chromium.find_element("id", "mask-file").send_keys(str(tmp_path / "white.png"))
    pixel = "document.getElementById('mask-canvas').getContext('2d').getImageData(0, 0, 1, 1).data[3] === 255"
    masking.wait(pixel)
    masking.click("#mask-done")
    masking.wait("document.body.classList.contains('masking') === false")
    assert last_mask(masking).min() == 1


@pytest.mark.parametrize("key", ["1", "p", "m", "\ue00c"], ids=["view", "paint", "mask", "escape"])
def test_a_key_that_leaves_the_mask_keeps_it(masking: Page, key: str) -> None:
    masking.draw("mouse", (0.2, 0.5), (0.8, 0.5))
    masking.keys(key, on="#stage")
    masking.wait("!document.body.classList.contains('masking')")
    masking.wait("document.querySelector('#chosen [aria-pressed=true]')")
    assert last_mask(masking).max() == 1
    masking.wait("document.getElementById('progress').hidden")
    assert all("mask" in job["styles"][0] for job in jobs(masking))


def test_a_painting_begun_while_a_mask_is_sent_has_that_mask(masking: Page) -> None:
    clicks = "document.getElementById('mask-done').click(); document.getElementById('paint').click();"
    for count, place in enumerate((0.2, 0.8), 1):
        masking.draw("mouse", (place, 0.2), (place, 0.8))
        masking.js(clicks)
        masking.wait_painted(count)
        mask = last_mask(masking)
        assert mask[120, round(place * 320)] == 1
        assert jobs(masking)[-1]["styles"][0]["mask"] == list(masking.studio.pictures)[-1]
        masking.click("#chosen button")
        masking.wait("document.querySelector('#mask-done')?.checkVisibility()")
