"""Parts of a work under way."""

import contextlib

import pytest

from impasto.control import Control, expect, part, say, worked


def test_parts_count_for_their_share():
    told = []
    with Control(watch=told.append).active():
        with part(0, 0.25, "small"):
            expect(10, "encoding")
            worked(5)
        with part(0.25, 1, "large"):
            say("reading")
            expect(4)
            worked(4)
    assert [(progress.done, progress.note) for progress in told] == [
        (0, "small: encoding"), (0.125, "small: encoding"),
        (0.25, "large: reading"), (0.25, "large"), (1, "large"),
    ]  # fmt: skip


def test_parts_have_parts():
    told = []
    control = Control(watch=told.append)
    with control.active(), part(0.5, 1):
        with part(0.5, 1):
            expect(2)
            worked(1)
        say("after")
    control.say("later")
    assert [progress.done for progress in told] == [0.75, 0.875, 1, 1]


def test_a_part_that_fails_ends():
    told = []
    control = Control(watch=told.append)
    with contextlib.suppress(ValueError), control.active(), part(0, 0.5):
        raise ValueError
    control.expect(1)
    control.worked(0.25)
    assert told[-1].done == 0.25


def test_without_a_control_a_part_is_nothing():
    with part(0, 1), pytest.raises(RuntimeError):
        raise RuntimeError
