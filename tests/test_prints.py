"""Sizes of prints as text."""

import pytest

from impasto.prints import parse_print


@pytest.mark.parametrize(
    ("text", "pixels"),
    [
        ("60x40cm", (7087, 4724)),
        ("60 X 40 CM", (7087, 4724)),
        ("60cm×40cm", (7087, 4724)),
        ("600x400mm", (7087, 4724)),
        ("0.6x0.4m", (7087, 4724)),
        ("0,6*,4m", (7087, 4724)),
        ("10x8in", (3000, 2400)),
        ("a4", (2480, 3508)),
        ("A3", (3508, 4961)),
    ],
)
def test_sizes(text, pixels):
    found = parse_print(text)
    assert tuple(map(round, found.pixels(300))) == pixels
    assert found.turns == (text[0] in "aA")
    assert parse_print(str(found)).pixels(300) == found.pixels(300)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        *((text, "a side is 0") for text in ("0x0cm", "60x0cm", "0.0x40mm")),
        *((text, "no unit") for text in ("60x40", "6.5 × 4")),
        ("60cmx40in", "two units"),
        *((text, "width and height") for text in ("", "60cm", "A9", "-60x40cm", "60x40km", "1e9x1cm", "nanxnanm")),
    ],
)
def test_what_is_no_size(text, why):
    with pytest.raises(ValueError, match=rf"{why}.*60x40cm|{why}"):
        parse_print(text)


@pytest.mark.parametrize("text", ["60x40cm", "24x16in", "3x2m", "600x400mm", "7x3cm"])
@pytest.mark.parametrize("factor", [0.999, 0.5, 0.123456])
def test_scaled_is_written_and_never_larger(text, factor):
    whole, scaled = parse_print(text), parse_print(text).scaled(factor)
    assert parse_print(str(scaled)) == scaled
    for side, smaller in zip(whole[:2], scaled[:2], strict=True):
        assert 0 < smaller <= side * factor


def test_nothing_is_left_of_a_small_print():
    assert parse_print("3x2cm").scaled(0.001) is None
