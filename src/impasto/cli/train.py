"""``impasto train``: one command a network, its flags the fields of its training options.

Imports torch; the application loads this file only when training is asked for.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import Parameter as Argument
from inspect import Signature
from pathlib import Path
from typing import Annotated, Any, cast

from cyclopts import App, Parameter
from pydantic import ValidationError

from ..errors import RequestError, near_misses
from ..methods.common.preset import Preset
from ..training.loop import CHECKPOINT, progress_bar
from ..training.options import TrainOptions
from ..training.tasks import adain as train_adain
from ..training.tasks import johnson as train_johnson
from ..training.tasks import johnson_options
from ..training.tasks import swap as train_swap
from ..training.tasks import swap_steps as train_swap_steps
from ..values import explain, read_toml
from ..weights.container import load_metadata
from .flags import HELP, TRAINING, epilogue, flags, given, shown, shown_if
from .status import DONE


@dataclass(frozen=True)
class _Training:
    """What can be trained: its options and presets, the function that does it, and what that learns from."""

    name: str
    summary: str
    options: type[TrainOptions]
    presets: Mapping[str, Preset]
    train: Callable[..., Path]
    run: type[Run]

    @property
    def example(self) -> str:
        """A line to type."""
        learnt = "--style painting.jpg" if self.run is StylesRun else "--paintings paintings/"
        return f"impasto train {self.name} --photos photos/ {learnt} --out run/"


def _flag(help: str, *, plain: bool = True, **more: Any) -> Parameter:
    return Parameter(help=help, group=TRAINING, negative="", **shown_if(plain=plain), **more)


@dataclass(frozen=True, kw_only=True)
class Run(ABC):
    """What to train on and where the run is kept; one field a flag."""

    photos: Annotated[
        list[str],
        _flag("Folders or tar shards of photographs, each as PATH or PATH:WEIGHT.", consume_multiple=True),
    ]
    out: Annotated[Path, _flag("Folder for the net, the checkpoint, the log and sample sheets.")]
    resume: Annotated[bool, _flag("Continue the run in --out, with the same settings.")] = False
    preset: Annotated[str, _flag("Named settings to begin from.")] = "impasto"
    net: Annotated[str | None, _flag("A net whose weights to begin with: name or file.")] = None
    encoder: Annotated[
        str | None,
        _flag(
            "Encoder: a name from 'impasto weights list', or a file.",
            plain=False,
            show_default="the preset's, mostly vgg19",
        ),
    ] = None
    device: Annotated[str, _flag("auto, cpu, cuda, cuda:N or mps.", plain=False)] = "auto"
    quiet: Annotated[bool, _flag("No progress bar.", plain=False, name=("--quiet", "-q"))] = False

    @property
    @abstractmethod
    def examples(self) -> list[str]:
        """What is learnt from beside photographs."""

    @property
    def more(self) -> dict[str, Any]:
        """Further arguments of the training function."""
        return {}


@dataclass(frozen=True, kw_only=True)
class PaintingsRun(Run):
    """A run that learns from many paintings."""

    paintings: Annotated[
        list[str], _flag("Folders or tar shards of paintings, as those of photographs.", consume_multiple=True)
    ]

    @property
    def examples(self) -> list[str]:
        """The paintings."""
        return self.paintings


@dataclass(frozen=True, kw_only=True)
class StepsRun(PaintingsRun):
    """A run that adds learned steps to a net."""

    net: Annotated[str | None, _flag("The net of 'impasto swap' that gets the steps: name or file.")] = "swap"


@dataclass(frozen=True, kw_only=True)
class StylesRun(Run):
    """A run that learns a few styles."""

    style: Annotated[
        list[str], _flag("The style picture, or several; a style is called as its file.", consume_multiple=True)
    ]
    credits: Annotated[
        Path | None,
        _flag("TOML file of the styles' titles, artists and years: a table [NAME] each.", plain=False),
    ] = None

    @property
    def examples(self) -> list[str]:
        """The style pictures."""
        return self.style

    @property
    def more(self) -> dict[str, Any]:
        """What the record says of the pictures."""
        if self.credits is None:
            return {}
        try:
            text = self.credits.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RequestError(f"cannot read {self.credits}: {getattr(error, 'strerror', None) or error}") from None
        return {"credits": read_toml(text, str(self.credits))}


def _settings(training: _Training, preset: str, values: Mapping[str, Any]) -> TrainOptions:
    if preset not in training.presets:
        hint = near_misses(preset, training.presets) or ": there is " + ", ".join(training.presets)
        raise RequestError(f"training {training.name} has no preset {preset!r}{hint}")
    begun = training.presets[preset].options
    stated = {name: getattr(begun, name) for name in begun.model_fields_set}
    try:
        return training.options(**{**stated, **given(training.options.model_fields, values)})
    except ValidationError as error:
        raise explain(error) from None


def _command(training: _Training, *, everything: bool) -> Callable[..., int]:
    def command(*, run: Run, **values: Any) -> int:
        options = _settings(training, run.preset, values)
        try:
            with progress_bar(quiet=run.quiet) as report:
                net = training.train(
                    options,
                    run.photos,
                    run.examples,
                    run.out,
                    encoder=run.encoder or training.presets[run.preset].encoder,
                    preset=run.preset,
                    init=run.net,
                    resume=run.resume,
                    device=run.device,
                    report=report,
                    **run.more,
                )
        except KeyboardInterrupt:
            if not (run.out / CHECKPOINT).exists():
                raise
            raise KeyboardInterrupt(f"interrupted; {run.out} keeps the run: go on with --resume") from None
        print(net)
        if not run.quiet:
            done = load_metadata(net) or {}
            lost = f"; unreadable pictures: {done['unreadable']}" if done["unreadable"] else ""
            print(f"{done['steps']} steps, {done['crops_per_second']} crops a second{lost}", file=sys.stderr)
        return DONE

    own = training.options.model_fields
    arguments = [
        Argument("run", Argument.KEYWORD_ONLY, annotation=Annotated[training.run, Parameter(name="*")]),
        *flags(own, everything=everything),
    ]
    # cyclopts reads a command's flags off its signature.
    command.__name__ = training.name
    command.__doc__ = training.summary
    command.__annotations__ = {argument.name: argument.annotation for argument in arguments} | {"return": int}
    setattr(command, "__signature__", Signature(arguments, return_annotation=int))  # noqa: B010
    return command


_TRAININGS = (
    _Training(
        "adain",
        "Train a decoder for `impasto adain`.",
        train_adain.AdainTraining,
        train_adain.PRESETS,
        cast(Callable[..., Path], train_adain.train),
        PaintingsRun,
    ),
    _Training(
        "swap",
        "Train an inverse net for `impasto swap`.",
        train_swap.SwapTraining,
        train_swap.PRESETS,
        cast(Callable[..., Path], train_swap.train),
        PaintingsRun,
    ),
    _Training(
        "swap-steps",
        "Train the steps that `impasto swap` refines its net's picture by; the net itself stays as it is.",
        train_swap_steps.SwapStepsTraining,
        train_swap_steps.PRESETS,
        cast(Callable[..., Path], train_swap_steps.train),
        StepsRun,
    ),
    _Training(
        "johnson",
        "Train a network for one style or several, or add styles to one, for `impasto johnson`.",
        johnson_options.JohnsonTraining,
        johnson_options.PRESETS,
        cast(Callable[..., Path], train_johnson.train),
        StylesRun,
    ),
)


def _epilogue(training: _Training, command: Callable[..., int], *, everything: bool) -> str:
    ends = epilogue(f"impasto train {training.name}", [training.example], command, everything=everything)
    presets = "\n".join(f"  {name}: {preset.description}" for name, preset in training.presets.items())
    return f"Presets:\n{presets}\n\n{ends}"


def build(*, everything: bool = False) -> App:
    """The application of all trainers; `everything`: their help shows every flag."""
    app = App(name="train", help="Train a network, to paint with by --net FILE.", help_flags=HELP)
    for training in _TRAININGS:
        command = _command(training, everything=everything)
        app.command(
            command,
            name=training.name,
            default_parameter=shown(everything=everything),
            help_epilogue=_epilogue(training, command, everything=everything),
        )
    return app
