"""Painting by rungs of tiny nets: what each is given, what is kept, what is told."""

import threading

import pytest
import torch

from impasto import Cancelled, Session, Style, bind, make_recipe
from impasto.api import last
from impasto.images.geometry import resize
from impasto.images.regions import make_regions
from impasto.methods import METHODS
from impasto.methods.adain.painter import AdainPainter
from impasto.methods.cascade import painter as cascade
from impasto.methods.common import loader
from impasto.methods.common.optimise import Run
from impasto.methods.swap.painter import SwapPainter

pytestmark = [pytest.mark.numeric, pytest.mark.usefixtures("tiny_encoder")]


@pytest.fixture
def recipe(tiny_nets):
    """Makes recipes: rungs as text, where ADAIN and SWAP stand for a method and its tiny net."""

    def make(rungs="ADAIN:256,SWAP", styles=1, **settings):
        for name in ("adain", "swap"):
            rungs = rungs.replace(name.upper(), f"{name}:NET{name}")
        parts = []
        for rung in rungs.split(","):
            method, net, *more = rung.split(":")
            parts.append(":".join([method, *more, f"net={tiny_nets[net.removeprefix('NET')]}"]))
        named = [Style(path=f"s{number}.png") for number in range(styles)]
        return make_recipe("cascade", named, settings={"rungs": ",".join(parts), "precision": "exact", **settings})

    return make


def _styles(picture, count=1):
    return [picture(40, 44, 20 + number) for number in range(count)]


def test_rungs_are_the_methods_chained_by_their_starts(recipe, picture, tiny_nets):
    photo, (style,) = picture(96, 128, 1), _styles(picture)
    steps = list(
        bind(recipe("ADAIN:256:style_scale=2,SWAP:start_detail=0.5:keep_tones=no", size=128), styles=[style]).paint(
            photo
        )
    )

    def alone(method, start=None, **settings):
        settings = {"net": str(tiny_nets[method]), "precision": "exact", **settings}
        made = make_recipe(method, [Style(path="s0.png")], settings=settings)
        return last(bind(made, styles=[style]).painter.paint(photo, start=start)).image

    small = alone("adain", size=64, style_scale=2)
    assert [(step.index, step.total) for step in steps] == [(1, 2), (2, 2)]
    assert steps[0].note == "adain at 64 px"
    assert steps[1].note.startswith("swap at 128 px")
    assert torch.equal(steps[0].image, resize(small, 96, 128))
    assert torch.equal(
        steps[1].image, alone("swap", cascade.sharpened(small, photo, 0.5), size=128, start_detail=0.5)
    )


def test_a_rungs_detail_counts_from_the_second_on(recipe, picture):
    photo, styles = picture(40, 48, 1), _styles(picture)
    first, second, third = (
        last(bind(recipe(rungs, size=48), styles=styles).paint(photo)).image
        for rungs in ("ADAIN:256,SWAP", "ADAIN:256:start_detail=0,SWAP", "ADAIN:256,SWAP:start_detail=0")
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, third)


def test_large_areas_keep_the_tones_of_the_rung_before(recipe, picture):
    photo, styles = picture(96, 128, 1), _styles(picture)

    def astray(rungs):
        before, after = (step.image for step in bind(recipe(rungs, size=128), styles=styles).paint(photo))
        return (resize(after, 6, 8) - resize(before, 6, 8)).abs().mean()

    kept, anew = astray("ADAIN:256,SWAP"), astray("ADAIN:256,SWAP:keep_tones=no")
    assert kept < anew / 2


def test_a_rung_spreads_colours_if_asked(recipe, picture):
    photo, styles = picture(48, 64, 1), _styles(picture)
    plain, spread = (
        bind(recipe(f"ADAIN:32,SWAP{more}", size=64), styles=styles).paint(photo).done().to_pil().tobytes()
        for more in ("", ":spread_colours=yes")
    )
    assert plain != spread


def test_detail_too_fine_for_a_rung_comes_back_sharper(picture):
    photo, painted = picture(96, 128, 1), torch.full((1, 3, 48, 64), 0.5)
    assert cascade.sharpened(painted, photo, 0) is painted
    less, more = (cascade.sharpened(painted, photo, detail) for detail in (0.25, 0.5))
    assert 0 < (less - 0.5).std() < (more - 0.5).std()
    assert torch.allclose(less[:, 0], less[:, 2])  # brightness alone
    assert abs(float(more.mean()) - 0.5) < 0.01


