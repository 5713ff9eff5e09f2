import os

import numpy as np
import pytest

from vdata.builder.config import PlanConfig
from vdata.builder.plan import changes, clip_index, extend_plan, make_plan, renumbered
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


def test_clip_numbers_never_meet():
    numbers = {clip_index(video, clip) for video in (0, 1, 2, 10**7) for clip in (0, 1, 2**20 - 1)}
    assert len(numbers) == 12
    assert max(numbers) < 2**63


def make_films(folder, sizes):
    videos = []
    for name, megabytes in sizes.items():
        (folder / name).touch()
        os.truncate(folder / name, int(megabytes * 1e6))  # sparse: takes no room
        videos.append(Video(name, name))
    return videos


def test_a_film_is_divided_and_no_task_has_more_than_one_full_part(tmp_path):
    config = PlanConfig(task_minutes=10)  # 4,800 s of film a part
    videos = make_films(tmp_path, {"film.mp4": 900, "short.mp4": 900, "small.mp4": 30})
    asked = []

    def seconds(video):
        asked.append(video.source)
        return {"film.mp4": 3 * 4800 + 1.0, "short.mp4": 4000.0}[video.source]

    plan = make_plan(tmp_path, videos, config, seconds)
    assert sorted(asked) == ["film.mp4", "short.mp4"]  # 30 MB are no film
    film = [planned for planned in plan.videos if planned.video.source == "film.mp4"]
    assert [(planned.part, planned.num_parts) for planned in film] == [(0, 4), (1, 4), (2, 4), (3, 4)]
    assert len({planned.shard for planned in film}) == 4
    assert len({planned.video_index for planned in film}) == 1
    assert plan.num_videos == 3
    assert plan.source_bytes == 1_830_000_000
    assert list(plan.by_shard()) == list(range(plan.num_shards))


def test_the_wanted_end_of_a_film_counts_not_its_length(tmp_path):
    make_films(tmp_path, {"film.mp4": 900})
    video = Video("film.mp4", "film.mp4", end_seconds=4900.0)
    assert len(make_plan(tmp_path, [video], PlanConfig(), lambda _: 50_000.0).videos) == 2
    late = Video("film.mp4", "film.mp4", start_seconds=10.0)
    assert len(make_plan(tmp_path, [late], PlanConfig(), lambda _: 50_000.0).videos) == 1


def test_new_videos_come_behind_the_old_ones(listing):
    root, entries = listing
    old = make_plan(root, entries[:60], PlanConfig(shard_mb=1.0))
    found = changes(old, make_plan(root, entries, PlanConfig(shard_mb=1.0)))
    assert [video.video_id for video in found.new] == [f"v{n:03d}" for n in range(60, 100)]
    assert (found.gone, found.changed) == ((), ())
    grown = extend_plan(root, old, found.new, PlanConfig(shard_mb=1.0))
    assert grown.videos[:60] == old.videos
    assert [planned.video_index for planned in grown.videos] == list(range(100))
    assert grown.videos[60].shard == old.num_shards
    assert list(grown.by_shard()) == list(range(grown.num_shards))
    assert not str(changes(grown, make_plan(root, entries, PlanConfig(shard_mb=1.0))))
    assert extend_plan(root, old, found.new[::-1], PlanConfig(shard_mb=1.0)) == grown


def test_what_has_gone_or_changed_is_told(listing):
    root, entries = listing
    old = make_plan(root, entries, PlanConfig())
    (root / "007.mp4").write_bytes(b"other")
    found = changes(old, make_plan(root, entries[2:], PlanConfig()))
    assert str(found) == "2 are gone ('000.mp4', ...), 1 is changed ('007.mp4')"


def test_a_new_class_does_not_renumber_the_old_ones(tmp_path):
    def videos(*names):
        listed = sorted(names)
        for name in names:
            (tmp_path / name).touch()
        return [Video(name, name, label=listed.index(name), label_name=name) for name in names]

    old = make_plan(tmp_path, videos("a", "c"), PlanConfig())
    new = changes(old, make_plan(tmp_path, videos("a", "b", "c", "d"), PlanConfig())).new
    grown = extend_plan(tmp_path, old, new, PlanConfig())
    assert {p.video.label_name: p.video.label for p in grown.videos} == {"a": 0, "c": 1, "b": 2, "d": 3}
    assert not str(changes(grown, make_plan(tmp_path, videos("a", "b", "c", "d"), PlanConfig())))


def test_where_the_dataset_has_a_list_other_numbers_are_a_change(tmp_path):
    """Kept, they would contradict the list that is stored with the shards."""

    def plan(*names):
        for name in names:
            (tmp_path / name).touch()
        return make_plan(tmp_path, [Video(name, name, label=names.index(name), label_name=name) for name in names], PlanConfig())

    old, new = plan("b", "c"), plan("a", "b", "c")
    assert str(changes(old, new, settles=False)) == "1 is new ('a'), 2 are changed ('b', ...)"
    assert renumbered(old, new) == "class 'b' is 1 now and was 0"
    assert not renumbered(old, old)


def test_several_classes_that_are_renumbered_are_told(tmp_path):
    (tmp_path / "a").touch()
    old, new = (make_plan(tmp_path, [Video("a", "a", labels=labels)], PlanConfig()) for labels in ((1, 2), (2, 3)))
    assert renumbered(old, new) == "'a' has the classes [2, 3] now"


def test_two_videos_of_one_id_are_one_and_the_other_is_told(tmp_path):
    for name in "abc":
        (tmp_path / name).touch()
    videos = [Video("x", "b"), Video("y", "c"), Video("x", "a")]
    plan = make_plan(tmp_path, videos, PlanConfig())
    assert sorted((item.video.video_id, item.video.source) for item in plan.videos) == [("x", "a"), ("y", "c")]
    assert plan.skipped == (Skipped("b", "listed_twice", "'a' has its id already", "x"),)
    assert make_plan(tmp_path, videos[::-1], PlanConfig()) == plan
