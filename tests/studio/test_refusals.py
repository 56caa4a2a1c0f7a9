"""Whatever is wrong is refused in a sentence that names no path."""

import io
import json
import struct
import zlib

import pytest
from PIL import Image

from impasto.methods import METHODS
from impasto.settings import names_file
from impasto.studio.app import ENDPOINTS
from impasto.studio.names import safe_name

from .studios import picture

TRICKS = [
    "../../../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "..\\..\\windows\\win.ini",
    "/etc/passwd",
    "C:\\windows\\win.ini",
    "file:///etc/passwd",
    "http://127.0.0.1:1/x.png",
    "//evil.com/x",
    "~root/.ssh/id_rsa",
    "-",
    "nul\0l",
    "a" * 5000,
    "__proto__",
    "\u202etxt.exe",
]
PATHS = [("GET", each.path, each) for each in ENDPOINTS]


def check(answer):
    """A refusal of one clear sentence, without a path or what lies there."""
    assert 400 <= answer.status_code < 500, answer.text
    said = answer.json()["error"]
    assert "Traceback" not in said and "\n" not in said and len(said) < 1300
    assert "root:" not in said and "site-packages" not in said and "/usr/" not in said and "/etc/" not in said
    return said


def quoted(text):
    from urllib.parse import quote

    return quote(text.replace("\0", "%00"), safe="")


@pytest.mark.parametrize("trick", TRICKS, ids=lambda text: text[:20].encode("unicode_escape").decode())
def test_tricks_in_every_part_of_every_address(api, trick):
    photo = api.photo()
    for endpoint in ENDPOINTS:
        names = [name for name in ("{id}", "{style}", "{name}") if name in endpoint.path]
        for bad in names:
            path = endpoint.path.replace(bad, quoted(trick)).replace("{id}", photo).replace("{style}", "great-wave")
            more = {"json": {"size": 64}} if endpoint.method == "POST" else {}
            check(api.ask(endpoint.method, path, **more))
        for name, parameter in endpoint.query.items():
            if name == "token" or (parameter.kind == "text" and not parameter.choices):
                continue
            path = endpoint.path.replace("{id}", photo).replace("{style}", "great-wave").replace("{name}", "wave")
            check(api.ask(endpoint.method, f"{path}?{name}={quoted(trick)}"))


@pytest.mark.parametrize(
    "path",
    ["../app.py", "..%2fapp.py", "%2e%2e/app.py", "//etc/passwd", "/etc/passwd", "..\\app.py", "nothing.js", ""],
)
def test_static_files_stay_in_their_folder(api, path):
    answer = api.ask("GET", f"/static/{path}")
    assert answer.status_code in (400, 404, 405) and "import" not in answer.text


@pytest.mark.parametrize("trick", TRICKS, ids=lambda text: text[:20].encode("unicode_escape").decode())
def test_tricks_in_every_field_of_a_job(api, trick):
    good = {"photo": api.photo(), "styles": [{"picture": api.photo(1)}], "size": 48}
    for change in (
        {"photo": trick},
        {"styles": [{"name": trick}]},
        {"styles": [{"picture": trick}]},
        {"styles": [{"name": "wave", "mask": trick}]},
        {"effort": trick},
        {"method": trick},
        {"preset": trick, "method": "adain"},
        {"print": trick},
        {"start": {"job": trick}},
        {"settings": {trick: 1}},
        {"settings": {"start": trick}},
        {"settings": {"encoder": trick}},
    ):
        check(api.ask("POST", "/api/jobs", json={**good, **change}))
    assert api.ask("GET", "/api/jobs").json() == []


def files_of_settings():
    return [
        (name, setting)
        for name, method in METHODS.items()
        for setting, field in method.options.model_fields.items()
        if names_file(field) is not None
    ]


@pytest.mark.parametrize(("method", "setting"), files_of_settings())
@pytest.mark.parametrize("trick", ["/etc/passwd", "../nets/mine.safetensors", "mine.safetensors", "~/x.pth"])
def test_no_setting_names_a_file_of_the_server(api, method, setting, trick):
    request = {"photo": api.photo(), "styles": [{"name": "wave"}], "method": method, "settings": {setting: trick}}
    assert trick.rpartition("/")[2] in check(api.ask("POST", "/api/jobs", json=request))


