from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from impasto.errors import RequestError
from impasto.images.grain import grained
from impasto.methods.arbitrary import train_adain
from impasto.methods.arbitrary.train_swap import KIND, PRESETS, StepsTask, SwapTask, SwapTraining, train
from impasto.nets.decoder import Decoder, DecoderSpec
from impasto.nets.learned_step import LearnedStep
from impasto.training import loop
from impasto.training.run import Setting
from impasto.transforms.swap import prepare, swap, tone
from impasto.weights.canonical import tiny_weights
from impasto.weights.shipped import load_net

SMALL = {"steps": 4, "crop": 32, "resize": None, "held_out": 2, "validate_every": 4, "save_every": 2, "workers": 1}


def settings(preset: str = "impasto", **more: object) -> SwapTraining:
    given = PRESETS[preset].options.model_dump(exclude_unset=True)
    return SwapTraining(**{**given, **SMALL, **more})


def task_of(options: SwapTraining) -> SwapTask:
    torch.manual_seed(0)
    cpu = torch.device("cpu")
    return SwapTask(options, Setting(tiny_weights(), cpu, torch.float32, ([], []), [torch.rand(2, 3, 32, 32)], {}))


# The released widths are those of the published encoder's; the tiny one takes them as they are.
@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_trains_a_net_that_can_be_loaded(
    preset: str, encoder: str, pictures: str, tmp_path: Path
) -> None:
    net = train(settings(preset), [pictures], [pictures], tmp_path / "run", encoder=encoder, preset=preset)
    tensors, metadata = load_net(net, kind=KIND, encoder_sha256=None, layer="relu3_1")
    Decoder(DecoderSpec.from_json(metadata["decoder"])).load_state_dict(tensors)
    assert set(metadata["validation"]) == {"photo", "painting", "swapped", "style", "content"}
    assert metadata["swap"]["patch"] == 3
    assert (tmp_path / "run" / "sheet-000004.png").exists()


@pytest.mark.parametrize("layer", ["relu2_1", "relu4_1"])
def test_other_layers(layer: str, encoder: str, pictures: str, tmp_path: Path) -> None:
    options = settings(layer=layer, inject=("relu1_1",), steps=2, patch=2, stride=2)
    net = train(options, [pictures], [pictures], tmp_path / "run", encoder=encoder)
    assert load_net(net, kind=KIND, encoder_sha256=None, layer=layer)[1]["steps"] == 2


def test_presets_are_the_papers() -> None:
    for name, norm in (("style-swap", "batch"), ("style-swap-released", "instance")):
        options = PRESETS[name].options
        assert isinstance(options, SwapTraining)
        assert (options.steps, options.batch, options.crop, options.lr, options.tv) == (80_000, 2, 256, 1e-3, 1e-6)
        assert (options.match, options.restore, options.norm, options.inject) == ("plain", "keep", norm, ())
        assert options.luminance_weight == options.coherence == 0
        assert (options.enlarge, options.lattice, options.fleck, options.grain) == ("nearest", 0, 0, 0)
        assert loop.learning_rate(options, 10_000) == pytest.approx(1e-3 / 2)


@pytest.mark.parametrize("preset", ["style-swap", "impasto"])
def test_the_net_sees_two_photos_two_paintings_and_their_four_swaps(preset: str) -> None:
    options = settings(preset, precision="exact")
    task = task_of(options)
    seen: list[torch.Tensor] = []

    def net(features: dict[str, torch.Tensor], style: object) -> torch.Tensor:
        seen.append(features["relu3_1"])
        return task.net(features, style)

    photos, paintings = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    photos[:, :, :, 16:] = 0.5  # where grain is missing
    task.loss(net, photos, paintings, 0)  # pyright: ignore[reportArgumentType]
    photos = grained(photos, options.grain, seed=0)
    latents = task.vgg(torch.cat([photos, paintings]), ("relu3_1",))["relu3_1"]
    assert seen[0].shape[0] == 8
    torch.testing.assert_close(seen[0][:4], latents)
    # Swap number 1 is the second photo in patches of the first painting: each position is one of its mixes.
    photo_tone, painting_tone = tone(photos[1:], 8, 8), tone(paintings[:1], 8, 8)
    shared = {name: getattr(options, name) for name in ("match", "luminance_weight", "coherence")}
    ready = prepare([latents[2:3]], tones=[painting_tone], **shared)
    expected = swap(latents[1:2], ready, tones=photo_tone, restore=options.restore)
    torch.testing.assert_close(seen[0][5:6], expected)
    assert not torch.allclose(seen[0][4], seen[0][6])


def test_steps_bring_the_loss_down(falls: Callable[..., bool]) -> None:
    task = task_of(settings(precision="exact"))
    assert falls(task, torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32))


def test_crops_too_small_for_a_patch_are_refused(encoder: str, pictures: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="fewer than one patch"):
        train(settings(patch=15), [pictures], [pictures], tmp_path / "run", encoder=encoder)


