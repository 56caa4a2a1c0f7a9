"""The page of the studio in headless Chromium, before a studio without networks."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.chromium import start_chromium

from .browser import DESK, PHONE, Page, gesture, picture_bytes
from .fake import DRAWN, GALLERY, LIMITS, Studio

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[1] / "browser/node_modules/axe-core/axe.min.js"
RUN_AXE = """
const serious = ({impact}) => ["serious", "critical"].includes(impact);
const tell = ({id, nodes}) => `${id}: ${nodes[0].html.slice(0, 200)} ${nodes[0].failureSummary}`;
axe.run().then(({violations}) => arguments[0](violations.filter(serious).map(tell)));
"""
STYLES = len(GALLERY) + len(DRAWN)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    driver = start_chromium(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


@pytest.fixture
def page(chromium: Any) -> Iterator[Page]:
    """A page that isn't opened yet; what the browser complains of fails the test."""
    chromium.get_log("browser")
    page = Page(chromium, Studio(slowness=0.2))
    yield page
    severe = [entry["message"] for entry in chromium.get_log("browser") if entry["level"] == "SEVERE"]
    page.close()
    # The browser itself tells of answers that the page was made to get.
    assert [message for message in severe if "Failed to load resource" not in message] == []


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


# Masks.


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


# Compare.


def test_pictures_that_the_server_forgot_are_sent_again(opened: Page) -> None:
    opened.studio.pictures.clear()
    opened.choose_style("night")
    opened.wait_painted()
    assert jobs(opened)[-1]["photo"] in opened.studio.pictures


@pytest.fixture
def painted(opened: Page) -> Page:
    """The page with two paintings."""
    opened.click("input[name=effort][value=draft]")
    for count, name in enumerate(("night", "wave"), 1):
        opened.choose_style(name)
        opened.wait_painted(count)
    return opened


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


# Looks.


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("size", [DESK, PHONE])
def test_nothing_sticks_out_and_axe_finds_nothing_serious(
    page: Page, photo: Path, size: tuple[int, int], dark: bool
) -> None:
    page.open(size, dark=dark)
    found = check(page)
    page.pick_photo(photo)
    page.click("input[name=effort][value=draft]")
    page.choose_style("night")
    page.wait_painted()
    page.choose_style("wave", mix=True)
    found += check(page)
    for steps in (
        ["#tab-settings"],
        ["[data-view=split]"],
        ["[data-view=beside]"],
        ["#take"],
        ["#take-dialog .square", "#help"],
    ):
        for step in steps:
            page.click(step)
        found += check(page)
    page.click("#help-dialog .square")
    page.click("#chosen button")
    page.wait("document.querySelector('#mask-done')")
    page.click("[data-rectangle]")
    found += check(page)
    assert found == []
    if not AXE.exists():
        pytest.skip("nothing sticks out; axe-core is not installed: make test-browser")


def check(page: Page) -> list[str]:
    """What sticks out, and what axe finds serious, where axe is installed."""
    wide = page.js("return document.documentElement.scrollWidth > innerWidth ? ['wider than the window'] : []")
    if not AXE.exists():
        return wide
    if not page.js("return Boolean(window.axe)"):
        page.chromium.execute_cdp_cmd("Runtime.evaluate", {"expression": AXE.read_text("utf-8")})
    return wide + page.chromium.execute_async_script(RUN_AXE)


def test_keys_are_listed_and_languages_change_all_words(page: Page) -> None:
    page.open().keys("?")
    assert page.js("return document.getElementById('help-dialog').open")
    page.click("#help-dialog .square")
    for code, title in (
        ("zh", "把照片变成画作"),
        ("ru", "Превратите фото в картину"),
        ("en", "Turn a photo into a painting"),
    ):
        page.choose("#language", code)
        assert page.text("#welcome-title") == title
        assert page.js("return document.documentElement.lang").startswith(code)


def test_from_photo_to_saved_by_keys_alone(opened: Page) -> None:
    from selenium.webdriver.common.keys import Keys

    opened.keys(Keys.ENTER, on=".style[data-key=night] .thumb")
    opened.wait_painted()
    opened.keys("2", on="#stage")
    opened.wait("document.getElementById('split').checkVisibility()")
    opened.keys("s")
    opened.wait("document.getElementById('take-dialog').open")
    opened.keys(Keys.ENTER, on="#save")
    opened.wait("!document.getElementById('take-dialog').open")


def test_nothing_moves_where_that_is_not_wanted(page: Page, photo: Path) -> None:
    page.studio.thumbnail_seconds = 1
    page.open(calm=True).chromium.find_element("id", "photo-file").send_keys(str(photo))
    page.wait("document.querySelector('.frame.waiting')")
    assert page.js("return document.getAnimations().length") == 0


def test_the_choice_of_a_theme_is_kept(page: Page) -> None:
    page.open(dark=False).click("#theme")
    page.chromium.refresh()
    page.ready()
    assert page.js("return document.documentElement.dataset.theme") == "dark"
