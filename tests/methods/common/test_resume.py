"""A painting put aside and taken up again: exactly, from a file, and of no other painting."""

import itertools

import pytest
import torch

from impasto import RequestError, StateFile, Style, bind, make_recipe
from impasto.api import last
from impasto.losses.optimisers import LBFGS
from impasto.methods.gatys import painter as gatys
from impasto.weights import container

pytestmark = pytest.mark.usefixtures("tiny_encoder")

WAYS = {
    "lbfgs": {"lbfgs_history": 4},
    "plain lbfgs": {"precondition": 0.0, "init": "random"},
    "adam": {"optimizer": "adam", "average": 0.9},
    "adam, the best": {"optimizer": "adam", "learning_rate": 9.0, "keep_best": True, "clamp": True},
    "a ladder": {"schedule": "0.5:3,0.8:4,1:5"},
    "a ladder with adam": {"schedule": "0.5:3,1:9", "optimizer": "adam", "average": 0.5},
}
TOTAL = 12


@pytest.fixture
def painter(picture):
    def make(style=1, **settings):
        recipe = make_recipe("gatys", [Style(path="s")], settings={"size": 40, "steps": TOTAL, **settings})
        return bind(recipe, styles=[picture(36, 44, style)], device="cpu")

    return make


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("stopped", [1, 3, 7, 11, 12])
def test_it_goes_on_as_if_never_stopped(painter, picture, way, stopped, in_memory):
    content, kept = picture(40, 40), in_memory()
    whole = list(painter(**WAYS[way]).keeping(kept).paint(content))
    assert len(whole) == TOTAL
    again = list(painter(**WAYS[way]).keeping(in_memory(kept.states[stopped - 1])).paint(content))
    expected = whole[stopped:] or whole[-1:]
    assert [step.index for step in again] == [step.index for step in expected]
    for one, other in zip(again, expected, strict=True):
        assert one.losses == other.losses
        assert torch.equal(one.image, other.image)


@pytest.mark.parametrize("way", WAYS)
def test_a_file_holds_all_of_it(painter, picture, tmp_path, way):
    content, path = picture(40, 40), tmp_path / "run.safetensors"
    expected = last(painter(**WAYS[way]).paint(content))
    steps = painter(**WAYS[way]).keeping(StateFile(path, every=0)).paint(content)
    for _ in itertools.islice(steps, 5):
        pass
    steps.close()
    found = list(painter(**WAYS[way]).keeping(StateFile(path, resume=path)).paint(content))
    assert len(found) == TOTAL - 5
    assert torch.equal(found[-1].image, expected.image)
    assert found[-1].losses == expected.losses


def test_closing_saves_what_was_done(painter, picture, tmp_path):
    path = tmp_path / "run.safetensors"
    steps = painter().keeping(StateFile(path)).paint(picture(40, 40))
    next(steps), next(steps)
    assert not path.exists(), "a minute has not passed"
    steps.close()
    assert len(list(painter().keeping(StateFile(path, resume=path)).paint(picture(40, 40)))) == TOTAL - 2


def test_an_interrupted_move_is_not_saved(painter, picture, monkeypatch, in_memory):
    kept = in_memory()
    kept.due = lambda: False
    steps = painter().keeping(kept).paint(picture(40, 40))
    next(steps)

    def interrupted(self, image, gradient):
        image.zero_()
        raise KeyboardInterrupt

    monkeypatch.setattr(LBFGS, "update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(steps)
    assert kept.states == []


def test_an_interrupted_evaluation_is(painter, picture, monkeypatch, in_memory):
    kept = in_memory()
    kept.due = lambda: False
    steps = painter().keeping(kept).paint(picture(40, 40))
    next(steps)

    def interrupted(self, image):
        raise KeyboardInterrupt

    monkeypatch.setattr(gatys.TiledObjective, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(steps)
    assert [state.facts["done"] for state in kept.states] == [1]


def test_every_size_ends_with_a_state(painter, picture, in_memory):
    kept = in_memory()
    kept.due = lambda: False
    last(painter(schedule="0.5:3,0.8:4,1:5").keeping(kept).paint(picture(40, 40)))
    assert [state.facts["done"] for state in kept.states] == [3, 7, 12]


def test_a_finished_painting_may_go_on_for_longer(painter, picture, in_memory):
    content, kept = picture(40, 40), in_memory()
    last(painter().keeping(kept).paint(content))
    longer = list(painter(steps=15).keeping(in_memory(kept.states[-1])).paint(content))
    assert [step.index for step in longer] == [13, 14, 15]
    assert torch.equal(longer[-1].image, last(painter(steps=15).paint(content)).image)


def test_time_counts_on(painter, picture, in_memory):
    content, kept = picture(40, 40), in_memory()
    last(painter().keeping(kept).paint(content))
    state = kept.states[2]
    state.facts["seconds"] = 100.0
    (step,) = painter(max_seconds=50).keeping(in_memory(state)).paint(content)
    assert (step.index, step.note) == (3, "time limit of 50 s reached")
    assert len(list(painter(max_seconds=10_000).keeping(in_memory(state)).paint(content))) == TOTAL - 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"content_weight": 0.5}, "content_weight was 0.3, now it is 0.5"),
        ({"seed": 1}, "seed was 0, now it is 1"),
        ({"size": 48}, "size was 40, now it is 48"),
        ({"optimizer": "adam"}, "optimizer was lbfgs, now it is adam"),
        ({"precision": "exact"}, "precision"),
    ],
)
def test_another_recipe_is_refused(painter, picture, tmp_path, settings, message):
    path = tmp_path / "run.safetensors"
    last(painter().keeping(StateFile(path)).paint(picture(40, 40)))
    with pytest.raises(RequestError, match=message):
        next(painter(**settings).keeping(StateFile(path, resume=path)).paint(picture(40, 40)))


