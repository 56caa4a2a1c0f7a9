"""Converted encoders and shipped nets: impasto's own files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from impasto.errors import OutputError, WeightsError
from impasto.weights import container, shipped
from impasto.weights.canonical import tiny_weights
from impasto.weights.catalogue import CATALOGUE
from impasto.weights.convert import convert
from impasto.weights.files import sha256_of
from impasto.weights.load import load
from impasto.weights.native import write
from impasto.weights.shipped import load_net, locate_net, net_names, save_net

from .conftest import WRITERS, Pairs, write_caffe_pth, write_mat

HERE = CATALOGUE["vgg19"].digest.partition(":")[2]
META = {"kind": "adain-decoder", "layer": "relu4_1", "encoder_sha256": HERE, "recipe": {"steps": 3}}


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("file", WRITERS)
def test_convert_keeps_numbers_and_preprocessing(half: bool, file: str, tmp_path: Path, pairs: Pairs) -> None:
    source = tmp_path / file
    WRITERS[file](source, pairs)
    target = convert(source, tmp_path / "out" / "a.safetensors", half=half)
    before, after = load(source), load(target)
    assert after.spec == before.spec and after.sha256 == sha256_of(target)
    for name, (weight, bias) in before.tensors.items():
        tolerance = 2**-11 if half else 0
        torch.testing.assert_close(after.tensors[name][0], weight, rtol=tolerance, atol=1e-7 * half)
        torch.testing.assert_close(after.tensors[name][1], bias, rtol=tolerance, atol=1e-7 * half)
    with safe_open(target, framework="pt") as opened:
        assert opened.get_tensor("conv1_1.weight").dtype == (torch.float16 if half else torch.float32)
        header = json.loads(opened.metadata()["impasto"])
    assert header["source"] == file and header["source_sha256"] == sha256_of(source)


def test_convert_never_overwrites_unasked(tmp_path: Path, pairs: Pairs) -> None:
    source, target = tmp_path / "a.pth", tmp_path / "a.safetensors"
    write_caffe_pth(source, pairs)
    target.write_text("mine")
    with pytest.raises(OutputError, match="is there already"):
        convert(source, target)
    assert target.read_text() == "mine"
    convert(source, target, overwrite=True)
    assert load(target).tensors
    with pytest.raises(WeightsError, match=r"expected .safetensors"):
        convert(source, tmp_path / "b.pth")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pth", "a.safetensors"]


def test_convert_of_a_catalogue_entry_records_its_licence(
    tmp_path: Path, pairs: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "a.mat"
    write_mat(source, pairs)
    entry = CATALOGUE["vgg19-matconvnet"]
    known = type(entry)(
        "own", "vgg19", "matconvnet", "", "CC BY 4.0", f"sha256:{sha256_of(source)}", 1, urls=("x/a",)
    )
    monkeypatch.setitem(CATALOGUE, "own", known)
    _, header = container.load(convert(source, tmp_path / "a.safetensors"))
    assert header is not None
    assert (header["source"], header["licence"], header["kind"]) == ("own", "CC BY 4.0", "encoder")


def test_converted_encoders_are_read_strictly(tmp_path: Path, pairs: Pairs) -> None:
    source, path = tmp_path / "a.pth", tmp_path / "a.safetensors"
    write_caffe_pth(source, pairs)
    tensors, header = container.load(convert(source, path))
    assert header is not None

    def again(**changes: object) -> None:
        data = {**header, **{k: v for k, v in changes.items() if k != "tensors"}}
        save_file(changes.get("tensors", tensors), path, {"impasto": json.dumps(data)})

    cases: list[tuple[dict[str, object], str]] = [
        ({"spec": {**header["spec"], "channels": "cmyk"}}, "wrong at channels"),
        ({"spec": {**header["spec"], "gamma": 2}}, "gamma"),
        ({"spec": None}, "its spec is None"),
        ({"kind": "adain-decoder"}, r"trained net \(adain-decoder\); expected an encoder"),
        ({"tensors": {**tensors, "odd": torch.zeros(1)}}, "holds odd"),
        ({"tensors": {k: v for k, v in tensors.items() if k != "conv1_1.bias"}}, "conv1_1.bias is missing"),
        ({"tensors": {k: v for k, v in tensors.items() if "conv1_1" not in k}}, "conv1_1 is missing"),
    ]
    for changes, says in cases:
        again(**changes)
        with pytest.raises(WeightsError, match=says):
            load(path)
    again()
    with pytest.raises(WeightsError, match="it is impasto's own"):
        load(path, layout="caffe")
    # Narrow encoders exist for tests alone and are never read from a file.
    write(path, tiny_weights(), {}, half=False, overwrite=True)
    with pytest.raises(WeightsError, match=r"conv1_1.weight has shape \(4, 3, 3, 3\)"):
        load(path)


def test_nets_go_round(tmp_path: Path) -> None:
    tensors = {"0.weight": torch.randn(4, 3, 3, 3), "0.steps": torch.tensor([5])}
    path = save_net(tmp_path / "net.safetensors", tensors, META)
    found, meta = load_net(path, kind="adain-decoder", encoder_sha256=HERE, layer="relu4_1")
    assert meta == META
    assert found["0.weight"].dtype == torch.float32 and found["0.steps"].dtype == torch.int64
    assert torch.equal(found["0.weight"], tensors["0.weight"].half().float())
    assert path.stat().st_size < 4 * 27 * 2 + 700
    first = path.read_bytes()
    assert save_net(path, tensors, dict(reversed(META.items()))).read_bytes() == first


def test_nets_made_for_something_else_are_refused(tmp_path: Path) -> None:
    path = save_net(tmp_path / "net.safetensors", {"w": torch.zeros(2)}, META)
    with pytest.raises(WeightsError, match="its kind is adain-decoder; expected swap-decoder"):
        load_net(path, kind="swap-decoder", encoder_sha256=HERE)
    with pytest.raises(WeightsError, match="works on relu4_1; expected one for relu3_1"):
        load_net(path, kind="adain-decoder", encoder_sha256=HERE, layer="relu3_1")
    with pytest.raises(
        WeightsError, match=r"against vgg19 \(sha256 c34748d2a8b1…\).* sha256 abcabcabcabc….*--encoder"
    ):
        load_net(path, kind="adain-decoder", encoder_sha256="abc" * 21 + "a")
    assert load_net(path, kind="adain-decoder", encoder_sha256=None)[0]
    alone = save_net(
        tmp_path / "alone.safetensors", {"w": torch.zeros(2)}, {"kind": "johnson", "encoder_sha256": None}
    )
    assert load_net(alone, kind="johnson", encoder_sha256=HERE)[0]


def test_what_is_no_net(tmp_path: Path) -> None:
    path = save_net(tmp_path / "net.safetensors", {"w": torch.zeros(500)}, META)
    whole = path.read_bytes()
    for content in (b"", whole[:5], whole[:-9], b"text" * 50):
        path.write_bytes(content)
        with pytest.raises(WeightsError, match=r"empty|not a safetensors file, or is cut short"):
            load_net(path, kind="adain-decoder", encoder_sha256=HERE)
    save_file({"w": torch.zeros(2)}, path)
    with pytest.raises(WeightsError, match="not a net that impasto trained"):
        load_net(path, kind="adain-decoder", encoder_sha256=HERE)
    for header in ("{", "[]", '{"kind": 3}'):
        save_file({"w": torch.zeros(2)}, path, {"impasto": header})
        with pytest.raises(WeightsError, match="header is damaged"):
            load_net(path, kind="adain-decoder", encoder_sha256=HERE)


def test_saving_refuses_what_could_not_be_loaded(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    with pytest.raises(WeightsError, match="lacks encoder_sha256"):
        save_net(path, {"w": torch.zeros(1)}, {"kind": "johnson"})
    with pytest.raises(WeightsError, match="w holds values that do not fit float16"):
        save_net(path, {"w": torch.tensor([1e6])}, META)
    with pytest.raises(WeightsError, match="w holds values that are not finite"):
        save_net(path, {"w": torch.tensor([torch.nan])}, META)
    with pytest.raises(WeightsError, match="no tensors"):
        save_net(path, {}, META)
    assert list(tmp_path.iterdir()) == []


def test_saving_is_atomic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_net(tmp_path / "net.safetensors", {"w": torch.zeros(2)}, META)
    before = path.read_bytes()

    def full(tensors: object, draft: Path, header: object) -> None:
        draft.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(container, "save_file", full)
    with pytest.raises(OutputError, match="No space left"):
        save_net(path, {"w": torch.ones(2)}, META)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_shipped_nets_go_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "_FOLDER", tmp_path)
    with pytest.raises(WeightsError, match="ships none yet"):
        locate_net("starry")
    save_net(tmp_path / "starry-night.safetensors", {"w": torch.ones(2)}, META)
    assert net_names() == ("starry-night",)
    assert load_net("starry-night", kind="adain-decoder", encoder_sha256=HERE)[0]["w"].sum() == 2
    with pytest.raises(WeightsError, match="did you mean starry-night"):
        load_net("stary-nigt", kind="adain-decoder", encoder_sha256=HERE)
    with pytest.raises(WeightsError, match="no weights file"):
        load_net(tmp_path / "gone.safetensors", kind="adain-decoder", encoder_sha256=HERE)
