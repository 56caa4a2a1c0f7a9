from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import impasto
from impasto.encoders.vgg import VGG
from impasto.errors import ImpastoError, MissingExtraError, RequestError, WeightsError
from impasto.methods import export as exporting
from impasto.methods.adain.painter import transform
from impasto.methods.export import Exported, export
from impasto.methods.johnson.gallery import Credit, GalleryEntry
from impasto.nets.files import ADAIN_KIND, JOHNSON_KIND, SWAP_KIND, load_decoder, load_transformer
from impasto.nets.transformer import Transformer
from impasto.nets.transformer_spec import TransformerSpec
from impasto.recipe import Style
from impasto.statistics.moments import moments
from impasto.weights import native
from impasto.weights.canonical import tiny_weights
from impasto.weights.shipped import save_net

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[2]
STYLES = ("great-wave", "red-fuji", "the-scream")
ARCHITECTURE = "c9s1-4,d6,d8,R8,u6,u4,c9s1-3"


def saved(path: Path) -> Path:
    torch.manual_seed(1)
    net = Transformer(TransformerSpec(ARCHITECTURE, STYLES, chroma="soft"))
    for parameter in net.parameters():  # so that the styles differ
        parameter.data += 0.1 * torch.randn_like(parameter)
    metadata = {
        "kind": JOHNSON_KIND,
        "encoder_sha256": "0" * 64,
        "network": net.spec.to_json(),
        "credits": [{"name": name, "title": name.title(), "artist": "Someone", "year": "1900"} for name in STYLES],
        "recipe": {"steps": 7},
    }
    return save_net(path / "net.safetensors", net.state_dict(), metadata)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Exported]:
    """The net that `saved` makes, and it exported, which takes seconds."""
    for library in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(library, reason="the extra onnx is not installed")
    place = tmp_path_factory.mktemp("whole")
    net = saved(place)
    return net, export(net, place / "net.onnx")


def to_tensor(picture: Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(picture, np.float32) / 255).permute(2, 0, 1)[None]


def ran(path: Path, **given: Tensor) -> Tensor:
    from onnxruntime import InferenceSession

    session = InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (picture,) = session.run(["picture"], {name: value.numpy() for name, value in given.items()})
    return torch.from_numpy(picture)


