"""Workers of a cluster paint rows, and write to object storage; without Ray."""

from __future__ import annotations

import json
import pickle
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import impasto
from impasto.batch import ray as engine
from impasto.batch import storage
from impasto.batch.names import Pattern
from impasto.batch.plan import Plan, Request
from impasto.batch.rows import Stop
from impasto.batch.ways import Maker
from impasto.batch.worker import PaintWorker
from impasto.errors import ImageError, MissingExtraError, RequestError

from .conftest import files, picture, statuses

fsspec = pytest.importorskip("fsspec", reason="fsspec, which comes with torch, is not installed")


@pytest.fixture
def bucket(photos: Path) -> Iterator[str]:
    """Object storage with two of the photos."""
    system = fsspec.filesystem("memory")
    for name in ("one.jpg", "sub/three.jpg"):
        system.pipe_file(f"/bucket/in/{name}", (photos / name).read_bytes())
    system.pipe_file("/bucket/in/notes.txt", b"")
    system.pipe_file("/bucket/in/.hidden/x.jpg", b"")
    yield "memory://bucket"
    system.rm("/", recursive=True)


@pytest.fixture
def recipe(tiny: dict[str, Any], photos: Path) -> impasto.Recipe:
    settings = {name: value for name, value in tiny.items() if name != "method"}
    return impasto.make_recipe("adain", [impasto.Style(path="a.png")], settings=settings)


def rows(worker: PaintWorker, **columns: list[Any]) -> list[dict[str, Any]]:
    found = worker(columns)
    return [dict(zip(found, values, strict=True)) for values in zip(*found.values(), strict=True)]


def test_rows_are_painted_once(recipe: impasto.Recipe) -> None:
    columns = {"photo": ["photos/one.jpg", "photos/two.png"], "output": ["out/1.jpg", "out/2.png"]}
    for status in ("painted", "skipped"):
        found = rows(PaintWorker(recipe, device="cpu"), **columns)
        assert [each["status"] for each in found] == [status, status]
        assert [each["error"] for each in found] == ["", ""]
    assert files() == {"1.jpg", "2.png"}
    assert found[0]["style"] == "a"


def test_errors_are_rows(recipe: impasto.Recipe) -> None:
    Path("bad.jpg").write_bytes(b"<html>")
    picture(Path("out/3.png"))
    worker = PaintWorker(recipe, device="cpu")
    found = rows(
        worker, photo=["gone.jpg", "bad.jpg", "photos/one.jpg"], output=["out/1.png", "out/2.png", "out/3.png"]
    )
    assert [each["status"] for each in found] == ["failed"] * 3
    for each, words in zip(found, ("no file gone.jpg", "a web page", "impasto did not paint it"), strict=True):
        assert words in each["error"]


def test_object_storage(recipe: impasto.Recipe, bucket: str) -> None:
    worker = PaintWorker(recipe, device="cpu", styles=[[Path("a.png").read_bytes()]])
    columns = {"photo": [f"{bucket}/in/one.jpg"], "output": [f"{bucket}/out/deep/one.png"]}
    assert [each["status"] for each in rows(worker, **columns)] == ["painted"]
    data = storage.load(f"{bucket}/out/deep/one.png")
    Path("one.png").write_bytes(data)
    from impasto.session.provenance import read_record

    record = read_record("one.png")
    assert [each["name"] for each in record["inputs"]][:2] == ["one.jpg", "a.png"]
    assert [each["status"] for each in rows(worker, **columns)] == ["skipped"]
    for share in (0.0, 0.5):  # what is there is replaced, since it is no whole picture
        fsspec.filesystem("memory").pipe_file("/bucket/out/deep/one.png", data[: int(share * len(data))])
        assert [each["status"] for each in rows(worker, **columns)] == ["painted"]
    assert storage.load(f"{bucket}/out/deep/one.png") == data


def test_names_in_object_storage(bucket: str) -> None:
    from impasto.batch.inputs import find_photos

    found = find_photos([f"{bucket}/in"], f"{bucket}/out")
    assert [(photo.path, photo.folder) for photo in found.photos] == [
        (f"{bucket}/in/one.jpg", ""),
        (f"{bucket}/in/sub/three.jpg", "sub"),
    ]
    with pytest.raises(RequestError, match=r"no known storage|not known"):
        find_photos(["nosuch://bucket"], "out")
    with pytest.raises(ImageError, match=r"there is no memory://bucket/gone\.jpg"):
        storage.load(f"{bucket}/gone.jpg")
    assert not storage.is_remote("https://example.com/a.jpg")
    assert not storage.is_remote("C:/a.jpg")


