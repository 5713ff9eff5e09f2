"""Clips that cannot be used: named by file and key, replaced if asked, counted; the graph and the run go on."""

from __future__ import annotations

import itertools
import logging
import shutil

import pytest
import torch

from pipelines import ClipIterator
from vdata.errors import CorruptShardError, SchemaMismatchError
from vdata.views import Augment, Boxes, Clip, Keyframe, Motion

VIEWS = (
    Clip("rgb", frames=8, stride=4, size=32, augment=Augment()),
    Keyframe("key", of="rgb", size=32),
    Motion("mv", frames=8, start="consecutive_after:rgb:2", negatives=1, size=32),
    Boxes("boxes", of="rgb", sources=("slic",)),
)
LAST = 12
"""The last of the 13 clips, which are of videos 0, 0, 1, 2, 3, 3, 3, 4, ..., 9."""


def bytes_of(index, clip: int, part: str) -> tuple[int, int]:
    """First byte and size of a part of a clip within its tar."""
    if part == "init":
        return int(index.mp4_offset[clip]), int(index.init_size[clip])
    if part == "fragments":
        first, end = (int(index.fragment_start[clip + step]) for step in (0, 1))
        return int(index.mp4_offset[clip]) + int(index.init_size[clip]), int(index.fragment_size[first:end].sum())
    _, offset, size = index.member(clip, part)
    return offset, size


@pytest.fixture
def damaged(long_folder, tmp_path):
    """A function to a copy of the folder in which a part of some clips is nothing but zeros."""

    def make(part: str, *clips: int):
        folder = tmp_path / "shards"
        shutil.copytree(long_folder, folder)
        with ClipIterator(folder, views=VIEWS, batch_size=1) as it:
            for clip in clips:
                offset, size = bytes_of(it.index, clip, part)
                with it.index.mp4_path(clip).open("r+b") as tar:
                    tar.seek(offset)
                    tar.write(bytes(size))
        return folder

    return make


PARTS = ["init", "fragments", "motion.npz", "slic.boxes.npy"]


@pytest.mark.parametrize("clip", [0, LAST])
@pytest.mark.parametrize("part", PARTS)
def test_a_damaged_part_is_named_in_the_first_and_in_the_last_batch(damaged, part, clip):
    with ClipIterator(damaged(part, clip), views=VIEWS, batch_size=1, shuffle="none") as it:
        found = []
        with pytest.raises(CorruptShardError) as error:
            found += [batch["idx"].item() for batch in it]
        message = str(error.value)
        assert f"clips-00000{clip // 5}.tar', key 'clip_{clip}" in message
        assert "on_error='skip' takes another in its place" in message
        assert "\n" not in message
        assert it.state_dict()["position"] == clip
        # The graph has lost nothing: another place of the same iterator gives its batches.
        it.load_state_dict(it.state_dict() | {"epoch": 5, "position": 1 if clip == 0 else 0})
        assert next(iter(it))["idx"].item() == (101 if clip == 0 else 100)


@pytest.mark.parametrize("unit", ["clip", "video"])
@pytest.mark.parametrize("part", PARTS)
def test_skip_replaces_counts_and_logs(damaged, long_folder, caplog, part, unit):
    settings = {"views": VIEWS, "batch_size": 3, "seed": 2, "unit": unit, "drop_last": False}
    # Of video 3 only the last of three clips is damaged.
    bad = (0, 6, LAST)
    with ClipIterator(long_folder, **settings) as it:
        sound = [batch for _ in range(3) for batch in it]
    with ClipIterator(damaged(part, *bad), on_error="skip", **settings) as it, caplog.at_level(logging.WARNING, "pipelines"):
        caplog.clear()
        batches = [batch for _ in range(3) for batch in it]
        pipeline = it.pipeline
        assert it.num_skipped >= 3
        named = [record.getMessage() for record in caplog.records if "in the place of an unusable one" in record.getMessage()]
        assert len(named) == it.num_skipped
        assert {clip for clip in bad if any(f"key 'clip_{clip}'" in line for line in named)} == {
            clip for clip in range(13) if any(f"key 'clip_{clip}'" in line for line in named)
        }
        ends = [record.args for record in caplog.records if "were replaced in epoch" in record.getMessage()]
        assert [(epoch, rank) for _, epoch, rank in ends] == [(0, 0), (1, 0), (2, 0)]
        assert sum(count for count, *_ in ends) == it.num_skipped
        assert it.pipeline is pipeline
    changed = 0
    for one, other in zip(batches, sound, strict=True):
        for row in range(len(one["idx"])):
            same = all(torch.equal(one[view.name][row], other[view.name][row]) for view in VIEWS)
            changed += not same
            replaced = set(bad if unit == "clip" else (0, 3, 9))
            assert same or int(other["idx"][row]) - (100 if unit == "clip" else 0) in replaced
    # A damaged keyframe or box may lie outside of what a sample takes of its clip; a replaced sample always differs.
    assert changed == it.num_skipped


def test_a_damaged_clip_in_the_middle_of_a_run_is_the_one_named(damaged):
    views = (Clip("v", frames=20, stride=10, size=32),)
    with (
        ClipIterator(damaged("fragments", 6), views=views, batch_size=1, unit="video", shuffle="none") as it,
        pytest.raises(CorruptShardError, match=r"clips-000001\.tar', key 'clip_6"),
    ):
        # The fourth video, until its window reaches into the last of its three clips.
        list(itertools.chain(it, it, it, it, it))


def test_a_field_that_no_clip_has_is_no_bad_sample(folder):
    with (
        ClipIterator(folder, views=VIEWS[:1] + VIEWS[3:], batch_size=2, on_error="skip") as it,
        pytest.raises(SchemaMismatchError, match="make it with `vdata add slic"),
    ):
        next(iter(it))


@pytest.mark.parametrize("part", ["fragments", "slic.boxes.npy"])
def test_a_truncated_tar_is_named_and_its_clips_are_replaced(damaged, part):
    folder = damaged("init")
    settings = {"views": VIEWS, "batch_size": 13, "drop_last": False}
    with ClipIterator(folder, **settings) as it:
        end, _ = bytes_of(it.index, LAST, part)
    tar = folder / "clips-000002.tar"
    tar.write_bytes(tar.read_bytes()[:end])
    with ClipIterator(folder, **settings) as it, pytest.raises(CorruptShardError, match="'clip_12") as error:
        list(it)
    assert "clips-000002.tar' cannot be read" in str(error.value)
    assert f"it ends at byte {end}, before" in str(error.value)
    with ClipIterator(folder, on_error="skip", **settings) as it:
        (batch,) = it
        assert it.num_skipped == 1
        assert 112 not in batch["idx"].tolist()
