"""Comparing, taking home, and several people on the page, before a studio without networks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL.PngImagePlugin import PngInfo

from .browser import PHONE, Page, picture_bytes
from .fake import LIMITS
from .pages import begun_with, jobs

pytestmark = pytest.mark.browser


# Compare.


def test_pictures_that_the_server_forgot_are_sent_again(opened: Page) -> None:
    opened.studio.pictures.clear()
    opened.choose_style("night")
    opened.wait_painted()
    assert jobs(opened)[-1]["photo"] in opened.studio.pictures


def test_before_and_after_and_live_strength(painted: Page) -> None:
    from selenium.webdriver.common.keys import Keys

    painted.click("[data-view=split]")
    painted.keys(Keys.ARROW_LEFT * 10, on="#split")
    assert (
        painted.js("return getComputedStyle(document.getElementById('after')).clipPath") == "inset(0px 0px 0px 40%)"
    )
    painted.keys(Keys.HOME, on="#strength")
    assert painted.js("return getComputedStyle(document.getElementById('after')).opacity") == "0"
    assert len(jobs(painted)) == 2  # nothing is painted again


def test_colours_are_live_where_they_act_after_painting(painted: Page) -> None:
    painted.choose("#colour", "luminance")
    painted.wait("document.getElementById('after').src.includes('colour=luminance')")
    assert len(jobs(painted)) == 2
    painted.choose("#colour", "coral")
    painted.wait_painted(3)
    assert jobs(painted)[-1]["settings"] == {"colour": "coral"}


def test_any_two_results_beside_each_other(painted: Page) -> None:
    painted.click("[data-view=beside]")
    painted.wait("document.querySelectorAll('.pane img[src^=blob]').length === 2")
    titles = "return [...document.querySelectorAll('.pane img')].map((image) => image.alt)"
    assert painted.js(titles) == ["Night, Draft", "Wave, Draft"]
    painted.choose(".beside select", "photo")
    painted.wait("document.querySelector('.pane img').alt === 'The photo'")


def test_results_outlive_a_reload_and_are_taken_up_again(painted: Page) -> None:
    painted.studio.pictures.clear()  # a server that was started anew
    painted.studio.jobs.clear()
    painted.chromium.refresh()
    painted.ready().wait("document.querySelectorAll('#results-list .result').length === 2")
    painted.wait("document.body.dataset.state === 'photo'")
    painted.click("#results-list .open", 1)
    painted.wait("document.querySelector('.style[data-key=night] .thumb[aria-pressed=true]')")
    painted.wait("document.querySelectorAll('#results-list .open')[1].ariaCurrent === 'true'")
    painted.click("#take")
    painted.wait("document.getElementById('take-dialog').textContent.includes('no longer has this painting')")


def test_a_painting_dropped_in_brings_back_its_settings(page: Page) -> None:
    info = PngInfo()
    recipe = {
        "method": "adain",
        "settings": {"alpha": 0.25, "style_scale": 99, "evil": "<img src=x>", "seed": 7, "encoder": "/etc/passwd"},
        "styles": [{"name": "night", "weight": 2}, {"name": "<b>no</b>", "weight": 1}],
    }
    info.add_text("impasto", json.dumps(recipe))
    page.open().give("drop", ("old.png", "image/png", picture_bytes(pnginfo=info)))
    page.wait("document.querySelector('.notice .actions button')")
    page.click(".notice .actions button")
    page.click("#paint")
    page.wait_painted()
    (asked,) = jobs(page)
    assert (asked["method"], asked["settings"]) == ("adain", {"alpha": 0.25, "seed": 7})
    assert asked["styles"] == [{"name": "night", "weight": 2}]


# Take home.


def test_a_painting_is_taken_home_in_every_format(painted: Page) -> None:
    painted.js("const s = document.getElementById('strength'); s.value = 0.5; s.dispatchEvent(new Event('input'))")
    for at, kind in enumerate(LIMITS["formats"]["write"]):
        painted.click("#take")
        painted.click("#take-dialog .chips button", at)
        painted.click("#save")
        wanted = [f"/api/jobs/{painted.studio.jobs[-1].id}/picture?", f"format={kind}", "strength=0.5", "download=1"]
        painted.until(
            lambda wanted=wanted: any(all(part in path for part in wanted) for _, path, _ in painted.studio.asked)
        )


def test_a_print_is_painted_large(painted: Page) -> None:
    painted.click("#take")
    painted.click("#take-dialog .chips[aria-label=Size] button", 1)
    assert "dpi" in painted.text("#take-told")
    painted.click("#take-large button")
    painted.wait_painted(3)
    (body,) = painted.requests(f"/api/jobs/{painted.studio.jobs[1].id}/print")
    assert json.loads(body) == {"print": "30x22.5cm", "dpi": 300}


INSECURE = """
Object.defineProperty(window, "isSecureContext", {value: false});
Object.defineProperty(navigator, "clipboard", {value: undefined});
Object.defineProperty(navigator, "mediaDevices", {value: undefined});
"""
SHARING = """
navigator.canShare = ({files}) => files.length === 1;
navigator.share = async ({files}) => { window.shared = [files[0].name, files[0].type, files[0].size]; };
"""


def test_over_plain_http_the_page_says_what_is_missing_and_offers_the_file(page: Page, photo: Path) -> None:
    with begun_with(page, INSECURE):
        page.open().click("#camera")
        page.wait("document.querySelector('.notice.error .actions button')")
        assert "HTTPS" in page.text(".notice.error")
        page.pick_photo(photo)
        page.choose_style("night")
        page.wait_painted()
        page.click("#take")
        assert "HTTPS" in page.text("#take-dialog")
        assert len(page.chromium.find_elements("css selector", "#take-dialog .sheet-actions button")) == 1


def test_a_painting_is_shared_as_a_file(page: Page, photo: Path) -> None:
    with begun_with(page, SHARING):
        page.open(PHONE).pick_photo(photo)
        page.choose_style("night")
        page.wait_painted()
        page.click("#take")
        page.click("#take-dialog .sheet-actions button", 1)
        page.wait("window.shared")
    name, kind, size = page.js("return window.shared")
    assert (name, kind) == ("lake-Night-Quick.png", "image/png") and size > 100


# Several people.


def test_a_busy_studio_is_asked_again(opened: Page) -> None:
    opened.studio.busy = 1
    opened.choose_style("night")
    opened.wait("document.getElementById('progress-text').textContent.includes('busy')")
    opened.wait_painted()
    assert [job["effort"] for job in jobs(opened)] == ["draft", "draft", "quick"]


def test_a_place_in_the_queue_is_shown_and_a_reload_goes_on_to_the_quick_painting(
    opened: Page,
) -> None:
    opened.studio.ahead = 2
    opened.choose_style("night")
    opened.wait("document.getElementById('progress-text').textContent === 'Waiting, 2 before you'")
    opened.chromium.refresh()
    opened.ready().wait("document.getElementById('progress-text').textContent === 'Waiting, 2 before you'")
    opened.studio.ahead = 0
    opened.wait_painted()
    assert [job["effort"] for job in jobs(opened)] == ["draft", "quick"]


def test_what_is_done_now_is_shown_in_the_language_of_the_page(opened: Page) -> None:
    opened.studio.seconds["quick"] = 600
    for note, language, shown in (
        ("loading the networks", "en", "loading the networks"),
        ("nnst 512 px: encoding the style", "zh", "nnst 512 px: 正在分析风格"),
        ("painting", "ru", ""),
        ("<b>new</b>", "ru", "<b>new</b>"),
    ):
        opened.studio.note = note
        opened.choose("#language", language)
        opened.choose_style("night")
        opened.wait("document.getElementById('progress-text').textContent.includes('%')")
        opened.wait(f"document.getElementById('progress-note').textContent === {json.dumps(shown)}")


def test_what_was_painted_while_nobody_looked_is_there_later(opened: Page) -> None:
    opened.studio.ahead = 1
    opened.choose_style("night")
    opened.wait("document.getElementById('progress-text').textContent === 'Waiting, 1 before you'")
    opened.chromium.get("about:blank")
    opened.studio.ahead = 0
    opened.until(lambda: opened.studio.job(opened.studio.jobs[0].id).over == "done")
    opened.chromium.get(opened.address)
    opened.ready().wait_painted()
