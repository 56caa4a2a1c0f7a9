"""Styles and paintings on the page, before a studio without networks."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from .browser import Page, picture_bytes
from .fake import GALLERY, LIMITS
from .pages import STYLES, jobs, sent_files

pytestmark = pytest.mark.browser


# See before choosing.


@pytest.mark.parametrize("kind", ["picker", "drop", "paste"])
def test_a_photo_comes_in_and_every_style_shows_itself_on_it(page: Page, photo: Path, kind: str) -> None:
    page.open()
    if kind == "picker":
        page.pick_photo(photo)
    else:
        page.give(kind, ("lake.png", "image/png", photo.read_bytes()))
    page.wait(f"document.querySelectorAll('.thumb img').length === {STYLES}")
    assert page.js("return document.getElementById('before').naturalWidth") == 320
    assert sent_files(page)[0] == ("lake.png", photo.read_bytes())


def test_a_photo_is_taken_with_the_camera_of_a_desk(page: Page) -> None:
    page.open().click("#camera")
    page.wait("document.querySelector('#camera-dialog video')?.videoWidth > 0")
    page.click("#shoot")
    page.wait("document.querySelectorAll('.thumb img').length > 0")
    ((name, data),) = sent_files(page)
    assert name == "camera.jpg" and Image.open(io.BytesIO(data)).format == "JPEG"


def test_a_photo_that_the_browser_cannot_read_is_shown_by_the_server(page: Page) -> None:
    page.open()
    # A TIFF stands for HEIC here: the server reads it, Chromium doesn't.
    page.give("drop", ("phone.heic", "", picture_bytes(kind="TIFF")))
    page.wait(f"document.querySelectorAll('.thumb img').length === {STYLES}")
    assert "/api/pictures/" in page.js("return document.getElementById('before').src")


def test_a_painting_dropped_in_is_a_style_and_stays_one(opened: Page) -> None:
    opened.give("drop", ("mine.png", "image/png", picture_bytes((64, 64))), to="style")
    opened.wait_painted()
    assert "picture" in jobs(opened)[-1]["styles"][0]
    opened.chromium.refresh()
    opened.ready().wait(
        "[...document.querySelectorAll('.thumb .title')].some((title) => title.textContent === 'mine')"
    )


def test_favourites_recent_and_surprise(opened: Page) -> None:
    opened.js("document.querySelectorAll('.mini.star')[2].click()")
    opened.click("#surprise")
    opened.wait_painted()
    for at, expected in ((1, [GALLERY[2][0]]), (2, [jobs(opened)[-1]["styles"][0]["name"]])):
        opened.click("#style-filters button", at)
        shown = "return [...document.querySelectorAll('.style[data-key]')].map((each) => each.dataset.key)"
        assert opened.js(shown) == expected


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("text.png", b"no picture", "is no picture"),
        ("huge.png", b"0" * (LIMITS["max_bytes"] + 1), "Save it smaller"),
        ("notes.txt", b"words", "not a picture"),
    ],
)
def test_what_cannot_be_a_photo_is_said(page: Page, name: str, data: bytes, expected: str) -> None:
    page.open().give("drop", (name, "image/png" if name.endswith("png") else "text/plain", data))
    page.wait("document.querySelector('.notice.error')")
    assert expected in page.text(".notice.error")
    assert page.js("return document.body.dataset.state") == "empty"


# Paint.


def test_the_draft_comes_at_once_and_the_quick_painting_in_its_place(opened: Page) -> None:
    opened.choose_style("night")
    opened.wait_painted()
    opened.wait("document.getElementById('after').src.startsWith('blob:')")
    assert [job["effort"] for job in jobs(opened)] == ["draft", "quick"]
    assert jobs(opened)[0]["styles"] == [{"name": "night", "weight": 1}]


def test_what_networks_know_is_painted_once_and_mixes_with_its_kind_alone(opened: Page) -> None:
    opened.choose_style("great-wave")
    opened.wait_painted()
    assert [job["effort"] for job in jobs(opened)] == ["draft"]
    assert not opened.js("return document.getElementById('finer').checkVisibility()")
    opened.choose_style("night", mix=True)
    opened.choose_style("red-fuji", mix=True)
    opened.click("#tab-settings")
    opened.choose("#method-choice", "adain")  # takes pictures
    opened.click("#tab-styles")
    opened.choose_style("red-fuji", mix=True)
    opened.choose_style("red-fuji", mix=True)
    opened.click("#paint")
    opened.wait("!document.getElementById('progress').checkVisibility()")
    opened.wait_painted(2)
    assert [style["name"] for style in jobs(opened)[-1]["styles"]] == ["great-wave", "red-fuji"]
    assert "method" not in jobs(opened)[-1]


def test_fine_streams_and_stop_keeps_the_picture(opened: Page) -> None:
    opened.studio.seconds["fine"] = 600
    opened.choose_style("river", mix=True)
    opened.click("input[name=effort][value=fine]")
    opened.click("#paint")
    opened.wait("document.getElementById('progress-text').textContent.startsWith('Fine')")
    opened.wait("!document.getElementById('losses').hidden")
    opened.js("document.getElementById('losses').open = true")
    opened.wait("document.querySelectorAll('.loss polyline').length === 2")
    opened.wait("document.getElementById('after').src.includes('preview')")
    opened.click("#stop")
    opened.wait("document.querySelector('.notice')")
    opened.wait_painted()
    assert "kept" in opened.text(".notice")
    assert opened.studio.jobs[-1].over == "stopped"


def test_what_is_chosen_is_what_is_asked(opened: Page) -> None:
    from selenium.webdriver.common.keys import Keys

    opened.choose_style("wave", mix=True)
    opened.choose_style("night", mix=True)
    opened.keys(Keys.ARROW_RIGHT * 3, on="#boldness")
    opened.keys(Keys.ARROW_LEFT * 5, on="#chosen input[type=range]")
    opened.click("#tab-settings")
    opened.keys("640", Keys.TAB, on="#setting-size")
    opened.click("#keep")
    opened.click("#paint")
    opened.wait_painted()
    asked = jobs(opened)[-1]
    assert asked["boldness"] == pytest.approx(0.65)
    assert [(style["name"], style["weight"]) for style in asked["styles"]] == [("wave", 0.5), ("night", 1)]
    assert asked["size"] == 640 and asked["keep"] is True


def test_the_form_of_a_method_is_made_from_its_schema(opened: Page) -> None:
    opened.click("#tab-settings")
    opened.choose("#method-choice", "adain")
    opened.choose("#preset-choice", "impasto")
    fields = {
        node.get_attribute("data-setting") for node in opened.chromium.find_elements("css selector", "[data-setting]")
    }
    assert fields == {"size", "seed", "feather", "alpha", "style_scale"}  # no file, nothing for reproduction
    hidden = "return document.getElementById('setting-feather').checkVisibility()"
    assert not opened.js(hidden)
    opened.click("#panel-settings summary")
    assert opened.js(hidden)
    opened.keys("\ue012" * 10, on="#setting-alpha")  # arrow left
    opened.click("#tab-styles")
    opened.choose_style("night")
    opened.wait_painted()
    (asked,) = jobs(opened)
    assert (asked["method"], asked["preset"], asked["settings"]) == ("adain", "impasto", {"alpha": 0.5})
    assert "effort" not in asked
