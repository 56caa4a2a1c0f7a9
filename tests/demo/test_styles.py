import itertools

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from impasto.demo.styles import STYLES, draw, draw_all
from impasto.errors import ImpastoError, RequestError

SIZE = 160


@pytest.fixture(scope="module")
def gallery() -> dict[str, Image.Image]:
    return {name: draw(name, SIZE) for name in STYLES}


@pytest.mark.parametrize("name", STYLES)
def test_same_seed_same_pixels_other_seed_other_pixels(name, gallery):
    assert draw(name, SIZE).tobytes() == gallery[name].tobytes()
    assert draw(name, SIZE, seed=1).tobytes() != gallery[name].tobytes()


@pytest.mark.parametrize("name", STYLES)
@pytest.mark.parametrize("size", [(64, 64), (131, 75), (70, 128)])
def test_size_and_mode(name, size):
    picture = draw(name, size)
    assert picture.size == size
    assert picture.mode == "RGB"


@pytest.mark.parametrize("name", STYLES)
def test_keeps_its_composition_at_another_size(name, gallery):
    """Blurred, a picture of twice the size shows the same motif."""
    small, large = (
        np.asarray(p.resize((16, 16), Image.Resampling.BOX), float).ravel()
        for p in (gallery[name], draw(name, 2 * SIZE))
    )
    assert np.corrcoef(small, large)[0, 1] > 0.85


@pytest.mark.parametrize("name", STYLES)
def test_no_flat_areas(name, gallery):
    """A style is learned from its texture, so no patch a tenth of the picture wide may be without any."""
    grey = np.asarray(gallery[name].convert("L"), float)
    side = SIZE // 10
    mean = ndimage.uniform_filter(grey, side)
    deviation = np.sqrt(np.maximum(ndimage.uniform_filter(grey**2, side) - mean**2, 0))
    assert deviation.min() > 1.5
    assert np.median(deviation) > 10


@pytest.mark.parametrize("name", STYLES)
def test_uses_the_range_of_tones(name, gallery):
    dark, light = np.percentile(np.asarray(gallery[name].convert("L")), (2, 98))
    assert light - dark > 90


def test_distinct_from_each_other(gallery):
    for a, b in itertools.combinations(gallery, 2):
        gap = np.abs(np.asarray(gallery[a], float) - np.asarray(gallery[b], float)).mean()
        assert gap > 25, (a, b)


def test_names_are_keys_and_texts_differ():
    assert all(name == style.name for name, style in STYLES.items())
    assert len({style.title for style in STYLES.values()}) == len(STYLES)
    assert len({style.description for style in STYLES.values()}) == len(STYLES)


def test_unknown_name_offers_near_misses():
    with pytest.raises(RequestError, match="did you mean river"):
        draw("rivr")


@pytest.mark.parametrize(("size", "seed"), [(63, 0), ((64, 5000), 0), (64, -1)])
def test_refuses_wrong_size_and_seed(size, seed):
    with pytest.raises(RequestError, match="expected"):
        draw("night", size, seed)


def test_draw_all_writes_then_refuses_then_overwrites(tmp_path):
    folder = tmp_path / "new" / "styles"
    places = draw_all(folder, (96, 64))
    assert sorted(p.stem for p in places) == sorted(STYLES)
    assert sorted(folder.iterdir()) == sorted(places)
    for place in places:
        with Image.open(place) as written:
            assert written.tobytes() == draw(place.stem, (96, 64)).tobytes()
    places[-1].write_bytes(b"mine")
    with pytest.raises(RequestError, match="exists"):
        draw_all(folder, 64)
    assert places[-1].read_bytes() == b"mine"
    draw_all(folder, 64, overwrite=True)
    with Image.open(places[-1]) as written:
        assert written.size == (64, 64)


def test_draw_all_checks_every_place_before_drawing(tmp_path):
    last = tmp_path / f"{list(STYLES)[-1]}.png"
    last.write_bytes(b"mine")
    with pytest.raises(RequestError, match="exists"):
        draw_all(tmp_path, 64)
    assert list(tmp_path.iterdir()) == [last]


def test_draw_all_refuses_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ImpastoError, match="folder"):
            draw_all(folder, 64)
