"""Contact sheets."""

import numpy as np
import pytest
import torch
from PIL import Image

from impasto.images.contact import contact_sheet

RED, BLUE = (255, 0, 0), (0, 0, 255)


def area(sheet: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of all pixels of that colour."""
    rows, columns = np.nonzero((np.asarray(sheet) == colour).all(axis=2))
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def test_pictures_keep_their_proportions_and_order():
    tensor = torch.zeros(1, 3, 30, 15)
    tensor[:, 2] = 1
    sheet = contact_sheet([Image.new("RGB", (40, 20), RED), tensor], columns=2, cell=100)
    red, blue = area(sheet, RED), area(sheet, BLUE)
    assert (red[2] - red[0], red[3] - red[1]) == (100, 50)
    assert (blue[2] - blue[0], blue[3] - blue[1]) == (50, 100)
    assert red[2] < blue[0]
    assert red[3] == blue[3]


def test_labels_and_headings_stand_clear_of_the_pictures():
    cells = [Image.new("RGB", (10, 10), RED)] * 4
    plain = contact_sheet(cells, columns=2, cell=80)
    named = contact_sheet(
        cells, columns=2, cell=80, labels=["one", "two", "three", "f" * 99], headings=["left", "right"]
    )
    assert named.width == plain.width and named.height > plain.height
    count = [int((np.asarray(sheet) == RED).all(axis=2).sum()) for sheet in (plain, named)]
    assert count == [4 * 80 * 80] * 2
    left, top, right, bottom = area(named, RED)
    ink = (np.asarray(named).sum(axis=2) < 400) & ~(np.asarray(named) == RED).all(axis=2)
    assert ink[:top].any() and ink[bottom:].any()
    assert not ink[:, :left].any() and not ink[:, right:].any()  # the long one is cut to its place


def test_a_wide_heading_is_broken_into_lines():
    cells = [Image.new("RGB", (10, 10), RED)] * 2
    short, wide = (contact_sheet(cells, columns=2, cell=80, headings=[text, "b"]) for text in ("a", "one " * 9))
    assert wide.width == short.width and wide.height > short.height
    left, top, right, _ = area(wide, RED)
    ink = (np.asarray(wide).sum(axis=2) < 400)[:top]
    assert ink.any() and not ink[:, :left].any() and not ink[:, right:].any()


def test_what_is_transparent_shows_the_paper():
    clear = Image.new("RGBA", (10, 10), (255, 0, 0, 0))
    assert len(contact_sheet([clear], columns=1, cell=20).getcolors()) == 1


def test_letters_the_font_lacks_are_spelled_otherwise():
    def labelled(text: str) -> bytes:
        return contact_sheet([Image.new("RGB", (8, 8), RED)], columns=1, cell=200, labels=[text]).tobytes()

    assert labelled("Näcken — 512×384") == labelled("Nacken - 512x384")
    assert labelled("写真.jpg") == labelled("??.jpg")


def test_a_last_row_may_be_short():
    sheet = contact_sheet([Image.new("RGB", (8, 8), RED)] * 3, columns=2, cell=16, labels=["a", "b", "c"])
    assert area(sheet, RED)[2:] < sheet.size


@pytest.mark.parametrize(
    "wrong",
    [{"columns": 0}, {"columns": 2, "labels": ["one"]}, {"columns": 2, "headings": ["a", "b", "c"]}],
)
def test_refusals(wrong):
    with pytest.raises(ValueError, match="expected"):
        contact_sheet([Image.new("RGB", (2, 2))] * 2, **wrong)
