"""What nobody planned: odd drops, fast clicks, two tabs, the back button, a studio that is lost or has forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .browser import PHONE, Page, picture_bytes
from .pages import jobs

pytestmark = pytest.mark.browser

NOTICE = ".notice.error .text"


def drag(page: Page, **data: Any) -> None:
    """Drag something from outside into the window and let it fall, as the system would."""
    for kind in ("dragEnter", "dragOver", "drop"):
        event = {"type": kind, "x": 300, "y": 400, "data": {"dragOperationsMask": 1, "items": [], **data}}
        page.chromium.execute_cdp_cmd("Input.dispatchDragEvent", event)


def make(folder: Path, kind: str) -> dict[str, Any]:
    """What is dragged: a folder, a file that is no picture, or an address."""
    if kind == "address":
        return {"items": [{"mimeType": "text/uri-list", "data": "https://pictures.example/a.jpg"}]}
    (folder / "pictures.jpg").mkdir()
    (folder / "notes.txt").write_text("words")
    (folder / "lake.png").write_bytes(picture_bytes())
    names = {"folder": ["pictures.jpg"], "text": ["notes.txt"], "picture": ["pictures.jpg", "lake.png"]}
    return {"files": [str(folder / name) for name in names[kind]]}


@pytest.mark.parametrize(
    ("kind", "said"), [("folder", "is a folder"), ("text", "not a picture"), ("address", "Save the picture")]
)
@pytest.mark.parametrize("photo_first", [False, True], ids=["empty", "photo"])
def test_what_is_dropped_by_mistake_is_told(
    page: Page, photo: Path, tmp_path: Path, kind: str, said: str, photo_first: bool
) -> None:
    page.open()
    if photo_first:
        page.pick_photo(photo)
    drag(page, **make(tmp_path, kind))
    page.wait("document.querySelector('.notice.error')")
    assert said in page.text(NOTICE)
    drag(page, **make(tmp_path / ".", "address"))  # a second one is told once
    page.wait("[...document.querySelectorAll('.notice.error')].some((each) => each.textContent.includes('address'))")
    assert len(page.chromium.find_elements("css selector", ".notice.error")) == (1 if kind == "address" else 2)
    assert page.js("return [location.href, document.getElementById('drop').hidden]") == [page.address, True]


def test_a_picture_beside_a_folder_is_taken(page: Page, tmp_path: Path) -> None:
    page.open()
    drag(page, **make(tmp_path, "picture"))
    page.wait("document.querySelectorAll('.thumb img').length > 0")


def test_an_address_that_is_pasted_is_told_and_words_are_not(page: Page) -> None:
    paste = """
        const data = new DataTransfer();
        data.setData("text/plain", arguments[0]);
        document.body.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true}));
    """
    page.open().js(paste, "hello")
    assert page.text("#notices") == ""
    page.js(paste, "https://pictures.example/a.jpg")
    page.wait("document.querySelector('.notice.error')")
    assert "Save the picture" in page.text(NOTICE)


def test_a_thumbnail_that_is_dragged_is_no_drop(opened: Page) -> None:
    opened.drag(".thumb", (0.5, 0.5), (-3, 0.5))
    assert opened.js("return document.getElementById('drop').hidden") and opened.text("#notices") == ""


def test_many_clicks_on_paint_paint_once(opened: Page) -> None:
    opened.studio.seconds["quick"] = 1
    opened.choose_style("night", mix=True)
    opened.js("for (let i = 0; i < 6; i += 1) document.getElementById('paint').click()")
    opened.wait_painted()
    over = [job.over for job in opened.studio.jobs]
    assert (
        over.count("done") <= 2 and len(opened.chromium.find_elements("css selector", "#results-list .result")) == 1
    )
    opened.js("for (let i = 0; i < 4; i += 1) document.querySelector('.style[data-key=wave] .thumb').click()")
    opened.wait_painted(2)
    assert [job["styles"][0]["name"] for job in jobs(opened)][-1] == "wave"


@pytest.mark.slow
@pytest.mark.parametrize("first", [None, "night"], ids=["at once", "after a painting"])
def test_paint_and_stop_in_any_order_leave_nothing_under_way(opened: Page, first: str | None) -> None:
    opened.studio.seconds["quick"] = opened.studio.seconds["draft"] = 600
    opened.choose_style("wave", mix=True)
    clicks = """
        const done = arguments[0];
        const names = ["paint", "paint", "stop", "stop", "paint", "stop", "paint", "paint", "stop"];
        const next = () => {
            if (!names.length) return done();
            document.getElementById(names.shift()).click();
            return setTimeout(next, 15);
        };
        next();
    """
    opened.chromium.execute_async_script(clicks)
    for _ in range(3):
        if opened.js("return document.getElementById('progress').hidden"):
            break
        opened.js("document.getElementById('stop').click()")
    opened.wait("document.getElementById('progress').hidden")
    opened.until(lambda: all(job.over for job in opened.studio.jobs))
    opened.studio.seconds["quick"] = opened.studio.seconds["draft"] = 0.1
    opened.click("#paint")
    opened.wait("document.getElementById('after').src.startsWith('blob:')")


@pytest.mark.slow
def test_a_reload_midway_and_back_keep_photo_and_paintings(opened: Page) -> None:
    opened.choose_style("night")
    opened.wait_painted()
    opened.chromium.get(f"{opened.address}static/icon.svg")
    opened.chromium.back()
    opened.ready().wait_painted()
    opened.wait("document.body.dataset.state === 'photo' && document.getElementById('before').naturalWidth > 0")
    opened.studio.seconds["quick"] = 600
    opened.choose_style("wave")
    opened.wait("document.getElementById('progress-text').textContent.startsWith('Quick')")
    opened.chromium.refresh()
    opened.ready().wait("document.getElementById('progress-text').textContent.startsWith('Quick')")
    opened.click("#stop")
    opened.wait("document.getElementById('progress').hidden")


@pytest.mark.slow
def test_two_tabs_of_one_browser_paint_side_by_side(opened: Page) -> None:
    driver = opened.chromium
    first = driver.current_window_handle
    driver.switch_to.new_window("tab")
    try:
        driver.get(opened.address)
        opened.ready().wait("document.body.dataset.state === 'photo'")
        opened.choose_style("wave")
        opened.wait_painted()
    finally:
        driver.close()
        driver.switch_to.window(first)
    opened.choose_style("night")
    opened.wait_painted()  # of this tab
    opened.chromium.refresh()
    opened.ready().wait_painted(2)  # of both


@pytest.mark.slow
def test_a_studio_that_is_lost_midway_is_told_and_found_again(opened: Page) -> None:
    opened.studio.seconds["quick"] = 8
    opened.choose_style("night")
    opened.wait("document.getElementById('progress-text').textContent.startsWith('Quick')")
    opened.studio.lost = True
    opened.wait("document.getElementById('progress-text').textContent.includes('does not answer')")
    opened.studio.lost = False
    opened.wait_painted()


@pytest.mark.slow
@pytest.mark.parametrize("size", [(3, 3), (2, 400), (1200, 2)], ids=str)
def test_a_tiny_photo_can_be_seen_and_painted(page: Page, size: tuple[int, int]) -> None:
    page.open(PHONE).give("drop", ("tiny.png", "image/png", picture_bytes(size)))
    page.wait("document.querySelectorAll('.thumb img').length > 0")
    page.choose_style("night")
    page.wait_painted()
    assert page.js("return document.documentElement.scrollWidth <= innerWidth")
