"""Nets of style-swap that take the chosen patches of several layers: training, going on, painting."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from impasto.cli import main
from impasto.errors import RequestError
from impasto.training import run, state, swap_objective
from impasto.training.progress import Progress
from impasto.training.run import Setting
from impasto.training.tasks import adain as train_adain
from impasto.training.tasks import swap_steps
from impasto.training.tasks.adain_options import AdainTraining
from impasto.training.tasks.swap import KIND, SwapTask, SwapTraining, train
from impasto.training.tasks.swap_steps import SwapStepsTraining
from impasto.weights.canonical import tiny_weights
from impasto.weights.shipped import load_net

SMALL = {
    "steps": 3,
    "batch": 2,
    "crop": 32,
    "held_out": 2,
    "validate_every": 3,
    "save_every": 1,
    "workers": 1,
    "precision": "exact",
}
LAYERS = ("relu2_1", "relu1_1")


def settings(**more: object) -> SwapTraining:
    return SwapTraining(**{**SMALL, "skip": LAYERS, **more})


def task_of(options: SwapTraining, init: dict[str, torch.Tensor] | None = None) -> SwapTask:
    torch.manual_seed(0)
    sample = [torch.rand(2, 3, 32, 32)]
    return SwapTask(
        options, Setting(tiny_weights(), torch.device("cpu"), torch.float32, ([], []), sample, init or {})
    )


@pytest.fixture(autouse=True)
def _small_sheets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_SHEET_SIDE", 64)


def tensors_of(net: Path) -> dict[str, torch.Tensor]:
    return load_net(net, kind=KIND, encoder_sha256=None)[0]


def test_the_net_sees_every_layer_of_every_example() -> None:
    task = task_of(settings())
    photos, paintings = torch.rand(2, 3, 38, 33), torch.rand(2, 3, 38, 33)
    given = task.objective.examples(photos, paintings, task.net.spec, 0)
    assert given.target.shape[2:] == (9, 8) and len(given.target) == 8
    assert {name: x.shape[2:] for name, x in given.finer.items()} == {"relu2_1": (18, 16), "relu1_1": (36, 32)}
    plain = task.objective.vgg(given.plain, LAYERS)
    for name, side in (("relu2_1", 2), ("relu1_1", 4)):
        assert torch.equal(given.finer[name][:4], plain[name][:, :, : 9 * side, : 8 * side])
        assert not torch.allclose(given.finer[name][4], given.finer[name][6])  # two paintings of one photo
    itself = task.objective.examples(photos, paintings * 0 + photos, task.net.spec, 0)
    assert itself.finer.keys() == given.finer.keys()


def test_the_feature_loss_is_the_mean_over_the_layers() -> None:
    options = settings(gram=0, colour=0, pixel=0, range=0)
    task = task_of(options)
    given = task.objective.examples(torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32), task.net.spec, 0)
    found = {name: x + 1 for name, x in {"relu3_1": given.target, **given.finer}.items()}
    (loss,) = task.objective.terms(torch.rand(3, 3, 32, 32), found, given, 0).values()
    each = [
        ((found[name] - x).flatten(1).norm(dim=1) / x.flatten(1).norm(dim=1)).square().mean()
        for name, x in {"relu3_1": given.target, **given.finer}.items()
    ]
    torch.testing.assert_close(loss, options.feature * torch.stack(each).mean())


def test_steps_bring_the_loss_down_and_move_the_branches(falls: Callable[..., bool]) -> None:
    task = task_of(settings())
    assert falls(task, torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32))
    assert all(parameter.detach().any() for parameter in task.net.branches.parameters())


def test_a_swap_comes_nearer_to_what_suits_it_in_its_painting(monkeypatch: pytest.MonkeyPatch) -> None:
    off = dict.fromkeys(("feature", "gram", "colour", "pixel", "range"), 0.0)
    task = task_of(settings(**off, nearest=1.0))
    photos, paintings = torch.rand(2, 3, 38, 33), torch.rand(2, 3, 38, 33)
    before = task.loss(task.net, photos, paintings, 0)
    assert {name for name, value in before.items() if value} == {"nearest"}
    seen: list[tuple[dict[str, torch.Tensor], list[object]]] = []
    real = swap_objective.nearest_loss
    monkeypatch.setattr(
        swap_objective, "nearest_loss", lambda *args: (seen.append((args[1], args[2])), real(*args))[1]
    )
    given = task.objective.examples(photos, paintings, task.net.spec, 0)
    found = task.objective.vgg(torch.rand(8, 3, 36, 32), task.objective.encoded)
    task.objective.terms(torch.rand(8, 3, 36, 32), found, given, 0)
    ((of_photos, rows),) = seen
    assert rows == [given.rows[0], given.rows[0], given.rows[1], given.rows[1]]
    expected = task.objective.vgg(given.plain[:2], ("relu3_1",))["relu3_1"][:, :, :9, :8]
    torch.testing.assert_close(of_photos["relu3_1"], torch.cat([expected, expected]))


def test_begins_with_the_picture_of_the_net_without_branches() -> None:
    plain = task_of(SwapTraining(**SMALL))
    for skip in (LAYERS, ("relu1_1",)):
        task = task_of(settings(skip=skip), plain.net.state_dict())
        given = task.objective.examples(torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32), task.net.spec, 0)
        targets = {"relu3_1": given.target, **given.finer}
        assert torch.equal(task.paint(targets, given.stats), plain.paint(targets, given.stats))


def test_branches_of_the_net_to_begin_with_are_kept() -> None:
    one = task_of(settings(skip=("relu2_1",)))
    torch.nn.init.normal_(one.net.branches["relu2_1"].weight)
    more = task_of(settings(), one.net.state_dict()).net.state_dict()
    assert torch.equal(more["branches.relu2_1.weight"], one.net.branches["relu2_1"].weight)
    assert not more["branches.relu1_1.weight"].any()
    for skip in ((), ("relu1_1",)):
        with pytest.raises(RequestError, match=r"branches at relu2_1, --skip has none.*expected --skip relu2_1"):
            task_of(settings(skip=skip), one.net.state_dict())


@pytest.mark.parametrize("skip", ["relu3_1", "relu4_1", "relu2_2", "relu1_1,relu1_1", "conv1_1"])
def test_wrong_layers_are_refused(skip: str) -> None:
    with pytest.raises(RequestError, match=r"cannot be added at .*expected some of relu1_1, relu2_1") as error:
        task_of(settings(skip=skip))
    assert "\n" not in str(error.value)


def test_a_resumed_run_ends_bit_by_bit_as_one_that_went_on(encoder: str, pictures: str, tmp_path: Path) -> None:
    def interrupted(progress: Progress) -> None:
        if progress.step == 2:
            raise RuntimeError("the machine went away")

    given = (settings(), [pictures], [pictures])
    whole = train(*given, tmp_path / "whole", encoder=encoder)
    with pytest.raises(RuntimeError, match="went away"):
        train(*given, tmp_path / "parts", encoder=encoder, report=interrupted)
    parts = train(*given, tmp_path / "parts", encoder=encoder, resume=True)
    one, other = tensors_of(whole), tensors_of(parts)
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_checkpoints_from_before_branches_go_on(encoder: str, pictures: str, tmp_path: Path) -> None:
    given = (settings(skip=(), steps=1), [pictures], [pictures], tmp_path / "run")
    train(*given, encoder=encoder)
    path = tmp_path / "run" / state.CHECKPOINT
    before = torch.load(path, weights_only=True)
    del before["recipe"]["skip"], before["recipe"]["nearest"]
    torch.save(before, path)
    train(*given, encoder=encoder, resume=True)
    with pytest.raises(RequestError, match="skip"):
        train(settings(steps=1), *given[1:], encoder=encoder, resume=True)


@pytest.mark.usefixtures("tiny_encoder")
def test_the_net_paints_and_its_pictures_are_painted_again(encoder: str, pictures: str, tmp_path: Path) -> None:
    net = train(settings(), [pictures], [pictures], tmp_path / "run", encoder=encoder)
    assert (tmp_path / "run" / "sheet-000003.png").exists()
    photo, style = (f"{pictures}/{n}.png" for n in (0, 1))
    paint = ["swap", photo, style, "--net", str(net), "--size", "60", "-q", "-o", str(tmp_path / "a.png")]
    assert main(paint) == 0
    inputs = ["--inputs", pictures, str(tmp_path / "run")]
    assert main(["replay", str(tmp_path / "a.png"), *inputs, "-q", "-o", str(tmp_path / "b.png")]) == 0
    one, other = (np.asarray(Image.open(tmp_path / name)) for name in ("a.png", "b.png"))
    assert np.array_equal(one, other)

    steps = SwapStepsTraining(**{**SMALL, "count": 2, "repeats": 1, "batch": 1})
    refining = swap_steps.train(steps, [pictures], [pictures], tmp_path / "steps", encoder=encoder, init=str(net))
    before, after = tensors_of(net), tensors_of(refining)
    assert all(torch.equal(after[name], value) for name, value in before.items())
    paint[4], paint[-1] = str(refining), str(tmp_path / "c.png")
    assert main(paint) == 0


def test_begins_with_the_tail_of_an_adain_decoder(encoder: str, pictures: str, tmp_path: Path) -> None:
    given = AdainTraining(**{**SMALL, "steps": 1})
    first = train_adain.train(given, [pictures], [pictures], tmp_path / "adain", encoder=encoder)
    net = train(settings(steps=1), [pictures], [pictures], tmp_path / "run", encoder=encoder, init=str(first))
    assert {name for name in tensors_of(net) if name.startswith("branches.")} == {
        f"branches.{layer}.{kind}" for layer in LAYERS for kind in ("weight", "bias")
    }
