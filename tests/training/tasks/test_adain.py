import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

import impasto
from impasto.errors import RequestError, WeightsError
from impasto.methods.adain.painter import transform
from impasto.nets.decoder import Decoder
from impasto.nets.decoder_spec import DecoderSpec
from impasto.training import loop
from impasto.training.run import Setting
from impasto.training.tasks.adain import KIND, AdainTask, train
from impasto.training.tasks.adain_options import PRESETS, AdainTraining
from impasto.training.terms import STYLE_LAYERS
from impasto.weights.canonical import tiny_weights
from impasto.weights.container import load_metadata
from impasto.weights.files import sha256_of
from impasto.weights.shipped import load_net, locate_net, save_net

SMALL = {
    "steps": 6,
    "batch": 2,
    "crop": 32,
    "held_out": 2,
    "validate_every": 6,
    "save_every": 3,
    "workers": 1,
    "resize": None,
}


def settings(preset: str = "impasto", **more: object) -> AdainTraining:
    given = PRESETS[preset].options.model_dump(exclude_unset=True)
    return AdainTraining(**{**given, **SMALL, **more})


def task_of(init: Mapping[str, Tensor] | None = None, **more: object) -> AdainTask:
    torch.manual_seed(0)
    cpu, sample = torch.device("cpu"), [torch.rand(2, 3, 32, 32)]
    return AdainTask(settings(**more), Setting(tiny_weights(), cpu, torch.float32, ([], []), sample, init or {}))


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_trains_a_net_that_can_be_loaded(
    preset: str, encoder: str, pictures: str, tmp_path: Path
) -> None:
    net = train(settings(preset), [pictures], [pictures], tmp_path / "run", encoder=encoder, preset=preset)
    tensors, metadata = load_net(net, kind=KIND, encoder_sha256=None, layer="relu4_1")
    Decoder(DecoderSpec.from_json(metadata["decoder"])).load_state_dict(tensors)
    assert metadata["recipe"]["preset"] == preset and metadata["recipe"]["steps"] == 6
    assert set(metadata["validation"]) == {"style", "content"}
    assert "pictures (6 at weight 1)" in metadata["data"]["photos"]
    assert (tmp_path / "run" / "sheet-000006.png").exists()


def test_the_preset_of_the_shipped_net_runs(encoder: str, pictures: str, tmp_path: Path) -> None:
    given = {"steps": 20, "crop": 64, "batch": 4, "validate_every": 20}
    options = AdainTraining(**{**SMALL, **given})
    assert options == settings(**given)
    net = train(options, [pictures], [pictures], tmp_path / "run", encoder=encoder, preset="impasto")
    tensors, metadata = load_net(net, kind=KIND, encoder_sha256=None)
    assert metadata["steps"] == 20 and metadata["recipe"]["parent"] is None
    assert all(torch.isfinite(value).all() for value in tensors.values())


def test_the_preset_is_the_shipped_nets_recipe() -> None:
    shipped = load_metadata(locate_net("adain"))
    assert shipped is not None
    options, last = AdainTraining().model_dump(mode="json"), shipped["recipe"]
    # Of the whole training, not of its last run: how long, how fast, how many pictures a step.
    free = {"steps", "batch", "lr", "warmup", "ema", "seed", "save_every", "validate_every", "workers", "preset"}
    shared = options.keys() & last.keys() - free
    assert len(shared) > 25
    assert {name: options[name] for name in shared} == {name: last[name] for name in shared}


def test_presets_are_the_papers() -> None:
    original, other = PRESETS["adain"].options, PRESETS["adain-naoto0804"].options
    for options in (original, other):
        assert isinstance(options, AdainTraining)
        assert (options.steps, options.batch, options.crop, options.resize, options.lr) == (
            160_000,
            8,
            256,
            512,
            1e-4,
        )
        assert options.optimizer == "adam"
        assert options.inject == () and options.gram == options.detail == options.covariance == 0
        assert (options.enlarge, options.lattice, options.fleck) == ("nearest", 0, 0)
        assert loop.learning_rate(options, 20_000) == pytest.approx(1e-4 / 2)
    assert (original.moments, original.moments_form) == (1e-2, "sum")
    assert (other.moments, other.moments_form, other.squash) == (10.0, "mean", True)


