"""The readers of untrusted bytes that run in the worker itself: whatever they are fed, they answer or give up."""

from __future__ import annotations

import random
import signal
import struct
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import pytest
from _boxes import edit
from _fuzz import damaged, sound_videos
from _tricks import TRICKS, Bait
from _videos import video

from vdata.errors import MediaError
from vdata.media.config import LimitConfig
from vdata.media.container import read_container
from vdata.media.probe import average_rate, probe
from vdata.media.source import open_source

SECONDS_A_FILE = 5
"""Of CPU time, after which a reader counts as caught in a loop; the slowest of the files here takes a tenth."""
MEMORY_BYTES = 200 * 2**20
NUMBERS = (0, 1, 2, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 2**24, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)


@contextmanager
def hang_guard() -> Iterator[None]:
    """Ends a reader that is caught in a loop."""

    def stop(number: int, frame: object) -> None:
        raise TimeoutError(f"{SECONDS_A_FILE} s of CPU time")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS_A_FILE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def seeds() -> dict[str, bytes]:
    """What the readers know whole: plain MP4, MOV and AVI of the codecs they know."""
    h264, part2 = ("mov", "libx264", "yuv420p"), ("mp4", "mpeg4", "yuv420p")
    made = {
        "plain.mp4": video(".mp4"),
        "long.mp4": video(".mp4", num_frames=300, size=(32, 32)),
        "h264.mov": video(coding=h264),
        "part2.mp4": video(coding=part2),
        "part2.avi": video(".avi"),
        "fragments.mp4": video(coding=("ismv", "libx264", "yuv420p")),
    }
    return made | {name: data for name, data in sound_videos(None).items() if name in ("made.mov", "made.nut", "made.mkv")}


def with_numbers(rng: random.Random, data: bytes) -> bytes:
    """The bytes with a few telling numbers in the place of others, in an MP4 within its index, where all of them count."""

    def change(body: bytes) -> bytes:
        changed = bytearray(body)
        for _ in range(rng.choice((1, 1, 2, 5, 20))):
            form, most = rng.choice(((">I", 2**32 - 1), ("<I", 2**32 - 1), (">H", 2**16 - 1)))
            struct.pack_into(form, changed, rng.randrange(len(changed) - 4), rng.choice(NUMBERS) & most)
        return bytes(changed)

    return edit(data, [b"moov"], change) if b"moov" in data else change(data)


def hostile(rng: random.Random, sound: dict[str, bytes]) -> bytes:
    if rng.random() < 1 / 2:
        return damaged(rng, sound)[2]
    return with_numbers(rng, sound[rng.choice(sorted(sound))])


def read(folder: Path, data: bytes) -> object:
    """What the container's reader makes of the bytes."""
    (folder / "x").write_bytes(data)
    with open_source(folder, "x") as file, hang_guard():
        try:
            return read_container(file)
        except MediaError:
            return None


def assert_withstands(folder: Path, seed: int, count: int) -> None:
    rng, sound, understood = random.Random(seed), seeds(), 0
    tracemalloc.start()
    try:
        for number in range(count):
            tracemalloc.reset_peak()
            understood += read(folder, hostile(rng, sound)) is not None
            assert tracemalloc.get_traced_memory()[1] < MEMORY_BYTES, (seed, number)
    finally:
        tracemalloc.stop()
    # Damage that is not met is no test of what happens behind it.
    assert understood > count / 20


def test_sound_files_are_understood(tmp_path):
    found = {name: read(tmp_path, data) is not None for name, data in seeds().items()}
    assert {name for name, known in found.items() if known} >= {"plain.mp4", "long.mp4", "h264.mov", "part2.avi"}


def test_damaged_containers_are_read_or_given_up(tmp_path):
    assert_withstands(tmp_path, seed=0, count=1500)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1, 5))
def test_many_damaged_containers_are_read_or_given_up(tmp_path, seed):
    assert_withstands(tmp_path, seed, count=10_000)


def test_every_trick_is_probed_or_refused(tmp_path):
    """All kinds of lies, one after another, up to the point where the encoder would start."""
    bait = Bait(tmp_path / "canary.mp4", "http://127.0.0.1:9/x.mp4")
    limits = LimitConfig(cpu_seconds=2, wall_seconds=20, memory_gib=1.5)
    costly = ("sparse", "bomb", "many", "elst-many", "timescale", "deep")
    for name in (name for name in TRICKS if not name.startswith(costly)):
        folder = tmp_path / name
        folder.mkdir()
        TRICKS[name](folder / "x", bait)
        for path in (path for path in folder.rglob("*") if not path.is_dir()):
            try:
                with open_source(folder, str(path.relative_to(folder))) as file:
                    source = probe(file, limits)
            except MediaError:
                continue
            assert source.width > 0, name
            assert source.height > 0, name
            assert 0 < source.duration_seconds <= limits.max_seconds, name


@pytest.mark.parametrize(
    ("trick", "reason", "retryable"),
    [
        ("size-100000-png", "too_large", False),
        ("size-most-png", "too_large", False),
        ("link-memory", "unreadable", True),
        ("empty", "empty", False),
        ("text", "not_video", False),
        ("audio-only", "no_video_stream", False),
        ("rate-most-avi", "too_long", False),
        ("fifo", "not_regular", False),
    ],
)
def test_a_refusal_says_what_it_is(tmp_path, trick, reason, retryable):
    TRICKS[trick](tmp_path / "x", Bait(tmp_path / "canary.mp4", "http://127.0.0.1:9/x.mp4"))
    (path,) = tmp_path.iterdir()
    with pytest.raises(MediaError) as caught, open_source(tmp_path, path.name) as file:
        probe(file, LimitConfig(cpu_seconds=5, wall_seconds=20, memory_gib=1.5))
    assert (caught.value.reason, caught.value.retryable) == (reason, retryable)


@pytest.mark.parametrize(
    "times",
    [
        [0],
        [-(2**63), 0, 40],
        [-(2**63), 2**63 - 1],
        [-(2**62), 0, 2**62],
        [-(2**63) + 1, -1, 2**63 - 1],
        [0, 2**62, 2**63 - 1],
        [5, 5, 5],
    ],
)
@pytest.mark.parametrize("tick", [(1, 1000), (1, 2**32 - 1), (2**31, 1), (2**31 - 1, 2**31)])
def test_times_from_end_to_end_give_a_rate(times, tick):
    rate = average_rate(times, Fraction(*tick))
    assert 0 < rate <= 240
