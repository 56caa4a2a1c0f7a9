"""Each route does what the OpenAPI document says."""

import json
import re

import pytest
from starlette.routing import Route

import impasto
from impasto.images.read import read
from impasto.methods import METHODS
from impasto.settings import names_file
from impasto.studio.app import ENDPOINTS
from impasto.studio.endpoints import Endpoint
from impasto.studio.limits import Limits

from .studios import BEARER, TOKEN, opened, picture

pytestmark = pytest.mark.usefixtures("tiny_shipped")


def routes_of(opened):
    return {
        (route.path, method)
        for route in opened.app._app.routes
        if isinstance(route, Route)
        for method in route.methods
    }


def test_the_openapi_document_has_the_routes_and_no_others(open_studio):
    studio = open_studio()
    document = studio.api.ask("GET", "/openapi.json").json()
    described = {(path, method.upper()) for path, each in document["paths"].items() for method in each}
    assert described == {(path, method) for path, method in routes_of(studio) if method != "HEAD"}
    assert document["info"]["version"] == impasto.__version__


def references(data):
    if isinstance(data, dict):
        found = [data["$ref"]] if "$ref" in data else []
        return found + [each for value in data.values() for each in references(value)]
    return [each for value in data for each in references(value)] if isinstance(data, list) else []


def test_references_in_the_openapi_document_lead_somewhere(api):
    document = api.ask("GET", "/openapi.json").json()
    for reference in references(document):
        found = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: f"{each.method} {each.path}")
def test_each_endpoint_refuses_unknown_parameters(api, endpoint: Endpoint):
    path = endpoint.path.replace("{id}", "x").replace("{style}", "wave").replace("{name}", "wave")
    answer = api.ask(endpoint.method, f"{path}?nonsense=1")
    assert answer.status_code == 400 and "nonsense" in answer.json()["error"]


def test_health_needs_no_token(open_studio):
    answer = open_studio().client.get("/health")
    assert answer.json() == {"status": "ok", "version": impasto.__version__}


def test_the_page_comes_with_the_token_and_without_it_the_way_in(open_studio):
    client = open_studio().client
    assert client.get("/").status_code == 401 and "<form" in client.get("/").text
    led = client.get(f"/?token={TOKEN}")
    assert led.status_code == 303 and led.headers["location"] == "/" and TOKEN not in led.headers["set-cookie"]
    assert "HttpOnly" in led.headers["set-cookie"] and "SameSite=strict" in led.headers["set-cookie"]
    page = client.get("/")
    assert page.status_code == 200 and "impasto" in page.text
    assert client.get("/static/index.html").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(("secret", "status"), [(TOKEN, 303), ("a password", 303), ("wrong", 401)])
def test_token_and_password_let_in_by_the_form(open_studio, secret, status):
    client = open_studio().client
    answer = client.post("/login", data={"secret": secret}, headers={"Origin": "http://127.0.0.1:8765"})
    assert answer.status_code == status
    assert client.get("/").status_code == (200 if status == 303 else 401)


def test_methods_have_schemas_that_name_no_path(api):
    found = api.ask("GET", "/api/methods").json()
    assert [method["name"] for method in found["methods"]] == list(METHODS)
    assert found["efforts"] == ["draft", "quick", "fine", "best"]
    assert "memory" not in found["shared"]["properties"] and "start" not in found["shared"]["properties"]
    assert json.dumps(found["shared"]["properties"]["size"]).count(str(Limits().max_size)) == 1
    for method in found["methods"]:
        for name, field in METHODS[method["name"]].options.model_fields.items():
            shown = method["schema"]["properties"].get(name)
            if shown is not None and names_file(field) is not None:
                assert shown["enum"] and all("/" not in choice for choice in shown["enum"])
            elif names_file(field) is None and method["styles"] == "any":
                assert shown["group"] and shown["level"]