def test_networks_are_loaded_once(recipe, monkeypatch):
    loaded = []
    real = loader.load_decoder

    def load_decoder(net, **more):
        loaded.append(net)
        return real(net, **more)

    monkeypatch.setattr(loader, "load_decoder", load_decoder)
    painter = bind(recipe("SWAP:128,SWAP:256,SWAP", size=64), styles=[torch.rand(1, 3, 40, 40)]).painter
    assert len(loaded) == 1
    assert len(set(map(id, (nets.decoder for nets in painter._nets)))) == 1


def test_the_sha256_of_every_net_is_recorded(recipe, picture):
    made = recipe(size=64)
    nets = bind(made, styles=_styles(picture)).recipe.nets
    assert set(nets) == {"vgg19", *(rung.settings["net"] for rung in made.options.rungs)}


def test_strokes_are_scaled_on_every_rung(recipe, picture):
    bound = bind(recipe("ADAIN:64:style_scale=2,SWAP", size=64, style_scale=0.5), styles=_styles(picture)).painter
    assert [painter.options.style_scale for painter in bound._painters([64, 64])] == [1.0, 0.5]


def test_every_rung_keeps_to_the_budget(recipe, picture):
    bound = bind(recipe(size=64, memory="3GB"), styles=_styles(picture)).painter
    assert {painter.recipe.memory for painter in bound._painters([32, 64])} == {3_000_000_000}


@pytest.mark.parametrize("shared", [True, False])
def test_styles_are_encoded_once(recipe, picture, monkeypatch, shared):
    encoded = []
    for painter in (AdainPainter, SwapPainter):

        def encode(self, size, *, apart, real=painter.encode):
            encoded.append((self.recipe.method, size))
            return real(self, size, apart=apart)

        monkeypatch.setattr(painter, "encode", encode)
    session, made, styles = Session(device="cpu"), recipe(size=128), _styles(picture)
    bound = None if shared else session.bind(made, styles=styles)
    for seed in (1, 2):
        photo = picture(96, 128, seed)
        work = session.paint(made, photo, styles=styles) if bound is None else bound.paint(photo)
        work.done()
    assert len(encoded) == len(set(encoded))
    assert {method for method, _ in encoded} == {"adain", "swap"}


def test_progress_goes_from_0_to_1_through_all_rungs(recipe, picture):
    told = []
    painter = bind(recipe(size=None), styles=_styles(picture)).painter
    for _ in painter.paint(picture(48, 600), watch=told.append):
        pass
    shares = [progress.done for progress in told]
    assert shares == sorted(shares)
    assert shares[0] == 0 and 0.95 < shares[-1] <= 1
    assert {progress.note.split(":")[0] for progress in told} == {"adain at 256 px", "swap at 600 px"}
    first = max(progress.done for progress in told if progress.note.startswith("adain"))
    assert 0 < first < 0.5  # of the work, not of the rungs


def test_what_a_painting_takes_is_the_sum_of_its_rungs(recipe, picture):
    bound = bind(recipe(size=512), styles=_styles(picture)).painter
    small, large = bound._painters([256, 512])
    assert bound.estimate_work((300, 400)) == small.estimate_work((300, 400)) + large.estimate_work((300, 400), 256)
    assert bound.estimate_work((300, 400)) > 0


def test_cancelled_between_rungs_the_first_is_kept(recipe, picture):
    cancel = threading.Event()
    steps = bind(recipe(size=48), styles=_styles(picture)).painter.paint(picture(40, 48), cancel=cancel)
    first = next(steps)
    cancel.set()
    with pytest.raises(Cancelled):
        next(steps)
    assert first.image.shape == (1, 3, 40, 48)


OPTIMISED = "nnst:128:first_size=24:first_steps=8:steps=6:split_steps=4"


