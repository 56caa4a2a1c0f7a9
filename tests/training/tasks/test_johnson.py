import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from impasto.encoders.vgg import VGG
from impasto.errors import RequestError
from impasto.images.picture import to_pil
from impasto.losses.functional import total_variation
from impasto.nets.files import JOHNSON_KIND, load_transformer
from impasto.nets.transformer import Norm
from impasto.nets.transformer_spec import TransformerSpec
from impasto.training.lessons import read_lessons
from impasto.training.run import Setting
from impasto.training.tasks.johnson import JohnsonTask, train
from impasto.training.tasks.johnson_options import PRESETS, JohnsonTraining
from impasto.training.tasks.johnson_targets import StyleTargets
from impasto.training.terms import roughness
from impasto.training.worth import objective, steps_worth
from impasto.weights.canonical import tiny_weights
from impasto.weights.container import load_metadata
from impasto.weights.files import sha256_of
from impasto.weights.shipped import load_net, locate_net

Make = Callable[..., JohnsonTraining]


def setting() -> Setting:
    return Setting(tiny_weights(), torch.device("cpu"), torch.float32, ([], []), [], {})


def task_of(options: JohnsonTraining, *pictures: torch.Tensor) -> JohnsonTask:
    torch.manual_seed(0)
    styles = {f"style {n}": picture for n, picture in enumerate(pictures)}
    return JohnsonTask(options, setting(), styles, TransformerSpec(options.architecture, tuple(styles)), [])


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_trains_a_net_that_can_be_loaded(
    preset: str, settings: Make, photos: str, styles: dict[str, str], tmp_path: Path
) -> None:
    about = {"waves": {"title": "The Waves", "artist": "Somebody", "year": "1900"}}
    chosen = [styles["waves"], styles["stars"]]
    encoder = PRESETS[preset].encoder
    path = train(settings(preset), [photos], chosen, tmp_path / "run", credits=about, encoder=encoder, preset=preset)
    net, _ = load_transformer(path, torch.device("cpu"), torch.float32)
    assert net.spec.styles == ("waves", "stars")
    _, metadata = load_net(path, kind=JOHNSON_KIND, encoder_sha256=None)
    assert metadata["recipe"]["preset"] == preset
    assert {"loss", "content", "style", "waves", "stars"} <= set(metadata["validation"])
    waves, stars = metadata["credits"]
    assert (waves["title"], waves["artist"], waves["year"]) == ("The Waves", "Somebody", "1900")
    assert len(waves["sha256"]) == 64 and stars["title"] == ""
    assert (tmp_path / "run" / "sheet-000004.png").exists()


def test_the_preset_of_the_gallery_runs(settings: Make, photos: str, styles: dict[str, str], tmp_path: Path) -> None:
    options = settings(steps=20, crop=64, validate_every=20)
    path = train(options, [photos], [*styles.values()], tmp_path / "run", preset="impasto")
    tensors, metadata = load_net(path, kind=JOHNSON_KIND, encoder_sha256=None)
    assert metadata["steps"] == 20 and metadata["recipe"]["parent"] is None
    assert all(torch.isfinite(value).all() for value in tensors.values())
    again = train(settings(steps=1), [photos], [*styles.values()], tmp_path / "on", init=str(path))
    recipe = load_net(again, kind=JOHNSON_KIND, encoder_sha256=None)[1]["recipe"]
    assert recipe["parent"] == {"name": "net.safetensors", "sha256": sha256_of(path)} and "began_with" not in recipe


def test_the_preset_is_the_shipped_gallerys_recipe() -> None:
    shipped = load_metadata(locate_net("gallery"))
    assert shipped is not None
    options, last = JohnsonTraining().model_dump(mode="json"), shipped["recipe"]
    # Of the whole training, not of its last run: how long, how fast, how many photos a step.
    free = {"steps", "batch", "lr", "warmup", "ema", "seed", "preset"}
    free |= {"held_out", "save_every", "validate_every", "workers"}
    shared = options.keys() & last.keys() - free
    assert len(shared) > 25
    assert {name: options[name] for name in shared} == {name: last[name] for name in shared}


