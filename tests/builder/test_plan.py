import os

import numpy as np
import pytest

from vdata.builder.config import PlanConfig
from vdata.builder.plan import clip_index, make_plan, read_plan, write_plan
from vdata.records import Skipped, Video


@pytest.fixture
def listing(tmp_path):
    """100 videos of 1 to 100 kB and one skipped file."""
    videos = []
    for number in range(100):
        name = f"{number:03d}.mp4"
        (tmp_path / name).write_bytes(b"x" * 1000 * (number + 1))
        facts = {"scene": number % 3, "weight": number / 2, "tags": f"t{number}"}
        videos.append(Video(f"v{number:03d}", name, label=number % 5, labels=(1, number), splits=("train1",), facts=facts))
    return tmp_path, [*videos, Skipped("notes.txt", "not_media", "'notes.txt' is no video by its name")]


def test_every_video_stands_in_the_plan_once(listing):
    plan = make_plan(*listing, PlanConfig())
    assert sorted(planned.video.video_id for planned in plan.videos) == [f"v{n:03d}" for n in range(100)]
    assert [planned.video_index for planned in plan.videos] == list(range(100))
    assert [item.reason for item in plan.skipped] == ["not_media"]


def test_the_order_of_listing_does_not_matter_but_the_seed_does(listing):
    root, entries = listing
    assert make_plan(root, entries[::-1], PlanConfig()).videos == make_plan(root, entries, PlanConfig()).videos
    assert make_plan(root, entries, PlanConfig(seed=1)).videos != make_plan(root, entries, PlanConfig()).videos


def test_shards_are_filled_evenly_in_order(listing):
    plan = make_plan(*listing, PlanConfig(shard_mb=1.0))
    shards = plan.by_shard()
    assert list(shards) == list(range(plan.num_shards))
    fills = np.array([sum(planned.source_bytes for planned in group) for group in shards.values()])
    assert (np.abs(fills[:-1] - 1e6) <= 50_000).all()  # half a video on either side
    assert fills.sum() == plan.source_bytes == 5_050_000


def test_a_small_dataset_gets_more_and_smaller_shards(listing):
    root, entries = listing
    assert make_plan(root, entries, PlanConfig()).num_shards in (5, 6)  # never under a megabyte
    for number in range(100):
        os.truncate(root / f"{number:03d}.mp4", 1_000_000)
    assert make_plan(root, entries, PlanConfig()).num_shards in (16, 17)  # a sixteenth each, rounded to whole videos


def test_the_limit_takes_the_first_after_the_shuffle(listing):
    root, entries = listing
    whole = make_plan(root, entries, PlanConfig())
    few = make_plan(root, entries, PlanConfig(limit=7))
    assert [planned.video for planned in few.videos] == [planned.video for planned in whole.videos[:7]]


def test_a_saved_plan_is_read_back_whole(listing, tmp_path):
    plan = make_plan(*listing, PlanConfig())
    write_plan(tmp_path, plan)
    again = read_plan(tmp_path)
    assert again == plan
    assert again.digest == plan.digest
    assert type(again.videos[0].video.facts["weight"]) is float
    assert type(again.videos[0].video.facts["scene"]) is int


def test_no_plan_is_none(tmp_path):
    assert read_plan(tmp_path) is None


def test_clip_numbers_never_meet():
    numbers = {clip_index(video, clip) for video in (0, 1, 2, 10**7) for clip in (0, 1, 2**20 - 1)}
    assert len(numbers) == 12
    assert max(numbers) < 2**63
