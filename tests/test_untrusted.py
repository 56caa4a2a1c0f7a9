"""What strangers made is bounded before it is used, and quoted so that it harms no terminal."""

from __future__ import annotations

import io
import itertools
import os
import pickle
import socket
from pathlib import Path

import pytest

from impasto import untrusted
from impasto.errors import ImageError, ImpastoError, MissingExtraError

CONTROLS = ["\x1b[2J", "\x07", "\x7f", "\x9b31m", "\u202e", "\r", "\0"]


@pytest.mark.parametrize("control", CONTROLS)
def test_errors_and_quotes_do_nothing_to_a_terminal(control: str) -> None:
    for text in (untrusted.shorten(f"a{control}b"), str(ImageError(f"a{control}b"))):
        assert control not in text and text.startswith("a\\") and text.endswith("b")
    assert untrusted.printable("Größe\t✓\n") == "Größe\t✓\n"


def test_long_texts_lose_their_middle() -> None:
    assert untrusted.shorten("short") == "short"
    text = untrusted.shorten("a" * 5_000_000 + "the end")
    assert len(text) < 200 and text.startswith("aaa") and text.endswith("the end")
    error = ImpastoError("b" * 5_000_000 + ": get another")
    assert len(str(error)) < 1300 and str(error).endswith("get another")


def test_errors_keep_their_form() -> None:
    again = pickle.loads(pickle.dumps(ImageError("x is y; expected z")))
    assert type(again) is ImageError and str(again) == "x is y; expected z"
    assert "pip install 'impasto[keras]'" in str(MissingExtraError("h5py", "keras", "reading"))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 300 + "1" + "}" * 300, "9" * 5000, "", "nonsense"])
def test_json_that_nobody_writes_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        untrusted.read_json(text)


TOML = {
    "lists in lists": "a = " + "[" * 100_000,
    "tables in tables": "a = " + "{b = " * 400 + "1" + "}" * 400,
    "a long key": "a." * 20_000 + "a = 1",
    "a long quoted key": '"a" . ' * 20_000 + "a = 1",
    "a long heading": "[" + "a." * 20_000 + "a]",
    "a huge number": "a = " + "9" * 5000,
    "megabytes": "a = 1\n" * 300_000,
    "not TOML": "a = = 1",
}


@pytest.mark.parametrize("kind", TOML)
def test_toml_that_nobody_writes_is_a_value_error(kind: str) -> None:
    with pytest.raises(ValueError):
        untrusted.read_toml(TOML[kind])


def test_plain_toml_is_read() -> None:
    text = 'a.b = [\n 0.1, 0.2, 0.3,\n]\n[c."d.e"]\nf = "' + "." * 500 + '"\n'
    assert untrusted.read_toml(text) == {"a": {"b": [0.1, 0.2, 0.3]}, "c": {"d.e": {"f": "." * 500}}}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = tmp_path / "plain"
    plain.write_text("text")
    assert all(untrusted.irregular(path) is None for path in (plain, tmp_path, tmp_path / "absent", "a\0b"))
    os.mkfifo(tmp_path / "pipe")
    assert untrusted.irregular(tmp_path / "pipe") == "a pipe"
    assert untrusted.irregular("/dev/zero") == "a device"
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.chdir(tmp_path)  # a socket's path has to be short
        listening.bind("socket")
        assert untrusted.irregular("socket") == "a socket"
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(ValueError, match="not a file"):
            untrusted.read_text(path)
    assert untrusted.read_text(plain) == "text"


class Endless(io.RawIOBase):
    """A stream without an end."""

    def __init__(self) -> None:
        self.reads = itertools.count()

    def read(self, size: int = -1) -> bytes:
        next(self.reads)
        return b"x" * size


def test_streams_are_bounded() -> None:
    assert untrusted.read_stream(io.BytesIO(b"abc"), 3) == b"abc"
    for stream in (io.BytesIO(b"abcd"), Endless()):
        with pytest.raises(ValueError, match="more than"):
            untrusted.read_stream(stream, 3)
