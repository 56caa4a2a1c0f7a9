"""Attacks on a studio on a real port: each is refused in words, and the studio goes on."""

from __future__ import annotations

import gc
import socket
import threading
import time
from urllib.parse import quote

import psutil
import pytest

from impasto.studio import serve
from impasto.studio.app import ENDPOINTS
from impasto.studio.client import StudioError

from .real import Reply, Running, read_all, until
from .studios import TOKEN, picture
from .test_refusals import TRICKS, bomb

pytestmark = pytest.mark.usefixtures("tiny_shipped")

FORM = "Content-Type: multipart/form-data; boundary=edge"
PART = b'--edge\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
END = b"--edge--\r\n"


def file_part(data: bytes, field: str = "file", name: str = "a.png") -> bytes:
    head = f'--edge\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'
    return head.encode() + data + b"\r\n"


def check(reply: Reply) -> None:
    """It is refused, and nothing of the machine shows."""
    assert 400 <= reply.status < 500, reply
    for secret in (b"root:", b"site-packages", b"/usr/", b"/etc/", b"Traceback", b"import "):
        assert secret not in reply.body


@pytest.fixture
def studio(run_studio):
    running = run_studio(max_bytes=1_000_000, body_wait=0.3, body_rate=1e6, linger=2.0)
    yield running
    assert running.is_well()