def test_other_pictures_and_stages_are_refused(painter, picture, tmp_path):
    path, content = tmp_path / "run.safetensors", picture(40, 40)
    last(painter(schedule="0.5:2,1:3").keeping(StateFile(path)).paint(content))

    def resumed(content, **settings):
        return next(painter(**settings).keeping(StateFile(path, resume=path)).paint(content))

    with pytest.raises(RequestError, match=r"another painting: photo was \w{12}, now"):
        resumed(picture(40, 40, 5), schedule="0.5:2,1:3")
    with pytest.raises(RequestError, match="another painting: style 1 was"):
        next(painter(2, schedule="0.5:2,1:3").keeping(StateFile(path, resume=path)).paint(content))
    for schedule in ("0.5:3,1:3", "0.8:2,1:3", "1:3", "0.5:2,1:2"):
        with pytest.raises(RequestError, match="has done 20:2,40:3, which"):
            resumed(content, schedule=schedule)
    assert resumed(content, schedule="0.5:2,1:4").index == 6


def test_files_that_are_no_state(painter, picture, tmp_path):
    path, content = tmp_path / "run.safetensors", picture(40, 40)
    with pytest.raises(RequestError, match=r"no state .* to resume"):
        StateFile(path, resume=path)
    last(painter().keeping(StateFile(path)).paint(content))
    data = path.read_bytes()
    for damaged in (b"", b"garbage" * 100, data[: len(data) // 2], data[:-1]):
        path.write_bytes(damaged)
        with pytest.raises(RequestError, match="not a whole state"):
            next(painter().keeping(StateFile(path, resume=path)).paint(content))
    container.save(path, {"a": torch.ones(1)}, {"kind": "a net"}, half=False, overwrite=True)
    with pytest.raises(RequestError, match="not a whole state"):
        next(painter().keeping(StateFile(path, resume=path)).paint(content))


def test_places_that_cannot_hold_a_state(painter, tmp_path):
    with pytest.raises(RequestError, match=r"expected \.safetensors"):
        StateFile(tmp_path / "run.pt")
    with pytest.raises(RequestError, match="does not exist"):
        StateFile(tmp_path / "nowhere" / "run.safetensors")
    mine = tmp_path / "mine.safetensors"
    mine.write_text("mine")
    with pytest.raises(RequestError, match="exists"):
        StateFile(mine)
    StateFile(mine, overwrite=True)


def test_writing_large_states_takes_little_of_the_time(painter, picture, tmp_path, monkeypatch):
    clock = itertools.count(step=10)  # ten seconds pass between looks at the clock
    monkeypatch.setattr("impasto.methods.common.resume.time.monotonic", lambda: next(clock))
    kept = StateFile(tmp_path / "run.safetensors", every=1)
    assert kept.due()
    steps = painter().keeping(kept).paint(picture(40, 40))
    next(steps)  # saved, which took 10 s: 200 s until the next
    looks = 0
    while not kept.due():
        looks += 1
    assert looks > 15


def test_methods_without_a_state_say_so(tmp_path, in_memory):
    class OnePass(gatys.GatysPainter):
        resumable = False

        def __init__(self):
            self.recipe = make_recipe("adain", [Style(path="s")])

    with pytest.raises(RequestError, match="adain has no state to keep or to resume"):
        OnePass().keeping(in_memory())