def test_a_photo_is_painted_in_no_more_styles_than_there_are(settings: Make, picture) -> None:
    photos = torch.cat([picture(32, 32, 7), picture(32, 32, 8)])
    for count in (1, 3):
        task = task_of(settings(styles_per_photo=4), *(picture(40, 40, seed) for seed in range(count)))
        made: list[int] = []
        task.net.register_forward_hook(lambda _, inputs, picture, made=made: made.append(len(picture)))
        task.loss(task.net, photos, photos[:0], 0)
        assert made == [2 * count]


def test_presets_are_the_systems() -> None:
    johnson, examples, lengstrom, dumoulin = (
        PRESETS[name].options for name in ("johnson-2016", "pytorch-examples", "lengstrom", "dumoulin")
    )
    for options in (johnson, examples, lengstrom, dumoulin):
        assert isinstance(options, JohnsonTraining)
        assert (options.enlarge, options.lattice, options.chroma) == ("nearest", 0, "sharp")
        assert (options.optimizer, options.styles_per_photo) == ("adam", 1)
        assert (options.crop, options.lr, options.schedule) == (256, 1e-3, "constant")
        assert options.architecture == "c9s1-32,d64,d128,R128×5,u64,u32,c9s1-3"
    four = ["relu1_2", "relu2_2", "relu3_3", "relu4_3"]
    assert [*johnson.style_layers] == [*examples.style_layers] == [*dumoulin.style_layers] == four
    assert [*johnson.content_layers] == [*dumoulin.content_layers] == ["relu3_3"]
    assert (johnson.content_weight, johnson.style_weight, johnson.output, johnson.steps) == (1, 5, "tanh", 40_000)
    assert (examples.content_weight, examples.style_weight, [*examples.content_layers]) == (1e5, 1e10, ["relu2_2"])
    assert (lengstrom.content_weight, lengstrom.style_weight, [*lengstrom.content_layers]) == (7.5, 100, ["relu4_2"])
    assert lengstrom.tv == 200 * 255**2
    assert (dumoulin.content_weight, dumoulin.style_weight, dumoulin.batch) == (1, 1e-4, 16)
    assert [PRESETS[name].encoder for name in ("johnson-2016", "pytorch-examples", "lengstrom", "dumoulin")] == [
        "vgg16",
        "vgg16-torchvision",
        "vgg19",
        "vgg16",
    ]


def test_johnsons_variation_is_summed_over_the_batch() -> None:
    pictures = torch.rand(4, 3, 256, 256)
    theirs = 1e-6 * float(total_variation(pictures * 255, "squared"))
    assert float(PRESETS["johnson-2016"].options.tv * roughness(pictures)) == pytest.approx(theirs, rel=0.01)


@pytest.mark.parametrize("form", ["relative", "mean"])
def test_the_loss_is_the_one_that_is_optimised_for_comparison(form: str, settings: Make, picture) -> None:
    options = settings(
        content_form=form, style_form=form, tv=0.5, content_layers="relu3_1", gram_norm="elements", range=3
    )
    photo, styles = picture(32, 32, 1), (picture(40, 40, 2), picture(36, 40, 3))
    task = task_of(options, *styles)
    made = picture(32, 32, 4) * 1.4 - 0.2
    terms = task._terms(made, photo, [1])
    vgg = VGG(tiny_weights())
    losses, _ = objective(vgg, options, StyleTargets(vgg, styles, options), 1, photo)(made)
    assert {name: float(value) for name, value in terms.items()} == pytest.approx(
        {name: float(value) for name, value in losses.items() if name != "total"}, rel=1e-4
    )


