"""Builds that are killed at any moment, in whole or in part, and end as if nothing had been."""

from __future__ import annotations

import os
import random
import signal
from contextlib import suppress

import pytest
from _driver import Running, Site, site, wait
from _watch import Process, eventually, processes

pytestmark = pytest.mark.ray

RAY_AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
SECONDS_RAY_WAITS = 75
"""Its agents, and a worker that was about to start, look for a dead GCS for 60 s (constants of Ray 2.60) before they end."""
SECONDS_TO_END = 10
"""That a build may take to obey a signal."""


def left(place: Site) -> list[Process]:
    """The processes of a build but the two agents of Ray."""
    return [process for process in processes(place.base) if not process.title.startswith(RAY_AGENTS)]


def assert_nothing_left(place: Site) -> None:
    """2 s after a death no ffmpeg is left, and soon nothing but what of Ray waits for the dead."""
    wait(2)
    assert place.ffmpegs == []
    assert eventually(lambda: not left(place), SECONDS_RAY_WAITS), left(place)


def kill_somewhere(running: Running, length: float, length_cutting: float, rng: random.Random) -> bool:
    """Kills the driver at a random moment of the whole run, or of its cutting; False when it had ended by then."""
    cutting = rng.random() < 0.6  # Ray's start is most of a small build, and the same every time
    if not running.reach(rng.uniform(0, length_cutting if cutting else length), cutting=cutting):
        assert running.status() == 0, running.errors()
        return False
    running.kill()
    assert_nothing_left(running.site)
    return True


@pytest.mark.soak
def test_nothing_at_all_is_left_a_minute_after_a_kill(undisturbed):
    with site(undisturbed.root) as place:
        running = place.start(*undisturbed.arguments)
        assert running.reach(0, cutting=True)
        running.kill()
        assert eventually(lambda: not processes(place.base), 90), processes(place.base)


def assert_survives_kills(undisturbed, num_kills: int, seed: int) -> None:
    """Builds are killed and resumed until so many kills have hit; each one that comes to its end is as it should be."""
    rng, kills = random.Random(seed), 0
    while kills < num_kills:
        with site(undisturbed.root) as place:
            while kills < num_kills:
                running = place.start(*undisturbed.arguments)
                if not kill_somewhere(running, undisturbed.seconds, undisturbed.seconds_cutting, rng):
                    break
                kills += 1
            else:
                place.build(*undisturbed.arguments)
            undisturbed.assert_equals(place)


def test_a_driver_killed_three_times_loses_nothing(undisturbed):
    assert_survives_kills(undisturbed, 3, seed=0)


@pytest.mark.soak
@pytest.mark.parametrize("seed", [1, 2])
def test_a_driver_killed_twenty_times_loses_nothing(undisturbed, seed):
    assert_survives_kills(undisturbed, 20, seed)


def kill_workers(running: Running, *, all_of_them: bool) -> int:
    """Kills workers in the middle of their work; their number."""
    workers = set[int]()
    while not workers:  # one may end its ffmpeg between two looks
        assert running.reach(0, cutting=True)
        workers = running.site.workers(running.process.pid)
    chosen = workers if all_of_them else {min(workers)}
    for worker in chosen:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
    return len(chosen)


def test_a_killed_worker_s_shard_is_built_again(undisturbed):
    with site(undisturbed.root) as place:
        running = place.start(*undisturbed.arguments)
        assert kill_workers(running, all_of_them=False) == 1
        assert running.status() == 0, running.errors()
        undisturbed.assert_equals(place)
        assert eventually(lambda: not processes(place.base), 5)


@pytest.mark.soak
@pytest.mark.parametrize("pause", [0.0, 0.1, 0.3, 0.6])
def test_workers_killed_together_or_again_lose_nothing(undisturbed, pause):
    with site(undisturbed.root) as place:
        running = place.start(*undisturbed.arguments)
        for _ in range(2):
            assert kill_workers(running, all_of_them=True)
            if not running.reach(pause):
                break
        assert running.status() == 0, running.errors()
        undisturbed.assert_equals(place)


def assert_obeys(running: Running, status: int) -> None:
    """The build ends in time with the status, says how to go on, and leaves nothing behind."""
    assert running.status(SECONDS_TO_END) == status, running.errors()
    assert "same command" in running.errors()
    assert "Traceback" not in running.errors()
    assert_nothing_left(running.site)


def assert_refused_meanwhile(place: Site, *arguments: str) -> None:
    """A second builder says that there is a first, and stops."""
    assert eventually((place.out / "dataset.json").exists, 30)
    second = place.start(*arguments, log="second")
    assert second.status() == 2
    assert "is being built" in second.errors()
    assert len(second.errors().splitlines()) == 1


def test_an_interrupted_build_ends_soon_and_goes_on(undisturbed):
    """A second builder meanwhile; SIGTERM to the driver, as a batch system sends it; then Ctrl-C, which a whole group gets."""
    with site(undisturbed.root) as place:
        running = place.start(*undisturbed.arguments)
        assert_refused_meanwhile(place, *undisturbed.arguments)
        assert running.reach(0.3, cutting=True)
        running.process.terminate()
        assert_obeys(running, 128 + signal.SIGTERM)
        running = place.start(*undisturbed.arguments)
        assert running.reach(0.3, cutting=True)
        os.killpg(running.process.pid, signal.SIGINT)
        assert_obeys(running, 128 + signal.SIGINT)
        place.build(*undisturbed.arguments)
        undisturbed.assert_equals(place)


@pytest.mark.soak
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("to_group", [False, True])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.2, 0.35, 0.5, 0.9])
def test_a_signal_at_any_moment_ends_the_build(undisturbed, number, to_group, share):
    """Also while Python imports, while Ray starts and while shards are committed."""
    with site(undisturbed.root) as place:
        running = place.start(*undisturbed.arguments)
        if running.reach(share * undisturbed.seconds):
            (os.killpg if to_group else os.kill)(running.process.pid, number)
            # While Python imports, the signal does what Python and click do with it, and nothing has begun.
            begun = place.out.exists()
            allowed = {0, 128 + number} if begun else {1, 128 + number, -number}
            assert running.status(SECONDS_TO_END) in allowed, running.errors()
            assert "Traceback" not in running.errors()
            assert_nothing_left(place)
        place.build(*undisturbed.arguments)
        undisturbed.assert_equals(place)
