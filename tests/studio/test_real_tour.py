"""Everything the page does, with one real server that all tests of this module share, in headless Chromium."""

from __future__ import annotations

import io
from base64 import b64decode
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from impasto.images.metadata import metadata_in
from impasto.images.read import read

from . import real_pages
from .browser import AXE, DESK, PHONE, RealPage, check, gesture, picture_bytes

pytestmark = pytest.mark.browser

page, running = real_pages.page, real_pages.running

SIZE = (200, 150)
STYLES = ("great-wave", "the-scream")
# 64 by 96 pixels: red above, blue to the right of the middle.
HEIC = b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAVZtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAACJpbG9jAAAA"
    "AERAAAEAAQAAAAABegABAAAAAAAAAFgAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA1mlwcnAAAAC3"
    "aXBjbwAAAHhodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQArQgEBA3AAAAMAkAAAAwAA"
    "AwAeoCCBhZbqSSmubgIaDAgAAAMAyAAAAwAIQGIAAQAHRAHBcrAiQAAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABAAAAAYAAAABBw"
    "aXhpAAAAAAMICAgAAAAXaXBtYQAAAAAAAAABAAEEgQIDBAAAAGBtZGF0AAAAVCgBr1hf4BYqZJf/+Q3f/33SQ+R7W9BbQIwhiHZKAnHx5+cv2795"
    "e9AMYvpLv3zGZ//hwZ/ieJ/K6Z1Ms3qfN+95MwAA7K8UV9UB/wtErwChwIigsA=="
)


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "tour.png"
    path.write_bytes(picture_bytes(SIZE))
    return path


def paint(page: RealPage, *styles: str, before: int = 0) -> list[Any]:
    """Paint a painting in each style; return their jobs."""
    for count, style in enumerate(styles, 1):
        page.choose_style(style)
        page.wait_painted(count)
        page.wait("document.getElementById('after').src.startsWith('blob:')")
    return page.painted[-len(styles) :]


def levels(data: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.float64)


# See before choosing.


def test_a_photo_of_the_camera_is_painted(page: RealPage) -> None:
    page.open().click("#camera")
    page.wait("document.querySelector('#camera-dialog video')?.videoWidth > 0")
    page.click("#shoot")
    page.wait("document.querySelectorAll('.thumb img').length > 0")
    page.click("#tab-settings")
    page.keys("96", "\t", on="#setting-size")
    page.click("#tab-styles")
    (job,) = paint(page, "great-wave")
    assert max(job.size) == 96 and job.request.size == 96


def test_a_heic_photo_is_shown_and_painted(page: RealPage) -> None:
    pytest.importorskip("pi_heif", reason="the extra heic is not installed")
    page.open().give("drop", ("IMG_1.HEIC", "", HEIC))  # browsers on a desk know no type of it
    page.wait("document.querySelectorAll('.thumb img').length > 0")
    page.wait("document.getElementById('before').naturalWidth > 0")
    pixel = """
        const canvas = new OffscreenCanvas(64, 96).getContext("2d");
        canvas.drawImage(document.getElementById("before"), 0, 0, 64, 96);
        const at = (x, y) => [...canvas.getImageData(x, y, 1, 1).data.slice(0, 3)];
        return [...at(10, 10), ...at(50, 80)];
    """
    assert page.js(pixel) == pytest.approx([220, 60, 40, 30, 60, 200], abs=12)
    (job,) = paint(page, "great-wave")
    assert job.size[0] < job.size[1]


def test_a_painting_dropped_in_is_painted_with_beside_others(page: RealPage, photo: Path) -> None:
    page.open().pick_photo(photo)
    page.click("input[name=effort][value=draft]")
    page.give("drop", ("mine.webp", "image/webp", picture_bytes((96, 64), "WEBP")), to="style")
    page.wait_painted()
    page.choose_style("night", mix=True)
    page.keys("\ue012" * 5, on="#chosen input[type=range]")  # arrow left
    page.click("#paint")
    page.wait_painted(2)
    styles = page.painted[-1].request.styles
    assert styles[0].picture and styles[1].name == "night" and [style.weight for style in styles] == [0.5, 1]
    assert page.painted[-1].state == "done"


# Paint.


def test_forms_of_every_method_and_preset_in_every_language(page: RealPage, photo: Path) -> None:
    page.open(PHONE).pick_photo(photo)
    page.click("#tab-settings")
    methods = page.js("return [...document.querySelectorAll('#method-choice option')].map((each) => each.value)")
    assert len(methods) > 5
    fields = "return [...document.querySelectorAll('#panel-settings :is(input, select)')]"
    for language in ("ru", "zh", "en"):
        page.choose("#language", language)
        for method in methods:
            page.choose("#method-choice", method)
            assert (
                page.js(f"{fields}.filter((each) => !each.labels?.[0]?.textContent.trim()).map((each) => each.id)")
                == []
            )
            assert "undefined" not in page.text("#panel-settings") and "null" not in page.text("#panel-settings")
            assert page.js("return document.documentElement.scrollWidth <= innerWidth"), (language, method)
            for preset in page.js(
                "return [...document.querySelectorAll('#preset-choice option')].map((each) => each.value)"
            ):
                page.choose("#preset-choice", preset)
                assert page.js("return document.getElementById('preset-choice').value") == preset


