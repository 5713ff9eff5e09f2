"""ClipIterator: the frames, the sequence, stopping and going on."""

from __future__ import annotations

import hashlib
import itertools
import json
import threading
from dataclasses import replace

import av
import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch

from pipelines import ClipIterator
from pipelines.weights import Shares
from vdata.errors import ConfigError, ShardError, UnknownNameError
from vdata.methods import METHODS
from vdata.views import Augment, Clip, Features, Motion, Numbers, Text

PAIR = (
    Clip("v0", frames=4, stride=4, size=32, augment=Augment()),
    Clip("v1", frames=4, stride=4, size=32, augment=Augment(), start="cvrl_gap:v0"),
)


def digests(batches) -> list[str]:
    """A hash a batch, of every tensor in it."""

    def parts(value, name: str = ""):
        if isinstance(value, dict):
            for key in sorted(value):
                yield from parts(value[key], f"{name}/{key}")
        else:
            yield name.encode() + value.numpy().tobytes()

    return [hashlib.sha256(b"".join(parts(batch))).hexdigest() for batch in batches]


@pytest.fixture
def iterate(folder):
    """A function that opens the 14 clips; all are closed at the end."""
    opened = []

    def make(**settings) -> ClipIterator:
        opened.append(ClipIterator(folder, **({"views": PAIR, "batch_size": 3, "seed": 5} | settings)))
        return opened[-1]

    yield make
    for it in opened:
        it.close()


def raw(stride: int, start: str = "uniform", frames: int = 4) -> tuple[Clip, ...]:
    return (Clip("raw", frames=frames, stride=stride, size=None, start=start),)


@pytest.mark.parametrize("stride", [1, 2, 4, 8])
def test_raw_frames_are_pyavs(iterate, pixels, stride):
    starts = set()
    for start in ("uniform", "centre"):
        for batch in iterate(views=raw(stride, start), batch_size=7):
            frames = batch["meta"]["raw"]["frames"]
            assert torch.equal(frames.diff(dim=1), torch.full((7, 3), stride))
            for row, clip in enumerate((batch["idx"] - 100).tolist()):
                assert np.array_equal(batch["raw"][row], pixels[clip][frames[row]])
            starts |= set(frames[:, 0].tolist())
    assert len(starts) > 5


