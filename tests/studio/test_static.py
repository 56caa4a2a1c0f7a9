"""The files of the studio's page: words in every language, and nothing inline or from another host."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from impasto.methods import METHODS

STATIC = Path(__file__).parents[2] / "src/impasto/studio/static"
TABLE = json.loads((STATIC / "words.json").read_text("utf-8"))
MODULES = sorted(STATIC.rglob("*.js"))
# Keys whose second half is a name that the program has elsewhere.
FAMILIES = (
    "about_",
    "box_",
    "doing_",
    "effort_",
    "filter_",
    "group_",
    "none_",
    "setting_",
    "unit_",
    "value_",
    "view_",
    "key_",
    "method_",
)
SOURCE = "\n".join(path.read_text("utf-8") for path in MODULES)
ELSEWHERE = set(json.loads("[" + re.search(r"ELSEWHERE = new Set\(\[(.+)\]\)", SOURCE)[1] + "]"))
PAGE = "\n".join((STATIC / name).read_text("utf-8") for name in ("index.html", "login.html"))
SERVER = (STATIC.parent / "page_routes.py").read_text("utf-8")


@pytest.mark.parametrize("language", TABLE["languages"])
def test_every_word_is_there_in_every_language(language: str) -> None:
    for key, texts in TABLE["words"].items():
        assert texts.get(language), key
        assert sorted(re.findall(r"\{\w+\}", texts[language])) == sorted(re.findall(r"\{\w+\}", texts["en"])), key


def test_every_word_that_is_used_is_in_the_table() -> None:
    used = set(re.findall(r'data-(?:word|label)="(\w+)"', PAGE)) | set(re.findall(r'\bword\("(\w+)"', SOURCE))
    assert used - TABLE["words"].keys() == set()


def test_no_word_is_without_use() -> None:
    used = set(re.findall(r'data-(?:word|label)="(\w+)"', PAGE)) | set(re.findall(r'"(\w+)"', SOURCE + SERVER))
    idle = {key for key in TABLE["words"] if key not in used and not key.startswith(FAMILIES)}
    assert idle == set()


def test_words_for_what_is_done_are_those_that_the_program_says() -> None:
    said = "\n".join(path.read_text("utf-8") for path in (STATIC.parents[1]).rglob("*.py"))
    for key in TABLE["words"]:
        if key.startswith("doing_"):
            assert f'"{key.removeprefix("doing_").replace("_", " ")}"' in said, key


def test_nothing_is_inline() -> None:
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", PAGE)
    assert not re.search(
        r"setAttribute\(\"style|innerHTML|outerHTML|insertAdjacentHTML|\beval\(|new Function", SOURCE
    )


@pytest.mark.parametrize(
    "path", sorted(path for path in STATIC.rglob("*") if path.is_file()), ids=lambda path: path.name
)
def test_nothing_comes_from_another_host(path: Path) -> None:
    text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"(https?:)?//[\w-]+\.\w|@import", text)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_modules_are_small_and_their_imports_exist(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) < 400
    for name in re.findall(r'from "(\.[^"]+)"', text):
        assert (path.parent / name).resolve().is_file(), name


@pytest.mark.parametrize("name", METHODS)
def test_what_is_in_sight_of_the_settings_is_in_every_language(name: str) -> None:
    fields = METHODS[name].schema()["properties"]
    plain = {field for field, schema in fields.items() if schema.get("level") == "plain"} - ELSEWHERE
    keys = {f"method_{name}"} | {f"{part}_{field}" for part in ("setting", "about") for field in plain}
    assert keys - TABLE["words"].keys() == set()


def test_ids_of_the_page_are_unique() -> None:
    ids = re.findall(r'\bid="([^"]+)"', (STATIC / "index.html").read_text("utf-8"))
    assert sorted(ids) == sorted(set(ids))
