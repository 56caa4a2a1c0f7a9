from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from impasto.errors import RequestError, WeightsError
from impasto.nets.decoder_spec import DecoderSpec
from impasto.nets.learned_step import LearnedStep
from impasto.training import run
from impasto.training.run import Setting
from impasto.training.tasks import adain as train_adain
from impasto.training.tasks import swap as train_swap
from impasto.training.tasks.adain_options import AdainTraining
from impasto.training.tasks.swap import SwapTraining
from impasto.training.tasks.swap_steps import KIND, PRESETS, SwapStepsTask, SwapStepsTraining, train
from impasto.weights.canonical import tiny_weights
from impasto.weights.container import load_metadata
from impasto.weights.files import sha256_of
from impasto.weights.shipped import load_net, locate_net, save_net

SMALL = {
    "steps": 4,
    "batch": 2,
    "crop": 32,
    "held_out": 2,
    "validate_every": 4,
    "save_every": 2,
    "workers": 1,
    "precision": "exact",
}


def settings(**more: object) -> SwapStepsTraining:
    return SwapStepsTraining(**{**SMALL, **more})


@pytest.fixture(autouse=True)
def _small_sheets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_SHEET_SIDE", 64)


@pytest.fixture
def decoder(encoder: str, pictures: str, tmp_path: Path) -> Callable[..., Path]:
    """Trains a small swap decoder, whose learned steps will be narrow: decoder(norm="batch")."""

    def make(**more: object) -> Path:
        options = SwapTraining(**{**SMALL, **more})
        net = train_swap.train(options, [pictures], [pictures], tmp_path / "decoder", encoder=encoder)
        tensors, about = load_net(net, kind=KIND, encoder_sha256=None)
        return save_net(net, tensors, {**about, "decoder": {**about["decoder"], "step_width": 24}})

    return make


