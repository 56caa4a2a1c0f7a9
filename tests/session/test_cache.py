"""What a session keeps."""

import gc

import torch

from impasto import memory
from impasto.session.cache import Cache, CacheView, bytes_of


def _kilobytes(count):
    return torch.zeros(count, 250)  # of 4 bytes


def test_a_value_is_made_once():
    cache, made = Cache(10_000), []

    def make():
        made.append(1)
        return _kilobytes(1)

    assert cache.keep("a", make) is cache.keep("a", make)
    assert len(made) == 1
    assert cache.bytes == 1000


def test_the_longest_unused_goes_first_and_the_bound_holds():
    cache = Cache(3_000)
    for key in "abc":
        cache.put(key, _kilobytes(1))
    cache.find("a")
    cache.put("d", _kilobytes(1))
    assert list(cache) == ["c", "a", "d"]
    cache.put("e", _kilobytes(2))
    assert list(cache) == ["d", "e"]
    assert cache.bytes == 3_000


def test_what_is_larger_than_the_bound_is_not_kept():
    cache = Cache(3_000)
    cache.put("a", _kilobytes(1))
    cache.put("b", _kilobytes(4))
    assert list(cache) == ["a"]
    nothing = Cache(0)
    nothing.put("a", _kilobytes(1))
    assert (len(nothing), nothing.bytes) == (0, 0)


def test_a_value_in_place_of_another():
    cache = Cache(3_000)
    cache.put("a", _kilobytes(2))
    cache.put("a", _kilobytes(1))
    assert (list(cache), cache.bytes) == (["a"], 1_000)
    cache.drop("a")
    cache.drop("a")
    assert cache.bytes == 0


def test_bytes_are_those_of_tensors_each_once():
    shared = _kilobytes(1)

    class Net:
        def __init__(self):
            self.one, self.parts = shared, {"other": [shared[:, :5], _kilobytes(2)]}

    assert bytes_of(Net()) == 3_000
    assert bytes_of(torch.nn.Linear(10, 10)) == 440
    assert bytes_of(("text", 3, None)) == 0


def test_a_shelf_is_a_part_of_the_cache():
    cache = Cache(10_000)
    one, other = CacheView(cache, "one"), CacheView(cache, "other")
    one[1], other[1] = _kilobytes(1), _kilobytes(2)
    assert one[1] is not other[1]
    assert (list(one), len(one), one.get(2)) == ([1], 1, None)
    del one[1]
    assert 1 not in one
    assert 1 in other


def test_it_is_given_up_first_where_memory_is_needed():
    cache = Cache(10_000)
    cache.put("unused", _kilobytes(1))
    cache.begin()
    cache.put("used", _kilobytes(1))
    ways = iter([("more", memory.Cost.of_bytes(1e15)), ("less", memory.Cost())])
    assert memory.fit(ways, (1, 1), None, torch.device("cpu")).way == "less"
    assert list(cache) == ["used"]
    del cache
    gc.collect()
    memory.fit([("more", memory.Cost.of_bytes(1e15))], (1, 1), None, torch.device("cpu"))
