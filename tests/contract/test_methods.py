"""What every method promises, run over METHODS."""

import threading

import pytest
import torch

from impasto import METHODS, Cancelled, RequestError, Session, Style, bind, make_recipe, runtime
from impasto.api import last
from impasto.images.geometry import fit, fitted_size
from impasto.images.regions import make_regions
from impasto.methods import read_recipe
from impasto.methods.common import loader
from impasto.methods.common.finish import finish
from impasto.nets.files import ADAIN_KIND, SWAP_KIND
from impasto.recipe import Recipe
from impasto.weights.canonical import tiny_weights

from .plugged import plug_in

pytestmark = pytest.mark.numeric

# Ways to run each method that differ in kind: settings, quick where the defaults are not.
WAYS = {
    "gatys": ("gatys", {"steps": 3}),
    "adain": ("adain", {}),
    "adain, half": ("adain", {"alpha": 0.5}),
    "swap": ("swap", {}),
    "swap, coarse": ("swap", {"patch_size": 5, "stride": 3, "alpha": 0.7, "moments": "keep", "match": "plain"}),
    "swap, by PatchMatch": ("swap", {"search": "patchmatch"}),
    "swap, optimised": ("swap", {"inverse": "optimise", "steps": 3}),
    "johnson": ("johnson", {}),
    "johnson, half": ("johnson", {"strength": 0.5}),
    "swap, refined": ("swap", {"inverse": "refine", "steps": 2, "optimizer": "adam"}),
    "swap, by learned steps": ("swap", {}),
    "nnst": ("nnst", {"first_size": 24, "first_steps": 2, "steps": 2, "split_steps": 2, "split_every": 1}),
    "cascade": ("cascade", {}),
    "the next one": ("whitening", {}),
}
SETTINGS = {}  # by method, for the test that runs


@pytest.fixture(autouse=True)
def _tiny_encoder(monkeypatch):
    monkeypatch.setattr(loader, "load", lambda name, **_: tiny_weights())


@pytest.fixture(params=WAYS)
def name(request, tiny_settings, tiny_net, monkeypatch):
    """A method, and its settings in SETTINGS."""
    method, settings = WAYS[request.param]
    if "learned" in request.param:
        net = tiny_net(SWAP_KIND, "relu3_1", inject=("relu2_1", "relu1_1"), steps=3, step_width=8)
        settings = {**settings, "net": str(net)}
    elif method == "whitening":
        plug_in(monkeypatch)
        settings = {**settings, "net": str(tiny_net(ADAIN_KIND, "relu3_1"))}
    else:
        settings = {**settings, **tiny_settings.get(method, {})}
    monkeypatch.setitem(SETTINGS, method, settings)
    return method


def test_every_method_is_run():
    assert {method for method, _ in WAYS.values()} == {*METHODS, "whitening"}


def _picture(height, width, seed=0):
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def _recipe(name, **settings):
    return make_recipe(name, _given(name, Style(path="a style.png")), settings={**SETTINGS[name], **settings})


def _given(name, style):
    """Of a style, what a method takes: some know theirs and want none."""
    return [style] if METHODS[name].styles else []


def _bound(name, **settings):
    return bind(_recipe(name, **settings), styles=_given(name, _picture(48, 40, 9)), device="cpu")


def _paint(name, content, **settings):
    return list(_bound(name, **settings).paint(content))


@pytest.mark.parametrize(("height", "width"), [(64, 64), (63, 65), (33, 97), (16, 80), (17, 16), (5, 40)])
def test_the_size_asked_for_is_the_size_given(name, height, width):
    assert _paint(name, _picture(height, width), size=None)[-1].image.shape == (1, 3, height, width)
    scaled = _paint(name, _picture(height, width), size=48)[-1].image
    assert scaled.shape == (1, 3, *fitted_size(height, width, 48))


class _OnMps(torch.Tensor):
    """A tensor that refuses what tensors on Apple's GPUs refuse: float64, and what is not written for them."""

    LACKING = ("linalg_eigh", "linalg_svd", "linalg_cholesky", "batch_norm_update_stats")

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func is torch.Tensor.cpu:
            return args[0].as_subclass(torch.Tensor)
        if func.__name__ in cls.LACKING:
            raise NotImplementedError(f"{func.__name__} is not implemented for the MPS device")
        made = super().__torch_function__(func, types, args, kwargs or {})
        if isinstance(made, cls) and made.dtype in (torch.float64, torch.complex128):
            raise TypeError(f"{func.__name__} makes float64; the MPS framework doesn't support it")
        return made


