"""A run that stops and goes on, on another number of ranks, with batches made ahead: the very next batch, bit for bit."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from pipelines import ClipIterator
from pipelines.weights import Shares
from vdata.methods import METHODS
from vdata.views import Augment, Boxes, Clip, Keyframe, Motion, Text

SIZE = 32
GLOBAL_BATCH = 4

SIMCLR = METHODS["simclr"].views(METHODS["simclr"].Config(size=SIZE))
CMD_CROP = Augment(area=(0.2, 1.0), jitter=0.5, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
CMD = (
    Clip("rgb", frames=16, stride=4, size=SIZE, augment=CMD_CROP),
    Keyframe("key", of="rgb", size=SIZE, augment=CMD_CROP),
    Motion(
        "mv", frames=8, start="consecutive_after:rgb:2", negatives=3, size=SIZE, follow="rgb", augment=Augment(area=(0.2, 1.0))
    ),
)
CONST_CL = (
    Clip("v0", frames=16, stride=2, size=SIZE, pad="loop", augment=Augment(aspect=(0.5, 2.0), blur=1.0)),
    Clip(
        "v1",
        frames=16,
        stride=2,
        size=SIZE,
        pad="loop",
        augment=Augment(aspect=(0.5, 2.0), blur=0.1, solarize=0.2),
        start="cvrl_gap:v0",
    ),
    Boxes("boxes0", of="v0", sources=("slic",)),
    Boxes("boxes1", of="v1", sources=("random",)),
)
RUNS = {
    "simclr": {"views": SIMCLR},
    "cmd": {"views": CMD, "unit": "video", "shuffle": "block:1"},
    "const_cl": {"views": CONST_CL, "drop_last": False, "weights": Shares("label")},
}
WORLDS = (1, 2, 4)
LAST = 9
"""Batches of an undisturbed run."""


def tensors(batch: dict, name: str = "") -> dict[str, torch.Tensor]:
    """All tensors of a batch by their path in it."""
    found = {}
    for key, value in batch.items():
        found |= tensors(value, f"{name}/{key}") if isinstance(value, dict) else {f"{name}/{key}": value}
    return found


def assert_same(found: list[dict], expected: dict) -> None:
    """The valid rows of the ranks' batches, behind one another, are those of the one batch, to the last bit."""
    parts = [{name: tensor[batch["valid"]] for name, tensor in tensors(batch).items()} for batch in found]
    whole = tensors(expected)
    assert all(set(part) == set(whole) for part in parts)
    for name, tensor in whole.items():
        assert torch.cat([part[name] for part in parts]).numpy().tobytes() == tensor.numpy().tobytes(), name


