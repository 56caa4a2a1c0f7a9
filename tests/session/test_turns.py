"""One painting at a time, the more urgent first."""

import threading
import time

import pytest

from impasto.errors import Cancelled
from impasto.session.turns import Turns


def _in_thread(work):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def _until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_one_at_a_time():
    turns, now, most = Turns(), [], []

    def paint():
        for _ in range(5):
            with turns.take() as turn:
                now.append(1)
                most.append(len(now))
                time.sleep(0.001)
                turn.give_way()
                now.pop()

    threads = [_in_thread(paint) for _ in range(8)]
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert most == [1] * 40


def test_the_highest_priority_goes_first_then_the_first_that_came():
    turns, order = Turns(), []
    first = turns.take()

    def paint(name, priority):
        with turns.take(priority):
            order.append(name)

    threads = []
    for count, (name, priority) in enumerate((("a", 0), ("b", 1), ("c", 1), ("d", 0)), 1):
        threads.append(_in_thread(lambda name=name, priority=priority: paint(name, priority)))
        _until(lambda count=count: len(turns._waiting) == count)
    first.end()
    for thread in threads:
        thread.join(20)
    assert order == ["b", "c", "a", "d"]


def test_one_of_higher_priority_goes_first_in_the_midst():
    turns, order = Turns(), []

    def urgent():
        with turns.take(1):
            order.append("urgent")

    def equal():
        with turns.take(0):
            order.append("equal")

    with turns.take(0) as turn:
        threads = [_in_thread(urgent), _in_thread(equal)]
        _until(lambda: len(turns._waiting) == 2)
        order.append("before")
        turn.give_way()
        order.append("after")
    for thread in threads:
        thread.join(20)
    assert order == ["before", "urgent", "after", "equal"]


def test_while_it_rests_one_of_higher_priority_may_begin():
    turns, began = Turns(), threading.Event()

    def urgent():
        with turns.take(1):
            began.set()

    with turns.take(0) as turn:
        turn.rest()
        thread = _in_thread(urgent)
        assert began.wait(20)
        turn.give_way()
        thread.join(20)


def test_a_second_painting_of_the_same_thread_does_not_wait_for_itself():
    turns = Turns()
    with turns.take() as outer, turns.take() as inner:
        inner.give_way()
        inner.end()
        outer.give_way()


def test_waiting_is_cancelled():
    turns, cancel, found = Turns(), threading.Event(), []

    def wait():
        try:
            turns.take(0, cancel)
        except Cancelled as error:
            found.append(error)

    with turns.take():
        thread = _in_thread(wait)
        _until(lambda: turns._waiting)
        cancel.set()
        thread.join(20)
    assert len(found) == 1
    with pytest.raises(AssertionError), turns.take():  # an error gives the turn back
        raise AssertionError
    turns.take().end()


def test_cancelled_while_one_of_higher_priority_goes_first():
    turns, cancel, found = Turns(), threading.Event(), []
    rested, taken = threading.Event(), threading.Event()

    def low():
        with turns.take(0, cancel) as turn:
            turn.rest()
            rested.set()
            assert taken.wait(20)
            try:
                turn.give_way()
            except Cancelled as error:
                found.append(error)

    thread = _in_thread(low)
    assert rested.wait(20)
    with turns.take(1):
        taken.set()
        cancel.set()
        thread.join(20)
    assert len(found) == 1
    turns.take().end()
