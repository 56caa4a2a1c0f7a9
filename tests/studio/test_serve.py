"""The command, on a real port, and the client."""

import contextlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys

import pytest

from impasto.errors import RequestError
from impasto.studio import Client
from impasto.studio.client import StudioError
from impasto.studio.serve import PatientProtocol, Settings, serve

from .real import Reply, read_all
from .studios import TOKEN, opened, picture


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to a program")
def test_a_studio_from_its_start_to_its_end(tmp_path, monkeypatch):
    """The one test on a real port: start, paint by the client, refuse, end by Ctrl-C."""
    photo = tmp_path / "photo of ann.png"
    photo.write_bytes(picture())
    command = [sys.executable, "-m", "impasto", "studio", "--no-browser", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            address = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", running.stdout.readline())[0]
            assert "Ctrl-C ends it" in running.stdout.readline()
            monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
            studio = Client(address)
            assert opened(studio.paint(photo, "great-wave", size=48)).size == (48, 36)
            job = studio.start(picture(), "the-scream", size=48)
            assert [state["state"] for state in studio.watch(job)][-1] == "done"
            large = studio.enlarge(job, size=64)
            assert studio.wait(large)["width"] == 64
            assert opened(studio.picture(large, format="jpeg", longest=20)).size == (20, 15)
            assert [each["id"] for each in studio.jobs()][:2] == [large, job] and studio.job(job)["state"] == "done"
            studio.stop(large, forget=True)
            assert studio.styles()["gallery"] and studio.methods()["methods"]
            with pytest.raises(StudioError, match="expected one of"):
                studio.start(picture(), "no-such-style")
            with pytest.raises(StudioError) as refused:
                studio.send(b"hello")
            assert refused.value.status == 415
            with pytest.raises(StudioError, match="token"):
                Client(address.partition("?")[0], token="wrong").jobs()
            assert Client(address).jobs() == []
            watching = studio.watch(studio.start(picture(), "great-wave", size=48, keep=True))
            next(watching)
        finally:
            running.send_signal(signal.SIGINT)
            _, err = running.communicate(timeout=30)
    assert running.returncode == 0 and err == ""
    with pytest.raises(StudioError, match="cannot be reached"):
        studio.jobs()


def test_the_server_begins_without_torch():
    code = "import impasto.studio.serve, impasto.studio.app, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_client_is_of_the_standard_library():
    code = (
        "import sys, impasto.studio; impasto.studio.Client; "
        "sys.exit(any(m in sys.modules for m in ('torch', 'starlette', 'pydantic', 'numpy', 'uvicorn')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("address", ["127.0.0.1:8765", "ftp://x/", "", "file:///etc/passwd"])
def test_addresses_of_no_studio_are_refused(address):
    with pytest.raises(RequestError, match="expected one as in"):
        Client(address)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        (Settings(host="0.0.0.0"), "--password"),
        (Settings(token="short"), "--token"),
        (Settings(host="192.0.2.1", password="long enough"), "192.0.2.1"),
        (Settings(host="no-such-host.invalid", password="long enough"), "cannot listen"),
        (Settings(certificate=("missing.pem", "missing.key")), "--https"),
    ],
)
def test_what_cannot_be_served_is_explained(settings, word):
    with pytest.raises(RequestError, match=re.escape(word)):
        serve(settings, print, browser=False)


def test_https_with_a_certificate_of_one_s_own(run_studio, tmp_path):
    if (openssl := shutil.which("openssl")) is None:
        pytest.skip("openssl is not installed")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    named = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    made = subprocess.run([*command, *named, "-keyout", key, "-out", certificate], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("openssl makes no such certificate")
    studio = run_studio(certificate=(certificate, key))
    assert studio.url.startswith("https://")
    trusting = ssl.create_default_context(cafile=certificate)
    assert Client(studio.url, context=trusting).jobs() == []
    with pytest.raises(StudioError, match="self-signed"):
        Client(studio.url).jobs()
    with pytest.raises(StudioError, match="cannot be reached"):
        Client(studio.url.replace("https", "http")).jobs()
    with studio.connect() as plain, trusting.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
        connection.sendall(f"GET /?token={TOKEN} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        assert "; Secure" in Reply.read(read_all(connection)).headers["set-cookie"]


def test_a_port_that_is_taken_is_explained():
    with contextlib.closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(RequestError, match="--port"):
            serve(Settings(port=taken.getsockname()[1]), print, browser=False)


class Loop:
    """An event loop that only knows timers."""

    def __init__(self):
        self.timers = []

    def call_later(self, seconds, call):
        timer = Timer(call)
        self.timers.append(timer)
        return timer


class Timer:
    def __init__(self, call):
        self.call, self.cancelled = call, False

    def cancel(self):
        self.cancelled = True


def test_a_head_that_does_not_end_is_given_up():
    import uvicorn
    from uvicorn.server import ServerState

    closed = []

    class Transport:
        def get_extra_info(self, name):
            return None

        def is_closing(self):
            return bool(closed)

        def close(self):
            closed.append(True)

    loop = Loop()
    protocol = PatientProtocol(uvicorn.Config(lambda: None, log_config=None), ServerState(), {}, loop)
    protocol.connection_made(Transport())
    protocol.data_received(b"GET / HTTP/1.1\r\nHost: x\r\n")
    (timer,) = loop.timers
    assert not timer.cancelled and not closed
    timer.call()
    assert closed