def test_needs_nothing_that_apples_gpus_lack(name):
    style, content = (picture.as_subclass(_OnMps) for picture in (_picture(48, 40, 9), _picture(40, 40)))
    exact = {"size": 40, "precision": "exact"}
    bound = METHODS[name].bind(_recipe(name, **exact), _given(name, style), torch.device("cpu"))
    painted = finish(last(bound.paint(content)).image, content, bound.recipe)
    assert isinstance(painted, _OnMps)
    torch.testing.assert_close(painted.cpu(), last(_bound(name, **exact).paint(content.cpu())).image)


@pytest.mark.parametrize("bfloat16", [False, True])
def test_it_paints_with_bfloat16_and_without(name, bfloat16, monkeypatch):
    monkeypatch.setattr(runtime, "_cpu_has_bf16", lambda: bfloat16)
    picture = _paint(name, _picture(40, 40), size=40)[-1].image
    assert picture.dtype == torch.float32
    assert torch.isfinite(picture).all()


@pytest.mark.parametrize("content", [_picture(40, 40), torch.zeros(1, 3, 40, 40), torch.ones(1, 3, 40, 40)])
def test_pictures_are_finite_and_in_range(name, content):
    for step in _paint(name, content, size=40):
        assert step.image.dtype == torch.float32
        assert torch.isfinite(step.image).all()
        assert float(step.image.min()) >= 0
        assert float(step.image.max()) <= 1


def test_steps_are_counted(name):
    steps = _paint(name, _picture(40, 40), size=40)
    assert [step.index for step in steps] == list(range(1, len(steps) + 1))
    assert steps[-1].index == steps[-1].total


def test_the_same_seed_gives_the_same_picture(name):
    first, second = (_paint(name, _picture(40, 40), size=40, seed=5)[-1].image for _ in range(2))
    assert torch.equal(first, second)


def test_grain_shows_where_a_network_sees_an_even_photograph(name):
    if "grain" not in METHODS[name].options.model_fields:
        with pytest.raises(RequestError, match="grain"):
            _recipe(name, grain=0.1)
        return
    by_network = SETTINGS[name].get("inverse") != "optimise"
    even, rough = torch.full((1, 3, 48, 48), 0.5), _picture(48, 48)
    for content, shows in ((even, by_network), (rough, False)):
        plain, grainy = (_paint(name, content, size=48, grain=grain)[-1].image for grain in (0.0, 0.1))
        assert torch.equal(plain, grainy) != shows


def test_a_painter_serves_several_photographs(name):
    painter = _bound(name, size=40)
    one, other = _picture(40, 40, 1), _picture(30, 40, 2)
    alone = last(painter.paint(one)).image
    last(painter.paint(other))
    assert torch.equal(last(painter.paint(one)).image, alone)


def test_closing_midway_is_safe(name):
    painter = _bound(name, size=40)
    steps = painter.paint(_picture(40, 40))
    next(steps)
    steps.close()
    assert last(painter.paint(_picture(40, 40))).image.shape == (1, 3, 40, 40)


def test_the_photograph_is_not_changed(name):
    content = _picture(40, 40)
    before = content.clone()
    _paint(name, content, size=40)
    assert torch.equal(content, before)


def test_the_recipe_survives_a_round_trip(name):
    painter = _bound(name, size=40)
    data = painter.recipe.model_dump(mode="json")
    again = read_recipe(data)
    assert isinstance(again, Recipe)
    assert again == painter.recipe
    assert painter.recipe.nets, "the sha256 of what was used is recorded"


def test_paths_stay_out_of_what_is_written(name):
    secret = "/home/somebody/secret/scream"
    settings = {"net": f"{secret}.safetensors"} if "net" in METHODS[name].options.model_fields else {}
    if name == "cascade":
        settings = {"rungs": f"adain:24:net={secret}.safetensors,swap:net={secret}.safetensors"}
    recipe = make_recipe(name, _given(name, Style(path=f"{secret}.jpg")), settings=settings)
    assert "secret" not in str(recipe.portable())
    assert "scream" in str(recipe.portable())
    if METHODS[name].styles:
        assert recipe.portable()["styles"][0]["path"] == "scream.jpg"


def test_a_photograph_of_one_pixel_is_refused(name):
    with pytest.raises(RequestError, match="1×1"):
        _paint(name, _picture(1, 1), size=40)