def test_a_rung_that_optimises_shows_pictures_on_the_way(recipe, picture, monkeypatch):
    rungs = f"{OPTIMISED},{recipe().options.rungs[1]}"
    made = make_recipe("cascade", [Style(path="s.png")], settings={"rungs": rungs, "size": 256})
    options = make_recipe("nnst", settings=made.options.rungs[0].settings).options
    planned = sum(steps for _, steps in options.stages(64))
    for most, shown in ((3, 3), (100, planned - 1)):
        monkeypatch.setattr(cascade, "_SHOWN", most)
        steps = list(bind(made, styles=_styles(picture)).paint(picture(36, 48, 1)))
        assert [(step.index, step.total) for step in steps] == [(n + 1, shown + 2) for n in range(shown + 2)]
        assert {step.image.shape for step in steps} == {(1, 3, 192, 256)}
        assert steps[0].losses and steps[0].note == "nnst at 64 px; 24 px"
        assert steps[shown].note == "nnst at 64 px; 64 px"
        assert steps[-1].note.startswith("swap at 256 px")


@pytest.mark.parametrize("error", [KeyboardInterrupt, Cancelled])
@pytest.mark.parametrize("after", [1, 9, 17])
def test_stopped_in_a_rung_that_optimises_the_picture_so_far_is_kept(recipe, picture, monkeypatch, error, after):
    rungs = f"{OPTIMISED},{recipe().options.rungs[1]}"
    made = make_recipe("cascade", [Style(path="s.png")], settings={"rungs": rungs, "size": 256})
    real, count = Run.step, 0

    def step(self):
        nonlocal count
        if count == after:
            raise error("stopped")
        count += 1
        return real(self)

    monkeypatch.setattr(Run, "step", step)
    work = Session(device="cpu").paint(made, picture(36, 48, 1), styles=_styles(picture))
    with pytest.raises(error):
        work.done()
    painting = work.painting
    assert painting.stopped == "interrupted" and painting.size == (256, 192)
    assert painting.step.note.startswith("nnst at 64 px")
    assert painting.step.index == -(-after // 3)  # one of three is shown


def test_stopped_in_one_pass_the_rung_before_is_kept(recipe, picture, monkeypatch):
    def pictures(self, pass_):
        raise KeyboardInterrupt

    monkeypatch.setattr(SwapPainter, "pictures", pictures)
    work = Session(device="cpu").paint(recipe(size=48), picture(36, 48, 1), styles=_styles(picture))
    with pytest.raises(KeyboardInterrupt):
        work.done()
    assert (work.painting.step.index, work.painting.stopped, work.painting.size) == (1, "interrupted", (48, 36))


@pytest.mark.parametrize("shape", [(16, 16), (2, 300), (300, 3), (5, 40), (20, 1000)])
@pytest.mark.parametrize("size", [16, 64, None])
def test_small_pictures_and_slivers(recipe, picture, shape, size):
    photo = picture(*shape)
    made = last(bind(recipe("ADAIN:64,ADAIN:128,SWAP", size=size), styles=_styles(picture)).paint(photo)).image
    assert max(made.shape[2:]) == (size or max(shape))
    assert torch.isfinite(made).all()


def test_several_styles(recipe, picture):
    photo, styles = picture(40, 48, 1), _styles(picture, 2)
    one, two = (
        last(bind(recipe(styles=count, size=48), styles=styles[:count]).paint(photo)).image for count in (1, 2)
    )
    assert not torch.allclose(one, two, atol=1e-3)


def test_masks_reach_every_rung(recipe, picture, monkeypatch):
    seen = []
    real = cascade._shown_steps

    def spied(painter, content, regions, start):
        seen.append(regions)
        return real(painter, content, regions, start)

    monkeypatch.setattr(cascade, "_shown_steps", spied)
    mask = torch.zeros(1, 1, 40, 48)
    mask[..., :24] = 1
    regions = make_regions([mask, 1 - mask], [1.0, 1.0], 40, 48)
    photo = picture(40, 48, 1)
    last(bind(recipe(styles=2, size=48), styles=_styles(picture, 2)).paint(photo, regions))
    assert seen == [regions, regions]


def test_by_its_verbs(recipe, picture):
    method, made, styles = METHODS["cascade"], recipe(size=48), _styles(picture)
    nets = method.load(made, torch.device("cpu"))
    stats = method.encode(nets, made, styles)
    kept = dict(stats.kept)
    assert {rung for rung, _ in kept} == {0, 1}
    last(method.paint(nets, stats, picture(48, 48)))
    assert stats.kept.keys() == kept.keys()
