"""A batch that cannot be carried out is refused before anything is painted."""

from __future__ import annotations

import os
import shutil
import sys
from collections import namedtuple
from pathlib import Path

import psutil
import pytest

import impasto
from impasto import memory
from impasto.batch import paint_folder
from impasto.batch.done import Done
from impasto.batch.jobs import State, Writing
from impasto.batch.names import Pattern
from impasto.batch.plan import Plan, Request, make_plan
from impasto.batch.problems import Problem, require_none
from impasto.batch.ways import Maker
from impasto.errors import RequestError

from .conftest import Batch, files, picture, statuses

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def plan(*inputs: str, out: str = "out", styles: tuple[str, ...] = ("a.png",), **more: object) -> Plan:
    maker = Maker(method="adain", settings={"size": 32})
    request = Request(inputs=inputs, out=Path(out), maker=maker, styles=styles, **more)
    return make_plan(request, Done(request.writing, lambda way: {}))


def targets(made: Plan) -> list[str]:
    return [job.output for job in made.jobs]


def test_every_photo_with_every_style_grouped_by_style(photos: Path) -> None:
    made = plan("photos", styles=("a.png", "b.png"))
    assert targets(made) == [
        f"out/{name}" for style in "ab" for name in (f"one.{style}.jpg", f"two.{style}.png", f"sub/three.{style}.jpg")
    ]
    assert {job.size for job in made.jobs} == {(24, 18)}
    assert {job.state for job in made.jobs} == {State.ABSENT}
    assert not made.problems
    assert not Path("out").exists()


def test_styles_mixed(photos: Path) -> None:
    made = plan("photos/one.jpg", styles=("a.png:0.3", "b.png"), mix=True)
    assert targets(made) == ["out/one.a+b.jpg"]
    assert [style.weight for style in made.jobs[0].recipe.styles] == [0.3, 1.0]


def test_a_table_with_settings(photos: Path) -> None:
    Path("table.csv").write_text(
        "photo,style,seed\nphotos/one.jpg,b.png,5\nphotos/two.png,,\nphotos/two.png,b.png,x\n", "utf-8"
    )
    made = plan(table=Path("table.csv"), columns=["seed"])
    assert [(job.output, job.recipe.seed) for job in made.jobs] == [("out/one.b.jpg", 5), ("out/two.a.png", 0)]
    (problem,) = made.problems
    assert "line 4: seed: expected a whole number" in problem.message
    with pytest.raises(RequestError, match="both given"):
        plan("photos", table=Path("table.csv"))


def test_masks_by_name(photos: Path) -> None:
    for name in ("one.png", "sub/three.a.png"):
        picture(Path("masks") / name)
    made = plan("photos", mask_dir=Path("masks"))
    assert [job.masks for job in made.jobs] == [("masks/one.png",), ("masks/sub/three.a.png",)]
    assert made.jobs[0].recipe.styles[0].mask == "masks/one.png"
    assert "expected two.png, or two.STYLE.png" in made.problems[0].message
    with pytest.raises(RequestError, match="is not a folder"):
        plan("photos", mask_dir=Path("a.png"))


def test_the_same_output_twice_is_a_problem(photos: Path) -> None:
    picture(photos / "one.png")
    picture(Path("more/one.jpg"))
    made = plan("photos", "more", pattern=Pattern(extension="png"))
    assert len(made.jobs) == 3
    assert [each.name for each in made.problems] == ["photos/one.png", "more/one.jpg"]
    assert all("out/one.a.png" in each.message and "photos/one.jpg" in each.message for each in made.problems)
    assert not plan("photos", "more", pattern=Pattern("{folder}-{name}.{ext}", "png")).problems
    shutil.copy("a.png", "more/a.png")
    assert "out/one.a.jpg" in plan("photos/one.jpg", styles=("a.png", "more/a.png")).problems[0].message


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "is empty"), (b"<html>", "a web page"), (b"\xff\xd8\xff", "damaged"), (bytes(99), "only zeros")],
)
def test_unreadable_photos_are_problems(photos: Path, content: bytes, words: str) -> None:
    (photos / "zzz.jpg").write_bytes(content)
    made = plan("photos")
    assert len(made.jobs) == 3
    assert [each.name for each in made.problems] == ["photos/zzz.jpg"]
    assert words in made.problems[0].message


def test_an_output_inside_an_input_is_left_out(batch: Batch, photos: Path) -> None:
    first = batch(out="photos/painted")
    assert first.count("painted") == 3
    again = batch(out="photos/painted")
    assert statuses(again) == {"one.a.jpg": "skipped", "two.a.png": "skipped", "three.a.jpg": "skipped"}


@pytest.mark.parametrize("out", ["photos", "."])
def test_an_output_that_is_or_holds_an_input_paints_no_paintings(batch: Batch, out: str) -> None:
    inputs = "photos" if out == "photos" else "."
    assert batch(inputs, out=out, keep_going=True).count("painted") >= 3
    again = batch(inputs, "b.png", out=out, keep_going=True)
    assert not any(".a.b." in name for name in statuses(again))
    assert again.count("painted") >= 3