def test_every_preset_makes_a_recipe_that_survives(name):
    for preset in METHODS[name].presets:
        recipe = make_recipe(name, _given(name, Style(path="s.png")), preset=preset)
        assert read_recipe(recipe.model_dump(mode="json")) == recipe


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "no method"),
        ({"method": "gaty"}, "did you mean gatys"),
        ({"method": "gatys", "options": {"steps": "many"}}, "steps"),
        ({"method": "gatys", "options": {"stepz": 1}}, "stepz"),
        ({"method": "gatys", "size": 2}, "size"),
    ],
)
def test_a_recipe_of_nonsense_is_refused(data, message):
    with pytest.raises(RequestError, match=message):
        read_recipe(data)


def test_three_verbs_paint_as_bind_does(name):
    method, recipe, content = METHODS[name], _recipe(name, size=40), _picture(40, 48)
    styles = _given(name, _picture(48, 40, 9))
    nets = method.load(recipe, torch.device("cpu"))
    stats = method.encode(nets, recipe, styles, 40)
    made = last(method.paint(nets, stats, content)).image
    assert torch.equal(made, last(_bound(name, size=40).painter.paint(content)).image)
    assert torch.equal(made, last(method.paint(nets, stats, content)).image)


def test_a_start_takes_the_place_of_the_picture_before(name):
    painter, content = _bound(name, size=48, start_detail=0), _picture(40, 48)
    begun = fit(_picture(20, 24, 3), 24)
    plain, gone_on = (last(painter.paint(content, start=start)).image for start in (None, begun))
    assert gone_on.shape == plain.shape
    assert not torch.allclose(plain, gone_on, atol=1e-3)
    detailed = last(_bound(name, size=48, start_detail=1).paint(content, start=begun)).image
    assert not torch.allclose(detailed, gone_on, atol=1e-3)
    assert last(painter.paint(content, start=_picture(80, 96, 3))).image.shape == plain.shape


# johnson takes its colours from the start.
@pytest.mark.parametrize("name", [way for way, (method, _) in WAYS.items() if method != "johnson"], indirect=True)
def test_from_the_photograph_itself_painting_begins_as_without_a_start(name):
    content = _picture(40, 48)
    painter = _bound(name, size=48)
    begun, plain = (last(painter.paint(content, start=start)).image for start in (content, None))
    assert torch.allclose(begun, plain, atol=1e-5)


def test_with_masks_a_start_shows_inside_them_alone(name):
    content, start = _picture(40, 48), _picture(20, 24, 3)
    mask = torch.zeros(1, 1, 40, 48)
    mask[..., :24] = 1
    regions = make_regions([mask], [1.0], 40, 48)
    made = last(_bound(name, size=48, feather=0).paint(content, regions, start)).image
    assert torch.equal(made[..., 24:], content[..., 24:])
    assert not torch.equal(made[..., :24], content[..., :24])


@pytest.mark.parametrize(
    ("start", "message"),
    [((40, 40), "the photo's proportions, as 40×33"), ((1, 40), "at least 2 a side"), ((48, 1), "at least 2 a side")],
)
def test_a_start_of_other_proportions_is_refused(name, start, message):
    with pytest.raises(RequestError, match=message):
        last(_bound(name, size=48).paint(_picture(40, 48), start=_picture(*start)))


def test_cancelled_before_the_first_step(name):
    cancel = threading.Event()
    cancel.set()
    painter, content = _bound(name, size=40), _picture(40, 48)
    with pytest.raises(Cancelled):
        last(painter.paint(content, cancel=cancel))
    cancel.clear()
    assert torch.equal(last(painter.paint(content, cancel=cancel)).image, last(painter.paint(content)).image)


def test_cancelled_within_a_pass(name):
    cancel, told = threading.Event(), []

    def watch(progress):
        told.append(progress)
        if progress.done > 0.1:
            cancel.set()

    painter, content = _bound(name, size=None), _picture(48, 600)
    with pytest.raises(Cancelled):
        last(painter.painter.paint(content, cancel=cancel, watch=watch))
    assert 0.1 < told[-1].done < 0.9, "it goes on no longer than to the next part"


def test_progress_is_told(name):
    told = []
    painter = _bound(name, size=None)
    for _ in painter.paint(_picture(48, 600), watch=told.append):
        pass
    shares = [progress.done for progress in told if progress.done]
    assert shares == sorted(shares)
    assert len(shares) >= 8
    assert 0.85 < shares[-1] <= 1
    assert shares[0] < 0.2
    assert {"reading the pictures"} <= {progress.note for progress in _painted_in_session(name)}


def _painted_in_session(name):
    told = []
    session = Session(device="cpu")
    styles = _given(name, _picture(48, 40, 9))
    session.paint(_recipe(name, size=40), _picture(40, 48), styles=styles, watch=told.append).done()
    return told
