"""A clip and a camera, with the page and a real server that the tests of this module share, in headless Chromium."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("av", reason="the extra video is not installed")
pytest.importorskip("cv2", reason="the extra video is not installed")

from . import real_pages
from .browser import DESK, PHONE, RealPage, check
from .films import clip, decoded

pytestmark = pytest.mark.browser

page, running = real_pages.page, real_pages.running

PLAYED = "document.getElementById('film').readyState >= 2 && document.getElementById('film').currentTime > 0"
LIVE = "document.getElementById('live-told').textContent.includes(' ms')"
PIXELS = """
const canvas = document.getElementById("live-picture");
if (canvas.hidden) return "";
const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
let sum = 0;
for (let at = 0; at < data.length; at += 37) sum = (sum * 31 + data[at]) % 1000003;
return `${canvas.width} ${canvas.height} ${sum}`;
"""


@pytest.fixture(scope="module")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "harbour.mp4"
    path.write_bytes(clip(12, size=(128, 96), sound="aac"))
    return path


def give(page: RealPage, path: Path) -> None:
    page.pick_photo(path)
    page.wait("document.getElementById('clip-dials').textContent.includes('12 frames')")
    page.choose("#clip-size", "256")


def film(page: RealPage, name: str) -> Any:
    return page.js(f"return document.getElementById('film').{name}")


@pytest.mark.parametrize(
    "size", [pytest.param(DESK, id="desk"), pytest.param(PHONE, id="phone", marks=pytest.mark.slow)]
)
def test_a_clip_is_painted_played_and_taken_home(page: RealPage, harbour: Path, size: tuple[int, int]) -> None:
    for file in page.saved("harbour*"):
        file.unlink()
    page.open(size, dark=size == PHONE)
    page.wait("document.getElementById('clip-told').textContent.includes('3,000 frames')")
    give(page, harbour)
    assert check(page) == []
    page.choose_style("great-wave")
    page.wait("document.getElementById('paint-text').textContent === 'Paint the clip'")
    assert page.js("return !document.querySelector('.result')")  # a whole clip is not painted by a touch of a style
    page.click("#paint")
    page.wait_painted()
    page.wait(PLAYED)
    assert film(page, "duration") == pytest.approx(0.48, abs=0.1)
    assert film(page, "videoWidth") == 256 and not film(page, "hidden")
    page.js("document.getElementById('film').pause(); document.getElementById('film').currentTime = 0.3")
    page.wait("!document.getElementById('film').seeking && document.getElementById('film').currentTime === 0.3")
    assert check(page) == []
    page.click("#take")
    page.click("#save")
    (saved,) = page.downloads("harbour*.mp4", 1)
    frames, _, codecs = decoded(saved)
    assert frames == 12 and codecs == ["h264", "aac"]
    job = page.painted[-1]
    assert job.request.film.steady == 0.95 and job.method == "johnson" and job.state == "done"
    page.chromium.refresh()
    page.ready().wait("document.querySelector('.result .film-mark')")
    page.wait("!document.getElementById('clip-dials').hidden && !document.getElementById('film').hidden")


def test_stop_keeps_a_clip_that_plays(page: RealPage, harbour: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from impasto.video.frame_painter import FramePainter

    real, painted = FramePainter.paint, [0]

    def paint(self: Any, frame: Any, motion: Any) -> Any:
        painted[0] += 1
        while painted[0] > 5 and not self._cancel.is_set():
            time.sleep(0.01)
        return real(self, frame, motion)

    monkeypatch.setattr(FramePainter, "paint", paint)
    page.open()
    give(page, harbour)
    page.choose_style("great-wave")
    page.click("#paint")
    page.wait("document.getElementById('progress-text').textContent.startsWith('Frame 5 of 12')")
    page.wait("document.getElementById('after').src.includes('preview')")
    assert "frames/s" in page.text("#progress-text")
    page.click("#stop")
    page.wait_painted()
    page.wait(PLAYED)
    assert film(page, "duration") == pytest.approx(0.2, abs=0.1)
    assert page.painted[-1].state == "stopped"


def begin_live(page: RealPage) -> None:
    page.click(".welcome .live-open")
    assert "null" not in page.text("#live-dialog")
    page.click("#live-camera")
    page.wait(LIVE)


def test_the_camera_is_painted_live(page: RealPage) -> None:
    page.open()
    begin_live(page)
    assert check(page) == []
    frames: set[str] = set()
    page.until(lambda: len(frames.update([page.js(PIXELS)]) or frames - {""}) >= 3)
    told = page.text("#live-told")
    assert "frames a second" in told and "px" in told
    page.wait("document.querySelectorAll('.thumb img').length > 2")
    page.choose_style("the-scream")
    page.wait("document.querySelector('.style[data-key=the-scream] .thumb[aria-pressed=true]')")
    page.click("#still")
    page.wait("document.querySelectorAll('#results-list .result').length === 1")
    (still,) = page.painted[-1:]
    assert still.request.styles[0].name == "the-scream" and still.method == "johnson"
    assert page.js("return document.body.classList.contains('live')")
    page.click("#live-stop")
    page.wait("!document.body.classList.contains('live')")
    page.until(lambda: not page.running.studio.live._painters)


@pytest.mark.parametrize("end", ["hidden", pytest.param("closed", marks=pytest.mark.slow)])
def test_live_painting_ends_with_the_page(page: RealPage, end: str) -> None:
    page.open(PHONE)
    begin_live(page)
    assert check(page) == []
    if end == "hidden":
        page.js(
            "Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )
        page.wait("!document.body.classList.contains('live')")
        assert "hidden" in page.text(".notice")
    else:
        page.chromium.get("about:blank")
    page.until(lambda: not any(each.busy for each in page.running.studio.live._painters.values()))


def test_what_is_no_clip_is_said(page: RealPage) -> None:
    page.open().give("drop", ("note.mp4", "video/mp4", b"no clip"))
    page.wait("document.querySelector('.notice.error')")
    assert "not a clip" in page.text(".notice.error")
    assert page.js("return document.body.dataset.state") == "empty"


@pytest.mark.parametrize("missing", ["extra", "safe address"])
def test_what_is_missing_is_said(page: RealPage, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    if missing == "extra":
        monkeypatch.setattr("impasto.studio.clips.is_possible", lambda: False)
        page.open().wait("document.getElementById('clip-told').textContent.includes('impasto[video]')")
        page.give("drop", ("film.mp4", "video/mp4", b"a clip"))
        page.wait("document.querySelector('.notice.error')")
        assert "impasto[video]" in page.text(".notice.error")
        return
    page.open().js("Object.defineProperty(globalThis, 'isSecureContext', {value: false})")
    page.click(".welcome .live-open")
    assert "HTTPS" in page.text("#live-dialog") and page.js("return document.getElementById('live-camera').disabled")


@pytest.mark.slow
def test_a_video_file_is_painted_live_and_others_are_told_of(
    page: RealPage, harbour: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page.running.studio.queue, "others", lambda owner: 1)
    page.open()
    page.chromium.find_element("id", "live-file").send_keys(str(harbour))
    page.wait(LIVE)
    page.wait("!document.getElementById('live-others').hidden")
    assert "Somebody else" in page.text("#live-others")
    assert check(page) == []
    page.wait("!document.getElementById('live-picture').hidden")