def test_steps_bring_the_loss_down(settings: Make, picture) -> None:
    task = task_of(settings(batch=4), picture(40, 40, 2), picture(40, 40, 3))
    photos = torch.cat([picture(32, 32, seed) for seed in range(4)])
    optimiser = torch.optim.Adam(task.net.parameters(), 3e-3)
    losses: list[float] = []
    for _ in range(60):
        loss = sum(task.loss(task.net, photos, photos[:0], 0).values())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]


def test_styles_take_turns(settings: Make, picture) -> None:
    task = task_of(settings(), picture(40, 40, 2), picture(40, 40, 3), picture(40, 40, 4))
    seen = [
        turn for step in range(3) for turn in task._mix([(step * 2 + n) % 3 for n in range(2)]).argmax(1).tolist()
    ]
    assert sorted(seen) == [0, 0, 1, 1, 2, 2]


def test_a_photo_in_several_styles_is_the_photo_given_as_often(settings: Make, picture) -> None:
    styles = [picture(40, 40, seed) for seed in range(3)]
    once = task_of(settings(styles_per_photo=1), *styles)
    several = task_of(settings(styles_per_photo=2), *styles)
    photos = torch.cat([picture(32, 32, 7), picture(32, 32, 8)])
    got = several.loss(several.net, photos, photos[:0], 1)
    expected = once.loss(once.net, photos.repeat_interleave(2, 0), photos[:0], 1)
    assert {name: float(value.detach()) for name, value in got.items()} == pytest.approx(
        {name: float(value.detach()) for name, value in expected.items()}, rel=1e-5
    )


def test_every_pictures_gradient_has_one_length(settings: Make, picture) -> None:
    weights = {"content_weight": 0.2, "style_weight": 1.0}
    task = task_of(settings(**weights), picture(40, 40, 2) * 0.05, picture(40, 40, 3))
    made: list[torch.Tensor] = []

    def net(photos: torch.Tensor, mix: torch.Tensor) -> torch.Tensor:
        made.append(task.net(photos, mix))
        made[-1].retain_grad()
        return made[-1]

    photos = torch.cat([picture(32, 32, 7), picture(32, 32, 8) * 0.1])
    for even in (True, False):
        # The lattice's gradient is hardly larger where there is contrast.
        task.options = settings(even=even, lattice=0.0, **weights)
        sum(task.loss(net, photos, photos[:0], 0).values()).backward()
    evened, plain = ([float(gradient.norm()) for gradient in pictures.grad] for pictures in made)
    assert evened == pytest.approx([0.5, 0.5], rel=1e-4)
    assert max(plain) > 1.2 * min(plain)


def test_a_net_normalised_everywhere_is_changed_over_unless_styles_are_added(
    settings: Make, photos: str, styles: dict[str, str], tmp_path: Path
) -> None:
    first = train(settings(norm="everywhere"), [photos], [styles["waves"]], tmp_path / "one")
    further = train(settings(), [photos], [styles["waves"]], tmp_path / "two", init=str(first))
    added = train(settings(learn="styles"), [photos], [styles["stars"]], tmp_path / "three", init=str(first))
    found = [
        load_transformer(path, torch.device("cpu"), torch.float32)[0].spec.norm for path in (first, further, added)
    ]
    assert found == ["everywhere", "encoder", "everywhere"]


def test_a_style_is_added_by_its_normalisation_alone(
    settings: Make, photos: str, styles: dict[str, str], tmp_path: Path
) -> None:
    first = train(settings(), [photos], [styles["waves"], styles["stars"]], tmp_path / "one")
    options = settings(learn="styles", chroma="sharp", steps=6, lr=0.1, warmup=0, ema=0.0)
    second = train(options, [photos], [styles["screams"]], tmp_path / "two", init=str(first))
    (old, _), (new, _) = (load_transformer(path, torch.device("cpu"), torch.float32) for path in (first, second))
    assert new.spec.styles == ("waves", "stars", "screams")
    assert (old.spec.chroma, new.spec.chroma) == ("soft", "soft")
    photo = torch.rand(1, 3, 32, 32)
    for place in range(2):
        before = old.paint(photo, torch.eye(2)[place])
        assert torch.equal(new.paint(photo, torch.eye(3)[place]), before), "what it knew is untouched"
    norm = next(module for module in new.modules() if isinstance(module, Norm))
    assert (norm.scale[2] - norm.scale[:2].mean(0)).abs().max() > 1e-3, "the new style was learnt"
    with pytest.raises(RequestError, match="has all these"):
        train(options, [photos], [styles["waves"]], tmp_path / "three", init=str(first))


