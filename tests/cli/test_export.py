from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Cli


@pytest.mark.usefixtures("onnx_extra")
def test_export_writes_a_file_beside_you(cli: Cli, tiny_nets: dict[str, Path]) -> None:
    ran = cli("export", tiny_nets["swap"], "--json")
    assert ran.status == 0, ran.err
    path = Path(ran.json["path"])
    assert path == Path(tiny_nets["swap"].stem + ".onnx")
    assert path.stat().st_size == ran.json["bytes"]
    assert ran.json["compared_at"] == ["64×64", "128×96", "152×200"]
    assert ran.json["largest_difference"] < 1e-3
    assert "relu3_1" in ran.json["inputs"]
    cli("export", tiny_nets["swap"]).refused(2, "exists already", "--overwrite")


def test_a_wrong_request_is_one_line(cli: Cli, tiny_nets: dict[str, Path]) -> None:
    cli("export", "adian").refused(2, "no net is called 'adian'", "adain")
    cli("export", tiny_nets["swap"], "-o", "net.pb").refused(2, "'.pb'", "expected .onnx")
    cli("export", tiny_nets["swap"], "-o", "none/net.onnx").refused(2, "does not exist")
    cli("export", tiny_nets["swap"], "--style", "the-scream").refused(2, "--style")


@pytest.mark.usefixtures("onnx_extra")
def test_a_decoder_alone_names_the_flag_for_the_whole(cli: Cli, tiny_nets: dict[str, Path]) -> None:
    ran = cli("export", tiny_nets["adain"], "-o", "decoder.onnx")
    assert ran.status == 0, ran.err
    assert "--whole" in ran.err
    cli("export", tiny_nets["swap"], "--whole").refused(2, "swap-decoder", "leave out --whole")
    cli("export", tiny_nets["adain"], "--whole", "--encoder", "none.pth").refused(2, "no weights file")