def test_begins_with_the_tail_of_an_adain_decoder(encoder: str, pictures: str, tmp_path: Path) -> None:
    given = {**SMALL, "steps": 1, "batch": 2}
    first = train_adain.train(
        train_adain.AdainTraining(**given), [pictures], [pictures], tmp_path / "adain", encoder=encoder
    )
    net = train(settings(steps=1), [pictures], [pictures], tmp_path / "swap", encoder=encoder, init=str(first))
    before = load_net(first, kind=train_adain.KIND, encoder_sha256=None)[0]["stages.1.3.conv.weight"]
    tensors, metadata = load_net(net, kind=KIND, encoder_sha256=None)
    assert float((tensors["stages.0.0.conv.weight"] - before).abs().max()) < 2e-3  # one warming step away
    assert metadata["recipe"]["began_with"]["kind"] == train_adain.KIND


def test_learned_steps_leave_the_inverse_as_it_is_and_come_nearer(
    encoder: str, pictures: str, tmp_path: Path, falls: Callable[..., bool]
) -> None:
    first = train(settings(norm="batch"), [pictures], [pictures], tmp_path / "inverse", encoder=encoder)
    before, about = load_net(first, kind=KIND, encoder_sha256=None)
    given = {"learned_steps": 2, "optimizer": "muon", "precision": "exact"}
    net = train(settings(**given), [pictures], [pictures], tmp_path / "steps", encoder=encoder, init=str(first))
    tensors, metadata = load_net(net, kind=KIND, encoder_sha256=None)
    assert metadata["decoder"] == {**about["decoder"], "steps": 2}
    assert all(torch.equal(tensors[name], before[name]) for name in before)
    assert set(tensors) - set(before) == {name for name in tensors if name.startswith("steps.")} != set()
    assert set(metadata["validation"]) == set(about["validation"])

    # From there on: with more steps, which take over those there are; and the inverse alone, without any.
    cpu = torch.device("cpu")
    setting = Setting(tiny_weights(), cpu, torch.float32, ([], []), [torch.rand(2, 3, 32, 32)], tensors)
    options = settings(**{**given, "learned_steps": 3, "fleck": 0})  # the distance alone
    task = StepsTask(options, setting, inverse=DecoderSpec.from_json(metadata["decoder"]))
    assert all(torch.equal(task.net.state_dict()[name], value) for name, value in tensors.items())
    assert [name for name, value in task.net.named_parameters() if value.requires_grad] == [
        name for name, _ in task.net.named_parameters() if name.startswith("steps.")
    ]
    smooth = torch.nn.functional.interpolate(torch.rand(4, 3, 8, 8), (32, 32), mode="bicubic").clamp(0, 1)
    assert falls(task, smooth[:2], smooth[2:], 60, rate=5e-4)
    given = task._examples(smooth[:2], smooth[2:], 0)
    apart = [
        float((seen["relu3_1"] - given.target).norm().detach())
        for _, seen in task._descent(given.target, given.stats)
    ]
    by_itself = SwapTask._picture(task, given.target, given.stats)
    begun = float((task.vgg(by_itself, ("relu3_1",))["relu3_1"] - given.target).norm())
    assert begun > apart[0] > apart[1] > apart[2]  # every step learns
    alone = train(
        settings(norm="batch", steps=1), [pictures], [pictures], tmp_path / "on", encoder=encoder, init=str(net)
    )
    assert set(load_net(alone, kind=KIND, encoder_sha256=None)[0]) == set(before)


def test_the_last_learned_step_is_made_again_in_training(
    encoder: str, pictures: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[LearnedStep] = []
    real = LearnedStep.forward
    monkeypatch.setattr(LearnedStep, "forward", lambda self, *args: (made.append(self), real(self, *args))[1])
    first = train(settings(steps=1), [pictures], [pictures], tmp_path / "inverse", encoder=encoder)
    options = settings(steps=1, learned_steps=2, repeats=3, precision="exact")
    train(options, [pictures], [pictures], tmp_path / "steps", encoder=encoder, init=str(first))
    one, other, *again = made[:5]
    assert one.first and not other.first and again == [other] * 3


def test_repeats_are_of_learned_steps(encoder: str, pictures: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="--repeats is of learned steps"):
        train(settings(repeats=1), [pictures], [pictures], tmp_path / "run", encoder=encoder)
    assert not (tmp_path / "run").exists()


def test_learned_steps_need_an_inverse_to_begin_with(encoder: str, pictures: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="give the net with --init"):
        train(settings(learned_steps=2), [pictures], [pictures], tmp_path / "run", encoder=encoder)


@pytest.mark.parametrize("of_the_network", [{"norm": "batch"}, {"inject": ()}, {"form": "released"}])
def test_learned_steps_leave_no_choice_of_the_inverse(
    of_the_network: dict[str, object], encoder: str, pictures: str, tmp_path: Path
) -> None:
    options = settings(learned_steps=2, **of_the_network)
    with pytest.raises(RequestError, match=f"--{next(iter(of_the_network))} is given: leave it out"):
        train(options, [pictures], [pictures], tmp_path / "run", encoder=encoder, init="swap")
    assert not (tmp_path / "run").exists()