def test_an_input_is_never_an_output(batch: Batch, photos: Path) -> None:
    before = (photos / "one.jpg").read_bytes()
    for pattern, styles in (("{photo}.{ext}", ("a.png",)), ("{style}.{ext}", ("photos/one.jpg",))):
        with pytest.raises(RequestError, match="which is painted from"):
            batch("photos/one.jpg", *styles, out="photos", pattern=pattern, overwrite=True)
    assert (photos / "one.jpg").read_bytes() == before
    picture(Path("out/a.png"))
    with pytest.raises(RequestError, match="which is painted from"):
        batch("photos/two.png", "out/a.png", pattern="{style}.{ext}", overwrite=True)


def test_what_others_made_is_not_replaced(batch: Batch) -> None:
    picture(Path("out/one.a.jpg"))
    Path("out/two.a.png").write_text("notes")
    with pytest.raises(
        RequestError, match=r"2 paintings cannot be: out/one\.a\.jpg exists, and impasto did not paint it"
    ):
        batch()
    assert files() == {"one.a.jpg", "two.a.png"}
    assert statuses(batch(keep_going=True))["three.a.jpg"] == "painted"
    assert batch(overwrite=True).count("painted") == 2


def test_without_keep_going_nothing_is_painted(batch: Batch, photos: Path) -> None:
    (photos / "bad.jpg").write_bytes(b"no")
    with pytest.raises(
        RequestError, match=r"nothing is painted, because 1 painting cannot be: .*bad.jpg.*--keep-going"
    ):
        batch()
    assert not Path("out").exists()
    report = batch(keep_going=True)
    assert statuses(report) == {
        "bad.a.jpg": "failed",
        "one.a.jpg": "painted",
        "two.a.png": "painted",
        "three.a.jpg": "painted",
    }


def test_places_that_cannot_be_written(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("file").touch()
    with pytest.raises(RequestError, match="is a file; expected a folder"):
        plan("photos", out="file")
    Path("out").mkdir()
    Path("elsewhere").mkdir()
    Path("out/sub").symlink_to(Path("elsewhere").absolute())
    assert "leads out of out" in plan("photos").problems[0].message
    Path("out/sub").unlink()
    assert "bits is 16 for JPEG" in plan("photos/one.jpg", writing=Writing(bits=16)).problems[0].message
    if ROOT or sys.platform == "win32":
        monkeypatch.setattr(
            Path, "touch", lambda *_, **__: (_ for _ in ()).throw(OSError(30, "Read-only file system"))
        )
    else:
        Path("out").chmod(0o500)
    assert "cannot be written" in plan("photos").problems[0].message
    Path("out").chmod(0o700)


def test_a_disk_without_room(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    full = namedtuple("full", "free")(1000)
    monkeypatch.setattr(psutil, "disk_usage", lambda _: full)
    for keep_going in (False, True):
        with pytest.raises(RequestError, match="expected more room"):
            batch(keep_going=keep_going)


def test_memory_that_is_not_enough_names_the_photos(
    batch: Batch, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "in_use", lambda _: 10**9)
    picture(photos / "large.jpg", size=(4000, 3000))
    with pytest.raises(RequestError, match=r"large.jpg: memory is .* raise --memory"):
        batch(size=None, memory=10**9 + 60_000_000)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"inputs": "empty"}, "no photos are found in empty"),
        ({"styles": ("gone.png",)}, "there is no file gone.png"),
        ({"styles": ("-",)}, "standard input; expected a file"),
        ({"styles": ()}, "no style is given"),
        ({"method": "nosuch"}, "nosuch"),
        ({"settings": {"sise": 3}}, "did you mean size"),
        ({"recipe": "gatys"}, "a recipe and method"),
        ({"effort": "draft"}, "expected one or the other"),
    ],
)
def test_wrong_requests(photos: Path, change: dict[str, object], words: str) -> None:
    Path("empty").mkdir()
    named: dict[str, object] = {"inputs": "photos", "styles": ("a.png",), "method": "adain", "settings": {}} | change
    inputs, styles, settings = named.pop("inputs"), named.pop("styles"), named.pop("settings")
    if "recipe" in named:
        named["recipe"] = impasto.make_recipe(str(named["recipe"]))
    with pytest.raises(RequestError) as caught:
        paint_folder(inputs, "out", *styles, **settings, **named)
    assert words in str(caught.value)
    assert not Path("out").exists()


def test_a_recipe_of_another_method_is_refused() -> None:
    with pytest.raises(RequestError, match="one of gatys, and the method adain"):
        Maker(method="adain", base=impasto.make_recipe("gatys"))


def test_ten_thousand_photos_are_planned_by_their_headers(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from impasto.images import header

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("a photo is read as a whole")

    monkeypatch.setattr(header, "load_bytes", forbidden)
    monkeypatch.setattr(header, "stated_size", forbidden)
    first = picture(Path("many/0.jpg"))
    for number in range(1, 300):
        os.link(first, f"many/{number}.jpg")
    assert len(plan("many").jobs) == 300


def test_a_message_of_many_paintings_is_said_once():
    alike = [Problem(f"{number}.jpg", "the folder is full", f"{number}.png") for number in range(5)]
    with pytest.raises(RequestError, match=r"6 paintings cannot be: the folder is full \(5 times\); a.jpg is bad"):
        require_none([*alike, Problem("a.jpg", "a.jpg is bad")], keep_going=False)
