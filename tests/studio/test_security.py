"""Who is let in, and what a page of another site can't do."""

import asyncio
import re

import pytest

from impasto.studio.app import ENDPOINTS
from impasto.studio.refusals import Refusal, public
from impasto.studio.security import Address, require_secret

from .studios import BEARER, HERE, TOKEN, ask_raw, picture

CHANGES = [each for each in ENDPOINTS if each.method not in ("GET", "HEAD")]
CLOSED = [each for each in ENDPOINTS if each.path not in ("/health", "/", "/login")]


def address_of(endpoint):
    return endpoint.path.replace("{id}", "x").replace("{style}", "wave").replace("{name}", "wave")


def let_in(client):
    assert client.get(f"/?token={TOKEN}").status_code == 303


@pytest.mark.parametrize("endpoint", CLOSED, ids=lambda each: f"{each.method} {each.path}")
@pytest.mark.parametrize("wrong", [{}, {"Authorization": "Bearer wrong"}, {"Cookie": "impasto_session=a.b"}], ids=str)
def test_nothing_is_answered_without_a_token(open_studio, endpoint, wrong):
    client = open_studio().client
    headers = {"Origin": HERE, **wrong}
    answer = client.request(endpoint.method, address_of(endpoint), headers=headers)
    assert answer.status_code == 401 and "token" in answer.json()["error"]


def test_static_files_need_a_token_too(open_studio):
    client = open_studio().client
    assert client.get("/static/index.html").status_code == 401
    let_in(client)
    assert client.get("/static/index.html").status_code == 200


FOREIGN = [
    "evil.com",
    "evil.com:8765",
    "127.0.0.1.evil.com",
    "127.0.0.1@evil.com",
    "localhost:8765@evil.com",
    "",
    "[::1",
    "[::1]x",
    "10.0.0.7:8765",
]


@pytest.mark.parametrize("host", FOREIGN)
@pytest.mark.parametrize("path", ["/health", "/", "/api/jobs", f"/?token={TOKEN}"])
def test_a_name_that_is_led_here_is_refused(open_studio, host, path):
    answer = open_studio().client.get(path, headers={"Host": host, **BEARER})
    assert answer.status_code == 400 and "another host" in answer.json()["error"]


def test_two_hosts_are_refused(open_studio):
    app = open_studio().app
    from .studios import scope_of

    scope = scope_of("GET", "/health", {})
    scope["headers"].append((b"host", b"evil.com"))
    sent = []

    async def go():
        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            sent.append(message)

        await app(scope, receive, send)

    asyncio.run(go())
    assert sent[0]["status"] == 400


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "localhost:9000", "[::1]:8765", "LOCALHOST:8765", "127.0.0.1:8765"]
)
def test_names_of_this_machine_are_accepted(open_studio, host):
    assert open_studio().client.get("/health", headers={"Host": host}).status_code == 200


def test_a_studio_for_others_is_reached_by_number_and_by_its_names(open_studio):
    client = open_studio(Address("0.0.0.0", names=("paint.example",))).client
    for host, status in [("192.168.0.7:8765", 200), ("paint.example", 200), ("evil.example", 400)]:
        assert client.get("/health", headers={"Host": host}).status_code == status


@pytest.mark.parametrize("endpoint", CHANGES, ids=lambda each: f"{each.method} {each.path}")
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.com"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": f"{HERE}.evil.com"},
        {"Origin": HERE, "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {},
    ],
    ids=str,
)
def test_other_sites_change_nothing_though_the_browser_sends_the_cookie(open_studio, endpoint, headers):
    client = open_studio().client
    let_in(client)
    answer = client.request(endpoint.method, address_of(endpoint), headers=headers)
    assert answer.status_code == 403 and re.search("Origin|site", answer.json()["error"])


def test_the_page_changes_and_other_sites_read_nothing(open_studio):
    client = open_studio().client
    let_in(client)
    sent = client.post(
        "/api/pictures", files={"file": picture()}, headers={"Origin": HERE, "Sec-Fetch-Site": "same-origin"}
    )
    assert sent.status_code == 201
    path = f"/api/pictures/{sent.json()['id']}"
    assert client.get(path, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200
    assert client.get(path, headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}).status_code == 403
    preflight = client.options(
        "/api/jobs", headers={"Origin": "http://evil.com", "Access-Control-Request-Method": "POST"}
    )
    assert preflight.status_code == 405 and "access-control-allow-origin" not in preflight.headers


