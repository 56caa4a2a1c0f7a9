import json

import pytest
from PIL import Image

from impasto.training.curve import CURVE, LOG, draw_curve, read_log


def _log(folder, *entries):
    (folder / LOG).write_text("".join(json.dumps(entry) + "\n" for entry in entries))


def test_terms_and_validation_are_told_apart(tmp_path):
    _log(
        tmp_path,
        {"step": 10, "loss": 3.0, "style": 2.0, "content": 1.0, "lr": 1e-3, "gradient": 5.0},
        {"step": 20, "validation": {"style": 1.5, "great-wave": 2.5}},
    )
    training, validation = read_log(tmp_path / LOG)
    assert training == {"style": [(10, 2.0)], "content": [(10, 1.0)]}
    assert validation == {"style": [(20, 1.5)], "great-wave": [(20, 2.5)]}


def test_a_line_cut_short_is_passed_over(tmp_path):
    _log(tmp_path, {"step": 10, "style": 2.0})
    with (tmp_path / LOG).open("a") as log:
        log.write('{"step": 20, "sty')
    assert read_log(tmp_path / LOG)[0] == {"style": [(10, 2.0)]}


@pytest.mark.parametrize(
    ("styles", "drawn"),
    [
        ({"wave": 2.0}, ["loss, held out"]),
        ({"wave": 2.5, "scream": 1.5}, ["loss, held out", "wave, held out", "scream, held out"]),
    ],
)
def test_a_style_that_is_the_whole_is_not_drawn_again(tmp_path, monkeypatch, styles, drawn):
    axes = pytest.importorskip("matplotlib.axes", reason="the extra plot is not installed")
    labels, plot = [], axes.Axes.plot
    monkeypatch.setattr(axes.Axes, "plot", lambda *a, label, **k: labels.append(label) or plot(*a, label=label, **k))
    _log(tmp_path, *({"step": step, "validation": {"loss": 2.0, **styles}} for step in (5, 10)))
    draw_curve(tmp_path)
    assert labels == drawn


@pytest.mark.parametrize("entries", [[], [{"step": 10, "style": 0.0}], [{"step": 10, "style": 0.3}]])
def test_a_curve_is_drawn_of_whatever_is_there(tmp_path, entries):
    pytest.importorskip("matplotlib", reason="the extra plot is not installed")
    _log(tmp_path, *entries)
    assert draw_curve(tmp_path) == tmp_path / CURVE
    assert Image.open(tmp_path / CURVE).size == (800, 450)
