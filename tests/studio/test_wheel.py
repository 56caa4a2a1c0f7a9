"""The studio of a built wheel: an editable install would hide files that the wheel lacks."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from impasto.studio import Client

from .browser import RealPage
from .studios import opened, picture

ROOT = Path(__file__).parents[2]
STATIC = "impasto/studio/static/"
BUILT_FROM = ("src/", "pyproject", "README", "LICENSE", "NOTICE", "MANIFEST")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that the variable ``IMPASTO_WHEEL`` names, or one that is built here."""
    if given := os.environ.get("IMPASTO_WHEEL"):
        return ROOT / given
    pytest.importorskip("setuptools", minversion="77", reason="setuptools is not installed, or too old to build")
    built = tmp_path_factory.mktemp("wheel")
    source = built / "source"
    # A copy, so that nothing is written into the working tree, nor read from an earlier build there.
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("the sources are not in a repository of git")
    for name in listed.stdout.splitlines():
        if (
            name.startswith(("src/", "pyproject", "README", "LICENSE", "NOTICE", "MANIFEST"))
            and (ROOT / name).is_file()
        ):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        built,
        source,
    ]
    subprocess.run(command, check=True, cwd=built)
    (found,) = built.glob("impasto-*.whl")
    return found


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment with the wheel, which borrows the libraries of this one."""
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    venv.create(folder, symlinks=sys.platform != "win32")
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
    borrowed = "import sys; sys.path.append({!r})\n".format(sysconfig.get_path("purelib"))
    (site / "borrowed.pth").write_text(borrowed)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return Path(sysconfig.get_path("scripts", "venv", {"base": str(folder)})) / "python"


def test_every_file_of_the_page_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = {name.removeprefix(STATIC) for name in archive.namelist() if name.startswith(STATIC)}
    folder = ROOT / "src" / STATIC
    assert inside == {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def address(python: Path, tmp_path: Path) -> Iterator[str]:
    """The address that the studio of the wheel prints, while it runs."""
    code = "import impasto; print(impasto.__file__)"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    found = subprocess.run([python, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert found.stdout.startswith(str(python.parents[1])), found
    command = [python, "-m", "impasto", "studio", "--no-browser", "--port", "0", "--device", "cpu"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=environment) as running:
        try:
            yield re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", running.stdout.readline())[0]
        finally:
            running.terminate()


def test_page_words_and_api_answer_from_a_wheel(address: str) -> None:
    studio = Client(address)
    page = studio._ask("GET", "/static/index.html").decode()
    for name in re.findall(r'(?:href|src)="(/static/[^"#]+)', page):
        assert studio._ask("GET", name), name
    words = json.loads(studio._ask("GET", "/static/words.json"))
    assert set(words["languages"]) == {"en", "zh", "ru"}
    assert b"<symbol" in studio._ask("GET", "/static/icons.svg")
    assert "/api/jobs" in json.loads(studio._ask("GET", "/openapi.json"))["paths"]
    for style in ("great-wave", "night"):
        painting = studio.paint(picture(), style, effort="draft", size=48)
        assert opened(painting).size == (48, 36)


@pytest.mark.parametrize("size", [(12_000, 9_000), (3, 3)], ids=["of a large phone", "tiny"])
def test_a_new_user_saves_a_painting(
    address: str, tmp_path: Path, start_browser: Callable[[], Any], size: tuple[int, int]
) -> None:
    """Four clicks from the printed address, whatever the photo; a file that only says it is one is told first."""
    Image.linear_gradient("L").convert("RGB").resize(size).save(tmp_path / "mine.jpg")
    page = RealPage(start_browser(), SimpleNamespace(url=address))
    page.open().give("drop", ("notes.jpg", "image/jpeg", b"just words"))
    page.wait("document.querySelector('.notice.error')")
    assert "notes.jpg is not a picture but text" in page.text(".notice.error")
    page.js("document.querySelector('.notice .close').click()")
    page.pick_photo(tmp_path / "mine.jpg")
    page.choose_style("great-wave")
    page.wait_painted()
    page.click("#take")
    page.click("#save")
    assert opened(page.downloads("mine-*.png", 1)[0]).format == "PNG"
    for file in page.saved("mine-*"):
        file.unlink()
    page.close()
