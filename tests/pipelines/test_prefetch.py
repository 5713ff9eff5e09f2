"""The thread that makes batches ahead, with streams of the test's own."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import pytest

from pipelines.prefetch import Made, Place, Prefetcher

NAME = "vdata-batches"


def counting(place: Place) -> Iterator[Made]:
    epoch, first = place
    for number in itertools.count(first):
        yield Made({"number": (epoch, number)}, (), (epoch, number + 1))


def alive() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == NAME]


def test_batches_come_in_order_from_any_place():
    ahead = Prefetcher(counting)
    assert [ahead.take((0, n)).batch["number"] for n in range(50)] == [(0, n) for n in range(50)]
    assert ahead.take((3, 7)).batch["number"] == (3, 7)
    assert len(alive()) == 1
    ahead.close()
    assert alive() == []
    assert ahead.take((0, 2)).batch["number"] == (0, 2)
    ahead.close()


def test_the_stream_runs_ahead_by_a_bounded_number():
    made, some_made = [], threading.Event()

    def stream(place: Place) -> Iterator[Made]:
        for one in counting(place):
            made.append(one)
            if len(made) == 4:
                some_made.set()
            yield one

    ahead = Prefetcher(stream)
    ahead.take((0, 0))
    ahead.take((0, 1))
    assert some_made.wait(10)  # one in the queue, one waiting for room
    assert not threading.Event().wait(0.05)
    assert len(made) == 4
    ahead.close()


def test_an_error_reaches_the_caller_after_the_batches_before_it():
    def stream(place: Place) -> Iterator[Made]:
        yield from itertools.islice(counting(place), 2)
        raise KeyError("broken")

    ahead = Prefetcher(stream)
    for _ in range(2):  # the second time from a new thread
        ahead.take((0, 0))
        ahead.take((0, 1))
        with pytest.raises(KeyError, match="broken"):
            ahead.take((0, 2))
        assert alive() == []


def test_after_a_last_batch_the_next_place_starts_anew():
    ahead = Prefetcher(lambda place: iter([Made({"number": place}, (), None)]))
    assert [ahead.take((epoch, 0)).batch["number"] for epoch in range(3)] == [(0, 0), (1, 0), (2, 0)]
    ahead.close()


def test_closing_finishes_the_stream():
    ended = threading.Event()

    def stream(place: Place) -> Iterator[Made]:
        try:
            yield from counting(place)
        finally:
            ended.set()

    ahead = Prefetcher(stream)
    ahead.take((0, 0))
    ahead.close()
    assert ended.wait(10)
