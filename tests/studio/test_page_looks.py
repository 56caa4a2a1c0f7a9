"""Looks, keys and words of the page, before a studio without networks."""

from __future__ import annotations

from pathlib import Path

import pytest

from .browser import AXE, DESK, PHONE, Page, check

pytestmark = pytest.mark.browser


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