def test_nobody_sees_or_stops_what_another_has(open_studio):
    studio = open_studio()
    mine, yours = studio.other("me"), studio.other("you")
    photo, job = mine.photo(), mine.start(mine.request())
    mine.wait(job)
    for method, path in [
        ("GET", f"/api/pictures/{photo}"),
        ("DELETE", f"/api/pictures/{photo}"),
        ("GET", f"/api/pictures/{photo}/thumbnail/great-wave"),
        ("GET", f"/api/jobs/{job}"),
        ("GET", f"/api/jobs/{job}/events"),
        ("GET", f"/api/jobs/{job}/preview"),
        ("GET", f"/api/jobs/{job}/picture"),
        ("DELETE", f"/api/jobs/{job}"),
        ("DELETE", f"/api/jobs/{job}?forget=1"),
    ]:
        assert yours.ask(method, path).status_code == 404, path
    assert yours.ask("POST", f"/api/jobs/{job}/print", json={"size": 96}).status_code == 404
    assert yours.ask("GET", "/api/jobs").json() == []
    own = yours.photo()
    for field in (
        {"photo": photo},
        {"styles": [{"picture": photo}]},
        {"start": {"job": job}},
        {"styles": [{"name": "great-wave", "mask": photo}]},
    ):
        request = {"photo": own, "styles": [{"name": "great-wave"}], **field}
        assert yours.ask("POST", "/api/jobs", json=request).status_code == 404
    assert mine.job(job)["state"] == "done"


def test_two_pages_are_two_sessions_and_a_cookie_can_t_be_forged(open_studio):
    client = open_studio().client
    let_in(client)
    first = client.cookies.get("impasto_session")
    sent = client.post("/api/pictures", files={"file": picture()}, headers={"Origin": HERE}).json()
    client.cookies.clear()
    let_in(client)
    assert client.cookies.get("impasto_session") != first
    assert client.get(f"/api/pictures/{sent['id']}").status_code == 404
    client.cookies.clear()
    for forged in (first[:-1], f"x{first}", first.replace(".", ".0"), "a.", "."):
        assert client.get("/api/jobs", headers={"Cookie": f"impasto_session={forged}"}).status_code == 401


def test_passwords_can_t_be_tried_for_ever(open_studio):
    studio = open_studio(attempts=3)
    origin = {"Origin": HERE}
    for status in (401, 401, 401, 429):
        assert studio.client.post("/login", data={"secret": "wrong"}, headers=origin).status_code == status
    assert studio.client.post("/login", data={"secret": "a password"}, headers=origin).status_code == 429
    assert studio.api.ask("GET", "/api/jobs").status_code == 200  # the token is no password
    studio.clock.now += 61
    assert studio.client.post("/login", data={"secret": "a password"}, headers=origin).status_code == 303


@pytest.mark.parametrize(
    ("host", "token", "password", "word"),
    [
        ("0.0.0.0", None, None, "--password"),
        ("192.168.1.2", None, None, "--token"),
        ("paint.example", None, None, "--password"),
        ("::", None, None, "--password"),
        ("127.0.0.1", "short", None, "--token"),
        ("0.0.0.0", None, "short", "--password"),
    ],
)
def test_others_are_let_in_only_by_a_secret(host, token, password, word):
    with pytest.raises(Refusal) as refused:
        require_secret(Address(host), token=token, password=password)
    assert word in refused.value.message


@pytest.mark.parametrize(
    ("host", "password"), [("127.0.0.1", None), ("localhost", None), ("::1", None), ("0.0.0.0", "long enough")]
)
def test_this_machine_needs_no_secret_of_its_own(host, password):
    require_secret(Address(host), token=None, password=password)


def test_web_sockets_are_closed(open_studio):
    sent = []

    async def go():
        async def receive():
            return {"type": "websocket.connect"}

        async def send(message):
            sent.append(message)

        await open_studio().app({"type": "websocket", "path": "/", "headers": []}, receive, send)

    asyncio.run(go())
    assert sent == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("there is no file /home/ann/nets/mine.safetensors; expected", "there is no file mine.safetensors; expected"),
        (r"C:\Users\Ann\x.png is damaged", "x.png is damaged"),
        ("~/nets/a.pt: gone", "a.pt: gone"),
        ("'/etc/passwd' is not", "'passwd' is not"),
        ("see /var/lib/", "see a folder"),
        ("a reason:/srv/x.pt, ../../up.pt", "a reason:x.pt, up.pt"),
        ("8/16 bits, and/or image/png", "8/16 bits, and/or image/png"),
        ("a / b", "a / b"),
        ("two\nlines", "two lines"),
    ],
)
def test_messages_name_no_folder(message, shown):
    assert public(message) == shown


def test_folders_with_spaces_are_left_out_where_they_are_the_server_s(monkeypatch, tmp_path):
    home = tmp_path / "a home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    assert public(f"no file {home}/x.pt here") == "no file x.pt here"


def test_an_unexpected_error_is_a_number_to_the_client_and_a_line_in_the_log(open_studio, monkeypatch, caplog):
    studio = open_studio()

    def fail(*_):
        raise RuntimeError("a secret at /home/ann/photo-of-ann.jpg")

    monkeypatch.setattr("impasto.studio.picture_routes.receive", fail)
    answer = studio.api.ask("POST", "/api/pictures", files={"file": ("ann.png", picture())})
    assert answer.status_code == 500
    (number,) = [record.args[0] for record in caplog.records if record.name == "impasto.studio"]
    assert number in answer.json()["error"]
    for text in (answer.text, caplog.text):
        assert "ann" not in text and "secret" not in text and "Traceback" not in text
    assert "RuntimeError" in caplog.text and "RuntimeError" not in answer.text


def test_raw_requests_are_answered(open_studio):
    answer = asyncio.run(ask_raw(open_studio().app, "GET", "/health"))
    assert answer.status == 200
