"""Paintings for prints: size, limits, and the part of the photograph."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import impasto
from impasto import memory
from impasto.errors import RequestError
from impasto.images.picture import Picture
from impasto.images.write import holds
from impasto.methods import read_recipe
from impasto.painter import Painter, Regions
from impasto.session.printing import (
    Cut,
    check_print,
    explain_shortage,
    require_memory,
    size_of_print,
    with_print,
)

CPU = torch.device("cpu")


def recipe(**settings):
    return impasto.make_recipe("adain", [impasto.Style(path="painting.jpg")], settings=settings)


@given(st.integers(16, 9000), st.integers(16, 9000), st.integers(5, 40), st.integers(5, 40), st.booleans())
def test_inside_or_over_the_edges(width, height, across, down, crop):
    asked = recipe(print=f"{across}x{down}cm", dpi=100, print_crop=crop)
    wide, high = size_of_print(asked, (width, height))
    most = across / 2.54 * 100, down / 2.54 * 100
    if crop:
        assert (wide, high) == (round(most[0]), round(most[1]))
    else:
        assert wide <= most[0] + 1 and high <= most[1] + 1  # inside
        assert abs(wide - most[0]) <= 1 or abs(high - most[1]) <= 1  # as large as it can be
        longest = max(wide, high)  # never stretched
        assert min(wide, high) == max(1, round(longest * min(width, height) / max(width, height)))


@pytest.mark.parametrize(("photo", "size"), [((400, 300), (3508, 2480)), ((300, 400), (2480, 3508))])
def test_a_sheet_lies_as_the_photo(photo, size):
    assert size_of_print(recipe(print="A4", print_crop=True), photo) == size


@pytest.mark.parametrize(
    ("settings", "photo", "why"),
    [
        ({"print": "3x2m"}, (300, 200), "400 megapixels"),
        ({"print": "3x2m", "print_crop": True}, (300, 200), "400 megapixels"),
        ({"print": "4x.05m"}, (8000, 100), "32768 pixels on a side"),
        ({"print": "900x600m"}, (300, 200), "400 megapixels"),
    ],
)
def test_larger_than_the_largest_painting(settings, photo, why):
    with pytest.raises(RequestError, match=why) as caught:
        size_of_print(recipe(**settings), photo)
    words = str(caught.value).split("use ")[1].replace(",", "").split()
    for flag, value in pairwise(words):
        if flag in ("--dpi", "--print"):
            assert size_of_print(recipe(**{**settings, flag.removeprefix("--"): value}), photo)
            if flag == "--dpi":  # the largest one
                with pytest.raises(RequestError):
                    size_of_print(recipe(**{**settings, "dpi": int(value) + 1}), photo)
    assert "--print" in words


def test_too_small():
    with pytest.raises(RequestError, match="at least 16 on its longest side: use a larger"):
        size_of_print(recipe(print="1x1mm"), (300, 200))


@pytest.mark.parametrize(
    ("name", "settings"), [("a.webp", {"print": "150x10cm"}), ("a.avif", {"print": "150x150cm", "print_crop": True})]
)
def test_larger_than_the_format(name, settings):
    photo, asked = (4000, 100), recipe(**settings)
    with pytest.raises(RequestError, match=r"--dpi \d+ or --print [\d.x]+cm, or write a\.png") as caught:
        check_print(name, asked, photo)
    dpi = int(str(caught.value).split("--dpi ")[1].split()[0])
    check_print(name, asked.model_copy(update={"dpi": dpi}), photo)
    assert not holds(name, *size_of_print(asked.model_copy(update={"dpi": dpi + 1}), photo))
    check_print("a.png", asked, photo)


class Priced(Painter):
    """A painter that needs so many bytes a pixel."""

    def __init__(self, budget, each):
        self.recipe, self.each = recipe(memory=budget), each

    def check_memory(self, size, *, regions=False, spare=0):
        budget = memory.memory_left(self.recipe.memory, spare)
        memory.fit([(0, memory.Cost.of_pixels(self.each * (1 + regions)))], size, budget, CPU)

    def run(self, content, regions, start):
        yield


@pytest.mark.parametrize("regions", [False, True])
def test_larger_than_the_memory(monkeypatch, regions):
    monkeypatch.setattr(memory, "in_use", lambda _: 1_000_000_000)
    asked, painter = recipe(print="60x40cm"), Priced(2_000_000_000, 100)
    with pytest.raises(RequestError, match=r"at most 2 GB may be used: use --dpi \d+ or --print \S+, or") as caught:
        require_memory(painter, asked, (300, 200), regions=regions)
    dpi = int(str(caught.value).split("--dpi ")[1].split()[0])
    largest = asked.model_copy(update={"dpi": dpi})
    require_memory(painter, largest, (300, 200), regions=regions)
    with pytest.raises(RequestError):  # some is left over, since what is in use varies
        require_memory(painter, largest.model_copy(update={"dpi": dpi * 1.1}), (300, 200), regions=regions)
    require_memory(painter, recipe(), (300, 200), regions=regions)


def test_a_method_that_needs_more_memory():
    error = memory.ShortageError("short")
    error.needed, error.budget, error.share = 9e9, 4e9, 0.25
    refusal = explain_shortage(error, recipe(print="60x40cm"), (300, 200))
    for words in ("7087×4725 pixels at 300 dpi", "9 GB", "4 GB", "--dpi 1", "--print ", "allow more with --memory"):
        assert words in str(refusal)


def test_costs_that_fit():
    cost = memory.Cost.of_pixels(10) + memory.Cost.of_bytes(100) | memory.Cost.of_pixels(30)
    assert cost.most_pixels(1100) == pytest.approx(1100 / 30)
    assert cost.most_pixels(110) == pytest.approx(1)
    assert cost.most_pixels(90) == 0
    assert cost.at((1, 36)) <= 1100


@pytest.mark.parametrize("on", ["photo", "alpha", "mask", "start"])
@pytest.mark.parametrize("upright", [False, True])
def test_all_that_lies_on_a_photo_is_cut_alike(on, upright):
    ramp = torch.linspace(0, 1, 120).expand(1, 3, 40, 120).clone()
    if upright:
        ramp = ramp.transpose(2, 3)
    cut = Cut.of((40, 120) if upright else (120, 40), (60, 60))
    if on == "photo":
        found = cut.picture(Picture(ramp)).pixels
    elif on == "alpha":
        found = cut.picture(Picture(ramp, ramp[:, :1])).alpha
    elif on == "mask":
        found = cut.masks([None, ramp[:, :1]])[1]
    else:
        found = cut.start(ramp)
    assert found.shape[2:] == ((40, 40) if on == "start" else (60, 60))
    assert float(found.mean()) == pytest.approx(0.5, abs=0.005)  # the centre
    assert (float(found.min()), float(found.max())) == pytest.approx((1 / 3, 2 / 3), abs=0.02)


def test_a_start_of_the_print_stays():
    start = torch.rand(1, 3, 30, 30)
    assert Cut.of((120, 40), (60, 60)).start(start) is start


@pytest.mark.parametrize("other", [None, 512])
def test_a_print_beside_a_size(other):
    if other is None:
        assert recipe(print="A4", size=None).size is None
        return
    with pytest.raises(RequestError, match="size is 512 and print '60x40cm'; expected one of them"):
        recipe(print="60x40cm", size=other)
    data = recipe(print="60x40cm").model_dump() | {"size": other}
    with pytest.raises(RequestError, match="expected one of them"):
        read_recipe(data)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"print": "0x0cm"}, "print: a side is 0"),
        ({"print": "60x40"}, "print: it has no unit"),
        ({"print": "60x40cm", "dpi": 0}, "dpi"),
        ({"print": "60x40cm", "dpi": "nan"}, "dpi"),
        ({"dpi": -3}, "dpi"),
        ({"print_crop": True}, "print_crop is given without print"),
    ],
)
def test_bad_settings(settings, why):
    with pytest.raises(RequestError, match=why):
        recipe(**settings)


def test_a_recipe_keeps_the_print_and_not_the_size():
    settings = {"print": "30x20cm", "dpi": 150, "print_crop": True}
    made = recipe(**settings)
    sized, _ = with_print(made, Picture(torch.zeros(1, 3, 20, 30)), CPU)
    assert sized.size == round(30 / 2.54 * 150)
    data = sized.portable()
    assert "size" not in data and {name: data[name] for name in settings} == settings
    assert read_recipe(data).portable() == data
    assert not settings.keys() & recipe().portable().keys()
    np.testing.assert_equal(recipe(dpi=72).portable()["dpi"], 72)


@pytest.mark.usefixtures("tiny_shipped")
@pytest.mark.parametrize("crop", [False, True])
def test_bound_painters_and_sessions_paint_the_same(photo, style, crop):
    settings = {"print": "9x4cm", "dpi": 25.4, "print_crop": crop, "precision": "exact"}
    painted = impasto.paint(photo, style, method="adain", **settings)
    assert painted.size == ((90, 40) if crop else (53, 40))
    bound = impasto.bind(impasto.make_recipe("adain", [impasto.Style(path=str(style))], settings=settings))
    torch.testing.assert_close(bound.paint(photo).done().image, painted.image)
    tall = impasto.read(photo).pixels.transpose(2, 3)
    assert bound.paint(tall).done().size == ((90, 40) if crop else (30, 40))
    assert painted.finished(strength=0.5).size == painted.size
    half = torch.zeros(1, 1, 45, 60)
    half[..., 30:] = 1
    masked = bound.paint(photo, masks=[half]).done()
    regions = bound.paint(photo, Regions(half, half)).done()
    unpainted = masked.finished(strength=0.0).image
    for each in (masked, regions):
        assert (each.image - unpainted)[..., : each.size[0] // 3].abs().max() < 0.01
        assert (each.image - unpainted)[..., 2 * each.size[0] // 3 :].abs().max() > 0.05


@pytest.mark.usefixtures("tiny_shipped")
def test_a_start_of_the_photo_and_of_the_print(photo, style):
    settings = {"print": "9x4cm", "dpi": 25.4, "print_crop": True}
    for size in ((30, 40), (40, 90)):
        start = torch.rand(1, 3, *size)
        assert impasto.paint(photo, style, method="adain", start=start, **settings).size == (90, 40)
    with pytest.raises(RequestError, match="proportions"):
        impasto.paint(photo, style, method="adain", start=torch.rand(1, 3, 40, 40), **settings)
