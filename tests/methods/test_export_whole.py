"""The whole of adain as ONNX: photo and style in, picture out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from impasto.errors import ImpastoError, RequestError
from impasto.methods import export as exporting
from impasto.methods.adain.whole import paint_without_grain, whole_nets
from impasto.methods.export import ADAIN_KIND, WHOLE_KIND, export

FIELDS = {"inject": ("relu2_1", "relu1_1"), "skip": ("relu2_1",)}


def session(path: Path) -> Any:
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.log_severity_level = 3
    return InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


@pytest.mark.usefixtures("onnx_extra", "tiny_encoder")
@pytest.mark.parametrize(("layer", "covariance"), [("relu4_1", 0.6), ("relu3_1", 0.0)])
def test_photo_and_style_go_in(
    layer: str, covariance: float, tmp_path: Path, tiny_net: Callable[..., Path], picture: Callable[..., Tensor]
) -> None:
    net = tiny_net(ADAIN_KIND, layer, {"covariance": covariance}, **FIELDS)
    done = export(net, tmp_path / "whole.onnx", whole=True)
    assert done.kind == WHOLE_KIND
    assert done.sizes == [(64, 64), (75, 101), (127, 40), (389, 511)]
    assert done.difference < 1e-3
    assert list(done.inputs) == ["photo", "style", "alpha"]

    ran, nets = session(done.path), whole_nets(net, None)
    for height, width, style_height, style_width in ((24, 31, 31, 24), (57, 120, 120, 83), (91, 26, 66, 91)):
        photo, style = picture(height, width, 1), picture(style_height, style_width, 2)
        given = {"photo": photo.numpy(), "style": style.numpy()}
        for alpha in (None, 1.0, 0.4):
            more = {} if alpha is None else {"alpha": torch.tensor([alpha]).numpy()}
            (got,) = ran.run(["picture"], {**given, **more})
            expected = paint_without_grain(nets, photo, style, 1.0 if alpha is None else alpha)
            torch.testing.assert_close(torch.from_numpy(got), expected, rtol=0, atol=1e-3)
    # A style of any size sets the size of the strokes.
    smaller = ran.run(["picture"], {**given, "style": picture(48, 33, 2).numpy()})[0]
    assert smaller.shape == (1, 3, 91, 26)

    facts = ran.get_modelmeta().custom_metadata_map
    assert facts["kind"] == WHOLE_KIND
    assert facts["sides"] == "any, at least 24"
    assert facts["stride"] == "1"
    assert json.loads(facts["inputs"]) == done.inputs
    assert "1 if it is left out" in done.inputs["alpha"]
    assert float(facts["covariance"]) == covariance


@pytest.mark.usefixtures("onnx_extra", "tiny_encoder")
def test_a_file_that_paints_otherwise_is_not_written(
    tmp_path: Path, tiny_nets: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def brighter(*given: Any) -> Tensor:
        return paint_without_grain(*given) + 0.01

    monkeypatch.setattr(exporting, "paint_without_grain", brighter)
    out = tmp_path / "whole.onnx"
    with pytest.raises(ImpastoError, match=r"differs from PyTorch by 0\.01"):
        export(tiny_nets["adain"], out, whole=True)
    assert not out.exists()


def test_other_nets_are_refused(tmp_path: Path, tiny_nets: dict[str, Path]) -> None:
    out = tmp_path / "whole.onnx"
    with pytest.raises(RequestError, match=r"swap-decoder; expected adain-decoder with --whole.*leave out"):
        export(tiny_nets["swap"], out, whole=True)
    with pytest.raises(RequestError, match=r"johnson, which is whole by itself: leave out --whole"):
        export(tiny_nets["johnson"], out, whole=True)
    with pytest.raises(RequestError, match=r"encoder vgg19 is given.*add --whole"):
        export(tiny_nets["adain"], out, encoder="vgg19")
    assert not out.exists()
