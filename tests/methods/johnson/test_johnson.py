from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from impasto import RequestError, bind, make_recipe
from impasto.api import last
from impasto.errors import WeightsError
from impasto.images.geometry import resize
from impasto.methods.common.scales import tones_of
from impasto.methods.johnson import gallery as room
from impasto.methods.johnson import painter as johnson
from impasto.methods.johnson.gallery import Credit, find, gallery
from impasto.nets.transformer import Transformer
from impasto.nets.transformer_spec import TransformerSpec
from impasto.weights import container
from impasto.weights.shipped import save_net

pytestmark = pytest.mark.numeric

ARCHITECTURE = "c3s1-4,d6,R6,u4,c3s1-3"


def save(path: Path, *styles: str, seed: int = 0, **changes: object) -> Path:
    torch.manual_seed(seed)
    net = Transformer(TransformerSpec(ARCHITECTURE, styles))
    metadata = {"kind": room.JOHNSON_KIND, "encoder_sha256": "0" * 64, "network": net.spec.to_json(), "credits": []}
    return save_net(path, net.state_dict(), {**metadata, **changes})


@pytest.fixture
def many(tmp_path: Path) -> Path:
    path = save(tmp_path / "many.safetensors", "waves", "stars")
    tensors, metadata = container.load(path)
    for name in tensors:
        if name.endswith((".scale", ".shift", "matrix")):
            tensors[name][1] += 0.5
    assert metadata is not None
    return save_net(path, tensors, metadata)


def paint(photo: torch.Tensor, *nets: str, **settings: object) -> torch.Tensor:
    recipe = make_recipe("johnson", settings={"net": nets, "size": None, "precision": "exact", **settings})
    return last(bind(recipe, device="cpu").paint(photo)).image


def test_strength_goes_from_the_photograph_to_the_painting(many: Path, picture: Callable[..., torch.Tensor]) -> None:
    photo = picture(40, 33)
    assert torch.equal(paint(photo, f"{many}#stars", strength=0), photo)
    apart = [float((paint(photo, f"{many}#stars", strength=strength / 4) - photo).norm()) for strength in range(5)]
    assert apart == sorted(apart) and apart[1] > 0


def test_styles_of_one_network_blend_in_it_and_of_two_by_their_pictures(
    many: Path, tmp_path: Path, picture: Callable[..., torch.Tensor]
) -> None:
    photo = picture(40, 40)
    waves, stars = paint(photo, f"{many}#waves"), paint(photo, f"{many}#stars")
    assert not torch.allclose(paint(photo, f"{many}#waves", f"{many}#stars"), (waves + stars) / 2, atol=1e-3)
    alone = save(tmp_path / "alone.safetensors", "rhythm", seed=5)
    mixed = paint(photo, f"{many}#waves:3", f"{alone}:1")
    assert torch.allclose(mixed, waves * 0.75 + paint(photo, str(alone)) * 0.25, atol=1e-5)
    assert torch.equal(paint(photo, f"{many}#waves:2", f"{many}#stars:0"), waves)


def test_a_large_picture_begins_small_and_keeps_its_tones(
    many: Path, picture: Callable[..., torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, net = picture(160, 128), f"{many}#stars"
    sizes: list[tuple[int, ...]] = []
    once = Transformer.paint

    def watched(self: Transformer, seen: torch.Tensor, *more: object, **named: object) -> torch.Tensor:
        sizes.append(tuple(seen.shape[2:]))
        return once(self, seen, *more, **named)

    monkeypatch.setattr(Transformer, "paint", watched)
    bold = paint(photo, net, style_scale=4)
    assert sizes == [(80, 64), (160, 128)] and bold.shape == photo.shape
    monkeypatch.setattr(johnson.JohnsonPainter, "keeps_tones", False)
    adrift = paint(photo, net, style_scale=4)
    tones = tones_of(paint(resize(photo, 80, 64), net))

    def apart(made: torch.Tensor) -> float:
        return float((resize(made, *tones.shape[2:]) - tones).abs().mean())

    assert apart(bold) < 0.7 * apart(adrift)


def test_names_find_networks(monkeypatch: pytest.MonkeyPatch, many: Path, tmp_path: Path) -> None:
    small = save(tmp_path / "wave-small.safetensors", "waves", credits=[{"name": "waves", "title": "The Waves"}])
    files = {"many": many, "wave-small": small}
    monkeypatch.setattr(room, "net_names", lambda: tuple(files))
    monkeypatch.setattr(room, "locate_net", files.__getitem__)
    gallery.cache_clear()
    try:
        assert [*gallery()] == ["stars", "wave-small", "waves"]
        assert gallery()["wave-small"].credit == Credit("waves", "The Waves")
        assert find("waves") == (many, "waves")
        assert find("wave-small") == (small, "waves")
        assert find(f"{many}#stars") == (many, "stars")
        assert find(str(small)) == (small, "waves")
        with pytest.raises(WeightsError, match="did you mean stars"):
            find("star")
    finally:
        gallery.cache_clear()


@pytest.mark.parametrize(
    ("nets", "message"),
    [
        ("{many}", "has 2 styles; expected one of waves, stars"),
        ("{many}#star", "did you mean stars"),
        ("nowhere.safetensors", "no weights file"),
        ("{text}", "not a safetensors"),
        ("{cut}", "cut short"),
        ("{other}", "kind is adain-decoder"),
        ("{unlike}", "is 1×4; its own description expects 2×4"),
    ],
)
def test_bad_networks_are_refused(many: Path, tmp_path: Path, nets: str, message: str) -> None:
    text, cut = tmp_path / "text.safetensors", tmp_path / "cut.safetensors"
    text.write_text("a net? no")
    cut.write_bytes(many.read_bytes()[:-50])
    other = save(tmp_path / "other.safetensors", "a", kind="adain-decoder")
    spec = TransformerSpec(ARCHITECTURE, ("a", "b"))
    unlike = save(tmp_path / "unlike.safetensors", "a", network=spec.to_json())
    place = {"many": many, "text": text, "cut": cut, "other": other, "unlike": f"{unlike}#a"}
    with pytest.raises(WeightsError, match=message):
        paint(torch.rand(1, 3, 32, 32), nets.format(**place))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"net": ["a:0", "b:0"]}, "sum to 0"),
        ({"net": ["a:-1"]}, "greater than or equal to 0"),
        ({"net": []}, "at least 1"),
        ({"net": ["a", "a:2"]}, "twice"),
        ({"strength": 1.5}, "less than or equal to 1"),
        ({"strength": float("nan")}, "strength"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        make_recipe("johnson", settings=settings)


def test_a_style_picture_is_refused() -> None:
    from impasto import Style

    with pytest.raises(RequestError, match="no style picture"):
        make_recipe("johnson", [Style(path="wave.jpg")])


def test_shares_are_read_from_text() -> None:
    options = make_recipe("johnson", settings={"net": "great-wave:0.6, the-scream:0.2,a.b/c.safetensors#x"}).options
    assert {share.name: share.weight for share in options.known_styles} == {
        "great-wave": 0.6,
        "the-scream": 0.2,
        "a.b/c.safetensors#x": 1,
    }
    assert options.style_name == "great-wave+the-scream+x"
