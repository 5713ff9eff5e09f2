"""Clips and keyframes through the loader: keyframes near a window, windows across clips, reversal, and what meta says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from pipelines import ClipIterator, LoaderConfig
from pipelines.views.pictures import keyframe_near
from vdata.views import Augment, Clip, Keyframe

NOTHING = {"flip": 0.0, "jitter": 0.0, "gray": 0.0, "blur": 0.0}

# ---------------------------------------------------------------------------------------------------------------- keyframes


def slow_keyframes(first: int, last: int, gop: int, num_frames: int, margin: int) -> list[int]:
    """All keyframes of the run that lie in the margin; the nearest one if there is none, of two the earlier."""
    keyframes = range(0, num_frames, gop)
    near = [frame for frame in keyframes if first - margin <= frame <= last + margin]
    return near or [min(keyframes, key=lambda frame: max(first - frame, frame - last))]


def test_a_keyframe_near_against_a_slow_loop():
    rng = np.random.default_rng(0)
    for _ in range(500):
        gop, num_frames, margin = int(rng.integers(1, 40)), int(rng.integers(1, 120)), int(rng.integers(0, 12))
        first = int(rng.integers(0, num_frames))
        last = int(rng.integers(first, min(num_frames, first + 30)))
        u = (np.arange(40) + 0.5) / 40
        arrays = [np.full(40, value) for value in (first, last, gop, num_frames)]
        found = keyframe_near(*arrays, margin, u)
        expected = slow_keyframes(first, last, gop, num_frames, margin)
        assert set(found.tolist()) <= set(expected)
        if len(expected) <= 40:
            assert set(found.tolist()) == set(expected)


def test_cmd_s_keyframes_are_each_as_likely():
    """METHODS 5a: an I frame, uniform among those with an index in first - 5 .. last + 5."""
    count = 100_000
    u = np.random.default_rng(1).random(count)
    found = keyframe_near(np.full(count, 17), np.full(count, 77), np.full(count, 12), np.full(count, 200), 5, u)
    assert sorted(set(found.tolist())) == [12, 24, 36, 48, 60, 72]
    assert stats.chisquare(np.bincount(found // 12)[1:]).pvalue > 0.01


def test_a_keyframe_of_a_short_run_is_one_that_is_there():
    for num_frames in range(1, 40):
        given = (np.array([value]) for value in (num_frames - 1, num_frames - 1, 12, num_frames))
        assert keyframe_near(*given, 20, np.array([0.999]))[0] <= num_frames - 1


def test_a_keyframe_costs_one_packet(folder, pixels):
    """And is the frame that its meta names, near the window."""
    views = (Clip("clip", frames=1, stride=1, size=None, start="centre"), Keyframe(of="clip", margin=5, size=None))
    with ClipIterator(folder, views=views, batch_size=1, seed=3, train=False, config=LoaderConfig(batches_ahead=0)) as it:
        for batch in it:
            number, meta = int(batch["idx"][0]) - 100, batch["meta"]["key"]
            frame, window = int(meta["frames"][0, 0]), int(batch["meta"]["clip"]["frames"][0, 0])
            assert frame % 12 == 0
            assert frame in slow_keyframes(window, window, 12, len(pixels[number]), 5)
            assert np.array_equal(batch["key"][0], pixels[number][frame])


def test_a_keyframe_s_packets(folder):
    def packets(*views) -> int:
        with ClipIterator(folder, views=views, batch_size=14, train=False, config=LoaderConfig(batches_ahead=0)) as it:
            list(it)
            return it._maker.source.decoder.num_packets

    # Window and keyframe in one GOP: the keyframe is among the window's own packets.
    clip = Clip("clip", frames=1, stride=1, size=32, start="centre")
    alone = packets(clip)
    assert alone == sum((num_frames - 1) // 2 % 12 + 1 for num_frames in range(30, 58, 2))
    both = packets(clip, Keyframe(of="clip", size=32))
    assert alone <= both <= alone + 14
    away = packets(Clip("clip", frames=1, stride=1, size=32, start="centre"), Keyframe(of="clip", margin=40, size=32))
    assert both < away <= alone + 14


# ---------------------------------------------------------------------------------------------------- runs of several clips


@pytest.fixture(scope="module", params=[1, 3], ids=["one layer", "three layers"])
def videos(request, make_clip, make_frames, whole, write_clips, tmp_path_factory):
    """A folder of three videos, and the frames of their unbroken runs: of 3 clips; of 2, a hole, and 1; of 1."""
    layers = request.param
    gop = 12 if layers == 1 else 16
    lengths = [[24, 24, 19], [24, 24, 24, 20], [40]]
    made, owner, frames = [], [], []
    for video, counts in enumerate(lengths):
        stream = make_frames(sum(counts), seed=video)
        parts = np.split(stream, np.cumsum(counts)[:-1])
        made += [make_clip(part, gop, layers) for part in parts]
        owner += [video] * len(parts)
        frames.append([whole(clip.mp4) for clip in made[-len(parts) :]])
    folder = write_clips(tmp_path_factory.mktemp("videos") / "shards", made, videos=owner)
    # The third clip of the second video is left out below.
    used = np.arange(8) != 5
    runs = {0: [np.concatenate(frames[0])], 1: [np.concatenate(frames[1][:2]), frames[1][3]], 2: [frames[2][0]]}
    return folder, used, runs


def run_of(found: np.ndarray, numbers: np.ndarray, runs: list[np.ndarray]) -> list[int]:
    """The runs that have these very frames at these places."""
    return [place for place, run in enumerate(runs) if numbers.max() < len(run) and np.array_equal(run[numbers], found)]


def test_windows_across_clips_are_the_frames_of_the_source_in_their_order(videos):
    folder, used, runs = videos
    view = Clip("raw", frames=6, stride=4, size=None)
    across = 0
    with ClipIterator(folder, views=(view,), unit="video", batch_size=3, where=used, seed=1) as it:
        assert len(it) == 1
        for batch in (batch for _ in range(30) for batch in it):
            meta = batch["meta"]["raw"]
            for row, video in enumerate(batch["idx"].tolist()):
                numbers = meta["frames"][row].numpy()
                assert np.all(np.diff(numbers) == 4)
                assert run_of(batch["raw"][row].numpy(), numbers, runs[video])
                across += len({*(numbers // 24).tolist()}) > 1 and video == 0
            assert torch.equal(meta["seconds"], meta["frames"].double() / 25)
    assert across > 10


def test_a_hole_is_never_crossed(videos):
    """Behind it a run begins anew: frames are counted from there, and runs are drawn by their length."""
    folder, used, runs = videos
    view = Clip("raw", frames=2, stride=7, size=None)
    counts = [0, 0]
    with ClipIterator(folder, views=(view,), unit="video", batch_size=3, where=used) as it:
        for batch in (batch for _ in range(150) for batch in it):
            row = batch["idx"].tolist().index(1)
            numbers = batch["meta"]["raw"]["frames"][row].numpy()
            (run,) = run_of(batch["raw"][row].numpy(), numbers, runs[1])
            counts[run] += 1
    assert stats.binomtest(counts[0], sum(counts), 48 / 68).pvalue > 0.01


def test_every_view_of_a_sample_is_of_one_run(videos):
    folder, used, runs = videos
    views = (
        Clip("a", frames=3, stride=2, size=None),
        Clip("b", frames=3, stride=2, size=None, start="cvrl_gap:a"),
        Clip("c", frames=3, stride=2, size=None, start="disjoint_from:a:0.2"),
        Clip("d", frames=2, stride=1, size=None, start="consecutive_after:a:1"),
        Keyframe(of="a", size=None),
    )
    seen = set()
    with ClipIterator(folder, views=views, unit="video", batch_size=3, where=used) as it:
        for batch in (batch for _ in range(40) for batch in it):
            for row, video in enumerate(batch["idx"].tolist()):
                common = set(range(len(runs[video])))
                for view in views:
                    found = batch[view.name][row].numpy()
                    numbers = batch["meta"][view.name]["frames"][row].numpy()
                    common &= set(run_of(found if view.name != "key" else found[None], numbers, runs[video]))
                assert len(common) == 1
                seen.add((video, *common))
    assert seen == {(0, 0), (1, 0), (1, 1), (2, 0)}


def test_runs_too_short_for_the_window_are_never_drawn(videos):
    folder, used, runs = videos
    view = Clip("raw", frames=8, stride=4, size=None)  # 29 frames: not in the run of 20 behind the hole
    with ClipIterator(folder, views=(view,), unit="video", batch_size=3, where=used) as it:
        for batch in (batch for _ in range(40) for batch in it):
            row = batch["idx"].tolist().index(1)
            numbers = batch["meta"]["raw"]["frames"][row].numpy()
            assert run_of(batch["raw"][row].numpy(), numbers, runs[1]) == [0]


def test_a_scaled_window_across_clips_is_that_of_the_run_in_one_clip(videos, make_folder):
    """Crops, colours and all, by the shortcut and by the graph: each frame of them depends on its own frame alone."""
    folder, used, runs = videos
    augment = Augment(area=(0.4, 1.0), rotate=10.0)
    views = (
        Clip("view", frames=6, stride=4, size=32, augment=augment),
        Clip("raw", frames=6, stride=4, size=None, start="same:view"),
    )
    for shortcuts in ((), ("scale",)):
        settings = {"unit": "video", "batch_size": 3, "where": used, "seed": 2}
        with ClipIterator(folder, views=views, **settings, config=LoaderConfig(shortcuts=shortcuts)) as it:
            batch = next(iter(it))
            assert torch.equal(batch["meta"]["view"]["frames"], batch["meta"]["raw"]["frames"])
            for row, video in enumerate(batch["idx"].tolist()):
                numbers = batch["meta"]["raw"]["frames"][row].numpy()
                assert run_of(batch["raw"][row].numpy(), numbers, runs[video])


# ------------------------------------------------------------------------------------------------------ through the iterator


def test_reversed_frames_come_backwards(folder, pixels):
    views = (Clip("a", 4, 2, None, reverse=0.5), Clip("b", 4, 2, None, reverse=0.5))
    both = {True: 0, False: 0}
    with ClipIterator(folder, views=views, batch_size=1, seed=1) as it:
        for batch in (batch for _ in range(3) for batch in it):
            number, backwards = int(batch["idx"][0]) - 100, bool(batch["meta"]["a"]["reversed"][0])
            assert bool(batch["meta"]["b"]["reversed"][0]) == backwards
            both[backwards] += 1
            for name in "ab":
                numbers = batch["meta"][name]["frames"][0].numpy()
                assert np.all(np.diff(numbers) == (-2 if backwards else 2))
                assert np.array_equal(batch[name][0], pixels[number][numbers])
    assert min(both.values()) > 8


@pytest.mark.parametrize("pad", ["edge", "loop"])
def test_a_window_beyond_the_end(folder, pixels, pad):
    view = Clip("raw", frames=16, stride=8, size=None, pad=pad)
    with ClipIterator(folder, views=(view,), batch_size=14, train=False) as it:
        batch = next(iter(it))
    for row, frames in enumerate(pixels):
        numbers = batch["meta"]["raw"]["frames"][row].numpy()
        wanted = numbers[0] + 8 * np.arange(16)
        assert np.array_equal(numbers, np.minimum(wanted, len(frames) - 1) if pad == "edge" else wanted % len(frames))
        assert np.array_equal(batch["meta"]["raw"]["inside"][row], wanted < len(frames))
        assert np.array_equal(batch["raw"][row], frames[numbers])


@pytest.mark.parametrize("shortcuts", [(), ("scale",), ("scale", "blur")])
def test_a_still_clip_stays_still_under_all_operations(make_clip, make_folder, shortcuts):
    """Through decoding and all: the variance over the frames is zero to the bit."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (12, 1, 8, 12, 3), dtype=np.uint8)
    stills = [np.repeat(one.repeat(8, axis=1).repeat(8, axis=2), 20, axis=0) for one in coarse]
    folder = make_folder([make_clip(frames, gop=40) for frames in stills])
    views = tuple(
        Clip(
            f"v{rotate}",
            16,
            1,
            48,
            Augment(jitter=0.9, gray=0.2, blur=0.6, solarize=0.4, rotate=rotate),
            start="uniform",
            pad="edge",
        )
        for rotate in (0.0, 30.0)
    )
    # The first frame alone, sixteen times over: what the encoder mends in later frames is none of ours.
    one_frame = make_folder([make_clip(frames[:1]) for frames in stills])
    for where, still in ((one_frame, 0.0), (folder, 0.02)):
        with ClipIterator(where, views=views, batch_size=12, config=LoaderConfig(shortcuts=shortcuts)) as it:
            batch = next(iter(it))
        for view in views:
            assert batch[view.name].var(dim=2, correction=0).max() <= still**2
            assert batch[view.name].var(dim=(3, 4)).max() > 0.01


def test_three_crops_of_k_windows(folder, pixels):
    view = Clip("v", frames=2, stride=3, size=32, start="uniform_k:4", crops="three")
    alone = Clip("alone", frames=8, stride=1, size=32)
    with ClipIterator(folder, views=(view, alone), batch_size=14, train=False) as it:
        batch = next(iter(it))
    assert batch["v"].shape == (14, 12, 3, 2, 32, 32)
    assert batch["meta"]["v"]["frames"].shape == (14, 8)
    assert batch["meta"]["v"]["crop"].shape == (14, 3, 4)
    for row in (0, 9):
        for window in range(4):
            for crop, left in enumerate((0, 16, 32)):
                frames = pixels[row][batch["meta"]["v"]["frames"][row, 2 * window : 2 * window + 2]]
                # 64x64 to 32x32: means over blocks of 2x2 come close, at the right place only.
                blocks = frames[:, :, left : left + 64].reshape(2, 32, 2, 32, 2, 3).mean(axis=(2, 4)) / 255
                found = batch["v"][row, 3 * window + crop].permute(1, 2, 3, 0).numpy()
                assert np.abs(found - blocks).mean() < 0.03
