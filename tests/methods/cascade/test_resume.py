"""A cascade put aside and taken up again, in any of its rungs."""

import itertools

import pytest
import torch

from impasto import RequestError, StateFile, Style, bind, make_recipe
from impasto.api import last

pytestmark = pytest.mark.usefixtures("tiny_encoder")

STEPS = "first_size=32:first_steps=3:steps=2:split_steps=2"
NNST, SMALL = f"nnst:{STEPS}", f"nnst:32:{STEPS}"
RUNGS = {
    "optimised last": f"adain:32:net=ADAIN,{NNST}",
    "optimised between": f"adain:32:net=ADAIN,{SMALL}:keep_tones=no,swap:net=SWAP",
    "optimised twice": f"{SMALL},swap:32:net=SWAP,{NNST}",
}


@pytest.fixture
def painter(picture, tiny_nets):
    def make(rungs, style=7, **settings):
        for name in ("adain", "swap"):
            rungs = rungs.replace(name.upper(), str(tiny_nets[name]))
        recipe = make_recipe(
            "cascade", [Style(path="s")], settings={"rungs": rungs, "size": 64, "precision": "exact", **settings}
        )
        return bind(recipe, styles=[picture(40, 44, style)], device="cpu").painter

    return make


@pytest.mark.parametrize("rungs", RUNGS.values(), ids=RUNGS)
def test_it_goes_on_as_if_never_stopped(painter, picture, rungs, in_memory):
    photo, kept = picture(48, 64, 1), in_memory()
    whole = list(painter(rungs).keeping(kept).paint(photo))
    assert len(kept.states) > 3
    for state in (kept.states[0], kept.states[len(kept.states) // 2], kept.states[-1]):
        again = list(painter(rungs).keeping(in_memory(state)).paint(photo))
        assert torch.equal(again[-1].image, whole[-1].image)
        assert again[-1].index == again[-1].total == whole[-1].total
        assert [step.index for step in again] == sorted({step.index for step in again})
    assert len(again) < len(whole)


def test_a_rung_that_is_done_is_not_painted_again(painter, picture, in_memory):
    kept = in_memory()
    photo, rungs = picture(48, 64, 1), RUNGS["optimised twice"]
    list(painter(rungs).keeping(kept).paint(photo))
    notes = [step.note for step in painter(rungs).keeping(in_memory(kept.states[-1])).paint(photo)]
    assert notes and all(note.startswith("nnst at 64 px") for note in notes)


def test_closing_saves_what_was_done_in_a_file(painter, picture, tmp_path):
    photo, rungs, path = picture(48, 64, 1), RUNGS["optimised last"], tmp_path / "state.safetensors"
    expected = last(painter(rungs).paint(photo))
    steps = painter(rungs).keeping(StateFile(path)).paint(photo)
    list(itertools.islice(steps, 3))
    steps.close()
    resumed = painter(rungs).keeping(StateFile(path, resume=path))
    assert torch.equal(last(resumed.paint(photo)).image, expected.image)
    with pytest.raises(RequestError, match=r"state of another painting: rung 2 was .*steps=2"):
        last(painter(rungs.replace(":steps=2", ":steps=4")).keeping(StateFile(path, resume=path)).paint(photo))
    with pytest.raises(RequestError, match="state of another painting: style 1"):
        last(painter(rungs, style=8).keeping(StateFile(path, resume=path)).paint(photo))


def test_a_cascade_of_passes_has_no_state(painter, in_memory):
    with pytest.raises(RequestError, match="cascade has no state to keep"):
        painter("adain:32:net=ADAIN,swap:net=SWAP").keeping(in_memory())