def test_styles_and_limits(api):
    styles = api.ask("GET", "/api/styles").json()
    assert {"name", "title", "artist", "year"} <= set(styles["gallery"][0])
    titles = [style["title"] for style in styles["gallery"]]
    assert "The Scream" in titles and len(set(titles)) == len(titles)
    assert "wave" in [style["name"] for style in styles["drawn"]]
    limits = api.ask("GET", "/api/limits").json()
    assert "png" in limits["formats"]["read"] and "png" in limits["formats"]["write"]
    drawn = api.ask("GET", "/api/styles/wave/picture")
    assert opened(drawn.content).size == (512, 512)
    assert api.ask("GET", "/api/styles/great-wave/picture").status_code == 404


def test_a_picture_is_sent_shown_and_forgotten(api):
    sent = api.send(picture(64, 40), "me.png")
    assert (sent["width"], sent["height"], sent["name"], sent["recipe"]) == (64, 40, "me.png", None)
    assert all(colour.startswith("#") and len(colour) == 7 for colour in sent["palette"])
    assert opened(api.ask("GET", f"/api/pictures/{sent['id']}?longest=32").content).size == (32, 20)
    assert api.ask("DELETE", f"/api/pictures/{sent['id']}").status_code == 204
    assert api.ask("GET", f"/api/pictures/{sent['id']}").status_code == 404


@pytest.mark.parametrize("style", ["great-wave", "wave", "picture:"])
def test_thumbnails_are_painted_once(api, style):
    photo, other = api.photo(), api.photo(seed=5)
    style = style + other if style.endswith(":") else style
    first = api.ask("GET", f"/api/pictures/{photo}/thumbnail/{style}?size=90")
    assert first.status_code == 200 and max(opened(first.content).size) == 96
    assert api.ask("GET", f"/api/pictures/{photo}/thumbnail/{style}?size=96").content == first.content
    assert api.ask("GET", f"/api/pictures/{photo}/thumbnail/nothing").status_code == 404


@pytest.mark.parametrize("format", ["png", "jpeg", "webp", "avif", "tiff"])
def test_a_painting_is_taken_home_with_its_recipe(api, tmp_path, format):
    if format not in api.ask("GET", "/api/limits").json()["formats"]["write"]:
        pytest.skip(f"Pillow writes no {format} here")
    job = api.start(api.request())
    assert api.wait(job)["width"] == 48
    answer = api.ask(
        "GET", f"/api/jobs/{job}/picture?format={format}&strength=0.5&colour=oklab&longest=24&dpi=60.5&download=1"
    )
    assert answer.status_code == 200 and answer.headers["content-type"] == f"image/{format}"
    assert answer.headers["content-disposition"].startswith('attachment; filename="photo.johnson.')
    assert max(opened(answer.content).size) == 24
    assert read(answer.content).dpi == pytest.approx((60.5, 60.5), abs=0.5)  # JPEG has whole ones
    again = api.send(answer.content, "painting")["recipe"]
    assert again["method"] == "johnson" and again["settings"]["strength"] == 0.5
    assert again["styles"] == [{"name": "great-wave", "weight": 1.0, "shipped": True}] and again["dropped"] == []


def test_a_print_continues_the_small_painting(api):
    job = api.start(api.request())
    api.wait(job)
    answer = api.ask("POST", f"/api/jobs/{job}/print", json={"size": 96})
    assert answer.status_code == 202
    assert api.wait(answer.json()["id"])["width"] == 96
    on_paper = api.ask("POST", f"/api/jobs/{job}/print", json={"print": "2x2cm", "dpi": 100}).json()["id"]
    assert api.wait(on_paper)["width"] == 79
    assert [each["id"] for each in api.ask("GET", "/api/jobs").json()] == [on_paper, answer.json()["id"], job]


def test_what_was_painted_is_what_the_library_paints(api):
    photo = picture(60, 44, seed=7)
    request = {"photo": api.send(photo)["id"], "styles": [{"name": "great-wave"}], "size": 48}
    job = api.start(request)
    api.wait(job)
    shown = opened(api.ask("GET", f"/api/jobs/{job}/picture").content)
    expected = impasto.paint(photo, method="johnson", net="great-wave", size=48, device="cpu").to_pil()
    assert shown.tobytes() == expected.tobytes()


