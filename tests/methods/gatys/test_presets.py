"""Every preset: its figures against the written reference, a small run, and pastiche itself."""

import functools
import math
from pathlib import Path

import pytest
import torch
from PIL import Image

from impasto import bind, make_recipe
from impasto.api import last
from impasto.methods.gatys.painter import GatysPainter
from impasto.methods.gatys.presets import PRESETS

REFERENCE = Path(__file__).parents[4] / "shared/reference/presets.md"
FIVE = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"]

# preset -> (setting, value, words of the reference that say so)
STATED = {
    "gatys-2015": [
        ("content_layers", {"conv4_2": 1.0}, "content `conv4_2`"),
        (
            "style_layers",
            dict.fromkeys([f"conv{n}_1" for n in range(1, 6)], 1 / 5 / 4),
            "`conv1_1 … conv5_1` each 1/5",
        ),
        ("content_reduction", "half-sum", "`½ Σ (F−P)²`"),
        ("gram_norm", "positions", "`Σ_l w_l · 1/(4 N_l² M_l²) Σ (G−A)²`"),
        ("init", "random", "Start: random image"),
        ("steps", 5000, "every 1000 iterations up to 5000"),
        ("pooling", "avg", "average pooling preferred"),
        ("content_weight", 1.0, "α/β = 1e-3"),
        ("style_weight", 1e3, "α/β = 1e-3"),
    ],
    "vgg16-relu3_3": [
        ("content_layers", {"relu3_3": 1.0}, "Content layer `relu3_3`"),
        ("encoder", "vgg16", '### 001: "Neural Style Transfer" (VGG-16)'),
        ("init", "random", "random noise the shape of the content image"),
        ("gram_norm", "positions", "squared difference over `4 N_l² M_l²`"),
    ],
    "tensorflow-mat": [
        ("preprocess", "minus-128", "RGB − 128"),
        ("content_layers", {"relu4_1": 1.0}, "Content `relu4_1`"),
        ("content_weight", 7, "weight 7"),
        ("content_reduction", "half-sum", "half the sum of"),
        ("style_layers", dict.fromkeys(FIVE, 1 / 4 / 5), "`l2_loss(G − A) / (2 N² M²)`"),
        ("style_weight", 400, "weight 400"),
        ("init_noise", 1, "N(0, 1) noise"),
        ("optimizer", "adam", "Adam, learning rate 10, 1000 steps"),
        ("learning_rate", 10, "Adam, learning rate 10, 1000 steps"),
        ("steps", 1000, "Adam, learning rate 10, 1000 steps"),
        ("keep_best", True, "The lowest-loss image"),
        ("size", None, "no resizing"),
    ],
    "pytorch-tutorial": [
        ("content_layers", {"conv_4": 1.0}, "Content `conv_4`"),
        ("style_layers", {f"conv_{n}": 1.0 for n in range(1, 6)}, "style `conv_1 … conv_5`"),
        ("gram_norm", "elements", "(batch·channels·height·width)"),
        ("style_weight", 1e6, "acts as 10⁶"),
        ("content_weight", 1, "content weight 1 as 1"),
        ("preprocess", "unnormalised", "without mean and deviation"),
        ("encoder", "vgg19-torchvision", "torchvision VGG-19"),
        ("optimizer", "lbfgs", "L-BFGS, the image clamped"),
        ("clamp", True, "before every evaluation"),
        ("steps", 300, "300 and 900 steps"),
    ],
    "neural-style": [
        ("content_layers", {"relu4_2": 1.0}, "content relu4_2 w 5"),
        ("content_weight", 5, "content relu4_2 w 5"),
        ("style_layers", dict.fromkeys(FIVE, 1.0), "style relu1_1…relu5_1 w 100 each"),
        ("style_weight", 100, "style relu1_1…relu5_1 w 100 each"),
        ("gram_norm", "elements", "Gram = F·Fᵀ / (C·H·W)"),
        ("tv_weight", 1e-3, "TV 1e-3"),
        ("tv_kind", "squared", "∂(½Σ(Δx²+Δy²))"),
        ("init_noise", 0.001, "N(0,1)·0.001"),
        ("steps", 1000, "maxIter 1000"),
        ("size", 512, "image_size 512"),
        ("style_scale", 1, "style_scale 1"),
    ],
    "neural-style-pt": [
        ("tv_kind", "absolute", "1e-3·Σ(|Δx|+|Δy|)"),
        ("lbfgs_history", 100, "history 100"),
        ("content_weight", 5, "As 2.1 except"),
        ("style_weight", 100, "As 2.1 except"),
    ],
    "crowsonkb": [
        ("content_weight", 0.015, "total weight 0.015"),
        (
            "style_layers",
            {layer: weight / 341 for layer, weight in zip(FIVE, (256, 64, 16, 4, 1), strict=True)},
            "256:64:16:4:1 /341",
        ),
        ("style_loss", "wasserstein", "2(Σ½Σ̂Σ½)½"),
        ("tv_weight", 2, "TV 2.0"),
        ("tv_kind", "nine-point", "9-point L2"),
        ("padding", "replicate-first", "first conv padding **replicate**"),
        ("min_size", 128, "defaults min 128, end 512"),
        ("scale_step", math.sqrt(2), "round(end/2^(i/2))"),
        ("first_steps", 1000, "1000 its at the first scale"),
        ("steps", 500, "500 at each later one"),
        ("learning_rate", 0.02 * 255, "Adam lr 0.02"),
        ("adam_beta2", 0.99, "β (0.9, 0.99)"),
        ("average", 0.99, "EMA decay 0.99"),
        ("style_upscale", False, "never upscaled"),
    ],
    "pystiche": [
        ("size", 500, "content/style size 500"),
        ("steps", 500, "500 steps L-BFGS"),
        ("content_weight", 1, "content relu4_2 w 1"),
        ("style_weight", 1e3, "w 1e3"),
        ("style_layers", dict.fromkeys(FIVE, 1 / 5), "layer mean"),
        ("gram_norm", "positions", "Gram/(H·W)"),
    ],
    "pastiche": [
        ("content_layers", {"relu4_2": 0.01}, "content layer weight 0.01"),
        (
            "style_layers",
            {layer: 10 / c**2 for layer, c in zip(FIVE, (64, 128, 256, 512, 512), strict=True)},
            "style layer weight 10/C²",
        ),
        ("tv_weight", 0, "tv 0"),
        ("tv_kind", "absolute-mean", "½·mean L1"),
        ("steps", 1000, "1000 steps"),
        ("init", "content", "init content"),
        ("style_fit", "area", "area-based"),
    ],
}


