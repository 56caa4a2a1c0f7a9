"""The loop on a task of a few numbers: schedules, log, stopping, and resuming bit for bit."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from impasto.errors import ImpastoError, RequestError
from impasto.training import loop
from impasto.training.data import Pictures
from impasto.training.loop import learning_rate
from impasto.training.progress import Progress
from impasto.weights.container import load_metadata
from impasto.weights.shipped import load_net

from .blur import OPTIONS, Blur, checkpoint, start


def assert_same(one: Any, two: Any) -> None:
    if isinstance(one, Tensor):
        assert torch.equal(one, two)
    elif isinstance(one, dict):
        assert one.keys() == two.keys()
        for key in one:
            assert_same(one[key], two[key])
    elif isinstance(one, (list, tuple)):
        for a, b in zip(one, two, strict=True):
            assert_same(a, b)
    else:
        assert one == two


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("stop_at", [4, 7])
def test_an_interrupted_run_ends_as_an_uninterrupted_one(pictures: Pictures, tmp_path: Path, stop_at: int) -> None:
    start(pictures, tmp_path / "whole")

    def interrupt(at: Progress) -> None:
        if at.step == stop_at:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        start(pictures, tmp_path / "parts", report=interrupt)
    assert checkpoint(tmp_path / "parts")["step"] == stop_at
    assert (load_metadata(tmp_path / "parts" / loop.NET) or {})["steps"] == stop_at, "the net so far is kept"
    torch.manual_seed(99)  # another process has another random state
    start(pictures, tmp_path / "parts", resume=True)
    assert_same(checkpoint(tmp_path / "parts"), checkpoint(tmp_path / "whole"))
    assert (tmp_path / "parts" / loop.NET).read_bytes() == (tmp_path / "whole" / loop.NET).read_bytes()
    assert (tmp_path / "parts" / loop.LOG).read_text() == (tmp_path / "whole" / loop.LOG).read_text()


@pytest.mark.usefixtures("still")
def test_a_crash_loses_only_what_came_after_the_checkpoint(pictures: Pictures, tmp_path: Path) -> None:
    start(pictures, tmp_path / "whole")

    def crash(at: Progress) -> None:
        if at.step == 11:
            raise MemoryError

    with pytest.raises(MemoryError):
        start(pictures, tmp_path / "parts", report=crash)
    assert checkpoint(tmp_path / "parts")["step"] == 8
    start(pictures, tmp_path / "parts", resume=True)
    assert_same(checkpoint(tmp_path / "parts"), checkpoint(tmp_path / "whole"))
    assert (tmp_path / "parts" / loop.LOG).read_text() == (tmp_path / "whole" / loop.LOG).read_text()


def test_leaves_log_sheets_and_the_mean_of_the_weights(pictures: Pictures, tmp_path: Path) -> None:
    task = Blur()
    net = start(pictures, tmp_path / "out", task=task)
    lines = [json.loads(line) for line in (tmp_path / "out" / loop.LOG).read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == [10, 12]
    assert [line["step"] for line in lines if "validation" in line] == [5, 10, 12]
    assert len(list((tmp_path / "out").glob("sheet-*.png"))) == 3
    tensors, metadata = load_net(net, kind="blur", encoder_sha256=None)
    assert metadata["steps"] == 12 and metadata["recipe"]["steps"] == 12 and metadata["data"] == "six squares"
    ema = checkpoint(tmp_path / "out")["ema"]
    torch.testing.assert_close(tensors["0.weight"], ema["0.weight"], atol=1e-3, rtol=1e-3)
    assert not torch.allclose(ema["0.weight"], task.net.state_dict()["0.weight"], atol=1e-5)
    # Validation saw the mean, and training went on with the net's own weights.
    assert lines[-1]["validation"]["size"] == pytest.approx(float(ema["0.weight"].abs().sum()))


def test_refuses_to_mix_runs(pictures: Pictures, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no checkpoint"):
        start(pictures, tmp_path / "out", resume=True)
    start(pictures, tmp_path / "out")
    with pytest.raises(RequestError, match="--resume"):
        start(pictures, tmp_path / "out")
    other = OPTIONS.model_copy(update={"lr": 1e-3})
    with pytest.raises(RequestError, match=r"lr = 0\.0005, now it is 0\.001"):
        start(pictures, tmp_path / "out", other, resume=True)
    start(pictures, tmp_path / "out", OPTIONS.model_copy(update={"workers": 1, "save_every": 9}), resume=True)
    (tmp_path / "out" / loop.CHECKPOINT).write_bytes(b"PK half a file")
    with pytest.raises(RequestError, match="not a whole checkpoint"):
        start(pictures, tmp_path / "out", resume=True)


def test_a_loss_that_is_no_number_stops_the_run(pictures: Pictures, tmp_path: Path) -> None:
    class Broken(Blur):
        def loss(self, net: nn.Module, photos: Tensor, paintings: Tensor, step: int) -> dict[str, Tensor]:
            return {"apart": net(photos).mean() * (float("nan") if step == 6 else 1)}

    with pytest.raises(ImpastoError, match="step 7"):
        start(pictures, tmp_path / "out", task=Broken())
    assert checkpoint(tmp_path / "out")["step"] == 4
    assert all(torch.isfinite(value).all() for value in checkpoint(tmp_path / "out")["net"].values())


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_only_what_requires_a_gradient_is_trained(pictures: Pictures, tmp_path: Path, optimizer: str) -> None:
    task = Blur()
    kernel, *_ = task.net.parameters()
    kernel.requires_grad_(False)
    start(pictures, tmp_path / "out", OPTIONS.model_copy(update={"optimizer": optimizer}), task=task)
    before, after = Blur().net.state_dict(), checkpoint(tmp_path / "out")["net"]
    assert torch.equal(after["0.weight"], before["0.weight"])
    assert (after["1.weight"] - before["1.weight"]).abs().max() > 1e-3


def test_schedules() -> None:
    cosine = [learning_rate(OPTIONS, step) for step in range(12)]
    assert cosine[0] == pytest.approx(OPTIONS.lr / 3) and max(cosine) <= OPTIONS.lr
    assert cosine[3:] == sorted(cosine[3:], reverse=True) and cosine[-1] < 0.05 * OPTIONS.lr
    paper = OPTIONS.model_copy(update={"schedule": "inverse", "decay": 5e-5, "warmup": 0, "lr": 1e-4})
    assert learning_rate(paper, 20_000) == pytest.approx(1e-4 / 2)
    assert learning_rate(paper.model_copy(update={"schedule": "constant"}), 20_000) == 1e-4


def test_the_first_step_and_every_tenth_report_the_loss_and_what_is_saved(pictures: Pictures, tmp_path: Path) -> None:
    seen: list[Progress] = []
    start(pictures, tmp_path / "out", report=seen.append)
    assert [at.step for at in seen] == list(range(1, 13)) and {at.total for at in seen} == {12}
    assert [at.step for at in seen if at.losses is not None] == [1, 10, 12]
    assert {at.step: at.saving for at in seen if at.saving} == {
        4: ("checkpoint",),
        5: ("net", "sample sheet"),
        8: ("checkpoint",),
        10: ("net", "sample sheet"),
        12: ("net", "sample sheet", "checkpoint"),
    }


def _with_old_settings(out: Path, **settings: object) -> None:
    state = checkpoint(out)
    state["recipe"] |= settings
    torch.save(state, out / loop.CHECKPOINT)


def test_a_checkpoint_with_settings_that_are_gone_is_resumed_where_they_had_no_effect(
    pictures: Pictures, tmp_path: Path
) -> None:
    start(pictures, tmp_path / "out")
    gone = {"tensorboard": False, "anchor": 0.0, "style_rate": 1.0, "fleck": 0.0, "tv": 0.0}
    _with_old_settings(tmp_path / "out", **gone)
    start(pictures, tmp_path / "out", resume=True)
    assert checkpoint(tmp_path / "out")["step"] == 12
    _with_old_settings(tmp_path / "out", tv=0.5)
    with pytest.raises(RequestError, match=r"was made with tv = 0\.5"):
        start(pictures, tmp_path / "out", resume=True)
