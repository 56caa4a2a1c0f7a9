"""Examples in docstrings run as they stand, with tiny networks; what the package exports is documented in full.

An example sees the names of its module, and `impasto`, `torch`, `encoder` (a tiny VGG), `picture` and `style`
(1×3×H×W). Its folder has ``photo.jpg`` and ``painting.jpg``. The example of a method continues that of its class.
"""

from __future__ import annotations

import ast
import dataclasses
import doctest
import functools
import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import impasto
from impasto.encoders.vgg import VGG
from impasto.methods import Method
from impasto.recipe import Frozen
from impasto.session.bound import BoundPainter
from impasto.session.work import Work
from impasto.weights.canonical import VGGWeights

SOURCE = Path(impasto.__file__).parent
RETURNED = {"Method": Method, "BoundPainter": BoundPainter, "Work": Work}
"""Classes that are not exported, of objects that the exported names hold or return."""


@functools.cache
def _docstrings() -> dict[str, tuple[str, int]]:
    """Text and line of every docstring of the package, also of constants, by qualified name."""
    found: dict[str, tuple[str, int]] = {}

    def visit(node: ast.Module | ast.ClassDef | ast.FunctionDef, name: str) -> None:
        if text := ast.get_docstring(node):
            found[name] = text, node.body[0].lineno
        for before, each in zip([None, *node.body], node.body, strict=False):
            if isinstance(each, ast.ClassDef | ast.FunctionDef):
                visit(each, f"{name}.{each.name}")
            elif isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant) and (target := _target(before)):
                found[f"{name}.{target}"] = inspect.cleandoc(str(each.value.value)), each.lineno

    for path in sorted(SOURCE.rglob("*.py")):
        parts = ["impasto", *path.relative_to(SOURCE).with_suffix("").parts]
        visit(ast.parse(path.read_text("utf-8")), ".".join(parts).removesuffix(".__init__"))
    return found


def _target(node: ast.stmt | None) -> str:
    """The name that an assignment gives a value; empty for other statements."""
    if not isinstance(node, ast.Assign | ast.AnnAssign):
        return ""
    target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
    return target.id if isinstance(target, ast.Name) else ""


def _module_of(name: str) -> str:
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        path = SOURCE.joinpath(*parts[1:end])
        if path.with_suffix(".py").is_file() or (path / "__init__.py").is_file():
            return ".".join(parts[:end])
    raise AssertionError(name)


@pytest.fixture
def names(
    tiny_shipped: None,
    tiny_encoder: VGGWeights,
    picture: Callable[..., torch.Tensor],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, Any]:
    """Names that every example sees."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("photo", "painting"), 1):
        pixels = picture(36, 48, seed)[0].permute(1, 2, 0).mul(255).byte().numpy()
        Image.fromarray(pixels).save(f"{name}.jpg")
    encoder = VGG(tiny_encoder)
    return {
        "impasto": impasto,
        "torch": torch,
        "encoder": encoder,
        "picture": picture(36, 48, 1),
        "style": picture(40, 32, 2),
    }


@pytest.mark.parametrize("name", [name for name, (text, _) in _docstrings().items() if ">>>" in text])
def test_the_example_runs(name: str, names: dict[str, Any]) -> None:
    module = importlib.import_module(_module_of(name))
    owner, inside = name.rpartition(".")[0], name != module.__name__
    before = [owner] if inside and owner != module.__name__ and ">>>" in _docstrings().get(owner, ("", 0))[0] else []
    examples = [example for each in (*before, name) for example in _examples(each)]
    test = doctest.DocTest(examples, {**vars(module), **names}, name, module.__file__, 0, None)
    report: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(test, out=report.append)
    assert not result.failed, "".join(report)


def _examples(name: str) -> list[doctest.Example]:
    text, line = _docstrings()[name]
    found = doctest.DocTestParser().get_examples(text, name)
    for example in found:
        example.lineno += line - 1
    return found


def _documented() -> Iterator[tuple[str, Any, str]]:
    """Name, object and documentation of all that is public: exported names, and the members of their classes."""
    for name in impasto.__all__:
        thing = getattr(impasto, name)
        home = impasto._HOME[name]
        yield name, thing, _docstrings().get(f"impasto.{home}.{name}", ("", 0))[0] or inspect.getdoc(thing) or ""
        if inspect.isclass(thing):
            yield from _members(name, thing)
    for name, thing in RETURNED.items():
        yield name, thing, inspect.getdoc(thing) or ""
        yield from _members(name, thing)


def _members(name: str, owner: type) -> Iterator[tuple[str, Any, str]]:
    for member, value in inspect.getmembers_static(owner):
        function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if member.startswith("_") or not inspect.isfunction(function):
            continue
        if function.__module__.startswith("impasto."):  # and not inherited from pydantic
            thing = value if isinstance(value, property) else function
            yield f"{name}.{member}", thing, inspect.getdoc(function) or ""


DOCUMENTED = list(_documented())
every_documented = pytest.mark.parametrize(
    ("name", "thing", "text"), DOCUMENTED, ids=[name for name, _, _ in DOCUMENTED]
)


@every_documented
def test_what_is_public_has_an_example(name: str, thing: Any, text: str) -> None:
    assert ">>>" in _section(text, "Examples"), f"{name} has no Examples"


@every_documented
def test_the_arguments_are_documented(name: str, thing: Any, text: str) -> None:
    """Arguments of functions and of classes; the fields of dataclasses as attributes."""
    if isinstance(thing, property) or not callable(thing):
        return
    if dataclasses.is_dataclass(thing):
        fields = [field.name for field in dataclasses.fields(thing)]
        assert _entries(text, "Attributes")[: len(fields)] == fields, f"{name}: attributes"
        return
    if inspect.isclass(thing) and (issubclass(thing, Frozen | Exception) or inspect.isabstract(thing)):
        return  # fields of settings have descriptions; users make no others
    parameters = inspect.signature(thing).parameters
    expected = [("**" if each.kind == each.VAR_KEYWORD else "") + each.name for each in parameters.values()]
    if not inspect.isclass(thing) and "." in name:
        expected = expected[1:]  # self or cls
    assert _entries(text, "Args") == expected, f"{name}: arguments"


def _section(text: str, title: str) -> str:
    """What follows ``Title:`` in Google form, up to the next line that is not indented."""
    found = re.search(rf"^{title}:\n((?:[ ]+.*\n|\n)+)", text + "\n", re.MULTILINE)
    return found[1] if found else ""


def _entries(text: str, title: str) -> list[str]:
    """Names in a section, in order: the lines with the least indentation."""
    return re.findall(r"^ {4}([*\w]+): ", _section(text, title), re.MULTILINE)
