"""Photos are read and paintings written beside the painting; what goes wrong with one does not stop the others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

import impasto
from impasto.batch import Row, local, paint_folder
from impasto.batch.batch import Batch as Engine
from impasto.batch.claims import FOLDER, Claims
from impasto.batch.jobs import Job
from impasto.batch.plan import Request
from impasto.batch.rows import Stop
from impasto.batch.ways import Maker
from impasto.errors import OutputError
from impasto.images import read as reading
from impasto.session.painting import Painting

from .conftest import Batch, files, picture, statuses


@pytest.fixture
def engine(photos: Path, tiny: dict[str, Any]) -> Iterator[Engine]:
    """A batch of the three photos."""
    settings = {name: value for name, value in tiny.items() if name != "method"}
    maker = Maker(method="adain", settings=settings)
    with Engine(Request(inputs=["photos"], out=Path("out"), maker=maker, styles=["a.png"]), "cpu") as made:
        yield made


class Follower:
    """Calls a function when each picture is begun."""

    def __init__(self, begun: Any) -> None:
        self._begun = begun

    def begin(self, job: Job) -> None:
        self._begun(job)

    def progress(self, progress: impasto.Progress) -> None:
        pass


def test_a_painting_of_a_batch_is_that_of_the_photo_alone(batch: Batch, tiny: dict[str, Any]) -> None:
    batch(precision="exact")
    settings = {name: value for name, value in tiny.items() if name != "method"}
    for photo, output in (("one.jpg", "one.a.jpg"), ("two.png", "two.a.png"), ("sub/three.jpg", "sub/three.a.jpg")):
        recipe = impasto.make_recipe(
            "adain", [impasto.Style(path="a.png")], settings={**settings, "precision": "exact"}
        )
        alone = Path("alone") / output
        alone.parent.mkdir(parents=True, exist_ok=True)
        impasto.Session(device="cpu").paint(recipe, f"photos/{photo}").done().save(alone)
        assert np.array_equal(np.asarray(_pixels(alone)), np.asarray(_pixels(Path("out") / output)))
        assert alone.read_bytes() == (Path("out") / output).read_bytes()


def _pixels(path: Path) -> Any:
    return reading.read(path).to_pil()


def test_styles_are_encoded_and_networks_loaded_once(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    from impasto.methods.adain.painter import AdainPainter
    from impasto.methods.common import loader

    encoded, loaded = list[str](), list[str]()
    encode, load = AdainPainter.encode, loader.load_decoder
    monkeypatch.setattr(AdainPainter, "encode", lambda *args, **more: encoded.append("") or encode(*args, **more))
    monkeypatch.setattr(loader, "load_decoder", lambda *args, **more: loaded.append("") or load(*args, **more))
    picture(Path("photos/tall.jpg"), 5, (18, 30))
    picture(Path("photos/wide.jpg"), 6, (60, 20))
    batch("photos/one.jpg")
    once = len(encoded)
    encoded.clear()
    loaded.clear()
    batch("photos", "b.png")
    assert len(encoded) == once
    assert len(loaded) == 1


def test_an_error_is_a_row_and_the_others_are_painted(
    batch: Batch, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = picture(photos / "cut.png", 8, (90, 80)).read_bytes()
    (photos / "cut.png").write_bytes(whole[: len(whole) // 2])
    real = Painting.save

    def save(self: Painting, target: Any, **more: Any) -> None:
        if "three" in str(target):
            raise ValueError("a mistake")
        real(self, target, **more)

    monkeypatch.setattr(Painting, "save", save)
    report = batch()
    assert statuses(report) == {
        "cut.a.png": "failed",
        "one.a.jpg": "painted",
        "two.a.png": "painted",
        "three.a.jpg": "failed",
    }
    errors = {Path(row.photo).name: row.error or "" for row in report.failed}
    assert "damaged or cut short" in errors["cut.png"]
    assert "unexpected ValueError: a mistake" in errors["three.jpg"]
    monkeypatch.undo()


def test_a_full_disk_ends_the_batch_and_the_next_run_goes_on(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(12):
        picture(Path(f"photos/p{number:02}.jpg"), number)
    real = Painting.save

    def full(self: Painting, target: Any, **more: Any) -> None:
        if "p0" in str(target) or "p1" in str(target):
            raise OutputError(f"{target} cannot be written (No space left on device); expected a writable folder")
        real(self, target, **more)

    monkeypatch.setattr(Painting, "save", full)
    report = batch()
    assert 3 <= report.count("failed") < 9
    assert "No space left" in report.trouble
    assert report.left
    assert all(not name.endswith(".part") for name in files())
    monkeypatch.setattr(Painting, "save", real)
    assert batch().count("failed") == 0
    assert len(files()) == 15


def test_an_input_that_goes_or_changes_while_running(engine: Engine) -> None:
    plan = engine.plan()
    (Path("photos/two.png")).unlink()
    picture(Path("photos/sub/three.jpg"), 99)
    rows = list(engine.paint(plan, Stop()))
    assert statuses(engine.report) == {"one.a.jpg": "painted", "two.a.png": "failed", "three.a.jpg": "painted"}
    assert "there is no file" in next(row.error or "" for row in rows if row.status == "failed")
    assert not engine.plan().jobs  # what was read is what is recorded


def test_something_that_comes_where_a_painting_goes_is_kept(engine: Engine) -> None:
    plan = engine.plan()
    mine = picture(Path("out/one.a.jpg")).read_bytes()
    list(engine.paint(plan, Stop()))
    assert statuses(engine.report)["one.a.jpg"] == "failed"
    assert Path("out/one.a.jpg").read_bytes() == mine


def test_stopped_once_it_finishes_the_picture_in_hand_and_twice_leaves_it(engine: Engine) -> None:
    stop = Stop()
    rows = list(engine.paint(engine.plan(), stop, Follower(lambda job: stop.press())))
    assert [row.status for row in rows] == ["painted"]
    assert (engine.report.interrupted, engine.report.left) == (True, 2)
    stop = Stop()
    rows = list(engine.paint(engine.plan(), stop, Follower(lambda job: stop.press() or stop.press())))
    assert [row.status for row in rows if row.status != "skipped"] == ["stopped"]
    assert files() == {"one.a.jpg"}
    engine.report.rows.clear()
    list(engine.paint(engine.plan(), Stop()))
    assert engine.report.count("painted") == 2


def test_stopped_while_a_photo_is_read_it_paints_no_other(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = Stop()
    take = local.Local._take_claimed

    def taken(self: Any, job: Job, claim: Any) -> Any:
        stop.press()
        return take(self, job, claim)

    monkeypatch.setattr(local.Local, "_take_claimed", taken)
    assert list(engine.paint(engine.plan(), stop)) == []
    assert files() == set()


def test_left_while_another_process_paints_it_waits_no_longer(engine: Engine) -> None:
    claim = Claims(Path("out")).take("out/one.a.jpg")
    assert claim is not None
    rows = engine.paint(engine.plan(), Stop())
    assert [next(rows).status, next(rows).status] == ["painted", "painted"]
    rows.close()
    claim.release()


def test_cancel_in_python(photos: Path, batch: Batch) -> None:
    for number in range(9):  # more than wait to be written when the first row comes
        picture(photos / f"more{number}.png", number)
    cancel = threading.Event()
    seen: list[Row] = []
    report = batch(cancel=cancel, done=lambda row: seen.append(row) or cancel.set())
    assert seen == report.rows
    assert 0 < report.count("painted") < 12


def test_two_batches_on_one_folder_paint_no_picture_twice(
    photos: Path, tiny: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        picture(photos / f"p{number}.jpg", number)
    written: list[str] = []
    real = Painting.save
    monkeypatch.setattr(
        Painting, "save", lambda self, target, **more: written.append(str(target)) or real(self, target, **more)
    )
    reports: list[Any] = []
    threads = [
        threading.Thread(target=lambda: reports.append(paint_folder("photos", "out", "a.png", device="cpu", **tiny)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(written) == len(set(written)) == 15
    assert [len(report.rows) for report in reports] == [15, 15]
    assert sum(report.count("painted") for report in reports) == 15
    assert not any(report.failed for report in reports)
    assert len(files()) == 15


def test_a_picture_that_another_process_has_is_waited_for(batch: Batch) -> None:
    claim = Claims(Path("out")).take("out/one.a.jpg")
    assert claim is not None
    assert Claims(Path("out")).take("out/one.a.jpg") is None
    order: list[str] = []

    def note(row: Row) -> None:
        order.append(Path(row.photo).name)
        if len(order) == 2:
            claim.release()

    batch(done=note)
    assert order == ["two.png", "three.jpg", "one.jpg"]
    assert not Path("out", FOLDER).exists()


def test_pictures_that_wait_keep_within_the_memory(
    batch: Batch, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        picture(photos / f"p{number}.png", number, (400, 300))
    held, most = [0], [0]
    take, write = local.Local._take_claimed, local.Local._write

    def taken(self: Any, job: Job, claim: Any) -> Any:
        held[0] += 1
        most[0] = max(most[0], held[0])
        return take(self, job, claim)

    def written(self: Any, *args: Any) -> Row:
        row = write(self, *args)
        held[0] -= 1
        return row

    monkeypatch.setattr(local.Local, "_take_claimed", taken)
    monkeypatch.setattr(local.Local, "_write", written)
    assert batch(size=400).count("painted") == 9
    assert most[0] > 2
    for name in files():
        Path("out", name).unlink()
    most[0] = 0
    monkeypatch.setattr(local, "_MOST_HELD", 1000.0)
    assert batch(size=400).count("painted") == 9
    assert most[0] <= 2  # the one in hand, and one that is read where nothing else waits


def test_a_tight_budget_holds_nothing_beside_the_picture_in_hand(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    budgets: list[int] = []
    work = local.Local._work

    def watched(self: Any, taken: Any, recipe: impasto.Recipe) -> Painting:
        budgets.append(int(recipe.memory or 0))
        if len(budgets) == 1:
            raise local.memory.ShortageError("memory is short")
        return work(self, taken, recipe)

    monkeypatch.setattr(local.Local, "_work", watched)
    budget = psutil.Process().memory_info().rss * 4
    assert batch(memory=budget).count("painted") == 3
    assert budgets[0] < budget
    assert budgets[1:] == [budget] * 3
