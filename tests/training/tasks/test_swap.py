from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from impasto.errors import RequestError
from impasto.images.grain import grained
from impasto.matching.styles import prepare, tone
from impasto.matching.swap import swap
from impasto.nets.decoder import Decoder
from impasto.nets.decoder_spec import DecoderSpec
from impasto.training import loop
from impasto.training.run import Setting
from impasto.training.tasks import adain as train_adain
from impasto.training.tasks.adain_options import AdainTraining
from impasto.training.tasks.swap import KIND, PRESETS, SwapTask, SwapTraining, train
from impasto.weights.canonical import tiny_weights
from impasto.weights.container import load_metadata
from impasto.weights.files import sha256_of
from impasto.weights.shipped import load_net, locate_net

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


def test_the_preset_of_the_shipped_net_runs(encoder: str, pictures: str, tmp_path: Path) -> None:
    given = {"steps": 8, "validate_every": 8}
    options = SwapTraining(**{**SMALL, **given})
    assert options == settings(**given)
    net = train(options, [pictures], [pictures], tmp_path / "run", encoder=encoder, preset="impasto")
    tensors, metadata = load_net(net, kind=KIND, encoder_sha256=None)
    assert metadata["steps"] == 8 and metadata["recipe"]["parent"] is None
    assert all(torch.isfinite(value).all() for value in tensors.values())


def test_the_preset_is_the_shipped_nets_recipe() -> None:
    shipped = load_metadata(locate_net("swap"))
    assert shipped is not None
    options, last = SwapTraining(), shipped["recipe"]
    for name in (
        "feature",
        "gram",
        "colour",
        "range",
        "grain",
        "luminance_weight",
        "coherence",
        "inject",
        "optimizer",
    ):
        got = getattr(options, name)
        assert (list(got) if isinstance(got, tuple) else got) == last[name], name
    assert options.enlarge == shipped["decoder"]["enlarge"]


def test_presets_are_the_papers() -> None:
    for name, norm in (("style-swap", "batch"), ("style-swap-released", "instance")):
        options = PRESETS[name].options
        assert isinstance(options, SwapTraining)
        assert (options.steps, options.batch, options.crop, options.lr, options.tv) == (80_000, 2, 256, 1e-3, 1e-6)
        assert (options.match, options.restore, options.norm, options.inject) == ("plain", "keep", norm, ())
        assert options.luminance_weight == options.coherence == 0
        assert options.optimizer == "adam"
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
    task.loss(net, photos, paintings, 0)
    photos = grained(photos, options.grain, seed=0)
    latents = task.objective.vgg(torch.cat([photos, paintings]), ("relu3_1",))["relu3_1"]
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
    first = train_adain.train(AdainTraining(**given), [pictures], [pictures], tmp_path / "adain", encoder=encoder)
    net = train(settings(steps=1), [pictures], [pictures], tmp_path / "swap", encoder=encoder, init=str(first))
    before = load_net(first, kind=train_adain.KIND, encoder_sha256=None)[0]["stages.1.3.conv.weight"]
    tensors, metadata = load_net(net, kind=KIND, encoder_sha256=None)
    assert float((tensors["stages.0.0.conv.weight"] - before).abs().max()) < 2e-3  # one warming step away
    assert metadata["recipe"]["parent"] == {"name": "net.safetensors", "sha256": sha256_of(first)}