def test_the_decoder_stays_as_it_is_and_every_step_comes_nearer(
    decoder: Callable[..., Path],
    encoder: str,
    pictures: str,
    tmp_path: Path,
    falls: Callable[..., bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = decoder(norm="batch")
    before, about = load_net(first, kind=KIND, encoder_sha256=None)
    options = settings(count=2, lattice=0.5)
    net = train(options, [pictures], [pictures], tmp_path / "steps", encoder=encoder, init=str(first))
    tensors, metadata = load_net(net, kind=KIND, encoder_sha256=None)
    assert metadata["decoder"] == {**about["decoder"], "steps": 2}
    assert metadata["recipe"]["parent"] == {"name": "net.safetensors", "sha256": sha256_of(first)}
    assert all(torch.equal(tensors[name], before[name]) for name in before)
    assert set(tensors) - set(before) == {name for name in tensors if name.startswith("steps.")} != set()
    assert set(metadata["validation"]) == set(about["validation"])

    # From there on: with more steps, which take over those there are; and the inverse alone, without any.
    cpu = torch.device("cpu")
    setting = Setting(tiny_weights(), cpu, torch.float32, ([], []), [torch.rand(2, 3, 32, 32)], tensors)
    more = {"repeats": 0, "fleck": 0, "feature": 2, "pixel": 1.5}  # the distance alone
    options = settings(count=3, keep_steps=True, **more)
    task = SwapStepsTask(options, setting, DecoderSpec.from_json(metadata["decoder"]))
    assert all(torch.equal(task.net.state_dict()[name], value) for name, value in tensors.items())
    assert [name for name, value in task.net.named_parameters() if value.requires_grad] == [
        name for name, _ in task.net.named_parameters() if name.startswith("steps.")
    ]
    smooth = torch.nn.functional.interpolate(torch.rand(4, 3, 8, 8), (32, 32), mode="bicubic").clamp(0, 1)
    given = task.objective.examples(smooth[:2], smooth[2:], task.net.spec, 0)
    monkeypatch.setattr(task.objective, "examples", lambda *_: given)  # of one batch they are always the same
    assert falls(task, smooth[:2], smooth[2:], 60, rate=1e-3)
    apart = [
        float((seen["relu3_1"] - given.target).norm().detach()) for _, seen in task.descent(given.target, given.stats)
    ]
    by_itself = task.decoded(given.target, given.stats)
    begun = float((task.objective.vgg(by_itself, ("relu3_1",))["relu3_1"] - given.target).norm())
    assert begun > apart[0] > apart[1] > apart[2]  # every step learns
    alone = train_swap.train(
        SwapTraining(**{**SMALL, "norm": "batch", "steps": 1}),
        [pictures],
        [pictures],
        tmp_path / "on",
        encoder=encoder,
        init=str(net),
    )
    assert set(load_net(alone, kind=KIND, encoder_sha256=None)[0]) == set(before)


def test_steps_are_new_unless_they_are_to_be_kept(decoder: Callable[..., Path]) -> None:
    tensors, about = load_net(decoder(steps=1), kind=KIND, encoder_sha256=None)
    setting = Setting(tiny_weights(), torch.device("cpu"), torch.float32, ([], []), [], tensors)
    spec = DecoderSpec.from_json(about["decoder"])
    known = {name: value + 1 for name, value in SwapStepsTask(settings(), setting, spec).net.state_dict().items()}
    setting, spec = replace(setting, init={**known, **tensors}), replace(spec, steps=3)
    for keep in (False, True):
        for count in (2, 3, 4):
            made = SwapStepsTask(settings(count=count, keep_steps=keep), setting, spec).net.state_dict()
            shared = [name for name in made if name.startswith("steps.") and name in known]
            assert shared and all(torch.equal(made[name], known[name]) == keep for name in shared)


def test_the_last_step_is_made_again_in_training(
    decoder: Callable[..., Path], encoder: str, pictures: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[LearnedStep] = []
    real = LearnedStep.forward
    monkeypatch.setattr(LearnedStep, "forward", lambda self, *args: (made.append(self), real(self, *args))[1])
    options = settings(steps=1, count=2, repeats=3)
    train(options, [pictures], [pictures], tmp_path / "steps", encoder=encoder, init=str(decoder(steps=1)))
    one, other, *again = made[:5]
    assert one.first and not other.first and again == [other] * 3


def test_the_layer_is_the_decoders(decoder: Callable[..., Path], encoder: str, pictures: str, tmp_path: Path) -> None:
    first = decoder(layer="relu2_1", inject=("relu1_1",), steps=1)
    options = settings(steps=1, count=1, repeats=0)
    net = train(options, [pictures], [pictures], tmp_path / "steps", encoder=encoder, init=str(first))
    assert load_net(net, kind=KIND, encoder_sha256=None, layer="relu2_1")[1]["decoder"]["steps"] == 1


def test_begins_with_the_shipped_net(encoder: str, pictures: str, tmp_path: Path) -> None:
    """Which is of another encoder than the one here."""
    with pytest.raises(WeightsError, match=r"swap\.safetensors was trained against vgg19"):
        train(settings(), [pictures], [pictures], tmp_path / "run", encoder=encoder)
    adain = train_adain.train(
        AdainTraining(**{**SMALL, "steps": 1}),
        [pictures],
        [pictures],
        tmp_path / "adain",
        encoder=encoder,
    )
    with pytest.raises(WeightsError, match="expected swap-decoder"):
        train(settings(), [pictures], [pictures], tmp_path / "run", encoder=encoder, init=str(adain))
    assert not (tmp_path / "run").exists()


def test_one_process_trains_them(decoder: Callable[..., Path]) -> None:
    tensors, about = load_net(decoder(steps=1), kind=KIND, encoder_sha256=None)
    setting = Setting(tiny_weights(), torch.device("cpu"), torch.float32, ([], []), [], tensors)
    task = SwapStepsTask(settings(), setting, DecoderSpec.from_json(about["decoder"]))
    with pytest.raises(RequestError, match="one process"):
        task.loss(torch.nn.Sequential(task.net), torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32), 0)


def test_the_preset_of_the_shipped_steps_runs(
    decoder: Callable[..., Path], encoder: str, pictures: str, tmp_path: Path
) -> None:
    preset = PRESETS["impasto"].options
    assert isinstance(preset, SwapStepsTraining) and preset == SwapStepsTraining()
    small = {name: value for name, value in SMALL.items() if name not in ("batch", "precision")}
    options = preset.model_copy(update={**small, "steps": 8, "crop": 32, "validate_every": 8})
    net = train(options, [pictures], [pictures], tmp_path / "run", encoder=encoder, init=str(decoder(steps=1)))
    tensors, metadata = load_net(net, kind=KIND, encoder_sha256=None)
    assert metadata["steps"] == 8 and metadata["decoder"]["steps"] == 3
    assert all(torch.isfinite(value).all() for value in tensors.values())


def test_the_preset_is_the_shipped_nets_recipe() -> None:
    shipped = load_metadata(locate_net("swap"))
    assert shipped is not None
    options, last = SwapStepsTraining().model_dump(mode="json"), shipped["recipe"]
    assert (options["count"], options["repeats"]) == (last["learned_steps"], last["repeats"])
    free = {"steps", "seed", "save_every", "validate_every", "workers", "preset"}
    shared = options.keys() & last.keys() - free
    assert len(shared) > 25
    assert {name: options[name] for name in shared} == {name: last[name] for name in shared}
