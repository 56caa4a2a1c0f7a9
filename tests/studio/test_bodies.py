"""Bodies are limited before they are read."""

import asyncio

import pytest

from impasto.studio.limits import Limits

from .studios import ask_raw, picture

FORM = {"content-type": "multipart/form-data; boundary=edge"}
JSON = {"content-type": "application/json"}


def form(data, name="file"):
    head = f'--edge\r\nContent-Disposition: form-data; name="{name}"; filename="a.png"\r\n\r\n'.encode()
    return head + data + b"\r\n--edge--\r\n"


@pytest.mark.parametrize(
    ("path", "headers", "length"),
    [
        ("/api/pictures", FORM, 10**9),
        ("/api/pictures", FORM, Limits().max_bytes + 10**6),
        ("/api/paint", FORM, 10**10),
        ("/api/jobs", JSON, 10**6),
        ("/api/jobs", FORM, 10**8),
        ("/api/jobs/x/print", JSON, 10**6),
        ("/login", {"content-type": "application/x-www-form-urlencoded"}, 10**6),
        ("/nothing", {}, 10**9),
    ],
)
def test_a_body_that_is_too_large_is_refused_before_it_is_read(open_studio, path, headers, length):
    sent = {**headers, "content-length": str(length), "origin": "http://127.0.0.1:8765"}
    answer = asyncio.run(ask_raw(open_studio().app, "POST", path, sent, ((0, b"x"),)))
    assert answer.status == 413 and "expected at most" in answer.error
    assert answer.asked == 0 and answer.headers["connection"] == "close"


def test_a_body_of_no_stated_length_is_read_up_to_the_limit(open_studio):
    opened = open_studio(max_bytes=1000)
    parts = tuple((0, b"x" * 10_000) for _ in range(1000))
    answer = asyncio.run(ask_raw(opened.app, "POST", "/api/pictures", FORM, ((0, form(b"")[:90]), *parts)))
    assert answer.status == 413 and answer.asked < 50


@pytest.mark.parametrize("length", ["-1", "x", "1e9", "٣"])
def test_a_length_that_is_no_number_is_refused(open_studio, length):
    from .studios import scope_of

    opened, sent = open_studio(), []
    scope = scope_of("POST", "/api/pictures", FORM)
    scope["headers"].append((b"content-length", length.encode()))

    async def send(message):
        sent.append(message)

    async def receive():
        raise AssertionError("the body was read")

    asyncio.run(opened.app(scope, receive, send))
    assert sent[0]["status"] == 400


def test_a_file_larger_than_the_limit_within_an_allowed_body_is_refused(open_studio):
    api = open_studio(max_bytes=1000).api
    answer = api.ask("POST", "/api/pictures", files={"file": ("a.png", picture(200, 200))})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "parts",
    [
        ((0, b"--edge\r\n"), (3600, b"y")),
        ((3600, b"x"),),
        tuple((0.02, bytes([each])) for each in form(picture())[:1000]),
        ((0, form(picture())[:-4]),),
    ],
    ids=["stops", "never begins", "drips", "never ends"],
)
def test_a_slow_body_is_given_up(open_studio, parts):
    opened = open_studio(body_wait=0.1, body_rate=1e6)
    answer = asyncio.run(ask_raw(opened.app, "POST", "/api/pictures", FORM, parts))
    assert answer.status == 408 and "slowly" in answer.error and answer.headers["connection"] == "close"


def test_a_form_of_ten_thousand_parts_is_refused(open_studio):
    opened = open_studio()
    part = b'--edge\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n'
    for path in ("/api/pictures", "/api/paint"):
        answer = asyncio.run(ask_raw(opened.app, "POST", path, FORM, ((0, part * 10_000 + b"--edge--\r\n"),)))
        assert answer.status == 400 and "64 parts" in answer.error
    files = part.replace(b'"x"', b'"photo"; filename="a.png"') * 10_000
    answer = asyncio.run(ask_raw(opened.app, "POST", "/api/paint", FORM, ((0, files + b"--edge--\r\n"),)))
    assert answer.status == 400 and "64 parts" in answer.error


@pytest.mark.parametrize(
    "body", [b"", b"nonsense", b"--edge", form(picture())[:-20], b"--edge\r\n\r\n\r\n--edge--\r\n"]
)
def test_damaged_forms_are_explained(open_studio, body):
    answer = asyncio.run(
        ask_raw(open_studio(body_wait=0.1).app, "POST", "/api/pictures", FORM, ((0, body), (0, b"")))
    )
    assert answer.status in (400, 408, 422) and answer.error


def test_a_client_that_leaves_amid_its_body_leaves_nothing(open_studio):
    opened = open_studio()

    async def go():
        parts = [
            {"type": "http.request", "body": form(picture())[:80], "more_body": True},
            {"type": "http.disconnect"},
        ]

        async def receive():
            return parts.pop(0)

        async def send(message):
            sent.append(message)

        from .studios import scope_of

        await opened.app(scope_of("POST", "/api/pictures", FORM), receive, send)

    sent = []
    asyncio.run(go())
    assert len(opened.studio.pictures) == 0