def test_a_run_that_learns_everything_has_no_styles_but_its_own(
    settings: Make, photos: str, styles: dict[str, str], tmp_path: Path
) -> None:
    first = train(settings(), [photos], [styles["waves"], styles["stars"]], tmp_path / "one")
    still = {"steps": 1, "lr": 1e-12, "warmup": 0, "ema": 0.0}
    chosen = [styles["screams"], styles["stars"]]
    second = train(settings(**still), [photos], chosen, tmp_path / "two", init=str(first))
    (old, _), (new, metadata) = (load_net(path, kind=JOHNSON_KIND, encoder_sha256=None) for path in (first, second))
    assert metadata["network"]["styles"] == ["stars", "screams"]
    assert [credit["name"] for credit in metadata["credits"]] == ["stars", "screams"]
    scales = next(name for name in old if name.endswith("norm.scale"))
    expected = torch.stack([old[scales][1], old[scales].float().mean(0).to(old[scales])])
    torch.testing.assert_close(new[scales], expected, atol=2e-3, rtol=0)


def test_bad_requests(settings: Make, photos: str, styles: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no style"):
        train(settings(), [photos], [], tmp_path / "run")
    with pytest.raises(RequestError, match="same name"):
        train(settings(), [photos], [styles["waves"]] * 2, tmp_path / "run")
    with pytest.raises(RequestError, match="--net"):
        train(settings(learn="styles"), [photos], [styles["waves"]], tmp_path / "run")
    with pytest.raises(RequestError, match="a multiple of 2 for this net: 126 or 128"):
        train(settings(crop=127), [photos], [styles["waves"]], tmp_path / "run")
    with pytest.raises(ValueError, match="block 2 at character 8"):
        settings(architecture="c9s1-4,x9,c9s1-3")
    assert not (tmp_path / "run").exists()


def test_what_a_picture_is_worth_in_steps(settings: Make, picture) -> None:
    options = settings(content_weight=0.3)
    photo, style = picture(48, 48, 1), picture(48, 48, 2)
    vgg = VGG(tiny_weights())
    loss = objective(vgg, options, StyleTargets(vgg, [style], options), 0, photo)
    count, losses = steps_worth(loss, photo, photo, most=5)
    assert count == 0 and losses[1] < losses[0]
    _, losses = steps_worth(loss, photo, photo * 0, most=10)
    from impasto.training.worth import optimise

    assert steps_worth(loss, photo, optimise(loss, photo, 6), most=20)[0] >= 6


def taught(folder: Path, styles: list[str], picture) -> Path:
    """A folder of lessons: in each style, a photo and a painting of the style's colour."""
    for number in range(2):
        for name, seed in (("photos", number), *((style, 50 + n) for n, style in enumerate(styles))):
            (folder / name).mkdir(parents=True, exist_ok=True)
            to_pil(picture(48, 40, seed)).save(folder / name / f"{number}.png")
    return folder


@pytest.mark.parametrize(
    "weights",
    [{"nearest_weight": 1.0}, {"moments_weight": 1.0}, {"nearest_weight": 0.5, "moments_weight": 0.5}],
)
def test_losses_by_neighbours_and_moments_fall(settings: Make, picture, falls, weights: dict[str, float]) -> None:
    off = {"content_weight": 0.0, "style_weight": 0.0, "lattice": 0.0, "range": 0.0, "grain": 0.0}
    task = task_of(settings(**{**off, **weights, "style_weight": 1e-9}), picture(40, 40, 1), picture(40, 48, 2))
    photos = torch.cat([picture(32, 32, 7), picture(32, 32, 8)])
    terms = task.loss(task.net, photos, photos[:0], 0)
    assert {"nearest", "moments"} & set(terms) == {name.removesuffix("_weight") for name in weights}
    assert falls(task, photos, photos[:0], 60, 1e-2)


def test_the_loss_of_moments_is_the_mean_over_layers(settings: Make, picture) -> None:
    layers = {"style_layers": {"relu1_1": 1.0, "relu3_1": 1.0}, "lattice": 0.0}
    style, photo = picture(40, 40, 1), picture(32, 32, 7)
    task = task_of(settings(moments_weight=0.5, **layers), style)
    made = task.net(photo, torch.ones(1, 1)).detach()
    found = task._terms(made, photo, [0])["moments"]
    expected = []
    for layer in ("relu1_1", "relu3_1"):
        one, other = (
            torch.cat([x.mean((2, 3)), (x.var((2, 3), correction=0) + 1e-5).sqrt()], 1).double()
            for x in (task.vgg(made, [layer])[layer], task.vgg(style, [layer])[layer])
        )
        expected.append(0.5 * (one - other).norm() / other.norm())
    assert float(found) == pytest.approx(float(torch.stack(expected).mean()), rel=1e-3)


def test_a_teachers_paintings_are_learned(settings: Make, picture, falls, tmp_path: Path) -> None:
    names = ["style 0", "style 1"]
    lessons = read_lessons(taught(tmp_path, names, picture), names, pytest.fail)
    options = settings(content_weight=0.0, style_weight=0.0, lattice=0.0, range=0.0, grain=0.0, even=False)
    styles = {name: picture(40, 40, n) for n, name in enumerate(names)}
    torch.manual_seed(0)
    task = JohnsonTask(options, setting(), styles, TransformerSpec(options.architecture, tuple(names)), [], lessons)
    photos = torch.cat([picture(32, 32, 7), picture(32, 32, 8)])
    assert set(task.loss(task.net, photos, photos[:0], 0)) == {"teacher"}
    assert falls(task, photos, photos[:0], 60, 1e-2)


def test_a_run_with_a_teachers_folder_records_it(
    settings: Make, photos: str, styles: dict[str, str], picture, tmp_path: Path
) -> None:
    folder = taught(tmp_path / "pairs", ["waves", "stars"], picture)
    chosen = [styles["waves"], styles["stars"]]
    path = train(settings(), [photos], chosen, tmp_path / "run", teacher=str(folder))
    recipe = load_net(path, kind=JOHNSON_KIND, encoder_sha256=None)[1]["recipe"]
    assert recipe["teacher"] == "pairs"
    with pytest.raises(RequestError, match=r"expected cascade or nnst, or a folder"):
        train(settings(), [photos], chosen, tmp_path / "other", teacher="nobody")


@pytest.mark.parametrize("count", [1, 3])
def test_the_sheet_begins_with_the_style_pictures(settings: Make, picture, count: int) -> None:
    options = settings(validate_every=1)
    torch.manual_seed(0)
    photos = [picture(48, 40, seed) for seed in range(4)]
    styles = {f"style {n}": torch.full((1, 3, 60, 80), n / 4 + 0.1) for n in range(count)}
    held_out = dataclasses.replace(setting(), held_out=(photos, []))
    task = JohnsonTask(options, held_out, styles, TransformerSpec(options.architecture, tuple(styles)), [])
    sheet = np.asarray(task.validate()[1]).astype(int)
    for n in range(count):
        grey = (np.abs(sheet - round((n / 4 + 0.1) * 255)).max(2) <= 1).sum()
        assert grey >= 224 * 168, "each style picture is there"
    few = task.validate(1)[1]
    assert few.width == sheet.shape[1] and few.height < sheet.shape[0]