def read(path: Path) -> tuple[dict[str, list[str | int]], dict[str, str]]:
    """Shapes by name of what goes in and out, and the metadata."""
    import onnx

    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    shapes = {
        value.name: [side.dim_param or side.dim_value for side in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    return shapes, {entry.key: entry.value for entry in model.metadata_props}


def test_a_net_of_several_styles_takes_their_weights(whole: tuple[Path, Exported]) -> None:
    net, done = whole
    assert done.sizes == [(64, 64), (96, 128), (200, 152)]
    assert 0 < done.difference < 1e-5
    assert list(done.inputs) == ["photo", "mix"]

    transformer, sha256 = load_transformer(net, CPU, torch.float32)
    for height, width in ((8, 8), (8, 36), (52, 40)):
        photo, mix = torch.rand(1, 3, height, width), torch.tensor([0.2, 0.5, 0.3])
        expected = transformer.paint(photo, mix).clamp(0, 1)
        torch.testing.assert_close(ran(done.path, photo=photo, mix=mix[None]), expected, rtol=0, atol=1e-4)

    shapes, metadata = read(done.path)
    assert shapes == {"photo": [1, 3, "4*h", "4*w"], "mix": [1, 3], "picture": [1, 3, "4*h", "4*w"]}
    assert metadata["kind"] == JOHNSON_KIND
    assert metadata["net_sha256"] == sha256
    assert metadata["encoder_sha256"] == "0" * 64
    assert metadata["stride"] == "4"
    assert metadata["sides"] == "H and W are multiples of 4, at least 8"
    assert json.loads(metadata["styles"]) == list(STYLES)
    assert json.loads(metadata["recipe"]) == {"steps": 7}
    assert [credit["name"] for credit in json.loads(metadata["credits"])] == list(STYLES)
    assert json.loads(metadata["inputs"]) == done.inputs
    assert json.loads(metadata["outputs"]).keys() == {"picture"}
    # Nothing of the machine it was made on.
    assert str(Path(impasto.__file__).parent).encode() not in done.path.read_bytes()


@pytest.mark.usefixtures("onnx_extra")
def test_a_blend_is_baked_in(tmp_path: Path) -> None:
    net = saved(tmp_path)
    done = export(net, tmp_path / "net.onnx", styles=["the-scream:3", Style(path="great-wave")])
    transformer, _ = load_transformer(net, CPU, torch.float32)
    photo = torch.rand(1, 3, 24, 32)
    expected = transformer.paint(photo, torch.tensor([0.25, 0, 0.75])).clamp(0, 1)
    torch.testing.assert_close(ran(done.path, photo=photo), expected, rtol=0, atol=1e-4)
    _, metadata = read(done.path)
    assert json.loads(metadata["blend"]) == {"great-wave": 0.25, "the-scream": 0.75}
    assert [credit["name"] for credit in json.loads(metadata["credits"])] == ["great-wave", "the-scream"]


@pytest.mark.usefixtures("onnx_extra")
def test_a_style_of_the_gallery_painted_as_the_manual_says(
    tmp_path: Path, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, name = saved(tmp_path), "starry-night"
    monkeypatch.setattr(exporting, "gallery", lambda: {name: GalleryEntry(Credit("red-fuji"), net, {})})
    with pytest.raises(RequestError, match="starry-night is a single style"):
        export(name, tmp_path / "starry-night.onnx", styles=["great-wave"])
    export(name, tmp_path / "starry-night.onnx")

    manual = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8").partition("## Take it elsewhere")[2]
    snippet = manual.partition("```python")[2].partition("```")[0]
    monkeypatch.chdir(tmp_path)
    Image.open(photo).convert("RGB").save("photo.jpg", quality=95)
    exec(snippet, {})
    transformer, _ = load_transformer(net, CPU, torch.float32)
    shrunk = Image.open("photo.jpg").resize((60, 44))
    expected = transformer.paint(to_tensor(shrunk), torch.tensor([0.0, 1.0, 0.0])).clamp(0, 1)
    with Image.open("painting.png") as painting:
        assert painting.size == (60, 44)
        torch.testing.assert_close(to_tensor(painting), expected, rtol=0, atol=0.51 / 255)


@pytest.mark.usefixtures("onnx_extra")
@pytest.mark.parametrize(
    ("kind", "layer", "fields"),
    [
        (ADAIN_KIND, "relu4_1", {"inject": ("relu3_1", "relu1_1"), "skip": ("relu3_1",)}),
        (SWAP_KIND, "relu3_1", {"transposed": True, "norm": "instance", "output": "sigmoid"}),
    ],
)
def test_a_decoder_takes_features_and_moments(
    tmp_path: Path, tiny_net: Callable[..., Path], kind: str, layer: str, fields: dict[str, Any]
) -> None:
    net = tiny_net(kind, layer, **fields)
    done = export(net, tmp_path / "net.onnx")
    assert done.difference < 1e-5

    weights = tiny_weights()
    inverse = load_decoder(str(net), kind=kind, weights=weights, layer=None, device=CPU, dtype=torch.float32)
    spec, vgg = inverse.decoder.spec, VGG(weights, **inverse.encoder)
    style = {name: moments(each) for name, each in vgg(torch.rand(1, 3, 40, 40), spec.style_layers).items()}
    features = vgg.encode(torch.rand(1, 3, 32, 48), inverse.decoder.spec.content_layers)
    transform(features, style, 0.0)
    given = {**features, **{f"{name}_mean": style[name].mean for name in spec.inject}}
    given |= {f"{name}_std": style[name].std for name in spec.inject}
    assert given.keys() == done.inputs.keys()
    expected = inverse.decoder(features, style).clamp(0, 1)
    assert expected.std() > 0.01
    torch.testing.assert_close(ran(done.path, **given), expected, rtol=0, atol=1e-4)
    shapes, metadata = read(done.path)
    assert shapes["picture"] == [1, 3, f"{spec.stride}*h", f"{spec.stride}*w"]
    assert metadata["encoder_padding"] == inverse.encoder["padding"]


def test_a_file_that_paints_otherwise_is_not_written(
    whole: tuple[Path, Exported], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnx

    def damaged(plan: Any) -> Any:
        model = onnx.load(whole[1].path)
        bias = next(value for value in model.graph.initializer if value.name.endswith("last.conv.bias"))
        bias.raw_data = torch.full((3,), 0.05).numpy().tobytes()
        return model

    monkeypatch.setattr(exporting, "_convert", damaged)
    with pytest.raises(ImpastoError, match="differs from PyTorch by"):
        export(saved(tmp_path), tmp_path / "net.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["net.safetensors"]


@pytest.mark.parametrize(
    "architecture",
    [ARCHITECTURE, "c9s1-3", "c31s1-4,d4,u4,c3s1-3", "c3s1-4,d4,d4,c15s1-4,u4,u4,c3s1-3", "c5s2-4,u3,c3s1-3"],
)
def test_the_least_side_is_the_least_that_works(architecture: str) -> None:
    spec = TransformerSpec(architecture)
    net, mix = Transformer(spec), torch.ones(1, 1)
    least = exporting._min_strides(spec)
    side = least * spec.stride
    assert net(torch.rand(1, 3, side, side), mix).shape == (1, 3, side, side)
    with pytest.raises(RuntimeError, match=r"[Pp]adding size"):
        side -= spec.stride
        net(torch.rand(1, 3, side, side), mix)


def test_refusals(tmp_path: Path, tiny_nets: dict[str, Path]) -> None:
    net, out = saved(tmp_path), tmp_path / "net.onnx"
    with pytest.raises(WeightsError, match=r"no net is called 'adian'.*did you mean adain"):
        export("adian", out)
    with pytest.raises(WeightsError, match="no weights file"):
        export(tmp_path / "none.safetensors", out)
    with pytest.raises(RequestError, match=r"ends in '\.pt'; expected \.onnx"):
        export(net, tmp_path / "net.pt")
    with pytest.raises(RequestError, match=r"has no style 'the-cream'; did you mean the-scream"):
        export(net, out, styles=["the-cream:0.5"])
    with pytest.raises(RequestError, match="has no named styles"):
        export(tiny_nets["adain"], out, styles=["the-scream"])
    encoder = native.write(
        tmp_path / "encoder.safetensors", tiny_weights(), {"source": "tiny"}, half=True, overwrite=False
    )
    with pytest.raises(WeightsError, match="expected johnson, adain-decoder or swap-decoder"):
        export(encoder, out)
    text = tmp_path / "text.safetensors"
    text.write_text("no net")
    with pytest.raises(WeightsError, match="not a safetensors file"):
        export(text, out)
    out.write_bytes(b"mine")
    with pytest.raises(RequestError, match="exists already"):
        export(net, out)
    assert out.read_bytes() == b"mine"


def test_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"needs onnx.*impasto\[onnx\]"):
        export(saved(tmp_path), tmp_path / "net.onnx")