def test_every_system_is_checked():
    assert set(STATED) == set(PRESETS) - {"quick"}


@pytest.mark.parametrize(
    ("preset", "setting", "value", "words"), [(p, *row) for p, rows in STATED.items() for row in rows]
)
def test_settings_are_those_stated(preset, setting, value, words):
    found = PRESETS[preset]
    got = getattr(found, setting) if setting in ("encoder", "size") else getattr(found.options, setting)
    assert got == (pytest.approx(value) if isinstance(value, dict | float) else value)
    if REFERENCE.exists():
        assert words in REFERENCE.read_text(encoding="utf-8")


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_run(preset, tiny_encoder, picture):
    from impasto import Style

    settings = {"size": 40, "schedule": "20:2,40:3"} if preset in ("crowsonkb", "quick") else {"size": 40, "steps": 4}
    recipe = make_recipe("gatys", [Style(path="style")], preset=preset, settings=settings)
    steps = list(bind(recipe, styles=[picture(33, 47, 1)], device="cpu").paint(picture(30, 45)))
    assert len(steps) == steps[-1].total == (5 if "schedule" in settings else 4)
    assert steps[-1].image.shape == (1, 3, 27, 40)
    assert 0 <= float(steps[-1].image.min()) <= float(steps[-1].image.max()) <= 1
    assert {"content", "style", "total"} <= set(steps[-1].losses)


@pytest.fixture(scope="module")
def pictures_on_disk(tmp_path_factory):
    """A photo and a style of one size, so that neither system resizes anything."""
    from skimage import data

    folder = tmp_path_factory.mktemp("pastiche")
    for name, array in (("photo", data.chelsea()), ("style", data.coffee())):
        Image.fromarray(array).resize((80, 64), Image.Resampling.BILINEAR).save(folder / f"{name}.png")
    return folder / "photo.png", folder / "style.png"


@pytest.fixture(scope="module")
def pastiches(pictures_on_disk):
    """Pastiche's loss and gradient for the photo and for it with noise; pastiche reads its network for seconds.

    pastiches(tv_weight) gives (image, loss, gradient) of each.
    """
    from pastiche.pastiche import PasticheArtist
    from pastiche.vgg19 import VGG19

    from impasto.images.read import read

    photo, style = pictures_on_disk
    content = read(photo).pixels
    noise = torch.randn(content.shape, generator=torch.Generator().manual_seed(3))
    images = content, (content + 0.1 * noise).clamp(0, 1)

    @functools.cache
    def found(tv_weight):
        artist = PasticheArtist(str(photo), [str(style)], device="cpu", tv_weight=tv_weight)
        made = []
        for image in images:
            bgr = image[:, [2, 1, 0]] * 255 - torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
            with torch.no_grad():
                artist.pastiche.copy_(bgr)
            loss = artist._calc_loss()
            (gradient,) = torch.autograd.grad(loss, artist.pastiche)
            made.append((image, loss.item(), gradient[:, [2, 1, 0]] * 255))
        return made

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(VGG19, "from_quantized_bin", staticmethod(functools.cache(VGG19.from_quantized_bin)))
        yield found


@pytest.mark.vgg
@pytest.mark.parametrize("tv_weight", [0.0, 10.0])
@pytest.mark.parametrize(("precision", "tolerance"), [("exact", 1e-4), ("auto", 1e-2)])
def test_the_loss_is_pastiches(pictures_on_disk, pastiches, tv_weight, precision, tolerance):
    from impasto import Style
    from impasto.images.read import read

    photo, style = pictures_on_disk
    settings = {"size": None, "tv_weight": tv_weight, "precision": precision}
    recipe = make_recipe("gatys", [Style(path=str(style))], preset="pastiche", settings=settings)
    painter = bind(recipe, device="cpu").painter
    assert isinstance(painter, GatysPainter)
    objective = painter.objective(read(photo).pixels)
    for image, expected, reference in pastiches(tv_weight):
        losses, own = objective(image)
        assert float(losses["total"]) == pytest.approx(expected, rel=tolerance)
        cosine = torch.nn.functional.cosine_similarity(own.flatten(), reference.flatten(), dim=0)
        assert float(cosine) > (0.9999 if precision == "exact" else 0.98)


def test_the_last_step_is_the_answer(tiny_encoder, picture):
    from impasto import Style

    recipe = make_recipe("gatys", [Style(path="s")], preset="pastiche", settings={"size": 32, "steps": 3})
    step = last(bind(recipe, styles=[picture(32, 32, 1)], device="cpu").paint(picture(32, 32)))
    assert (step.index, step.total) == (3, 3)
