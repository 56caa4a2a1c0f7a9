"""Folders with photos and clips: a clip is planned, painted, painted no second time, and its failure is a row."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from impasto.batch import paint_folder
from tests.cli import conftest as command_line
from tests.video.clips import panning, write_clip

from .conftest import files, statuses

cli = command_line.cli
"""The fixture."""

for _library in ("av", "cv2"):
    pytest.importorskip(_library, reason="the extra video is not installed")


@pytest.fixture
def clip(photos):
    """A clip in the folder with the photos."""
    return write_clip(photos / "sub" / "walk.mp4", panning(6, (64, 48)), sound="aac")


def frames(path):
    from impasto.video.sources import open_film

    film = open_film(str(path))
    return list(film.frames(film.info.size))


def test_a_folder_of_photos_and_clips(clip, batch):
    report = batch()
    assert set(statuses(report).values()) == {"painted"}
    assert files() == {"one.a.jpg", "two.a.png", "sub/three.a.jpg", "sub/walk.a.mp4"}
    painted = frames(Path("out/sub/walk.a.mp4"))
    assert len(painted) == 6 and painted[0].pixels.shape == (24, 32, 3)
    row = next(row for row in report.rows if row.photo.endswith("walk.mp4"))
    assert row.size == (32, 24) and row.to_json()["status"] == "painted"


def test_done_is_done_and_what_changed_is_painted_anew(clip, batch):
    batch()
    before = Path("out/sub/walk.a.mp4").read_bytes()
    assert set(statuses(batch()).values()) == {"skipped"}
    assert Path("out/sub/walk.a.mp4").read_bytes() == before
    assert statuses(batch(strength=0.5))["walk.a.mp4"] == "painted"
    write_clip(clip, panning(3, (64, 48), seed=4))
    again = statuses(batch(strength=0.5))
    assert again.pop("walk.a.mp4") == "painted" and set(again.values()) == {"skipped"}
    assert len(frames(Path("out/sub/walk.a.mp4"))) == 3


def test_the_failure_of_a_clip_is_a_row(clip, photos, batch):
    (photos / "torn.mp4").write_bytes(clip.read_bytes()[:200])
    (photos / "words.mkv").write_text("this is no film")
    report = batch(keep_going=True)
    failed = {Path(row.photo).name: row.error for row in report.failed}
    assert failed.keys() == {"torn.mp4", "words.mkv"} and all(failed.values())
    assert statuses(report)["walk.a.mp4"] == "painted"
    assert not [name for name in files() if ".parts" in name]


def test_what_impasto_did_not_paint_stays(clip, batch):
    Path("out/sub").mkdir(parents=True)
    shutil.copy(clip, "out/sub/walk.a.mp4")
    before = Path("out/sub/walk.a.mp4").read_bytes()
    report = batch(keep_going=True)
    assert "did not paint it" in report.failed[0].error
    assert Path("out/sub/walk.a.mp4").read_bytes() == before
    assert statuses(batch(overwrite=True))["walk.a.mp4"] == "painted"


def test_a_painted_clip_in_an_input_is_left_out(clip, batch, photos):
    batch(out=str(photos))
    again = batch(out=str(photos))
    assert set(statuses(again).values()) == {"skipped"} and len(again.rows) == 4


def test_a_clip_that_was_begun_goes_on(clip, batch, monkeypatch):
    from impasto import Cancelled
    from impasto.video import film
    from impasto.video.frame_painter import FramePainter

    monkeypatch.setattr(film, "SEGMENT", 2)
    whole, painted = FramePainter.paint, []

    def paint(self, frame, motion):
        painted.append(frame.time)
        if len(painted) == 6:
            raise Cancelled("stopped")
        return whole(self, frame, motion)

    monkeypatch.setattr(FramePainter, "paint", paint)
    assert statuses(batch())["walk.a.mp4"] == "stopped"
    assert statuses(batch())["walk.a.mp4"] == "painted"
    assert len(painted) == 8, "painting went on after the fourth frame"
    assert len(frames(Path("out/sub/walk.a.mp4"))) == 6


def test_the_plan_reckons_frames(clip, photos, tiny):
    from impasto.batch.batch import Batch
    from impasto.batch.plan import Request
    from impasto.batch.ways import Maker

    settings = {name: value for name, value in tiny.items() if name != "method"}
    request = Request(
        inputs=[str(photos)], out="out", maker=Maker(method="adain", settings=settings), styles=["a.png"]
    )
    with Batch(request, "cpu") as made:
        plan = made.plan()
        job = next(job for job in plan.jobs if job.frames is not None)
        assert (job.size, job.frames) == ((64, 48), 6)
        with_clip = made.reckon(plan)
        plan.jobs.remove(job)
        without = made.reckon(plan)
    assert with_clip.disk > without.disk
    assert with_clip.seconds > without.seconds


def test_without_the_extra_clips_of_a_folder_are_left_out(clip, batch, monkeypatch):
    from impasto.batch import clip_names
    from impasto.batch.inputs import find_photos

    monkeypatch.setattr(clip_names, "can_be_painted", lambda: False)
    found = find_photos(["photos"], "out")
    assert len(found.photos) == 3
    assert [note for note in found.notes if "impasto[video]" in note]


@pytest.mark.parametrize(("source", "name"), [("walk.mov", "walk.a.mov"), ("walk.avi", "walk.a.mkv")])
def test_containers_are_kept_where_they_can_be_written(photos, tiny, source, name):
    codec = {"codec": "mpeg4", "options": {}} if source.endswith("avi") else {}
    write_clip(photos / source, panning(2, (64, 48)), times=[0, 40], **codec)
    report = paint_folder(photos / source, "out", "a.png", device="cpu", format="png", **tiny)
    assert statuses(report) == {name: "painted"}


def test_the_command_shows_a_clip_in_its_plan(clip, tiny, cli, tmp_path):
    flags = ["--method", "adain", "--net", tiny["net"], "--size", 32, "--device", "cpu"]
    ran = cli("batch", tmp_path / "photos", "--style", tmp_path / "a.png", "-o", "out", *flags, "--dry-run", "--json")
    rows = [json.loads(line) for line in ran.out.splitlines()]
    assert {Path(row["output"]).name for row in rows} == {"one.a.jpg", "two.a.png", "three.a.jpg", "walk.a.mp4"}
