"""Units and their runs: against dictionaries and loops."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from pipelines.clips import open_clips
from pipelines.units import ClipUnits, VideoUnits, make_units


def loop_runs(index, used, span: int) -> dict[int, list[list[int]]]:
    """The runs of every video that has one, the videos as they are first met."""
    number = index.column("clip_in_video")
    by_video: dict[int, list[int]] = {}
    for clip in used:
        by_video.setdefault(int(index.video[clip]), []).append(int(clip))
    found = {}
    for video, clips in by_video.items():
        runs: list[list[int]] = []
        for clip in sorted(clips, key=lambda clip: number[clip]):
            if runs and number[clip] == number[runs[-1][-1]] + 1:
                runs[-1].append(clip)
            else:
                runs.append([clip])
        runs = [run for run in runs if sum(index.num_frames[clip] for clip in run) >= span]
        if runs:
            found[video] = runs
    return found


def all_runs(units, unit: int) -> set[tuple[int, ...]]:
    """What many draws find."""
    runs = units.runs(np.full(400, unit), (np.arange(400) + 0.5) / 400)
    return {tuple(runs.clips(row).tolist()) for row in range(400)}


@pytest.fixture
def scattered(make_index):
    """60 clips of 9 videos in any order, some numbers missing, in 6 shards."""
    rng = np.random.default_rng(3)
    video = rng.integers(0, 9, 60) * 7
    number = np.empty(60, int)
    for one in np.unique(video):
        places = np.flatnonzero(video == one)
        number[places] = rng.choice(len(places) + 4, len(places), replace=False)
    return make_index(video, clip_in_video=number, num_frames=rng.integers(1, 30, 60), shard=np.arange(60) // 10)


@pytest.mark.parametrize("span", [0, 1, 25, 60, 10**6])
@pytest.mark.parametrize("kept", [1.0, 0.7, 0.0])
def test_runs_are_those_of_a_loop(scattered, span, kept):
    used = np.flatnonzero(np.random.default_rng(0).random(60) < kept)
    units, expected = VideoUnits.of(scattered, used, span), loop_runs(scattered, used, span)
    assert len(units) == len(expected)
    assert units.video.tolist() == list(expected)
    assert units.shard.tolist() == [scattered.shard[runs[0][0]] for runs in expected.values()]
    for unit, runs in enumerate(expected.values()):
        assert all_runs(units, unit) == {tuple(run) for run in runs}
    assert units.num_short == len({scattered.video[clip] for clip in used}) - len(expected)
    assert units.num_short_clips == len(used) - sum(len(run) for runs in expected.values() for run in runs)


def test_an_index_in_order_gives_the_same_units_as_one_that_is_not(make_index):
    ordered = make_index([3, 3, 3, 5, 8, 8], clip_in_video=[0, 1, 4, 0, 1, 2], num_frames=[5, 6, 7, 8, 9, 10])
    turned = make_index([8, 3, 5, 3, 8, 3], clip_in_video=[2, 4, 0, 0, 1, 1], num_frames=[10, 7, 8, 5, 9, 6])
    same = np.array([3, 5, 1, 2, 4, 0])
    one, other = (VideoUnits.of(index, np.arange(6)) for index in (ordered, turned))
    assert one.video.tolist() == [3, 5, 8]
    assert other.video.tolist() == [8, 3, 5]
    for video in (3, 5, 8):
        units = [int(np.flatnonzero(units.video == video)[0]) for units in (one, other)]
        assert {tuple(same[list(run)].tolist()) for run in all_runs(one, units[0])} == all_runs(other, units[1])


def test_a_run_is_drawn_in_proportion_to_its_frames(make_index):
    index = make_index([1, 1, 1, 1, 2], clip_in_video=[0, 2, 3, 6, 0], num_frames=[30, 10, 40, 20, 5])
    units = make_units("video", index, np.arange(5), span=1)
    runs = units.runs(np.zeros(5000, int), np.random.default_rng(1).random(5000))
    found = np.bincount(runs.first_clip, minlength=4)[[0, 1, 3]]
    assert stats.chisquare(found, np.array([0.3, 0.5, 0.2]) * 5000).pvalue > 0.01
    assert set(zip(runs.first_clip.tolist(), runs.num_frames.tolist(), strict=True)) == {(0, 30), (1, 50), (3, 20)}
    assert len(runs) == 5000


def test_rows_without_frames_are_units_too_if_nothing_asks_for_frames(make_index):
    index = make_index([0, 0, 1, 2], clip_in_video=[0, 5, 0, 0], num_frames=0)
    units = VideoUnits.of(index, np.arange(4))
    assert all_runs(units, 0) == {(0,), (1,)}
    assert all_runs(units, 2) == {(3,)}
    assert len(VideoUnits.of(index, np.arange(4), 1)) == 0
    assert len(ClipUnits.of(index, np.arange(4))) == 4
    assert len(ClipUnits.of(index, np.arange(4), 1)) == 0


@pytest.mark.parametrize("frames", [[0, 9, 10, 11, 24, 25], [25, 12, 11, 0], [24, 24, 0, 24], [13], [12, 13, 14], []])
def test_places_name_every_frame_of_a_run_once(make_index, frames):
    # Frames 0-9, none, 10-12, 13-25.
    index = make_index([4, 4, 4, 4], num_frames=[10, 0, 3, 13])
    runs = make_units("video", index, np.arange(4)).runs(np.array([0]), np.array([0.5]))
    origin = [(clip, own) for clip, count in enumerate([10, 0, 3, 13]) for own in range(count)]
    found = {}
    for clip, own, places in runs.places(0, np.array(frames, np.int64)):
        assert len(own) == len(places) > 0
        for frame, place in zip(own.tolist(), places.tolist(), strict=True):
            assert place not in found
            found[place] = (clip, frame)
    assert [found[place] for place in range(len(frames))] == [origin[frame] for frame in frames]


def test_places_count_from_the_runs_own_start(make_index):
    index = make_index([0, 0, 1, 1, 1], clip_in_video=[0, 1, 0, 2, 3], num_frames=[5, 6, 7, 8, 9])
    units = VideoUnits.of(index, np.arange(5), 10)
    runs = units.runs(np.array([1, 0]), np.array([0.0, 0.9]))
    assert runs.num_frames.tolist() == [17, 11]
    assert [(c, f.tolist(), p.tolist()) for c, f, p in runs.places(0, np.array([16, 0, 7, 8]))] == [
        (3, [0, 7], [1, 2]),
        (4, [8, 0], [0, 3]),
    ]
    assert [(c, f.tolist(), p.tolist()) for c, f, p in runs.places(1, np.array([4, 5]))] == [(0, [4], [0]), (1, [0], [1])]


def test_clips_are_runs_of_their_own(make_index):
    index = make_index([0, 0, 1, 1, 2], num_frames=[5, 60, 70, 8, 90], shard=[0, 0, 0, 1, 1])
    units = make_units("clip", index, np.array([0, 1, 2, 4]), span=50)
    assert units.first_clip.tolist() == [1, 2, 4]
    assert (units.num_short, units.num_short_clips) == (1, 1)
    assert units.video.tolist() == [0, 1, 2]
    assert units.shard.tolist() == [0, 0, 1]
    runs = units.runs(np.array([2, 0]), np.array([0.1, 0.9]))
    assert runs.clip.tolist() == runs.first_clip.tolist() == [4, 1]
    assert runs.num_frames.tolist() == [90, 60]
    ((clip, own, places),) = runs.places(0, np.array([89, 0]))
    assert (clip, own.tolist(), places.tolist()) == (4, [89, 0], [0, 1])


def test_a_unit_has_its_first_clips_values_and_its_clips_mean(make_index):
    index = make_index([0, 1, 0, 1, 1], num_frames=[5, 5, 5, 1, 5])
    values = np.array([1.0, 2.0, 3.0, 50.0, 8.0])
    videos = VideoUnits.of(index, np.array([0, 1, 2, 4]))
    assert videos.of_first(values).tolist() == [1.0, 2.0]
    assert videos.mean(values).tolist() == [2.0, 5.0]
    assert ClipUnits.of(index, np.array([1, 3])).mean(values).tolist() == [2.0, 50.0]
    assert VideoUnits.of(index, np.array([], int)).mean(values).tolist() == []


def test_clip_units_of_a_whole_index_copy_nothing(make_index):
    index = make_index(np.arange(6))
    used = np.arange(6)
    units = ClipUnits.of(index, used)
    assert units.video is index.video
    assert units.first_clip is used


def test_the_film_of_real_shards_is_one_run_across_them(clips, make_folder):
    film = [dataclasses.replace(clip, clip_in_video=number) for clip, number in zip(clips[:6], [0, 1, 2, 3, 5, 6], strict=True)]
    index = open_clips(make_folder(film, videos=[7] * 6, per_shard=2))
    units = VideoUnits.of(index, np.arange(6), 1)
    assert all_runs(units, 0) == {(0, 1, 2, 3), (4, 5)}
    assert set(units.runs(np.zeros(2, int), np.array([0.0, 0.99])).num_frames.tolist()) == {30 + 32 + 34 + 36, 38 + 40}
