"""A field that is added by a process that is killed, and ends as if nothing had been."""

from __future__ import annotations

import os
import random
import shutil
import signal
from pathlib import Path

import pytest
from _driver import Running, Site, rows, site, tars, wait
from _watch import eventually

from vdata.builder.add import Addition, add

pytestmark = pytest.mark.ray

FIELD = ("slic", "--set", "slic.frames=every:6")
LONGEST = 300


def done(out: Path) -> int:
    """Shards that have the field."""
    return len(list(out.glob("*.slic.tar")))


def run_here(orders, run):
    del run
    return ((order, order.execute()) for order in orders)


@pytest.fixture(scope="module")
def grown(undisturbed):
    """The undisturbed shards with a field that was added in peace."""
    with site(undisturbed.root) as grown:
        shutil.copytree(undisturbed.out, grown.out)
        # In this process: nothing of it is what the tests disturb.
        add([grown.out], Addition.of("slic", {"frames": "every:6"}), run_orders=run_here)
        assert done(grown.out) == len(list(grown.out.glob("clips-??????.tar"))) > 1
        yield grown


def assert_equals(place: Site, undisturbed, grown: Site) -> None:
    """The clips are untouched, and the field is the one that was added in peace."""
    assert tars(place.out) == tars(grown.out)
    assert tars(place.out).items() >= undisturbed.tars.items()
    assert rows(place.out) == rows(grown.out)
    place.verify()


def killed_after(place: Site, shards: int, rng: random.Random, number: int) -> bool:
    """Whether the driver was killed, a moment after that many shards had the field; with its workers, where it is the group."""
    running: Running = place.add(*FIELD)
    ended = running.process.poll
    eventually(lambda: ended() is not None or done(place.out) >= shards, LONGEST)
    wait(rng.uniform(0, 0.1))
    if ended() is not None:
        assert running.status() == 0, running.errors()
        return False
    (os.killpg if number == signal.SIGINT else os.kill)(running.process.pid, number)
    running.status(30)
    # Nobody waits for the workers: one that is left behind must not commit for a run that is over.
    return True


def survives(undisturbed, grown: Site, kills: int, seed: int) -> None:
    rng, hits = random.Random(seed), 0
    while hits < kills:
        with site(undisturbed.root) as place:
            shutil.copytree(undisturbed.out, place.out)
            while hits < kills and killed_after(place, done(place.out) + 1, rng, rng.choice([signal.SIGKILL, signal.SIGINT])):
                hits += 1
            running = place.add(*FIELD)
            assert running.status(LONGEST) == 0, running.errors()
            assert_equals(place, undisturbed, grown)


@pytest.mark.parametrize("kills", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_a_field_whose_adding_is_killed_is_the_same(undisturbed, grown, kills):
    survives(undisturbed, grown, kills, seed=2)


@pytest.mark.soak
def test_a_field_whose_adding_is_killed_ten_times_is_the_same(undisturbed, grown):
    survives(undisturbed, grown, 10, seed=1)
