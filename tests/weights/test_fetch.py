from __future__ import annotations

import contextlib
import hashlib
import http.server
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from impasto.errors import OutputError, WeightsError
from impasto.weights.catalogue import CATALOGUE, Entry
from impasto.weights.fetch import fetch
from impasto.weights.locate import cache_dir, locate

Offer = Callable[..., Path]
LENGTHS = {"huge": "400000000", "odd": "a few", "negative": "-5", "fraction": "1e3"}
CONTENT = bytes(range(256)) * 12_000  # three chunks


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT in the ways that servers do."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str | None]] = []

    def url(self, way: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{way}/net.pth"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        way, wanted = self.path.split("/")[1], self.headers["Range"]
        self.server.asked.append((way, wanted))
        if way == "missing":
            self.send_error(404)
            return
        content = b"<html>sign in</html>" if way == "wrong" else CONTENT
        start = int(re.findall(r"\d+", wanted)[0]) if wanted and way != "rangeless" else 0
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if way in LENGTHS:
            self.send_header("Content-Length", LENGTHS[way])
        elif way != "endless":
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if way == "endless":
            with contextlib.suppress(OSError):
                while True:
                    self.wfile.write(content)
        end = min(start + 1_300_000, len(content)) if way == "breaking" else len(content)
        self.wfile.write(content[start:end])


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def offer(server: Server, monkeypatch: pytest.MonkeyPatch) -> Offer:
    def offer(*ways: str, digest: str = "") -> Path:
        digest = digest or f"sha256:{hashlib.sha256(CONTENT).hexdigest()[:8]}"
        urls = tuple(server.url(way) for way in ways)
        entry = Entry("net", "vgg19", "caffe", "", "", digest, len(CONTENT), urls=urls)
        monkeypatch.setitem(CATALOGUE, "net", entry)
        return cache_dir() / "net.pth"

    return offer


def test_fetches_once_and_reports_progress(offer: Offer, server: Server) -> None:
    target = offer("plain")
    seen: list[tuple[int, int | None]] = []
    assert fetch("net", progress=lambda done, total: seen.append((done, total))) == target
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["net.pth"]
    assert seen[0] == (0, len(CONTENT)) and seen[-1] == (len(CONTENT), len(CONTENT)) and len(seen) > 3
    assert fetch("net") == target and len(server.asked) == 1
    assert locate("net").path == target


@pytest.mark.parametrize("digest", ["sha256", "md5"])
def test_full_digests_of_both_kinds(digest: str, offer: Offer) -> None:
    target = offer("plain", digest=f"{digest}:{hashlib.new(digest, CONTENT).hexdigest()}")
    assert fetch("net") == target


def test_resumes_where_it_stopped(offer: Offer, server: Server) -> None:
    target = offer("plain")
    target.parent.mkdir(parents=True)
    part = target.with_name("net.pth.part")
    part.write_bytes(CONTENT[:1000])
    seen: list[int] = []
    fetch("net", progress=lambda done, total: seen.append(done))
    assert server.asked == [("plain", "bytes=1000-")] and seen[0] == 1000
    assert target.read_bytes() == CONTENT and not part.exists()


def test_a_connection_that_breaks_is_taken_up_again(offer: Offer, server: Server) -> None:
    target = offer("breaking")
    fetch("net")
    assert target.read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == [None, "bytes=1300000-", "bytes=2600000-"]


def test_a_server_that_ignores_range_starts_over(offer: Offer) -> None:
    target = offer("rangeless")
    target.parent.mkdir(parents=True)
    target.with_name("net.pth.part").write_bytes(b"junk")
    fetch("net")
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("begun", [b"junk", CONTENT + b"more", CONTENT])
def test_a_begun_file_that_is_wrong_is_thrown_away(begun: bytes, offer: Offer) -> None:
    target = offer("plain")
    target.parent.mkdir(parents=True)
    target.with_name("net.pth.part").write_bytes(begun)
    fetch("net")
    assert target.read_bytes() == CONTENT


def test_the_next_mirror_is_tried(offer: Offer, server: Server) -> None:
    target = offer("missing", "wrong", "plain")
    assert fetch("net") == target
    assert [way for way, _ in server.asked] == ["missing", "wrong", "plain"]


def test_a_wrong_file_leaves_nothing_behind(offer: Offer) -> None:
    target = offer("wrong")
    with pytest.raises(WeightsError, match=r"20 bytes\) was not sha256:.* removed"):
        fetch("net")
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("way", ["huge", "endless"])
def test_no_more_is_taken_than_the_entry_has(way: str, offer: Offer) -> None:
    target = offer(way)
    with pytest.raises(WeightsError, match=rf"expected at most {len(CONTENT)}, so nothing was kept"):
        fetch("net")
    assert list(target.parent.iterdir()) == []
    target = offer(way, "plain")
    assert fetch("net") == target


@pytest.mark.parametrize("way", ["odd", "negative", "fraction"])
def test_a_length_that_is_no_number_is_told(way: str, offer: Offer) -> None:
    offer(way)
    with pytest.raises(WeightsError, match=f"the length '{LENGTHS[way]}'; expected a number of bytes"):
        fetch("net")


def test_not_found_and_no_network_are_said(offer: Offer, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    offer("missing")
    with pytest.raises(WeightsError, match="404"):
        fetch("net")
    entry = Entry("net", "vgg19", "caffe", "", "", "sha256:00000000", 1, urls=("http://127.0.0.1:1/net.pth",))
    monkeypatch.setitem(CATALOGUE, "net", entry)
    with pytest.raises(WeightsError, match=r"no connection .* put the file at"):
        fetch("net")


def test_offline_refuses_but_uses_what_is_there(
    offer: Offer, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = offer("plain")
    monkeypatch.setenv("IMPASTO_OFFLINE", "1")
    with pytest.raises(WeightsError, match="IMPASTO_OFFLINE is set"):
        fetch("net")
    assert server.asked == []
    target.parent.mkdir(parents=True)
    target.write_bytes(CONTENT)
    assert fetch("net") == target


def test_a_damaged_cached_file_is_fetched_anew(offer: Offer) -> None:
    target = offer("plain")
    target.parent.mkdir(parents=True)
    target.write_bytes(b"damaged")
    assert fetch("net") == target and target.read_bytes() == CONTENT


def test_a_cache_that_cannot_be_written(offer: Offer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer("plain")
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="cannot write"):
        fetch("net")


def test_what_comes_with_a_package_is_not_fetched() -> None:
    assert fetch("vgg19") == locate("vgg19").path
    with pytest.raises(WeightsError, match="did you mean"):
        fetch("vgg-19")