# Masks.


def test_a_mask_by_touch(page: RealPage, photo: Path) -> None:
    """Two fingers zoom and move, one paints: the painting covers the photo there and nowhere else."""
    page.open(PHONE).pick_photo(photo)
    page.choose_style("great-wave", mix=True)
    page.click("#chosen button")
    page.wait("document.querySelector('#mask-done')")
    page.js("scrollTo(0, 0)")

    def fingers(one: tuple[float, float], two: tuple[float, float]) -> None:
        ways = {"a": one, "b": two}
        gesture(page, lambda at: [("touch", name, [at(x, 0.5) for x in way]) for name, way in ways.items()])

    seen = "return document.getElementById('mask-canvas').getBoundingClientRect().toJSON()"
    before = page.js(seen)
    fingers((0.4, 0.2), (0.6, 0.8))
    wide = page.js(seen)
    assert wide["width"] > 1.5 * before["width"]
    fingers((0.4, 0.45), (0.5, 0.55))
    moved = page.js(seen)
    assert moved["width"] == pytest.approx(wide["width"], rel=0.02) and moved["x"] > wide["x"] + 5
    page.click("#mask-done")
    page.click("#chosen button")
    page.js("scrollTo(0, 0)")
    page.draw("touch", *[(0.25, y / 10) for y in range(11)])
    page.click("#mask-done")
    page.wait("document.querySelector('#chosen [aria-pressed=true]')")
    page.click("#paint")
    page.wait_painted()
    result = page.painted[-1].result
    width = result.size[0]
    across = result.coverage[result.size[1] // 2] / 255
    assert across[round(0.25 * width)] > 0.9 and across[round(0.6 * width) :].max() < 0.1
    changed = np.abs(levels(result.encode("png").data) - result.photo).mean((0, 2))
    assert changed[round(0.6 * width) :].mean() < 2 < 8 < changed[round(0.2 * width) : round(0.3 * width)].mean()


# Compare.


def test_slider_and_strength_and_colours_act_on_the_picture_that_is_there(page: RealPage, photo: Path) -> None:
    page.open().pick_photo(photo)
    (job,) = paint(page, "great-wave")
    page.click("[data-view=split]")
    page.drag("#split", (0.5, 0.5), (0.3, 0.5))
    clip = page.js("return getComputedStyle(document.getElementById('after')).clipPath")
    assert float(clip.split()[-1].strip("%)")) == pytest.approx(30, abs=3)
    page.keys("\ue012", on="#split")
    assert page.js("return getComputedStyle(document.getElementById('after')).clipPath") != clip
    page.click("[data-view=painting]")
    page.drag("#strength", (0.99, 0.5), (0.5, 0.5))
    strength = page.js("return Number(document.getElementById('strength').value)")
    assert strength == pytest.approx(0.5, abs=0.1)
    opacity = "return Number(getComputedStyle(document.getElementById('after')).opacity)"
    assert page.js(opacity) == pytest.approx(strength, abs=0.01)
    page.choose("#colour", "luminance")
    page.wait("document.getElementById('after').src.includes('colour=luminance')")
    assert page.painted[-1] is job
    page.click("#take")
    page.click("#save")
    (saved,) = page.downloads("tour-The-Great-Wave*.png", 1)
    expected = job.result.encode("png", strength=strength, colour="luminance").data
    assert np.array_equal(levels(saved), levels(expected))
    assert metadata_in(saved, "it")["recipe"]["strength"] == strength


def test_any_two_results_beside_each_other_outlive_a_reload(page: RealPage, photo: Path) -> None:
    page.open().pick_photo(photo)
    paint(page, *STYLES, "red-fuji")
    page.chromium.refresh()
    page.ready().wait_painted(3)
    page.click("#results-list .open")
    page.click("[data-view=beside]")
    options = (
        "return [...document.querySelectorAll('.beside select')[arguments[0]].options].map((each) => each.value)"
    )
    for left, right in ((1, 2), (3, 1), (2, 0)):
        for pane, at in enumerate((left, right)):
            value = page.js(options, pane)[at]
            page.js(
                "const select = document.querySelectorAll('.beside select')[arguments[0]];"
                "select.value = arguments[1]; select.dispatchEvent(new Event('change'))",
                pane,
                value,
            )
        page.wait("[...document.querySelectorAll('.pane img')].every((image) => image.naturalWidth > 0)")
        assert (
            page.js("return new Set([...document.querySelectorAll('.pane img')].map((each) => each.src)).size") == 2
        )


# Take home.


def test_files_have_the_size_that_is_asked_for_and_the_recipe(page: RealPage, photo: Path) -> None:
    page.open().pick_photo(photo)
    (job,) = paint(page, "red-fuji")
    writes = page.js("return fetch('/api/limits').then((answer) => answer.json())")["formats"]["write"]
    assert {"png", "jpeg", "webp", "tiff"} <= set(writes)
    ends = {"jpeg": "jpg", "tiff": "tif"}
    for at, kind in enumerate(writes):
        page.click("#take")
        page.click("#take-dialog .chips[aria-label=Format] button", at)
        page.click("#take-dialog .chips[aria-label=Size] button", 0)
        page.fill("#take-size", "96")
        page.click("#save")
        (saved,) = page.downloads(f"tour-*.{ends.get(kind, kind)}", 1)
        assert Image.open(io.BytesIO(saved)).format == kind.upper() and read(saved).size == (96, 72)
        assert metadata_in(saved, "it")["recipe"]["method"] == job.method


@pytest.mark.parametrize(
    ("width", "dpi", "pixels", "stated"),
    [
        ("2", "100", (79, 59), 100),  # smaller than what is painted
        ("20", "300", (200, 150), 25.4),  # larger: the same pixels, on as much paper
    ],
)
def test_a_file_in_centimetres(page: RealPage, photo: Path, width: str, dpi: str, pixels: Any, stated: float) -> None:
    page.open().pick_photo(photo)
    page.click("#tab-settings")
    page.fill("#setting-size", "200")
    page.click("#tab-styles")
    paint(page, "the-scream")
    page.click("#take")
    page.click("#take-dialog .chips[aria-label=Size] button", 1)
    page.fill("#take-width", width)
    page.fill("#take-dpi", dpi)
    told = page.text("#take-told")
    assert f"{pixels[0]} × {pixels[1]} pixels: {width}" in told
    page.click("#save")
    saved = read(page.downloads("tour-*.png", 1)[-1])
    assert saved.size == pixels and saved.dpi == pytest.approx((stated, stated), rel=0.01)
    assert saved.size[0] / saved.dpi[0] * 2.54 == pytest.approx(float(width), rel=0.01)


def test_a_print_is_painted_large_and_saved(page: RealPage, photo: Path) -> None:
    page.open().pick_photo(photo)
    paint(page, "great-wave")
    page.click("#take")
    page.click("#take-dialog .chips[aria-label=Size] button", 1)
    page.fill("#take-width", "10")
    page.fill("#take-dpi", "150")
    page.click("#take-large button")
    page.wait_painted(2)
    assert page.painted[-1].size == (591, 443)
    page.click("#take")
    page.click("#take-dialog .chips[aria-label=Format] button", 0)
    page.click("#save")
    data = page.downloads("tour-*.png", 1)[-1]
    assert read(data).size == (591, 443) and read(data).dpi == pytest.approx((150, 150), rel=0.01)
    recipe = metadata_in(data, "it")["recipe"]
    assert (recipe["print"], recipe["dpi"]) == ("10x7.5cm", 150)


def test_a_copy_in_the_clipboard(page: RealPage, photo: Path) -> None:
    rights = {"origin": page.running.address, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    page.chromium.execute_cdp_cmd("Browser.grantPermissions", rights)
    page.open().pick_photo(photo)
    paint(page, "red-fuji")
    page.click("#take")
    page.click("#take-dialog .sheet-actions button", -1)
    page.wait("document.querySelector('.notice')")
    assert "Copied" in page.text(".notice")


# Looks.


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: make test-browser")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_axe_finds_nothing_serious(page: RealPage, photo: Path, size: tuple[int, int], dark: bool) -> None:
    page.open(size, dark=dark)
    found = check(page)
    page.pick_photo(photo)
    paint(page, *STYLES)
    page.choose_style("water-lilies", mix=True)
    found += check(page)
    for step in ("#tab-settings", "#panel-settings summary", "[data-view=split]", "[data-view=beside]", "#take"):
        page.click(step)
        found += check(page)
    assert found == []


def test_the_way_in_without_the_token(page: RealPage) -> None:
    """The page asks for the token, says that a wrong one is wrong, and takes the right one."""
    page.chromium.get(page.running.address)
    for secret, text in (("wrong", "not right"), ("", "")):
        assert "Come in" in page.text("button")
        if AXE.exists():
            assert check(page) == []
        page.chromium.find_element("name", "secret").send_keys(secret or page.running.url.partition("token=")[2])
        page.click("button")
        if text:
            page.wait("document.querySelector('p').textContent.includes('not right')")
    page.ready()
    assert "token" not in page.js("return location.href")
