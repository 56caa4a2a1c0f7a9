"""A browser for tests of the studio's page: Chromium by Selenium, and what a person does with it."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.chromium import SECONDS

from .fake import Studio, serve

DESK, PHONE = (1440, 900), (390, 844)
Point = tuple[int, int]

GIVE_FILES = """
const [kind, as, files, done] = arguments;
const data = new DataTransfer();
for (const [name, type, content] of files) {
  const bytes = Uint8Array.from(atob(content), (sign) => sign.charCodeAt(0));
  data.items.add(new File([bytes], name, {type}));
}
if (kind === "paste") {
  document.body.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}));
} else {
  const target = () => document.querySelector(`#drop:not([hidden]) [data-as=${as}]`) ?? document.body;
  for (const type of ["dragenter", "dragover", "drop"]) {
    target().dispatchEvent(new DragEvent(type, {dataTransfer: data, bubbles: true, cancelable: true}));
  }
}
"""


class Page:
    """The page of a fake studio, as somebody uses it."""

    seconds = SECONDS

    def __init__(self, chromium: Any, studio: Studio) -> None:
        self.chromium, self.studio = chromium, studio
        self.server = serve(studio)
        self.address = f"http://127.0.0.1:{self.server.server_port}/"

    def open(self, size: tuple[int, int] = DESK, *, dark: bool = False, calm: bool = False) -> Page:
        phone = size == PHONE
        command = self.chromium.execute_cdp_cmd
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": phone}
        command("Emulation.setDeviceMetricsOverride", metrics)
        command("Emulation.setTouchEmulationEnabled", {"enabled": phone, "maxTouchPoints": 5 if phone else 1})
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if calm else "no-preference"},
        ]
        command("Emulation.setEmulatedMedia", {"features": features})
        self.chromium.get(self.address)
        return self.ready()

    def ready(self) -> Page:
        self.wait("document.body.classList.contains('ready') && document.getElementById('boldness')")
        return self

    def js(self, script: str, *values: Any) -> Any:
        return self.chromium.execute_script(script, *values)

    def wait(self, condition: str) -> Any:
        """Wait until an expression is true; return it."""
        from selenium.common.exceptions import TimeoutException
        from selenium.webdriver.support.ui import WebDriverWait

        try:
            return WebDriverWait(self.chromium, self.seconds, 0.05).until(lambda _: self.js(f"return {condition}"))
        except TimeoutException:
            notices, doing = self.text("#notices"), self.text("#progress-text")
            log = self.chromium.get_log("browser")
            pytest.fail(f"never true: {condition}; notices {notices!r}; progress {doing!r}; log {log}")

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something that is no matter of the page is true."""
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.chromium, self.seconds, 0.05).until(lambda _: condition())

    def click(self, selector: str, at: int = 0) -> None:
        """Click as a person would: what is hidden or covered is an error."""
        found = self.chromium.find_elements("css selector", selector)
        self.js("arguments[0].scrollIntoView({block: 'center', inline: 'center'})", found[at])
        found[at].click()

    def text(self, selector: str) -> str:
        return self.js("return document.querySelector(arguments[0])?.textContent ?? ''", selector)

    def keys(self, *keys: str, on: str | None = None) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        if on is not None:
            self.js("document.querySelector(arguments[0]).focus()", on)
        ActionChains(self.chromium).send_keys(*keys).perform()

    def choose(self, select: str, value: str) -> None:
        find = "const select = document.querySelector(arguments[0]);"
        self.js(f"{find} select.value = arguments[1]; select.dispatchEvent(new Event('change'))", select, value)

    def pick_photo(self, path: Path) -> None:
        self.chromium.find_element("id", "photo-file").send_keys(str(path))
        self.wait("document.querySelectorAll('.thumb img').length > 0")

    def give(self, kind: str, *files: tuple[str, str, bytes], to: str = "photo") -> None:
        """Drop or paste files, each a name, a type and its bytes."""
        self.js(GIVE_FILES, kind, to, [(name, mime, b64encode(data).decode()) for name, mime, data in files])

    def choose_style(self, name: str, *, mix: bool = False) -> None:
        self.click(f".style[data-key='{name}'] .{'add' if mix else 'thumb'}")

    def wait_painted(self, results: int = 1) -> None:
        self.wait(
            f"document.querySelectorAll('#results-list .result').length === {results}"
            " && document.getElementById('progress').hidden"
        )

    def draw(self, kind: str, *points: tuple[float, float]) -> None:
        """Draw on the mask with a mouse, a touch or a pen; points are shares of the picture."""
        gesture(self, lambda at: [(kind, "one", [at(*point) for point in points])])

    def requests(self, path: str = "/api/jobs", method: str = "POST") -> list[Any]:
        """What was asked of one path."""
        return [body for verb, asked, body in self.studio.asked if verb == method and asked == path]

    def close(self) -> None:
        self.chromium.get("about:blank")
        self.server.shutdown()
        self.server.server_close()


def gesture(page: Page, strokes: Callable[[Callable[..., Point]], list[tuple[str, str, list[Point]]]]) -> None:
    """Move several pointers together.

    `strokes` is called with what makes a point of two shares of the picture; it returns the kind, the name and the
    points of each pointer, as many points for each.
    """
    from selenium.webdriver.common.actions.action_builder import ActionBuilder

    left, top, width, height = page.js(
        "const box = document.getElementById('mask-canvas').getBoundingClientRect();"
        "return [box.left, box.top, box.width, box.height]"
    )
    builder = ActionBuilder(page.chromium, duration=10)
    for kind, name, points in strokes(lambda x, y: (round(left + x * width), round(top + y * height))):
        pointer = builder.add_pointer_input(kind, f"{kind} {name}")
        pointer.create_pointer_move(0, *points[0])
        pointer.create_pointer_down(button=0)
        for point in points[1:]:
            pointer.create_pointer_move(20, *point)
        pointer.create_pointer_up(0)
    builder.perform()


def picture_bytes(size: tuple[int, int] = (320, 240), kind: str = "PNG", **more: Any) -> bytes:
    """A small photo with some colours."""
    red, green = Image.linear_gradient("L"), Image.radial_gradient("L")
    image = Image.merge("RGB", (red, green, red.transpose(Image.Transpose.ROTATE_90))).resize(size)
    out = io.BytesIO()
    image.save(out, kind, **more)
    return out.getvalue()