def test_steps_bring_the_loss_down(falls: Callable[..., bool]) -> None:
    task = task_of(precision="exact")
    terms = task.loss(task.net, torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32), 0)
    assert set(terms) == {
        "content",
        "detail",
        "gram",
        "moments",
        "colour",
        "lattice",
        "fleck",
        "range",
    }  # an eighth of two pairs: the fourth step is the first where a photo is its own style
    assert falls(task, torch.rand(8, 3, 32, 32), torch.rand(8, 3, 32, 32))


def test_one_pair_may_be_held_out(encoder: str, pictures: str, tmp_path: Path) -> None:
    train(settings(steps=1, held_out=1), [pictures], [pictures], tmp_path / "run", encoder=encoder)
    assert (tmp_path / "run" / "sheet-000001.png").exists()


@pytest.mark.parametrize(("batch", "steps"), [(2, [3, 7]), (3, [2, 5, 7]), (4, [1, 3, 5, 7]), (8, [*range(8)])])
def test_an_eighth_of_the_photos_are_their_own_style_in_batches_of_any_size(batch: int, steps: list[int]) -> None:
    task = task_of()
    photos, paintings = torch.rand(batch, 3, 32, 32), torch.rand(batch, 3, 32, 32)
    assert [n for n in range(8) if "identity" in task.loss(task.net, photos, paintings, n)] == steps


def test_detail_is_the_distance_at_the_layers_of_the_skip() -> None:
    torch.manual_seed(0)
    torch.manual_seed(0)
    photos, paintings = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    task = task_of(precision="exact", skip=("relu2_1", "relu3_1"), detail=2.0)
    made: dict[str, Tensor] = {}
    task.net.register_forward_hook(lambda _, inputs, picture: made.update(inputs[0], picture=picture))
    detail = task.loss(task.net, photos, paintings, 0)["detail"]
    apart = 0
    for layer, found in task.vgg(made["picture"], ("relu2_1", "relu3_1")).items():
        got, aim = ((features / task.net.scale(layer)).flatten(1) for features in (found, made[layer]))
        apart += ((got - aim).norm(dim=1) / aim.norm(dim=1)).square().mean()
    torch.testing.assert_close(detail, apart)  # twice the mean of both layers
    without = task_of(skip=(), detail=2.0)
    assert "detail" not in without.loss(without.net, photos, paintings, 0)


def test_features_take_the_styles_correlations_as_in_painting() -> None:
    torch.manual_seed(0)
    torch.manual_seed(0)
    photos, paintings = torch.rand(2, 3, 64, 64), torch.rand(2, 3, 64, 64)

    def apart(covariance: float) -> float:
        task = task_of(precision="exact", covariance=covariance)
        given: list[Tensor] = []
        task.net.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]["relu4_1"]))
        task.loss(task.net, photos, paintings, 0)
        wanted = task.vgg(paintings, ("relu4_1",))["relu4_1"]
        found, aim = ([each.flatten(1).cov() for each in x] for x in (given[0], wanted))
        return float(torch.stack(found).sub(torch.stack(aim)).norm() / torch.stack(aim).norm())

    assert apart(1.0) < 0.5 * apart(0.6) < 0.5 * apart(0.0)


def test_begins_with_another_net_and_says_so(encoder: str, pictures: str, tmp_path: Path) -> None:
    first = train(settings(), [pictures], [pictures], tmp_path / "one", encoder=encoder)
    second = train(settings(steps=1), [pictures], [pictures], tmp_path / "two", encoder=encoder, init=str(first))
    before, _ = load_net(first, kind=KIND, encoder_sha256=None)
    after, metadata = load_net(second, kind=KIND, encoder_sha256=None)
    assert metadata["recipe"]["parent"] == {"name": "net.safetensors", "sha256": sha256_of(first)}
    assert "began_with" not in metadata["recipe"]
    apart = max(float((after[name] - before[name]).abs().max()) for name in before)
    assert apart < 2e-3  # one warming step away
    with pytest.raises(RequestError, match="another architecture"):
        train(settings(skip=()), [pictures], [pictures], tmp_path / "three", encoder=encoder, init=str(first))