def test_styles_masks_and_dials(api):
    half = pixels_of_mask()
    styles = [
        {"picture": api.photo(2), "weight": 2, "mask": api.send(half, "mask.png")["id"]},
        {"picture": api.photo(3)},
    ]
    job = api.start({"photo": api.photo(), "styles": styles, "effort": "draft", "boldness": 1, "size": 48})
    done = api.wait(job, "done", "failed")
    assert done["state"] == "done", done
    assert done["recipe"]["options"]["style_scale"] == 2.0
    assert [style["path"] for style in done["recipe"]["styles"]] == ["photo.png", "2 photo.png"]
    assert done["recipe"]["styles"][0]["weight"] == 2.0 and done["fraction"] == 1.0


def pixels_of_mask():
    import io

    from PIL import Image

    image, out = Image.new("L", (48, 36)), io.BytesIO()
    image.paste(255, (0, 0, 24, 36))
    image.save(out, "PNG")
    return out.getvalue()


def test_paint_takes_pictures_and_gives_one(open_studio):
    studio = open_studio()
    files = [
        ("photo", ("a.png", picture())),
        ("style", ("b.png", picture(seed=1))),
        ("style", ("c.png", picture(seed=2))),
    ]
    fields = {"effort": "draft", "boldness": "0.2", "size": "48", "format": "jpeg", "settings": '{"strength": 0.9}'}
    answer = studio.api.ask("POST", "/api/paint", files=files, data=fields)
    assert answer.status_code == 200 and opened(answer.content).size == (48, 36)
    named = studio.api.ask(
        "POST", "/api/paint", files={"photo": picture()}, data={"style": "great-wave", "size": "48"}
    )
    assert named.status_code == 200 and named.headers["content-type"] == "image/png"
    assert len(studio.studio.pictures) == 0 and len(studio.studio.jobs) == 0


def test_every_answer_has_the_headers_of_safety(open_studio):
    studio = open_studio()
    for path, headers in [("/", {}), ("/health", {}), ("/api/jobs", BEARER), ("/nothing", BEARER), ("/api/jobs", {})]:
        answer = studio.client.get(path, headers=headers)
        assert answer.headers["content-security-policy"].startswith("default-src 'self'; img-src 'self' blob: data:")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] in ("no-store", "no-cache")
        assert "server" not in answer.headers


@pytest.mark.parametrize(
    ("accepted", "tag", "said"),
    [
        ("", "en", "Come in"),
        ("ru", "ru", "Войти"),
        ("zh-TW,zh;q=0.9", "zh-Hans", "进入"),
        ("de, ru;q=0.3, en;q=0.5", "en", "Come in"),
        ("ru;q=0, zh;q=bad, *", "en", "Come in"),
    ],
)
def test_the_way_in_speaks_the_language_of_the_browser(open_studio, accepted, tag, said):
    client = open_studio().client
    for path in ("/", "/?token=wrong"):
        answer = client.get(path, headers={"Accept-Language": accepted})
        assert answer.status_code == 401 and said in answer.text and f'<html lang="{tag}">' in answer.text
        assert ("login_wrong" in answer.text) == (path != "/")
        for name in re.findall(r'(?:href|src)="(/static/[^"]+)', answer.text):
            assert client.get(name).status_code == 200, name


def test_too_many_wrong_tokens_are_told_on_the_page(open_studio):
    client = open_studio(attempts=1).client
    sent = {"data": {"secret": "wrong"}, "headers": {"Origin": "http://127.0.0.1:8765", "Accept-Language": "ru"}}
    assert [client.post("/login", **sent).status_code for _ in range(2)] == [401, 429]
    assert "Подождите минуту" in client.post("/login", **sent).text
    assert "Подождите минуту" in client.get("/?token=no", headers=sent["headers"]).text
