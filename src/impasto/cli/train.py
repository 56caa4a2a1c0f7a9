"""``impasto train``: one command for each kind of network, with the fields of its training options as flags.

Imports torch; the application imports this file only for ``impasto train``.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from inspect import Parameter as Argument
from pathlib import Path
from typing import Annotated, Any, cast

from cyclopts import App, Parameter
from pydantic import ValidationError

from ..errors import RequestError, near_misses
from ..methods.common.preset import Preset
from ..training.loop import CHECKPOINT
from ..training.opening import paint_command
from ..training.options import TrainOptions
from ..training.progress import display
from ..training.results import sheet_path
from ..training.start import Start, resumed_start
from ..training.state import recorded_recipe
from ..training.tasks import adain as train_adain
from ..training.tasks import adain_options, johnson_options
from ..training.tasks import johnson as train_johnson
from ..training.tasks import swap as train_swap
from ..training.tasks import swap_steps as train_swap_steps
from ..training.tasks.johnson_start import GALLERY, default_start
from ..untrusted import read_text
from ..values import NONE, explain, read_toml
from ..weights.container import load_metadata
from ..weights.files import TRAINED
from . import DONE
from .flags import TRAINING, epilogue, flags, given, shown, shown_if, with_signature


@dataclass(frozen=True)
class Trainer:
    """A kind of network that can be trained.

    Attributes:
        name: name of its command.
        summary: what it trains, in a sentence.
        options: its settings.
        presets: named settings.
        train: trains a network and returns its file.
        run: the flags that name the pictures and the folder of a run.
        start: how a run begins where nobody says it, by preset, encoder and the names of the settings that are given;
            None: with random weights.
        shown: defaults that the help shows in place of the settings' own.
    """

    name: str
    summary: str
    options: type[TrainOptions]
    presets: Mapping[str, Preset]
    train: Callable[..., Path]
    run: type[Run]
    start: Callable[[str, str | None, Collection[str]], Start] | None = None
    shown: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def example(self) -> str:
        """A command to type."""
        styles = "--style painting.jpg" if self.run is StylesRun else "--paintings paintings/"
        return f"impasto train {self.name} --photos photos/ {styles} --out run/"


def _flag(help: str, *, plain: bool = True, **more: Any) -> Parameter:
    return Parameter(help=help, group=TRAINING, negative="", **shown_if(plain=plain), **more)


@dataclass(frozen=True, kw_only=True)
class Run(ABC):
    """The pictures to train on and the folder of the run; each field is a flag."""

    photos: Annotated[
        list[str],
        _flag(
            "Photographs: folders of pictures, or .tar files with pictures in them, each as PATH or PATH:WEIGHT. "
            "Pictures at weight 2 are drawn twice as often as those at weight 1.",
            consume_multiple=True,
        ),
    ]
    out: Annotated[Path, _flag("Folder for the network, the checkpoint, the log and sheets of samples.")]
    resume: Annotated[
        bool, _flag("Continue the run in --out, with the same settings; another --steps lengthens or shortens it.")
    ] = False
    preset: Annotated[str, _flag("Name of a set of settings, which other flags override; they are listed below.")] = (
        "impasto"
    )
    net: Annotated[
        str | None, _flag("Network whose weights training begins with: a name or a file; none: random weights.")
    ] = None
    encoder: Annotated[
        str | None,
        _flag(
            "Encoder that the losses use: name from 'impasto weights list', or file, as FILE[#LAYOUT].",
            plain=False,
            show_default="that of the preset, mostly vgg19",
        ),
    ] = None
    device: Annotated[
        str, _flag("Where to train: auto (a GPU if there is one), cpu, cuda, cuda:N or mps.", plain=False)
    ] = "auto"
    quiet: Annotated[bool, _flag("Show no progress.", plain=False, name=("--quiet", "-q"))] = False

    @property
    @abstractmethod
    def examples(self) -> list[str]:
        """The pictures to learn from besides photographs."""

    @property
    def named_net(self) -> str | None:
        """The net that --net names; None for random weights, or without the flag."""
        return None if self.net == NONE else self.net

    @property
    def more(self) -> dict[str, Any]:
        """More arguments of the training function."""
        return {}


@dataclass(frozen=True, kw_only=True)
class PaintingsRun(Run):
    """A run that learns from many paintings."""

    paintings: Annotated[
        list[str],
        _flag("Paintings: folders or .tar files of pictures, as for --photos.", consume_multiple=True),
    ]

    @property
    def examples(self) -> list[str]:
        """The paintings."""
        return self.paintings


@dataclass(frozen=True, kw_only=True)
class StepsRun(PaintingsRun):
    """A run that adds learned steps to a net."""

    net: Annotated[str | None, _flag("Network of 'impasto swap' that the steps are added to: a name or a file.")] = (
        "swap"
    )

    @property
    def named_net(self) -> str | None:
        """The net that --net names. Steps cannot do without."""
        return self.net


@dataclass(frozen=True, kw_only=True)
class StylesRun(Run):
    """A run that learns a few styles."""

    net: Annotated[
        str | None,
        _flag(
            "Network whose weights training begins with: a name or a file; none: random weights.",
            show_default="gallery; none with another preset, encoder or network",
        ),
    ] = None
    style: Annotated[list[str], _flag("Style pictures; each style is named after its file.", consume_multiple=True)]
    teacher: Annotated[
        str | None,
        _flag(
            "Learn from paintings too: cascade or nnst paints some photos in each style first, into --out/teacher; "
            "or a folder with photos/NAME.png and their paintings STYLE/NAME.png."
        ),
    ] = None
    credits: Annotated[
        Path | None,
        _flag("TOML file with the title, artist and year of each style, in a table [NAME].", plain=False),
    ] = None

    @property
    def examples(self) -> list[str]:
        """The style pictures."""
        return self.style

    @property
    def more(self) -> dict[str, Any]:
        """The credits of the style pictures, which the network's file keeps."""
        if self.credits is None:
            return {"teacher": self.teacher}
        try:
            text = read_text(self.credits)
        except (OSError, ValueError) as error:
            raise RequestError(f"cannot read {self.credits}: {getattr(error, 'strerror', None) or error}") from None
        return {"teacher": self.teacher, "credits": read_toml(text, str(self.credits))}


