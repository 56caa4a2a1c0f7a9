"""A recipe inside a picture is a stranger's."""

import json

import pytest

from impasto.images.write import encode
from impasto.studio.recipes import found_in

from .studios import picture

pytestmark = pytest.mark.usefixtures("tiny_shipped")


def painting(recipe, **more):
    import torch

    record = {"recipe": recipe, "inputs": [], **more}
    return encode(torch.rand(1, 3, 8, 8), "x.png", metadata=record)


def adain(**options):
    return {"version": 2, "method": "adain", "options": options, "styles": [{"path": "scream.jpg", "weight": 2.0}]}


def test_a_recipe_gives_settings_that_can_be_sent_back(api):
    sent = api.send(painting({**adain(alpha=0.5), "size": 48, "seed": 3, "colour": "oklab"}))
    found = sent["recipe"]
    assert found == {
        "method": "adain",
        "settings": {"alpha": 0.5, "size": 48, "seed": 3, "colour": "oklab"},
        "styles": [{"name": "scream.jpg", "weight": 2.0, "shipped": False}],
        "dropped": [],
    }
    request = {"photo": sent["id"], "styles": [{"name": "wave"}], "method": "adain", "settings": found["settings"]}
    done = api.wait(api.start({**request, "photo": api.photo()}), "done", "failed")
    assert done["state"] == "done" and done["recipe"]["options"]["alpha"] == 0.5


@pytest.mark.parametrize(
    ("options", "more", "dropped"),
    [
        ({"net": "/etc/passwd"}, {}, ["net"]),
        ({"net": "mine.safetensors"}, {}, ["net"]),
        ({"net": "swap"}, {}, []),
        ({}, {"encoder": "../../x.pth"}, ["encoder"]),
        ({}, {"encoder": "vgg16"}, []),
        ({}, {"start": "/etc/passwd", "memory": 10**15}, []),
    ],
)
def test_files_that_a_recipe_names_are_left_out(options, more, dropped):
    found = found_in(painting({**adain(**options), **more}))
    assert found is not None and found.dropped == dropped
    text = json.dumps(found.described())
    assert "/" not in text and "memory" not in text and "start" not in text


def test_names_of_styles_are_bare():
    recipe = {**adain(), "styles": [{"path": "/home/ann/../<b>.png", "weight": 1.0}]}
    assert found_in(painting(recipe)).styles == [{"name": "b.png", "weight": 1.0, "shipped": False}]


def test_rungs_that_name_files_are_left_out():
    rungs = [{"method": "adain", "size": 64, "settings": {"net": "/etc/passwd"}}, {"method": "swap"}]
    found = found_in(painting({"version": 2, "method": "cascade", "options": {"rungs": rungs}, "styles": []}))
    assert found.dropped == ["rungs"] and "rungs" not in found.settings


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"method": "nothing"},
        {"version": 99, "method": "adain"},
        {"version": 2, "method": ["adain"]},
        {"version": 2, "method": "adain", "options": {"alpha": 7}},
        {"version": 2, "method": "adain", "options": {"alpha": "NaN"}},
        {"version": 2, "method": "adain", "options": [], "styles": 3},
        {"version": 2, "method": "adain", "unknown": 1},
        {
            **adain(),
            "styles": [{"path": f"{n}.png"} for n in range(5000)],
            "nets": {str(n): "x" * 99 for n in range(9999)},
            "encoder": "x" * 10**6,
        },
    ],
    ids=range(9),
)
def test_what_is_no_recipe_is_none(recipe):
    found = found_in(painting(recipe))
    assert found is None or len(json.dumps(found.described())) < 40_000


def test_deep_and_long_data_is_none():
    deep = {"a": 1}
    for _ in range(300):
        deep = {"a": deep}
    assert found_in(painting({**adain(), "nets": deep})) is None
    assert found_in(picture()) is None
    assert found_in(b"nothing") is None


@pytest.mark.parametrize("style", ["wave", "night", "great-wave"])
def test_a_painting_in_any_style_of_the_list_says_that_the_style_is_here(api, tiny_shipped, style):
    job = api.start(api.request(styles=[{"name": style}], effort="draft"))
    api.wait(job)
    found = api.send(api.ask("GET", f"/api/jobs/{job}/picture").content)["recipe"]
    assert [(each["name"], each["shipped"]) for each in found["styles"]] == [(style, True)]
    again = {"photo": api.photo(), "styles": [{"name": style}], "method": found["method"]}
    api.wait(api.start({**again, "settings": found["settings"]}))
