"""Every control in every method: it means the same, or it is refused with a reason."""

import pytest
import torch
from PIL import Image

import impasto
from impasto import METHODS, RequestError, Style, bind, make_recipe
from impasto.api import last
from impasto.images.regions import make_regions
from impasto.methods.common import loader
from impasto.nets.files import ADAIN_KIND
from impasto.recipe import NetShare
from impasto.weights.canonical import tiny_weights

from .plugged import plug_in

QUICK = {
    "gatys": {"steps": 3, "style_weight": 100},
    "nnst": {"first_size": 24, "first_steps": 2, "steps": 2, "split_steps": 2},
}
COLOURS = ("style", "luminance", "oklab", "histogram", "coral")


@pytest.fixture(autouse=True)
def _tiny_encoder(monkeypatch):
    monkeypatch.setattr(loader, "load", lambda name, **_: tiny_weights())


@pytest.fixture(params=[*METHODS, "whitening"])
def name(request, monkeypatch, tiny_settings, tiny_net):
    if request.param == "whitening":
        plug_in(monkeypatch)
        tiny_settings["whitening"] = {"net": str(tiny_net(ADAIN_KIND, "relu3_1"))}
    return request.param


@pytest.fixture
def painted(name, tiny_settings, picture):
    """The photograph, and a function that paints it."""
    photo = picture(48, 64, 3)

    def paint(masks=None, styles=1, **settings):
        settings = {"size": None, "precision": "exact", **QUICK.get(name, {}), **settings}
        pictures = []
        if METHODS[name].styles:
            settings |= tiny_settings.get(name, {})
            pictures = [picture(40, 40, 20 + n) * 0.5 + 0.5 * (n % 2) for n in range(styles)]  # dark and light
            recipe = make_recipe(name, [Style(path=f"s{n}.png") for n in range(styles)], settings=settings)
        else:
            net = tiny_settings[name]["net"]
            shares = [NetShare(name=net, mask=f"m{n}.png" if n else None) for n in range(styles)]
            recipe = make_recipe(name, settings={**settings, "net": shares})
        regions = None
        if masks is not None:
            weights = [part.weight for part in recipe.parts]
            regions = make_regions(masks, weights, *photo.shape[2:], recipe.feather)
        return last(bind(recipe, styles=pictures, device="cpu").paint(photo, regions)).image

    return photo, paint


def test_strength_0_is_the_photograph_and_more_is_further(painted):
    photo, paint = painted
    assert torch.equal(paint(strength=0), photo)
    apart = [float((paint(strength=strength) - photo).norm()) for strength in (0, 0.25, 0.5, 0.75, 1)]
    assert apart == sorted(apart) and len(set(apart)) == 5
    assert torch.equal(paint(strength=1), paint())


@pytest.mark.parametrize("colour", COLOURS)
def test_colour(name, painted, colour):
    photo, paint = painted
    if colour == "coral" and not METHODS[name].styles:
        with pytest.raises(RequestError, match=r"coral recolours the style picture.*luminance, oklab or histogram"):
            paint(colour=colour)
        return
    made, plain = paint(colour=colour), paint()
    assert made.shape == plain.shape and torch.isfinite(made).all()
    assert torch.equal(made, plain) == (colour == "style")
    assert torch.allclose(paint(colour=colour, colour_strength=0), plain, atol=1e-6)
    half = paint(colour=colour, colour_strength=0.5)
    if colour != "coral":  # the others mix the finished pictures
        assert torch.allclose(half, (made + plain) / 2, atol=1e-5)
    means = [(picture - photo).mean((2, 3)).norm() for picture in (made, plain)]
    if colour == "histogram":
        assert means[0] < means[1]


def test_outside_the_mask_the_photograph_stays(painted):
    photo, paint = painted
    mask = torch.zeros(1, 1, 48, 64)
    mask[..., :32] = 1
    made = paint([mask])
    assert torch.equal(made[..., 32:], photo[..., 32:])
    assert (made[..., :28] - photo[..., :28]).abs().mean() > 0.01


# The tiny network of johnson knows one style; tests/nets has networks of several.
@pytest.mark.parametrize("name", [*(name for name in METHODS if METHODS[name].styles), "whitening"], indirect=True)
def test_each_style_has_its_place(painted):
    _, paint = painted
    mask = torch.zeros(1, 1, 48, 64)
    mask[..., :32] = 1
    everywhere = torch.ones(1, 1, 48, 64)
    both = paint([mask, 1 - mask], styles=2, feather=0)
    first, mixed = paint([everywhere], styles=1), paint([everywhere, everywhere], styles=2)
    inside = slice(0, 20)  # away from the border, which deep layers see across
    assert (both - first)[..., inside].abs().mean() < (mixed - first)[..., inside].abs().mean()


def test_a_white_mask_changes_nothing(painted):
    _, paint = painted
    assert torch.allclose(paint([torch.ones(1, 1, 48, 64)]), paint(), atol=2e-3)


def test_style_scale(name, painted):
    _, paint = painted
    if METHODS[name].styles:
        assert not torch.equal(paint(style_scale=2), paint())
    assert not torch.equal(paint(style_scale=2, size=160), paint(style_scale=1, size=160))


def test_masks_from_files_and_from_memory(tmp_path, picture, tiny_nets):
    grey = Image.new("L", (64, 48), 0)
    grey.paste(255, (0, 0, 32, 48))
    grey.save(tmp_path / "left.png")
    photo, style = picture(48, 64, 3), picture(40, 40, 20)
    from impasto.images.picture import to_pil

    to_pil(style).save(tmp_path / "style.png")
    settings = {"method": "adain", "net": str(tiny_nets["adain"]), "size": None}
    by_path = impasto.paint(photo, f"{tmp_path / 'style.png'}:2@{tmp_path / 'left.png'}", **settings)
    in_memory = impasto.paint(photo, tmp_path / "style.png", masks=[grey], **settings)
    assert by_path.to_pil().tobytes() == in_memory.to_pil().tobytes()
    clear = to_pil(photo, torch.nn.functional.pad(torch.ones(1, 1, 48, 32), (0, 32)))
    by_alpha = impasto.paint(clear, f"{tmp_path / 'style.png'}@alpha", **settings)
    assert by_alpha.to_pil().mode == "RGBA"
    with pytest.raises(RequestError, match="has none"):
        impasto.paint(photo, f"{tmp_path / 'style.png'}@alpha", **settings)
