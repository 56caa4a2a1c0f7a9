"""``impasto studio``: what is refused before anything is served."""

import importlib.util

import pytest

from impasto.cli.studio import _NEEDED

from .conftest import Cli


@pytest.mark.parametrize("missing", _NEEDED)
def test_the_extra_is_named_where_it_is_missing(cli: Cli, monkeypatch, missing):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == missing else find(name, *more)
    )
    cli("studio").refused(2, _NEEDED[missing], "pip install 'impasto[studio]'")


def test_other_machines_are_not_let_in_without_a_secret(cli: Cli):
    for library in _NEEDED:
        pytest.importorskip(library, reason="the extra studio is not installed")
    cli("studio", "--host", "0.0.0.0", "--no-browser").refused(2, "--token", "--password")
    cli("studio", "--token", "short", "--no-browser").refused(2, "--token", "16")
    cli("studio", "--https", "no.pem", "no.key", "--no-browser").refused(2, "--https")


def test_help(cli: Cli):
    out = cli("studio", "--help").out
    for flag in ("--host", "--port", "--token", "--password", "--https", "--no-browser"):
        assert flag in out
