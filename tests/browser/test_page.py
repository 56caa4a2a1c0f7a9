"""The page of docs/browser.md in headless Chromium: it paints what PyTorch paints, and asks its own server only."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from impasto.methods.export import export
from impasto.methods.johnson.gallery import find
from impasto.nets.files import load_transformer
from tests.chromium import SECONDS, start_chromium

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/examples/browser.html"
RUNTIME = Path(__file__).parent / "node_modules/onnxruntime-web/dist"
FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
NET = "starry-night"
READ_CANVAS = """
const canvas = document.getElementById("canvas"), {width, height} = canvas;
return [width, height, Array.from(canvas.getContext("2d").getImageData(0, 0, width, height).data)];
"""


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder, and notes what it is asked for."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, *args: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the manual says to put in one folder."""
    for library in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(library, reason="the extra onnx is not installed")
    if not all((RUNTIME / name).exists() for name in FILES):
        pytest.skip("onnxruntime-web is not installed: make test-browser")
    folder = tmp_path_factory.mktemp("page")
    for path in (PAGE, *(RUNTIME / name for name in FILES)):
        shutil.copy(path, folder)
    export(NET, folder / f"{NET}.onnx")
    return folder


@pytest.fixture(scope="module")
def asked() -> list[str]:
    """Everything that the browser asked the server for."""
    return []


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium, driven by Selenium."""
    chromium = start_chromium(tmp_path_factory.mktemp("profile"))
    yield chromium
    chromium.quit()


@pytest.fixture
def page(folder: Path, browser: Any, asked: list[str]) -> Iterator[Any]:
    """The page, with its net loaded."""
    handler = type("Noting", (Handler,), {"asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser.get(f"http://127.0.0.1:{server.server_port}/{PAGE.name}")
        wait_for(browser, "Choose a photo")
        yield browser
        server.shutdown()


def wait_for(page: Any, beginning: str) -> str:
    """Wait until the status begins so; return it."""
    from selenium.webdriver.support.ui import WebDriverWait

    def status() -> str:
        return page.find_element("id", "status").text

    try:
        WebDriverWait(page, SECONDS).until(lambda _: status().startswith(("Painted", "Not", "Choose", NET)))
    except Exception:
        pytest.fail(f"the status stays {status()!r}; the browser says {page.get_log('browser')}")
    assert status().startswith(beginning), page.get_log("browser")
    return status()


def run(page: Any, photo: Path, longest: int, beginning: str = "Painted in") -> str:
    """Choose a photo and a size, and run; return the status."""
    page.execute_script("document.getElementById('longest').value = arguments[0]", longest)
    page.find_element("id", "photo").send_keys(str(photo))
    page.find_element("id", "run").click()
    return wait_for(page, beginning)


def canvas(page: Any) -> Any:
    """The pixels of the canvas, H×W×3."""
    width, height, data = page.execute_script(READ_CANVAS)
    pixels = np.array(data, np.uint8).reshape(height, width, 4)
    assert (pixels[..., 3] == 255).all()
    return pixels[..., :3]


def expected(pixels: Any) -> Any:
    """The levels that PyTorch paints."""
    path, style = find(NET)
    net, _ = load_transformer(path, torch.device("cpu"), torch.float32)
    mix = torch.tensor([float(name == style) for name in net.spec.styles])
    photo = torch.from_numpy(np.asarray(pixels, np.float32) / 255).permute(2, 0, 1)[None]
    return net.paint(photo, mix).clamp(0, 1)[0].permute(1, 2, 0).numpy() * 255


@pytest.mark.parametrize("size", [(96, 64), (60, 92)])
def test_the_canvas_shows_what_pytorch_paints(
    page: Any, size: tuple[int, int], photo: Path, tmp_path: Path, asked: list[str]
) -> None:
    given = Image.open(photo).convert("RGB").resize(size)
    given.save(tmp_path / "given.png")
    run(page, tmp_path / "given.png", max(size))
    got = canvas(page)
    assert got.shape == (size[1], size[0], 3)
    difference = np.abs(got - expected(given))
    # Rounding to a level is half a level at most, and a quarter on the average.
    assert difference.max() < 1, difference.max()
    assert difference.mean() < 0.3, difference.mean()
    # The browser asks for an icon too. A photo does not leave it.
    assert set(asked) - {"/favicon.ico"} == {f"/{name}" for name in (PAGE.name, f"{NET}.onnx", *FILES)}


def test_other_sizes_are_fitted_to_the_stride(page: Any, tmp_path: Path, photo: Path) -> None:
    Image.open(photo).convert("RGBA").resize((301, 90)).save(tmp_path / "wide.png")
    run(page, tmp_path / "wide.png", 130)
    assert canvas(page).shape == (40, 132, 3)


def test_what_is_no_picture_is_said_and_the_next_photo_is_painted(page: Any, tmp_path: Path, photo: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    assert "decoded" in run(page, tmp_path / "text.png", 64, "Not painted: ")
    run(page, photo, 64)
    assert canvas(page).shape == (48, 64, 3)


def test_the_manual_names_the_files_that_are_served() -> None:
    manual = (ROOT / "docs/browser.md").read_text("utf-8")
    assert all(f"| `{name}` |" in manual for name in (PAGE.name, f"{NET}.onnx", *FILES))