@pytest.fixture
def cookie(studio: Running) -> str:
    """The cookie of a page that was let in."""
    reply = studio.send(f"GET /?token={TOKEN} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert reply.status == 303
    return reply.headers["set-cookie"].partition(";")[0]


@pytest.mark.parametrize(
    ("target", "lines"),
    [
        ("/api/jobs", ["Host: evil.com"]),
        ("/api/jobs", ["Host: evil.com:{port}"]),
        ("/api/jobs", ["Host: 127.0.0.1:{port}.evil.com"]),
        ("/api/jobs", ["Host: evil.com", "X-Forwarded-Host: 127.0.0.1"]),
        ("/api/jobs", ["Host: 127.0.0.1", "Host: evil.com"]),
        ("/api/jobs", []),
        ("http://127.0.0.1/api/jobs", ["Host: evil.com"]),
        ("/health", ["Host: evil.com"]),
        ("/", ["Host: evil.com"]),
        ("/static/index.html", ["Host: evil.com"]),
    ],
    ids=str,
)
def test_a_foreign_name_that_leads_here_gets_nothing(studio, cookie, target, lines):
    """As after DNS rebinding: the browser would even send the cookie."""
    named = "\r\n".join([line.format(port=studio.port) for line in lines])
    for version in ("1.1", "1.0"):
        reply = studio.send(f"GET {target} HTTP/{version}\r\n{named}\r\nCookie: {cookie}\r\n\r\n".encode())
        assert reply.status == 400


@pytest.mark.parametrize("line", ["Origin: http://evil.com", "Origin: null", "Sec-Fetch-Site: cross-site", "X: y"])
def test_a_page_of_another_site_changes_nothing(studio, cookie, line):
    for endpoint in ENDPOINTS:
        if endpoint.method != "GET":
            target = endpoint.path.replace("{id}", "x")
            head = f"{endpoint.method} {target} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n{line}\r\n"
            assert studio.send(f"{head}Connection: close\r\n\r\n".encode()).status == 403, endpoint


RAW = [
    "/../../../../../../etc/passwd",
    "/static/../serve.py",
    "/static/..%2fserve.py",
    "/static/%2e%2e/serve.py",
    "/static/%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e%2fetc/passwd",
    "/static/..\\serve.py",
    "/static//etc/passwd",
    "/static/%00index.html",
    "/static/js/../../serve.py",
    "/static/....//serve.py",
    "//etc/passwd",
    "/api/../static/../serve.py",
    "file:///etc/passwd",
    "/api/jobs/..%2f..%2f..%2fetc%2fpasswd/picture",
    "/static/" + "a" * 3000,
]


@pytest.mark.parametrize("target", RAW, ids=lambda target: target[:40])
def test_paths_that_no_client_would_tidy_lead_nowhere(studio, target):
    check(studio.ask("GET", target))


def test_tricks_in_every_path_and_query(studio):
    photo = studio.client().send(picture())["id"]
    tricks = [quote(trick, safe=safe) for trick in TRICKS for safe in ("", "/:.~\\") if len(trick) < 100]
    for endpoint in ENDPOINTS:
        for part in ("{id}", "{style}", "{name}"):
            if part in endpoint.path and endpoint.method == "GET":
                for trick in tricks:
                    path = endpoint.path.replace(part, trick).replace("{id}", photo).replace("{style}", "wave")
                    check(studio.ask("GET", path))
    for name, trick in zip(("format", "longest", "size", "colour", "x"), tricks, strict=False):
        check(studio.ask("GET", f"/api/pictures/{photo}?{name}={trick}"))


def test_tricks_in_every_field_of_a_form(studio):
    """A field that may be any text is refused for another reason: there is no such name."""
    (paint,) = [endpoint for endpoint in ENDPOINTS if endpoint.path == "/api/paint"]
    for field in [*paint.fields, "../../x"]:
        for trick in TRICKS:
            parts = {"photo": file_part(picture(), "photo", "../../../tmp/x.png"), "style": PART % (b"style", b"no")}
            parts[field] = PART % (field.encode(), trick.encode("utf-8", "surrogateescape"))
            body = b"".join(parts.values()) + END
            reply = studio.ask("POST", "/api/paint", FORM, body=body)
            assert 400 <= reply.status < 500 and reply.error, (field, trick)
            check(reply) if "/etc/" not in trick else None


def test_ten_thousand_parts(studio):
    for part in (PART % (b"photo", b"x"), file_part(b"x", "photo")):
        for path in ("/api/paint", "/api/pictures"):
            reply = studio.ask("POST", path, FORM, body=part * 10_000 + END)
            assert reply.status in (400, 413) and ("64 parts" in reply.error or "MB" in reply.error)


@pytest.mark.parametrize("sent", [b"", b"--edge\r\n", file_part(picture())[:-8]], ids=["nothing", "little", "most"])
def test_a_body_that_stops(studio, sent):
    reply = studio.send(studio.head("POST", "/api/pictures", FORM, "Content-Length: 90000"), sent)
    assert reply.status == 408 and "slowly" in reply.error


def test_a_head_that_stops(studio, monkeypatch):
    monkeypatch.setattr(serve.PatientProtocol, "seconds", 0.2)
    with studio.connect() as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: ")
        assert read_all(connection) == b""


def test_a_head_without_end(studio):
    with studio.connect() as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\n" + b"X: y\r\n" * 6000)
        assert Reply.read(read_all(connection)).status in (400, 431)


def test_a_body_of_a_gigabyte_is_refused_before_it_is_sent(studio):
    for path in ("/api/pictures", "/api/paint", "/api/jobs", "/login"):
        reply = studio.send(studio.head("POST", path, FORM, "Content-Length: 1000000000"))
        assert reply.status == 413 and "1e+03 MB" in reply.error


def test_a_body_of_a_gigabyte_without_a_length_ends_at_the_limit(studio):
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    head = studio.head("POST", "/api/pictures", FORM, "Transfer-Encoding: chunked")
    start = file_part(b"")[:-2]
    taken = 0

    def body():
        nonlocal taken
        yield head
        yield b"%x\r\n" % len(start) + start + b"\r\n"
        while taken < 1_000_000_000:
            taken += len(chunk)
            yield chunk

    reply = send_while_taken(studio, body())
    assert reply.status == 413 and "smaller" in reply.error
    assert taken < 100_000_000


def send_while_taken(studio: Running, parts) -> Reply:
    """Send until the studio answers, and read the answer."""
    with studio.connect() as connection:
        for part in parts:
            try:
                connection.sendall(part)
            except ConnectionError:
                break
            connection.setblocking(False)
            try:
                if connection.recv(1, socket.MSG_PEEK):
                    break
            except BlockingIOError:
                pass
            finally:
                connection.settimeout(20)
        return Reply.read(read_all(connection))


def test_whoever_sends_too_much_at_once_is_told_so(studio):
    """The whole body is sent before the answer is read, as simple clients do."""
    for size in (1_300_000, 8_000_000):
        with pytest.raises(StudioError) as refused:
            studio.client().send(bytes(size))
        assert refused.value.status == 413
    reply = studio.ask("POST", "/api/pictures", "Content-Type: text/plain", body=bytes(1_000_000))
    assert reply.status == 413
    reply = studio.ask("POST", "/api/paint", FORM, body=(PART % (b"x", b"y")) * 15_000)
    assert reply.status == 400 and "64 parts" in reply.error


def test_whoever_has_no_token_is_not_waited_for(studio):
    head = studio.head("POST", "/api/pictures", FORM, "Content-Length: 900000").replace(TOKEN.encode(), b"wrong")
    assert studio.send(head, b"x").status == 401


def test_bombs(studio):
    for data in (bomb(60_000, 60_000), bomb(12_000, 10_000)):
        for path, field in (("/api/pictures", "file"), ("/api/paint", "photo")):
            body = file_part(data, field) + (PART % (b"style", b"great-wave") if field == "photo" else b"") + END
            assert studio.ask("POST", path, FORM, body=body).status == 413
    reply = studio.ask(
        "POST", "/api/jobs", "Content-Type: application/json", "Content-Encoding: gzip", body=b"\x1f\x8b"
    )
    assert reply.status == 400


def test_two_hundred_streams_left_open(run_studio):
    studio = run_studio()
    clients = [studio.client(f"client {number}") for number in range(8)]
    own = {"method": "gatys", "settings": {"steps": 100_000, "precision": "exact"}, "size": 32, "keep": True}
    jobs = [client.start(picture(), picture(seed=3), **own) for client in clients]
    opened = [open_stream(studio, client.session, job) for client, job in zip(clients, jobs, strict=True)]
    until(lambda: studio.studio.visitors.streams == 8)
    threads, before = threading.active_count(), psutil.Process().memory_info().rss
    for client, job in zip(clients, jobs, strict=True):
        opened += [open_stream(studio, client.session, job) for _ in range(24)]
    assert len(opened) == 200
    statuses = [Reply.read(stream.recv(4096)).status for stream in opened]
    assert statuses.count(200) == studio.studio.limits.streams == studio.studio.visitors.streams
    assert statuses.count(429) == 200 - studio.studio.limits.streams
    assert studio.is_well()
    assert threading.active_count() <= threads + 2
    for stream in opened:
        stream.close()
    until(lambda: studio.studio.visitors.streams == 0)
    for client, job in zip(clients, jobs, strict=True):
        client.stop(job)
    gc.collect()
    assert psutil.Process().memory_info().rss - before < 100e6
    assert studio.is_well()


def open_stream(studio: Running, session: str, job: str) -> socket.socket:
    stream = studio.connect()
    head = studio.head("GET", f"/api/jobs/{job}/events").replace(b"X-Session: me", f"X-Session: {session}".encode())
    stream.sendall(head)
    return stream


@pytest.mark.slow
def test_streams_left_open_for_a_while_take_nothing_more(run_studio):
    studio = run_studio()
    client = studio.client()
    settings = {"steps": 100_000, "precision": "exact"}
    job = client.start(picture(), picture(seed=3), method="gatys", settings=settings, size=32, keep=True)
    streams = [open_stream(studio, "me", job) for _ in range(12)]
    until(lambda: studio.studio.visitors.streams == 12)
    time.sleep(3)
    process = psutil.Process()
    before = process.memory_info().rss
    time.sleep(20)
    assert process.memory_info().rss - before < 30e6
    for stream in streams:
        stream.close()
    until(lambda: studio.studio.visitors.streams == 0)
    client.stop(job)