@pytest.mark.parametrize(
    "rungs",
    ["adain:256:net=/etc/passwd,swap", [{"method": "swap", "settings": {"net": "../x.safetensors"}}]],
)
def test_no_rung_of_a_cascade_names_a_file_of_the_server(api, rungs):
    request = {"photo": api.photo(), "styles": [{"name": "wave"}], "method": "cascade", "settings": {"rungs": rungs}}
    assert "not the name of anything shipped" in check(api.ask("POST", "/api/jobs", json=request))


def test_shipped_names_are_accepted(tiny_shipped, api):
    request = {"photo": api.photo(), "styles": [{"name": "wave"}], "method": "adain", "size": 48}
    api.wait(api.start({**request, "settings": {"net": "adain", "encoder": "vgg19"}}))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"styles": []}, "styles"),
        ({"styles": [{}]}, "name"),
        ({"styles": [{"name": "wave", "picture": "x"}]}, "expected one of them"),
        ({"styles": [{"name": "wave"}, {"name": "great-wave"}]}, "together"),
        ({"styles": [{"name": "great-waves"}]}, "great-wave"),
        ({"styles": [{"name": "great-wave"}], "method": "adain"}, "adain"),
        ({"styles": [{"name": "wave"}], "method": "johnson"}, "johnson"),
        ({"styles": [{"name": "wave", "weight": -1}]}, "weight"),
        ({"styles": [{"name": "wave", "weight": 1e400}]}, "JSON"),
        ({"effort": "quikc"}, "quick"),
        ({"boldness": 2}, "boldness"),
        ({"effort": "quick", "method": "adain"}, "one or the other"),
        ({"size": 100_000}, "size"),
        ({"size": 20_000}, "8192"),
        ({"size": None, "print": "90x90cm"}, "8192"),
        ({"print": "90"}, "print"),
        ({"size": "large"}, "size"),
        ({"settings": {"alpha": 1}}, "alpha"),
        ({"settings": {"memory": "1TB"}}, "memory"),
        ({"method": "adain", "settings": {"alpha": 7}}, "alpha"),
        ({"method": "adian"}, "adain"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_wrong_requests_are_explained(api, change, word):
    request = {"photo": api.photo(), "styles": [{"name": "wave"}], "size": 48, **change}
    data = json.dumps({name: value for name, value in request.items() if value is not None}).replace(
        "Infinity", "1e400"
    )
    answer = api.ask("POST", "/api/jobs", content=data, headers={"Content-Type": "application/json"})
    if word == "JSON":  # Python reads it as infinity
        word = "weight"
    assert word in check(answer)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ("{", "application/json", 400),
        ("[]", "application/json", 400),
        ("[" * 100_000, "application/json", 400),
        ("{}", "text/plain", 415),
        ("{}", "application/x-www-form-urlencoded", 415),
        ("{}", "application/json", 422),
    ],
)
def test_wrong_bodies_are_explained(api, body, kind, status):
    answer = api.ask("POST", "/api/jobs", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status
    check(answer)


def bomb(width, height):
    """A PNG of few bytes that says it has very many pixels."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "status", "word"),
    [
        (b"", 422, "empty"),
        (b"hello", 415, "text"),
        (b"<!doctype html><title>x</title>", 415, "web page"),
        (b"PK\3\4" + b"x" * 50, 415, "archive"),
        (b"\0" * 500, 415, "zeros"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "drawing"),
        (picture()[:200], 422, "damaged"),
        (picture(format="JPEG")[:100], 422, "damaged"),
        (bomb(60_000, 60_000), 413, "megapixels"),
        (bomb(12_000, 10_000), 413, "megapixels"),
        (picture(1, 1), 422, "at least 2 pixels a side"),
        (picture(1, 500, format="JPEG"), 422, "at least 2 pixels a side"),
        (picture(500, 1, format="GIF"), 422, "at least 2 pixels a side"),
        (b"\xff\x0a" + b"x" * 100, 415, "another kind"),
        (b"qoif" + b"\0" * 50, 415, "another kind"),
        (b"8BPS\0\1" + b"\0" * 50, 415, "picture"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_no_picture_is_refused(api, data, status, word):
    answer = api.ask("POST", "/api/pictures", files={"file": ("x.png", data)})
    assert answer.status_code == status and word in check(answer)


@pytest.mark.parametrize(
    ("data", "kind", "repair"),
    [
        (b"\xff\x0a" + b"x" * 100, "(JPEG XL)", "export it as PNG"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + b"x" * 99, "(JPEG XL)", "export it as PNG"),
        (b"qoif" + b"\0" * 50, "(QOI)", "export it as PNG"),
        (b"FUJIFILMCCD-RAW " + b"x" * 99, "(camera raw)", "develop it"),
        (b"8BPS\0\1" + b"\0" * 50, "(Photoshop)", "export it as PNG"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + b"x" * 99, "(JPEG 2000)", "export it as PNG"),
    ],
    ids=["JPEG XL", "JPEG XL in boxes", "QOI", "raw", "Photoshop", "JPEG 2000"],
)
def test_a_picture_of_another_kind_is_told_what_is_read(api, data, kind, repair):
    said = check(api.ask("POST", "/api/pictures", files={"file": ("x.png", data)}))
    assert kind in said and repair in said
    read = api.ask("GET", "/api/limits").json()["formats"]["read"]
    assert [name for name in read if name not in said.lower()] == []


def test_a_bomb_in_any_place_of_a_form_is_refused(api):
    files = {"photo": ("a.png", picture()), "style": ("b.png", bomb(60_000, 60_000))}
    assert "megapixels" in check(api.ask("POST", "/api/paint", files=files, data={"effort": "draft"}))


@pytest.mark.parametrize(
    ("files", "data", "status"),
    [
        ({}, {"file": "text"}, 400),
        ({"other": ("a.png", picture())}, {}, 400),
        ([("file", ("a.png", picture())), ("file", ("b.png", picture()))], {}, 400),
    ],
)
def test_wrong_forms_are_explained(api, files, data, status):
    answer = api.ask("POST", "/api/pictures", files=files or {"x": ("", b"")}, data=data)
    assert answer.status_code == status
    check(answer)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"effort": "best", "method": "adain"}, "one or the other"),
        ({"size": "many"}, "size"),
        ({"format": "bmp"}, "format"),
        ({"quality": "0"}, "quality"),
        ({"settings": "{"}, "settings"),
        ({"settings": "[]"}, "settings"),
        ({"settings": '{"net": "/etc/passwd"}', "method": "adain"}, "passwd"),
        ({"url": "http://evil.com/a.png"}, "field"),
        ({"style": "/etc/passwd"}, "passwd"),
    ],
)
def test_wrong_fields_of_paint_are_explained(open_studio, fields, word):
    studio = open_studio()
    files = {"photo": ("a.png", picture())}
    if "style" not in fields:
        files["style"] = ("b.png", picture(seed=1))
    answer = studio.api.ask("POST", "/api/paint", files=files, data=fields)
    assert word in check(answer)
    assert len(studio.studio.pictures) == 0


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("me.jpg", "me.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\me.jpg", "me.jpg"),
        ("картина 1.png", "картина 1.png"),
        ("照片.heic", "照片.heic"),
        ("a:0.5@b.png", "a 0.5 b.png"),
        ("net#style.png", "net style.png"),
        ("<script>.png", "script.png"),
        (".htaccess", "htaccess"),
        ("-", "picture"),
        ("", "picture"),
        ("nul\0l.png", "null.png"),
        ("a\r\nSet-Cookie: x.png", "a Set-Cookie x.png"),
        ("x" * 300 + ".jpeg", "x" * 71 + ".jpeg"),
    ],
)
def test_names_of_files_are_harmless(api, name, safe):
    assert safe_name(name) == safe


def test_names_of_files_stay_names(api):
    for name in [trick for trick in TRICKS if len(trick) < 1000]:
        sent = api.send(picture(), name.replace("\0", ""))
        assert not {"/", "\\", ":", "@", "#", "\0", "\n"} & set(sent["name"]) and len(sent["name"]) <= 80


def test_the_place_of_a_photograph_is_dropped(api):
    image = Image.open(io.BytesIO(picture()))
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    exif[0x8825] = {1: "N", 2: (48.0, 51.0, 30.0), 3: "E", 4: (2.0, 17.0, 40.0)}
    exif[0x0112] = 6
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif)
    sent = api.send(out.getvalue(), "me.jpg")
    assert (sent["width"], sent["height"]) == (36, 48)  # upright
    assert not opened_exif(api.ask("GET", f"/api/pictures/{sent['id']}").content)
    job = api.start({"photo": sent["id"], "styles": [{"name": "great-wave"}], "size": 48})
    api.wait(job)
    for format in ("png", "jpeg", "webp", "tiff"):
        kept = opened_exif(api.ask("GET", f"/api/jobs/{job}/picture?format={format}").content)
        assert kept.get(0x010F) == "Camera" and not kept.get_ifd(0x8825)


def opened_exif(data):
    return Image.open(io.BytesIO(data)).getexif()