class _Data:
    """As much of Ray Data as the engine uses, in this process."""

    def __init__(self, items: list[dict[str, Any]], worker: PaintWorker | None = None) -> None:
        self._items, self._worker = items, worker

    def map_batches(self, kind: type[PaintWorker], *, fn_constructor_kwargs: dict[str, Any], **_: Any) -> _Data:
        return _Data(self._items, kind(**pickle.loads(pickle.dumps(fn_constructor_kwargs))))

    def iter_rows(self) -> Iterator[dict[str, Any]]:
        assert self._worker is not None
        for item in self._items:
            yield from rows(self._worker, **{name: [value] for name, value in item.items()})


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that is this process."""

    class Ray:
        DataContext = ActorPoolStrategy = staticmethod(lambda **_: None)
        is_initialized = staticmethod(lambda: False)
        shutdown = staticmethod(lambda: None)
        cluster_resources = staticmethod(lambda: {"CPU": 2.0})
        from_items = staticmethod(lambda items, **_: _Data(items))

    monkeypatch.setattr(engine, "_is_installed", lambda: True)
    monkeypatch.setattr(engine, "_connected", lambda address: Ray)
    monkeypatch.setattr(engine, "_library", lambda name: Ray)


def batch(recipe: impasto.Recipe, *inputs: str, out: str = "out", stop: Stop | None = None) -> engine.RayBatch:
    request = Request(
        inputs=inputs,
        out=out if storage.is_remote(out) else Path(out),
        maker=Maker(method="adain", base=recipe),
        pattern=Pattern(extension="png"),
    )
    made = engine.RayBatch(request, "cpu")
    plan = made.plan()
    made.reckon(plan)
    list(made.paint(plan, stop or Stop()))
    return made


def test_the_engine_paints_what_the_plan_says(
    recipe: impasto.Recipe, ray: None, photos: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = {"one.a.png": "painted", "two.a.png": "painted", "three.a.png": "painted"}
    assert statuses(batch(recipe, "photos").report) == wanted
    assert set(statuses(batch(recipe, "photos").report).values()) == {"skipped"}
    assert files() == {"one.a.png", "two.a.png", "sub/three.a.png"}
    for status in ("painted", "skipped"):
        report = batch(recipe, f"{bucket}/in", out=f"{bucket}/out").report
        assert {row.output: row.status for row in report.rows} == {
            f"{bucket}/out/one.a.png": status,
            f"{bucket}/out/sub/three.a.png": status,
        }


def test_the_engine_stops(recipe: impasto.Recipe, ray: None, photos: Path) -> None:
    stop = Stop()
    stop.press()
    report = batch(recipe, "photos", stop=stop).report
    assert (len(report.rows), report.left, report.interrupted) == (1, 2, True)


def test_a_cluster_that_fails_is_one_line(
    recipe: impasto.Recipe, ray: None, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: _Data) -> Iterator[dict[str, Any]]:
        raise RuntimeError("a long story\nactor died")

    monkeypatch.setattr(_Data, "iter_rows", fail)
    with pytest.raises(impasto.ImpastoError, match=r"Ray failed \(actor died\)"):
        batch(recipe, "photos")


def test_masks_go_to_the_workers_by_absolute_paths(recipe: impasto.Recipe, photos: Path) -> None:
    from impasto.batch.inputs import Photo
    from impasto.batch.jobs import Job
    from impasto.batch.ways import Way

    item = engine._item(Job(Photo("photos/one.jpg"), Way.of(recipe), "out/one.png", ("masks/m.png", None)), 3)
    assert json.loads(item["masks"]) == [str(Path("masks/m.png").absolute()), None]
    assert item["photo"] == str(Path("photos/one.jpg").absolute())


def test_ray_that_is_missing_is_named_with_its_extra(recipe: impasto.Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_is_installed", lambda: False)
    with pytest.raises(MissingExtraError, match=r"--engine ray needs ray.*impasto\[ray\]"):
        batch(recipe, "photos")


@pytest.mark.parametrize(
    ("address", "words"),
    [("127.0.0.1:1", "does not answer"), ("nowhere", "expected HOST:PORT"), ("ray://x:y", "HOST")],
)
def test_clusters_that_do_not_answer(
    photos: Path, recipe: impasto.Recipe, ray: None, address: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", refuse)
    request = Request(inputs=["photos"], out=Path("out"), maker=Maker(method="adain", base=recipe))
    with pytest.raises(RequestError, match=words):
        engine.RayBatch(request, "cpu", address)
    with pytest.raises(RequestError, match="--workers is 0"):
        engine.RayBatch(request, "cpu", None, 0)


def test_storage_that_refuses_is_one_line(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("Unable to locate credentials")

    with monkeypatch.context() as patched:
        patched.setattr(type(fsspec.filesystem("memory")), "find", refuse)
        with pytest.raises(RequestError, match=r"Unable to locate credentials.*credentials in the environment"):
            list(storage.files_below(f"{bucket}/in"))


def test_a_plan_has_no_time_where_the_cluster_is_not_known(recipe: impasto.Recipe, ray: None, photos: Path) -> None:
    made = engine.RayBatch(Request(inputs=["photos"], out=Path("out"), maker=Maker(method="adain", base=recipe)))
    assert made.reckon(Plan(Path("out"))).seconds is None