def opened(folder, run: str, world_size: int, rank: int, seed: int, **others) -> ClipIterator:
    settings = RUNS[run] | {"batch_size": GLOBAL_BATCH // world_size, "world_size": world_size, "rank": rank, "seed": seed}
    return ClipIterator(folder, **settings | others)


def taken(it: ClipIterator, count: int) -> list[dict]:
    """The next `count` batches, through as many epochs as that takes."""
    found = []
    while len(found) < count:
        for batch in it:
            found.append(batch)
            if len(found) == count:
                break
    return found


def wait_for_a_batch_made_ahead(it: ClipIterator) -> None:
    end = time.monotonic() + 30
    while it._prefetcher._ready.empty():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture(scope="module")
def undisturbed(long_folder):
    """A function to the first LAST batches of a run on one rank, made once for each seed, and the batches of an epoch."""
    known = {}

    def make(run: str, seed: int) -> tuple[list[dict], int]:
        if (run, seed) not in known:
            with opened(long_folder, run, 1, 0, seed) as it:
                known[run, seed] = taken(it, LAST), len(it)
        return known[run, seed]

    return make


@pytest.mark.parametrize("num_cases", [7, pytest.param(20, marks=pytest.mark.slow)])
@pytest.mark.parametrize("run", RUNS)
def test_batches_after_a_resume_are_those_of_the_undisturbed_run(long_folder, undisturbed, run, num_cases):
    """Random cases; the fifth of every five stops at the last batch of an epoch."""
    rng = np.random.default_rng(len(run))
    seen = set()
    for case in range(num_cases):
        seed, stop = int(rng.integers(3)), int(rng.integers(1, LAST - 1))
        before, after = rng.choice(WORLDS, 2).tolist()
        expected, epoch = undisturbed(run, seed)
        if case % 5 == 4:
            stop = epoch * int(rng.integers(1, (LAST - 1) // epoch + 1))
        with opened(long_folder, run, before, int(rng.integers(before)), seed) as it:
            taken(it, stop)
            wait_for_a_batch_made_ahead(it)
            state = json.dumps(it.state_dict())
        assert len(state) < 300
        ranks = [opened(long_folder, run, after, rank, seed) for rank in range(after)]
        for it in ranks:
            it.load_state_dict(json.loads(state))
        count = min(2, LAST - stop)
        rows = [taken(it, count) for it in ranks]
        for number in range(count):
            assert_same([batches[number] for batches in rows], expected[stop + number])
        for it in ranks:
            it.close()
        seen.add((before, after))
    assert len(seen) > 3


@pytest.mark.parametrize("run", RUNS)
def test_the_global_batches_are_the_same_for_1_2_4_and_8_ranks(long_folder, run):
    settings = RUNS[run] | {"seed": 2}
    with ClipIterator(long_folder, batch_size=8, **settings) as it:
        whole, num_batches = taken(it, 3), len(it)
    for world_size in (2, 4, 8):
        rows = []
        for rank in range(world_size):
            with ClipIterator(long_folder, batch_size=8 // world_size, rank=rank, world_size=world_size, **settings) as it:
                assert len(it) == num_batches
                rows.append(taken(it, 3))
        for number, expected in enumerate(whole):
            assert_same([batches[number] for batches in rows], expected)


def test_loading_a_state_reads_nothing_and_replays_nothing(long_folder):
    with opened(long_folder, "simclr", 1, 0, 0) as it:
        state = it.state_dict() | {"epoch": 10**6, "position": 2}
    with opened(long_folder, "simclr", 1, 0, 0) as it:
        it.load_state_dict(state)
        assert it._maker.reader.traffic.num_requests == 0
        assert it._maker.source.decoder.num_packets == 0
        next(iter(it))
        # Of the batch itself and of the few that are made ahead.
        assert it._maker.reader.traffic.num_requests < 12 * GLOBAL_BATCH * 3
        assert it.state_dict() == state | {"epoch": 10**6 + 1, "position": 0}


def test_a_batch_handed_out_counts_and_one_in_the_queue_does_not(long_folder):
    with opened(long_folder, "simclr", 1, 0, 0) as it:
        assert len(it) == 3
        batches = iter(it)
        for count in (1, 2):
            next(batches)
            wait_for_a_batch_made_ahead(it)
            assert (it.state_dict()["epoch"], it.state_dict()["position"]) == (0, count)
        next(batches)
        # Behind the last batch of an epoch comes the first of the next, whether the loop has noticed it or not.
        assert (it.state_dict()["epoch"], it.state_dict()["position"]) == (1, 0)
        with pytest.raises(StopIteration):
            next(batches)
        assert (it.state_dict()["epoch"], it.state_dict()["position"]) == (1, 0)


def test_a_resumed_run_skips_the_same_clips(long_folder, tmp_path):
    """What stands in for an unusable clip depends on the position alone, so it is the same after a resume."""
    broken = tmp_path / "shards"
    broken.mkdir()
    for path in long_folder.iterdir():
        if path.is_file():
            (broken / path.name).write_bytes(path.read_bytes())
    with opened(broken, "simclr", 1, 0, 3) as it:
        index = it.index
        size = int(index.fragment_size[index.fragment_start[4] : index.fragment_start[5]].sum())
        with index.mp4_path(4).open("r+b") as tar:
            tar.seek(int(index.mp4_offset[4]) + int(index.init_size[4]))
            tar.write(bytes(size))
    with opened(broken, "simclr", 1, 0, 3, on_error="skip") as it:
        expected, skipped = taken(it, LAST), it.num_skipped
    assert skipped > 0
    for stop in range(1, LAST - 1, 2):
        with opened(broken, "simclr", 1, 0, 3, on_error="skip") as it:
            taken(it, stop)
            state = it.state_dict()
        ranks = [opened(broken, "simclr", 2, rank, 3, on_error="skip") for rank in range(2)]
        for it in ranks:
            it.load_state_dict(state)
        assert_same([next(iter(it)) for it in ranks], expected[stop])
        for it in ranks:
            it.close()


CHILD = """
import hashlib, json, sys
sys.path.insert(0, {tests!r})
from test_resume import opened, taken, tensors
with opened({folder!r}, "cmd", 1, 0, 7) as it:
    it.load_state_dict(json.loads(sys.argv[1]))
    for batch in taken(it, 2):
        print(hashlib.sha256(b"".join(tensor.numpy().tobytes() for tensor in tensors(batch).values())).hexdigest())
"""


def test_a_run_goes_on_in_a_new_process(long_folder, request):
    with opened(long_folder, "cmd", 1, 0, 7) as it:
        taken(it, 3)
        state = json.dumps(it.state_dict())
        expected = [b"".join(tensor.numpy().tobytes() for tensor in tensors(batch).values()) for batch in taken(it, 2)]
    code = CHILD.format(tests=str(request.path.parent), folder=str(long_folder))
    done = subprocess.run([sys.executable, "-c", code, state], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == [hashlib.sha256(one).hexdigest() for one in expected]


@pytest.mark.parametrize("unit", ["clip", "video"])
def test_rows_without_pictures_go_on_where_they_stopped(mixed_folder, unit):
    settings = {"views": (Text(fields=("document", "label")),), "batch_size": 2, "unit": unit, "seed": 5}
    with ClipIterator(mixed_folder, **settings) as it:
        expected = [batch["text"] for _ in range(2) for batch in it]
    with ClipIterator(mixed_folder, **settings) as it:
        stream = iter(it)
        for _ in range(2):
            next(stream)
        state = json.loads(json.dumps(it.state_dict()))
    with ClipIterator(mixed_folder, **settings) as it:
        it.load_state_dict(state)
        rest = [batch["text"] for _ in range(2) for batch in it]
    assert len(rest) == len(expected) - 2
    assert all(torch.equal(one, other) for one, other in zip(rest, expected[2:], strict=True))