def _settings(trainer: Trainer, preset: str, values: Mapping[str, Any]) -> TrainOptions:
    """The settings of a preset, with the values of flags in their place."""
    if preset not in trainer.presets:
        hint = near_misses(preset, trainer.presets) or "; expected one of " + ", ".join(trainer.presets)
        raise RequestError(f"impasto train {trainer.name} has no preset {preset!r}{hint}")
    options = trainer.presets[preset].options
    stated = {name: getattr(options, name) for name in options.model_fields_set}
    try:
        return trainer.options(**{**stated, **given(trainer.options.model_fields, values)})
    except ValidationError as error:
        raise explain(error, fields=trainer.options.model_fields) from None


def _begin(trainer: Trainer, run: Run, values: Mapping[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """The net that a run begins with, and the flags, with the length that nobody gave."""
    stated = [name for name, value in values.items() if value is not None]
    start = None
    if run.resume and (was := recorded_recipe(run.out)):
        start = resumed_start(was, stated)
    elif run.net is None and trainer.start is not None:
        start = trainer.start(run.preset, run.encoder, stated)
    if start is None:
        return run.named_net, dict(values)
    length = {"steps": start.steps, "max_time": start.max_time}
    kept = {name: value for name, value in length.items() if value is not None}
    return start.net if run.net is None else run.named_net, {**values, **kept}


def _finish(net: Path) -> str:
    """What to say of a run that is done: how it went, and what to do next."""
    record = load_metadata(net) or {}
    skipped = f"; unreadable pictures: {record['unreadable']}" if record["unreadable"] else ""
    lines = [f"{record['steps']} step{'s' * (record['steps'] > 1)}, {record['crops_per_second']} images/s{skipped}"]
    if command := paint_command(net, record):
        lines.append(f"look at {sheet_path(net.parent, record['steps'])}, and paint: {command}")
    return "\n".join(lines)


def _interrupted(run: Run) -> str:
    """What to say of a run that was interrupted."""
    net = run.out / TRAINED
    command = paint_command(net, load_metadata(net) or {}) if net.exists() else None
    use = f"; paint with the net so far: {command}" if command else ""
    return f"interrupted{use}; continue the run in {run.out} with --resume"


def _command(trainer: Trainer, *, everything: bool) -> Callable[..., int]:
    def command(*, run: Run, **values: Any) -> int:
        init, values = _begin(trainer, run, values)
        options = _settings(trainer, run.preset, values)
        try:
            with display(quiet=run.quiet) as report:
                net = trainer.train(
                    options,
                    run.photos,
                    run.examples,
                    run.out,
                    encoder=run.encoder or trainer.presets[run.preset].encoder,
                    preset=run.preset,
                    init=init,
                    resume=run.resume,
                    device=run.device,
                    report=report,
                    **run.more,
                )
        except KeyboardInterrupt:
            if not (run.out / CHECKPOINT).exists():
                raise
            raise KeyboardInterrupt(_interrupted(run)) from None
        print(net)
        if not run.quiet:
            print(_finish(net), file=sys.stderr)
        return DONE

    own = trainer.options.model_fields
    arguments = [
        Argument("run", Argument.KEYWORD_ONLY, annotation=Annotated[trainer.run, Parameter(name="*")]),
        *flags(own, trainer.shown, everything=everything),
    ]
    return with_signature(command, trainer.name, trainer.summary, arguments)


TRAINERS = (
    Trainer(
        "adain",
        "Train a network that turns features into pictures (a decoder), for `impasto adain`.",
        adain_options.AdainTraining,
        adain_options.PRESETS,
        cast(Callable[..., Path], train_adain.train),
        PaintingsRun,
    ),
    Trainer(
        "swap",
        "Train a network that turns features into pictures, for `impasto swap`.",
        train_swap.SwapTraining,
        train_swap.PRESETS,
        cast(Callable[..., Path], train_swap.train),
        PaintingsRun,
    ),
    Trainer(
        "swap-steps",
        "Train the steps by which `impasto swap` refines the picture of its network, which itself stays as it is.",
        train_swap_steps.SwapStepsTraining,
        train_swap_steps.PRESETS,
        cast(Callable[..., Path], train_swap_steps.train),
        StepsRun,
    ),
    Trainer(
        "johnson",
        "Train a network for one style or several, or add styles to one, for `impasto johnson`.",
        johnson_options.JohnsonTraining,
        johnson_options.PRESETS,
        cast(Callable[..., Path], train_johnson.train),
        StylesRun,
        default_start,
        {"max_time": f"{GALLERY.max_time} without --net and --steps; none with another preset, encoder or network"},
    ),
)


def _epilogue(trainer: Trainer, command: Callable[..., int], *, everything: bool) -> str:
    presets = "\n".join(f"  {name}: {preset.description}" for name, preset in trainer.presets.items())
    end = epilogue(f"impasto train {trainer.name}", [trainer.example], command, everything=everything)
    return f"Presets:\n{presets}\n\n{end}"


def add_trainers(app: App, *, everything: bool = False) -> None:
    """Add a command for each trainer to ``impasto train``.

    Args:
        app: the application of ``impasto train``.
        everything: show every flag in the help.
    """
    for trainer in TRAINERS:
        command = _command(trainer, everything=everything)
        app.command(
            command,
            name=trainer.name,
            default_parameter=shown(everything=everything),
            help_epilogue=_epilogue(trainer, command, everything=everything),
        )