@pytest.mark.videos
def test_raw_frames_of_real_videos(videos_root, make_clip, make_folder, whole):
    """Real pictures, with windows at the very start and end: a span of the whole clip leaves one start."""
    names = ["action/video1.mp4", "people/vid_h264.mp4", "gestures/walk.mkv", "oddities/interlaced_h264.mp4"]
    clips = []
    for name in names:
        with av.open(str(videos_root / "good" / name)) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame, _ in zip(container.decode(video=0), range(57), strict=False)]
        clips.append(make_clip(np.stack([cv2.resize(frame, (224, 128), interpolation=cv2.INTER_AREA) for frame in frames])))
    folder = make_folder(clips)
    expected = [whole(clip.mp4) for clip in clips]
    for stride in (1, 2, 4, 8):
        for frames in (56 // stride + 1, 5):
            with ClipIterator(folder, views=raw(stride, frames=frames), batch_size=4, train=False) as it:
                (batch,) = it
            numbers = batch["meta"]["raw"]["frames"]
            if frames > 5:
                assert numbers[0, 0] == 0
                assert numbers[0, -1] == 56
            for row in range(4):
                assert np.array_equal(batch["raw"][row], expected[row][numbers[row]])


def test_evaluation_gives_every_clip_once_in_order(iterate):
    it = iterate(train=False, batch_size=4, views=(Clip("v", frames=4, stride=4, size=32, start="centre"),))
    batches = list(it)
    assert len(it) == len(batches) == 4
    assert torch.cat([batch["idx"] for batch in batches]).tolist() == list(range(100, 114))
    assert batches[-1]["v"].shape == (2, 3, 4, 32, 32)
    assert digests(batches) == digests(it)


def test_seed_and_epoch_decide_every_byte(iterate):
    first, second = iterate(), iterate()
    batches = [one for _ in range(3) for one in digests(first)]
    assert [one for _ in range(3) for one in digests(second)] == batches
    assert len(set(batches)) == 3 * len(first)
    assert not set(digests(iterate(seed=6))) & set(batches)
    assert first.epoch == 3


def test_without_shuffle_the_clips_keep_their_order_and_the_draws_still_change(iterate):
    it = iterate(shuffle="none", batch_size=7)
    first, second = ([*it] for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one["idx"], other["idx"])
        assert not (one["meta"]["v0"]["crop"] == other["meta"]["v0"]["crop"]).all(dim=1).any()
    assert torch.cat([batch["idx"] for batch in first]).tolist() == list(range(100, 114))


def test_no_batch_holds_two_clips_of_a_video(clips, make_folder):
    folder = make_folder(clips[:12], videos=[0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 5])
    with ClipIterator(folder, views=raw(1), batch_size=4) as it:
        video = dict(zip(it.index.index.tolist(), it.index.video.tolist(), strict=True))
        for _ in range(5):
            for batch in it:
                assert len({video[number] for number in batch["idx"].tolist()}) == 4


def test_the_last_batch_of_several_ranks_is_filled_up_and_says_so(iterate):
    """14 clips on 4 ranks of 2: two batches, the second with two rows from the epoch's start."""
    ranks = [iterate(batch_size=2, rank=rank, world_size=4, drop_last=False) for rank in range(4)]
    assert [(len(it), it.num_invalid) for it in ranks] == [(2, 2)] * 4
    for _ in range(2):
        found = [list(it) for it in ranks]
        last = {name: torch.cat([batches[1][name] for batches in found]) for name in ("idx", "valid", "v0", "label")}
        first = {name: torch.cat([batches[0][name] for batches in found]) for name in ("idx", "valid", "v0", "label")}
        assert first["valid"].dtype == torch.bool
        assert first["valid"].tolist() == [True] * 8
        assert last["valid"].tolist() == [True] * 6 + [False] * 2
        for name in ("idx", "v0", "label"):
            assert torch.equal(last[name][6:], first[name][:2])
        assert sorted([*first["idx"].tolist(), *last["idx"][:6].tolist()]) == list(range(100, 114))


@pytest.mark.parametrize(("world_size", "drop_last", "rows"), [(1, True, 8), (1, False, 6), (4, True, 8)])
def test_rows_are_all_valid_where_nothing_needs_filling(iterate, world_size, drop_last, rows):
    it = iterate(batch_size=8 // world_size, rank=0, world_size=world_size, drop_last=drop_last)
    assert it.num_invalid == 0
    last = list(it)[-1]
    assert last["valid"].tolist() == [True] * (rows // world_size)


def test_a_sample_may_be_a_video(clips, make_folder, pixels):
    folder = make_folder(clips[:9], videos=[0, 0, 0, 1, 1, 2, 3, 3, 4])
    with ClipIterator(folder, views=raw(2), batch_size=5, unit="video", seed=1) as it:
        assert len(it) == 1
        across = 0
        for _ in range(20):
            (batch,) = it
            assert sorted(batch["idx"].tolist()) == list(range(5))  # the videos' numbers
            for row, video in enumerate(batch["idx"].tolist()):
                run = [clip for clip, of in enumerate([0, 0, 0, 1, 1, 2, 3, 3, 4]) if of == video]
                whole = np.concatenate([pixels[clip] for clip in run])
                frames = batch["meta"]["raw"]["frames"][row].numpy()
                assert np.array_equal(batch["raw"][row], whole[frames])
                across += (
                    len({int(np.searchsorted(np.cumsum([len(pixels[clip]) for clip in run]), f, "right")) for f in frames}) > 1
                )
    assert across > 0


def test_weights_say_how_often_clips_come(iterate):
    weights = np.where(np.arange(14) < 2, 6.0, 1.0)
    it = iterate(views=raw(1), batch_size=2, weights=weights)
    counts = np.zeros(14)
    for _ in range(12):
        for batch in it:
            np.add.at(counts, batch["idx"].numpy() - 100, 1)
    assert counts.sum() == 12 * 14
    assert np.abs(counts - 12 * 14 * weights / weights.sum()).max() < 3
    with ClipIterator(it.index.folder, views=raw(1), batch_size=1, weights=weights, train=False) as one:
        assert torch.cat([batch["idx"] for batch in one]).tolist() == list(range(100, 114))


@pytest.mark.parametrize(("shuffle", "most"), [("block:1", 2), ("block", 3), ("global", 3)])
def test_blocks_of_shards_are_read_together(iterate, shuffle, most):
    """Shards hold clips 0-4, 5-9 and 10-13; a batch of one-shard blocks reads from two shards at most."""
    it = iterate(views=raw(1), batch_size=3, shuffle=shuffle)
    shards = [len({(number - 100) // 5 for number in batch["idx"].tolist()}) for _ in range(6) for batch in it]
    assert max(shards) == most


def test_ranks_come_from_torchruns_environment(iterate, monkeypatch):
    expected = digests(iterate(rank=1, world_size=2, batch_size=2))
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert digests(iterate(batch_size=2)) == expected


def test_a_loop_that_was_left_goes_on_where_it_stopped(iterate):
    expected = digests(iterate())
    it = iterate()
    found = []
    for batch in it:
        found += digests([batch])
        break
    assert it.state_dict()["position"] == 1
    assert it.epoch == 0
    assert found + digests(it) == expected


def test_a_loop_that_was_left_at_the_last_batch_has_ended_its_epoch(iterate):
    whole = iterate()
    epochs = [digests(whole) for _ in range(2)]
    it = iterate()
    found = digests(itertools.islice(it, len(it)))
    assert found == epochs[0]
    assert it.epoch == 0
    assert digests(it) == epochs[1]


def test_set_epoch_goes_to_the_start_of_another_epoch_only(iterate):
    epochs = [digests(one) for one in [iterate()] for _ in range(3)]
    it = iterate()
    it.set_epoch(2)
    assert digests(it) == epochs[2]
    next(iter(it))
    it.set_epoch(3)
    assert it.state_dict()["position"] == 1
    it.set_epoch(1)
    assert digests(it) == epochs[1]


@pytest.mark.parametrize(
    "change",
    [
        {"views": PAIR[:1]},
        {"views": (PAIR[0], replace(PAIR[1], size=48))},
        {"batch_size": 2},
        {"drop_last": False},
        {"where": np.arange(14) > 0},
        {"unit": "video"},
        {"shuffle": "block:2"},
        {"weights": Shares("label")},
        {"weights": np.arange(14)},
    ],
)
def test_a_state_of_another_run_is_refused(iterate, change):
    state = iterate().state_dict()
    with pytest.raises(ConfigError, match=r"state\.digest"):
        iterate(**change).load_state_dict(state)
    with pytest.raises(ConfigError, match=r"state\.seed"):
        iterate(seed=1).load_state_dict(state)
    with pytest.raises(ConfigError, match=r"state\.version"):
        iterate().load_state_dict(state | {"version": 1})


def test_a_state_of_other_shards_is_refused(iterate, clips, make_folder):
    state = iterate().state_dict()
    with (
        ClipIterator(make_folder(clips[::-1]), views=PAIR, batch_size=3, seed=5) as other,
        pytest.raises(ConfigError, match=r"state\.digest .* open the same shards with the same views"),
    ):
        other.load_state_dict(state)


def test_a_state_does_not_ask_for_the_same_number_of_ranks(iterate):
    one = iterate(batch_size=4)
    next(iter(one))
    two = iterate(batch_size=2, rank=1, world_size=2)
    two.load_state_dict(one.state_dict())
    assert torch.equal(next(iter(two))["v0"], next(iter(one))["v0"][2:])


def test_no_padding_reaches_a_batch(iterate, pixels, clips, whole):
    """The canvas is magenta outside the picture, and the picture has little blue."""
    blue = max(frames[..., 2].max() for frames in pixels)
    assert blue < 160
    assert whole(clips[0].mp4)[..., 2].max() > 240
    edge = Augment(area=(0.9, 1.0), aspect=(1.4, 1.6), jitter=0, gray=0, blur=0)
    views = (Clip("edge", frames=2, stride=1, size=64, augment=edge), Clip("centre", frames=2, stride=1, size=80), *raw(1))
    it = iterate(views=views, batch_size=7)
    touched = 0
    for _ in range(3):
        for batch in it:
            touched += int((batch["meta"]["edge"]["crop"][:, 2] > 95.5).sum())
            for name in ("edge", "centre"):
                assert batch[name][:, 2].max() * 255 <= blue + 1
            assert batch["raw"][..., 2].max() <= blue
    assert touched > 0


def test_short_clips_are_left_out_and_said(iterate, folder, caplog):
    it = iterate(views=raw(8, frames=6), drop_last=False)  # a span of 41 frames; the clips have 30, 32, ..., 56
    assert "6 of 14 clips are shorter than the 41 frames" in caplog.text
    assert sorted(torch.cat([batch["idx"] for batch in it]).tolist()) == list(range(106, 114))
    with pytest.raises(ConfigError, match=r"no clip left.*longest clip has 56"):
        iterate(views=raw(8, frames=9))


@pytest.mark.parametrize("pad", ["edge", "loop"])
def test_a_pad_keeps_short_clips(iterate, pixels, pad):
    views = (Clip("raw", frames=6, stride=12, size=None, pad=pad),)
    for batch in iterate(views=views, batch_size=14):
        for row, clip in enumerate((batch["idx"] - 100).tolist()):
            frames = batch["meta"]["raw"]["frames"][row]
            count = len(pixels[clip])
            start = int(frames[0])
            slow = [(start + 12 * t) % count if pad == "loop" else min(start + 12 * t, count - 1) for t in range(6)]
            assert frames.tolist() == slow
            assert np.array_equal(batch["raw"][row], pixels[clip][slow])


def test_where_chooses_clips(iterate):
    it = iterate(where=np.arange(14) % 2 == 0, batch_size=7)
    (batch,) = it
    assert sorted(batch["idx"].tolist()) == list(range(100, 114, 2))


@pytest.fixture
def scored(clips, make_folder, add_column):
    """The 14 clips with a column of 0.0, 0.1, ... and the last shard without it, as `vdata add` leaves it half done."""
    folder = make_folder(clips)
    for shard in (0, 1):
        add_column(folder, shard, "motion_score", pa.array((np.arange(5) + 5 * shard) / 10, pa.float32()))
    return folder


FILTER = "motion_score > 0.15 and label in (0, 1)"


def test_a_filter_chooses_clips_by_their_columns(scored, caplog):
    wanted = [100 + number for number in range(2, 10) if number % 3 in (0, 1)]
    with ClipIterator(scored, views=raw(1), batch_size=2, where=FILTER, train=False) as it:
        assert torch.cat([batch["idx"] for batch in it]).tolist() == wanted
    # For a third of the unscored, label 2, the filter is false whatever their score.
    assert f"where '{FILTER}' leaves out 9 of 14 clips, 3 of them for want of a value" in caplog.text
    expression = (pc.field("motion_score") > 0.15) & pc.field("label").isin([0, 1])
    with ClipIterator([scored], views=raw(1), batch_size=2, where=expression, train=False) as it:
        assert torch.cat([batch["idx"] for batch in it]).tolist() == wanted


def test_too_short_ones_are_counted_among_the_chosen(scored, caplog):
    with ClipIterator(scored, views=raw(8, frames=5), batch_size=1, where="motion_score > 0.05", train=False) as it:
        assert len(it) == 8
    assert "leaves out 5 of 14 clips, 4 of them" in caplog.text
    assert "1 of 9 clips are shorter than the 33 frames" in caplog.text
    with pytest.raises(ConfigError, match=r"where .* it leaves none"):
        ClipIterator(scored, views=raw(1), batch_size=1, where="motion_score > 5")


def test_a_filtered_run_resumes_on_any_number_of_ranks_and_under_no_other_filter(scored):
    settings = {"views": PAIR, "seed": 3, "where": "motion_score > 0.05"}
    with ClipIterator(scored, batch_size=4, **settings) as it:
        whole = [batch for _ in range(2) for batch in it]
        assert len(it) == 2
    with ClipIterator(scored, batch_size=4, **settings) as it:
        next(iter(it))
        state = json.loads(json.dumps(it.state_dict()))
    found = []
    for rank in range(2):
        # The same clips in other words are the same run.
        with ClipIterator(
            scored, batch_size=2, rank=rank, world_size=2, **settings | {"where": "not motion_score <= 0.05"}
        ) as it:
            it.load_state_dict(state)
            found.append([*it, *it])
    for number, expected in enumerate(whole[1:]):
        for name in ("v0", "v1", "idx"):
            assert torch.equal(torch.cat([batches[number][name] for batches in found]), expected[name])
    for other in ("motion_score > 0.15", None):
        with (
            ClipIterator(scored, batch_size=4, **settings | {"where": other}) as it,
            pytest.raises(ConfigError, match=r"state\.digest"),
        ):
            it.load_state_dict(state)


def test_a_field_added_since_changes_no_filtered_run(scored, add_column):
    settings = {"views": PAIR, "seed": 3, "batch_size": 2, "where": FILTER}
    with ClipIterator(scored, **settings) as it:
        next(iter(it))
        state, rest = it.state_dict(), digests(it)
    add_column(scored, 0, "blur", pa.array([1.0] * 5, pa.float32()))
    with ClipIterator(scored, **settings) as it:
        it.load_state_dict(state)
        assert digests(it) == rest


def test_a_method_brings_its_views_and_views_replace_them(iterate):
    it = iterate(views=None, method="simclr", batch_size=2)
    entry = METHODS["simclr"]
    assert it.views == entry.views(entry.Config())
    view = it.views[0]
    batch = next(iter(it))
    for name in ("v0", "v1"):
        assert batch[name].shape == (2, 3, view.frames, view.size, view.size)
        assert batch[name].dtype == torch.float32
        assert batch[name].min() >= -1e-6
        assert batch[name].max() <= 1 + 1e-6
    assert iterate(method="simclr", views=PAIR).views == PAIR


def test_several_folders_are_one_dataset(folder, clips, make_folder, whole):
    with ClipIterator([folder, make_folder(clips[:3])], views=raw(2), batch_size=17, train=False) as it:
        (batch,) = it
        assert batch["idx"].tolist() == [*range(100, 114), *range(214, 217)]
        for row in (0, 13, 14, 16):
            expected = whole(clips[row % 14].mp4)[batch["meta"]["raw"]["frames"][row], :64, :96]
            assert np.array_equal(batch["raw"][row], expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"views": None}, "views"),
        ({"views": ()}, "at least one view"),
        ({"views": (PAIR[0], PAIR[0])}, "different names"),
        ({"views": (PAIR[1],)}, "must name a Clip among the views"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 15}, "14 clips"),
        ({"rank": 2, "world_size": 2}, "rank"),
        ({"shuffle": "blocks"}, "must be 'global', 'block', 'block:SHARDS' or 'none'"),
        ({"shuffle": "global:2"}, "shuffle"),
        ({"shuffle": "block:0"}, r"block_shards \(0\)"),
        ({"unit": "film"}, "unit"),
        ({"weights": np.ones(3)}, "number of weights"),
        ({"on_error": "ignore"}, "on_error"),
        ({"device": "meta"}, "device"),
        ({"where": "label == 3"}, "it leaves none"),
        ({"where": "label = 3"}, "cannot be read at character 7"),
        ({"where": [True] * 14}, "must be text or"),
        ({"where": np.ones(3, bool)}, r"shape \(14,\)"),
        ({"where": np.zeros(14, bool)}, "it leaves none"),
    ],
)
def test_settings_that_cannot_be(iterate, change, message):
    with pytest.raises(ConfigError, match=message):
        iterate(**change)


def test_unknown_names(iterate, tmp_path):
    with pytest.raises(UnknownNameError, match="Did you mean 'simclr'"):
        iterate(views=None, method="simcrl")
    with pytest.raises(ShardError):
        ClipIterator(tmp_path / "absent", views=PAIR, batch_size=1)
    with pytest.raises(UnknownNameError, match="Did you mean 'num_frames'"):
        iterate(where="num_frame > 3")


def test_closing_ends_the_threads(folder):
    def ours() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name.startswith("vdata")]

    before = ours()
    with ClipIterator(folder, views=PAIR, batch_size=3) as it:
        next(iter(it))
        assert len(ours()) > len(before)
    assert ours() == before
    it.close()
    with pytest.raises(ConfigError, match="closed"):
        next(iter(it))
    dropped = ClipIterator(folder, views=PAIR, batch_size=3)
    next(iter(dropped))
    del dropped
    assert ours() == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_cuda_without_a_gpu_is_one_line(iterate):
    with pytest.raises(ConfigError, match=r"device .*needs an NVIDIA GPU"):
        iterate(device="cuda")
    assert "Video_0 (gpu)" in iterate().describe("cuda")


def words(batch, row):
    """The text of a row's tokens, which are bytes plus 1."""
    return bytes((batch["text"][row][batch["text_mask"][row]] - 1).tolist()).decode()


@pytest.mark.parametrize("unit", ["clip", "video"])
def test_documents_alone_are_samples_too(bare_folder, bare_root, unit):
    said = {f"{video.video_id}-00000": video for video in bare_root[1]}
    content = (bare_root[0] / "all.txt").read_bytes()
    views = (Text(fields=("document",), tokens=32), Numbers("u", shape=(2,)))
    settings = {"views": views, "batch_size": 2, "unit": unit, "where": "num_words > 0", "drop_last": False}
    with ClipIterator(bare_folder, **settings) as it:
        batches = list(it)
        found = {key: words(batch, row) for batch in batches for row, key in enumerate(it.keys(batch["idx"]))}
    assert [len(batch["idx"]) for batch in batches] == [2, 2, 1]
    places = {key: said[key].byte_range for key in found}
    assert found == {key: content[start : start + size].decode() for key, (start, size) in places.items()}
    assert len(found) == 5
    assert all(batch["label"].tolist() == [said[key].label for key in it.keys(batch["idx"])] for batch in batches)


@pytest.mark.parametrize("unit", ["clip", "video"])
def test_features_alone_are_samples_too(bare_folder, unit):
    views = (Features(frames=8, sampler="even"),)
    with ClipIterator(bare_folder, views=views, batch_size=3, unit=unit, where="feature_dim == 4", train=False) as it:
        (batch,) = it
        numbers = [int(key.split("-")[1]) for key in it.keys(batch["idx"])]
    assert sorted(numbers) == [0, 1, 2]
    assert (batch["features"] == torch.tensor(numbers)[:, None, None]).all()
    assert batch["features"].shape == (3, 8, 4)
    assert (batch["features_time"].diff() > 0).all()


@pytest.mark.parametrize("unit", ["clip", "video"])
@pytest.mark.parametrize("kind", [Clip, Motion])
def test_rows_without_pictures_are_left_out_where_a_view_wants_some(mixed_folder, bare_folder, caplog, kind, unit):
    view = kind(frames=4, stride=1, size=32, pad="loop", start="uniform")
    with ClipIterator(mixed_folder, views=(view, Text()), batch_size=2, unit=unit, drop_last=False) as it:
        keys = [key for batch in it for key in it.keys(batch["idx"])]
    clips = {"clip": ["00000", "00001"], "video": ["00000"]}[unit]
    assert {key for key in keys if "short" in key} == {f"short-{clip}" for clip in clips}
    assert len(keys) == {"clip": 5, "video": 2}[unit]
    assert "5 of 10 clips are shorter than the 1 frames of a window, 5 of them without any picture, and left out" in caplog.text
    with pytest.raises(ConfigError, match=rf"has no {unit} left: 8 clips are asked for, .* the longest clip has 0"):
        ClipIterator(bare_folder, views=(view,), batch_size=2, unit=unit)


def test_text_draws_from_clips_and_documents_alike(mixed_folder):
    with ClipIterator(mixed_folder, views=(Text(fields=("document", "label")),), batch_size=10, train=False) as it:
        (batch,) = it
        found = {key: words(batch, row) for row, key in enumerate(it.keys(batch["idx"]))}
    assert found["document-3-00000"] == "four words are here b"
    assert found["long-00002"] == "long"
    assert len(found) == 10
