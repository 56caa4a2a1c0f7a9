"""However a run ends, it leaves a net, its sheet and its curve, and whole files."""

from __future__ import annotations

import contextlib
import json
import signal
import warnings
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from PIL import Image
from torch import Tensor, nn

from impasto.errors import ImpastoError, ImpastoWarning, OutputError
from impasto.training import curve, loop, results, state
from impasto.training.data import Pictures
from impasto.training.progress import Progress
from impasto.weights.container import load_metadata

from .blur import OPTIONS, Blur, checkpoint, start

LATE = OPTIONS.model_copy(update={"validate_every": 100, "save_every": 100})
"""Settings of a run that is neither validated nor saved before its end."""


class NoNumber(Blur):
    """Its loss is no number after two steps."""

    def loss(self, net: nn.Module, photos: Tensor, paintings: Tensor, step: int) -> dict[str, Tensor]:
        return {"apart": net(photos).mean() * (float("nan") if step == 2 else 1)}


def at_step_2(end: Callable[[], None]) -> Callable[[Progress], None]:
    return lambda at: end() if at.step == 2 else None


def fail(error: BaseException) -> Callable[[], None]:
    def end() -> None:
        raise error

    return end


STOPS = {
    "Ctrl-C": lambda: signal.raise_signal(signal.SIGINT),
    "SIGTERM": lambda: signal.raise_signal(signal.SIGTERM),
    "an error of memory": fail(MemoryError()),
    "an error of ours": fail(OutputError("full")),
    "no number": None,
}


@pytest.mark.filterwarnings("ignore::impasto.errors.ImpastoWarning")
@pytest.mark.parametrize("how", STOPS)
def test_a_run_that_ends_early_leaves_net_sheet_and_curve(how: str, pictures: Pictures, tmp_path: Path) -> None:
    out, end = tmp_path / "out", STOPS[how]
    with pytest.raises((KeyboardInterrupt, MemoryError, ImpastoError)):
        start(pictures, out, LATE, task=Blur() if end else NoNumber(), report=end and at_step_2(end))
    assert (load_metadata(out / loop.NET) or {})["steps"] == 2
    assert (out / "sheet-000002.png").exists() and (out / curve.CURVE).exists()
    assert (out / loop.CHECKPOINT).exists() == (how in ("Ctrl-C", "SIGTERM"))


def read_pictures(folder: Path) -> int:
    """Read all pictures of a folder whole; return their number."""
    found = list(folder.glob("*.png"))
    for path in found:
        with Image.open(path) as image:
            image.load()
    return len(found)


def test_a_stop_looks_at_few_pictures_and_its_loss_is_on_the_curve(pictures: Pictures, tmp_path: Path) -> None:
    class Counted(Blur):
        seen: list[int | None] = []  # noqa: RUF012 (one task alone)

        def validate(self, most: int | None = None):
            self.seen.append(most)
            return super().validate(most)

    with pytest.raises(KeyboardInterrupt):
        start(pictures, tmp_path / "out", LATE, task=Counted(), report=at_step_2(STOPS["Ctrl-C"]))
    assert Counted.seen == [results._STOP_PHOTOS]
    (line,) = map(json.loads, (tmp_path / "out" / loop.LOG).read_text().splitlines())
    assert line["step"] == 2 and line["apart"] > 0
    start(pictures, tmp_path / "out", LATE, resume=True)
    steps = [json.loads(line)["step"] for line in (tmp_path / "out" / loop.LOG).read_text().splitlines()]
    assert steps == [10, 12, 12]


def test_an_error_says_what_is_kept(pictures: Pictures, tmp_path: Path) -> None:
    with (
        pytest.warns(ImpastoWarning, match=r"after step 2; .*out keeps net\.safetensors$"),
        pytest.raises(MemoryError),
    ):
        start(pictures, tmp_path / "out", LATE, report=at_step_2(STOPS["an error of memory"]))
    saved = LATE.model_copy(update={"save_every": 1})
    kept = r"keeps net\.safetensors and checkpoint\.pt, for --resume"
    with pytest.warns(ImpastoWarning, match=kept), pytest.raises(MemoryError):
        start(pictures, tmp_path / "other", saved, report=at_step_2(STOPS["an error of memory"]))


@contextlib.contextmanager
def full_disk(most: int) -> Generator[None]:
    """No file can be longer than so many bytes."""
    resource = pytest.importorskip("resource", reason="only Unix limits files")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [200, 1400, 5000])
def test_a_full_disk_leaves_the_whole_files_of_before(room: int, pictures: Pictures, tmp_path: Path) -> None:
    out = tmp_path / "out"
    start(pictures, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    longer = OPTIONS.model_copy(update={"steps": 60})
    with warnings.catch_warnings(action="ignore"), full_disk(room), pytest.raises(OutputError) as error:
        start(pictures, out, longer, resume=True)
    assert str(out) in str(error.value) and "cannot" in str(error.value)
    assert "cannot be written (" in str(error.value) and "make room" in str(error.value)
    assert "os error" not in str(error.value) and "serializing" not in str(error.value)
    after = {path.name: path.read_bytes() for path in out.iterdir()}
    assert not [name for name in after if name.startswith(".")], "no draft is left"
    assert after[loop.CHECKPOINT] == before[loop.CHECKPOINT]
    assert load_metadata(out / loop.NET) and read_pictures(out)
    start(pictures, out, longer, resume=True)
    assert checkpoint(out)["step"] == 60


@pytest.mark.parametrize("name", [loop.CHECKPOINT, loop.NET, "sheet-000005.png", curve.CURVE, loop.LOG])
def test_every_file_is_whole_or_not_written(
    name: str, pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever file finds the disk full, the error is about it, and nothing else is left of it."""
    out = tmp_path / "out"

    def full(path: Path, *_: object, **__: object) -> None:
        if path.name == name:
            raise OutputError(f"{path} cannot be written (No space left on device)")
        wanted[path.suffix](path, *_, **__)

    from impasto.images.atomic import write_atomically
    from impasto.training import journal
    from impasto.weights.shipped import save_net

    wanted = {".safetensors": save_net, **dict.fromkeys((".pt", ".png", ".jsonl"), write_atomically)}
    for module in (results, state, curve, journal):
        monkeypatch.setattr(module, "write_atomically", full)
    monkeypatch.setattr(results, "save_net", full)
    with warnings.catch_warnings(action="ignore"), pytest.raises(OutputError, match=name):
        start(pictures, out)
    assert not (out / name).exists()
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
