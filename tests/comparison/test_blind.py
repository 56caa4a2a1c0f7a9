"""Hidden columns."""

import pytest

from impasto.comparison.blind import choose_seed, letters
from impasto.comparison.sheets import cell_size, check_sheet
from impasto.comparison.ways import parse_ways
from impasto.errors import RequestError


def test_letters():
    assert letters(3) == ["A", "B", "C"]
    assert letters(28)[25:] == ["Z", "AA", "AB"]


def test_seeds():
    assert choose_seed(7) == 7
    assert choose_seed(None) != choose_seed(None)
    with pytest.raises(RequestError, match="seed is -1"):
        choose_seed(-1)


def test_a_large_sheet_stays_of_a_sane_size():
    ways = parse_ways(["adain", "swap"], 1024)
    assert cell_size(ways, 1) == 512
    assert cell_size(parse_ways(["adain"], 200), 2) == 200
    for pairs in (20, 50, 120):
        assert 16 < cell_size(ways, pairs) <= 8000 / pairs
        check_sheet(2, pairs, cell_size(ways, pairs), 16_383)
    assert cell_size(ways, 50, 400) == 400
    with pytest.raises(RequestError, match="16 to 4096"):
        cell_size(ways, 1, 5)
    with pytest.raises(RequestError, match="make --cell smaller"):
        check_sheet(2, 50, 400, 16_383)