def test_a_net_that_tells_its_whole_pedigree_is_begun_with_and_paints(
    encoder: str, pictures: str, tmp_path: Path, tiny_encoder: object
) -> None:
    """As the shipped ones do, which also name settings that are gone."""
    first = train(settings(), [pictures], [pictures], tmp_path / "one", encoder=encoder)
    tensors, about = load_net(first, kind=KIND, encoder_sha256=None)
    past = about
    for _ in range(25):
        recipe = {**about["recipe"], "anchor": 3.0, "tensorboard": False, "began_with": past}
        past = {**about, "recipe": recipe}
    old = save_net(tmp_path / "old.safetensors", tensors, past)
    net = train(settings(steps=1), [pictures], [pictures], tmp_path / "two", encoder=encoder, init=str(old))
    metadata = load_net(net, kind=KIND, encoder_sha256=None)[1]
    assert metadata["recipe"]["parent"] == {"name": "old.safetensors", "sha256": sha256_of(old)}
    assert len(json.dumps(metadata)) < 1.5 * len(json.dumps(about))
    style = str(Path(pictures) / "0.png")
    one, other = (
        impasto.paint(str(Path(pictures) / "1.png"), style, method="adain", net=str(path), size=48)
        for path in (first, old)
    )
    assert one.to_pil().tobytes() == other.to_pil().tobytes()


def test_a_resumed_run_has_the_parent_it_had(encoder: str, pictures: str, tmp_path: Path) -> None:
    one, other = (
        train(settings(steps=1, seed=seed), [pictures], [pictures], tmp_path / str(seed), encoder=encoder)
        for seed in (1, 2)
    )
    given = (settings(steps=3), [pictures], [pictures], tmp_path / "run")
    train(*given, encoder=encoder, init=str(one))
    train(*given, encoder=encoder, init=str(one), resume=True)
    with pytest.raises(RequestError, match=r"began with net\.safetensors .*, not with net\.safetensors"):
        train(*given, encoder=encoder, init=str(other), resume=True)
    with pytest.raises(RequestError, match=r"began with net.*, not with random weights"):
        train(*given, encoder=encoder, resume=True)


def test_crops_the_net_would_paint_smaller_are_refused(encoder: str, pictures: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="crop is 42; expected a multiple of 8 for this net: 40 or 48"):
        train(settings(crop=42), [pictures], [pictures], tmp_path / "run", encoder=encoder)
    assert not (tmp_path / "run").exists()


def test_a_net_of_another_encoder_is_refused(encoder: str, pictures: str, tmp_path: Path) -> None:
    net = train(settings(), [pictures], [pictures], tmp_path / "run", encoder=encoder)
    with pytest.raises(WeightsError):
        load_net(net, kind=KIND, encoder_sha256="1" * 64)


@pytest.mark.parametrize("covariance", [0.0, 0.6])
def test_what_goes_in_is_what_a_painting_is_made_of(covariance: float) -> None:
    task = task_of(covariance=covariance)
    photo, style = torch.rand(1, 3, 48, 32), torch.rand(1, 3, 32, 48)
    _, stats = task.vgg.measure(style, (), STYLE_LAYERS, correlated=task.net.spec.content_layers)
    expected = task.vgg.encode(photo, task.net.spec.content_layers)
    transform(expected, stats, covariance)
    got = task._inputs(photo, task._moments(task.vgg(style, STYLE_LAYERS)))
    assert got.keys() == expected.keys()
    for layer, features in expected.items():
        torch.testing.assert_close(got[layer], features, atol=1e-3, rtol=1e-3)
