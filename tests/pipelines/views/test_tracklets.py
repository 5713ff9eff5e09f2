"""Tracklet views against a slow reading of the rules, box by box, and a person who walks through crop and flip."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipelines.draw import draw
from pipelines.samples import Samples, put
from pipelines.views.tracklets import TrackletsDraw, TrackletsReader
from vdata.errors import ConfigError, CorruptShardError, SchemaMismatchError
from vdata.media.tracklet_codec import TRACKLET, dump_tracklets, load_tracklets
from vdata.views import Augment, Clip, Tracklets

CROPPED = Augment(area=(0.3, 1.0), flip=0.5)
CLIP = Clip(frames=6, stride=2, size=64, augment=CROPPED)
WHOLE = Clip(frames=6, stride=1, size=None)


def member(*rows: tuple[int, int, tuple[float, float, float, float]]) -> bytes:
    """Boxes (track, frame, corners), in the order of the codec."""
    return dump_tracklets(np.array(sorted((*row[:2], *row[2], 1.0, 1) for row in rows), TRACKLET))


def walks(seed: int, num_tracks: int = 6, num_frames: int = 40) -> bytes:
    """Persons of 8x16 pixels and more who come, walk and go; some frames of theirs are missing."""
    rng, rows = np.random.default_rng(seed), []
    for track in range(num_tracks):
        start, stop = sorted(rng.integers(0, num_frames + 1, 2))
        place, step = rng.uniform((0, 0), (80, 40)), rng.uniform(-2, 2, 2)
        for frame in range(start, stop):
            place = np.clip(place + step, (0, 0), (84, 44))
            if rng.random() < 0.8:
                rows.append((track, frame, (*place, *np.add(place, (12, 20)))))
    return member(*rows)


def seen(samples: Samples, clip: Clip) -> dict[str, object]:
    return {clip.name: draw(clip, samples.windows[clip.name], samples.picture, samples.u[clip.name])}


def batch_of(view: Tracklets, samples: Samples, members: object, drawn: TrackletsDraw) -> dict[str, torch.Tensor]:
    reader = TrackletsReader(view, {})
    assert reader.feeds(drawn, []) == {}
    assert len(reader.nodes("cpu", {})) == len(reader.shots(drawn, 0)) == 0
    return reader.batch(drawn, [reader.load(members, samples, row, drawn) for row in range(len(samples))], [])


def slow_tracklets(view: Tracklets, stored: bytes, drawn: TrackletsDraw, row: int) -> list[tuple[int, list]]:
    """(track, box or None for every frame), the tracks seen in most frames first."""
    x0, y0, x1, y1 = drawn.crop[row].tolist()
    found = {}
    for track, frame, *corners in [tuple(each)[:6] for each in load_tracklets(stored)]:
        left, right = ((corners[i] - x0) / (x1 - x0) for i in (0, 2))
        top, bottom = ((corners[i] - y0) / (y1 - y0) for i in (1, 3))
        left, right = (1 - right, 1 - left) if drawn.flip[row] else (left, right)
        box = [min(max(edge, 0), 1) for edge in (top, left, bottom, right)]
        share = (box[2] - box[0]) * (box[3] - box[1]) / ((bottom - top) * (right - left))
        for place, number in enumerate(drawn.frames[row].tolist()):
            if number == frame and share >= view.min_visible and share > 0:
                found.setdefault(track, [None] * drawn.frames.shape[1])[place] = box
    return sorted(found.items(), key=lambda item: (item[1].count(None), item[0]))[: view.num]


def test_tracks_are_those_of_a_slow_reading(make_samples, make_members):
    view = Tracklets(num=3, min_visible=0.4)
    samples = make_samples([[40]] * 60, (CLIP, view))
    stored = {(row, "tracklets.npy"): walks(row) for row in range(60)}
    drawn = TrackletsReader(view, {}).draw(samples, seen(samples, CLIP))
    batch = batch_of(view, samples, make_members(stored), drawn)
    boxes, mask, track = batch["tracklets"], batch["tracklets_mask"], batch["tracklets_id"]
    assert (boxes.shape, mask.shape, track.shape) == ((60, 3, 6, 4), (60, 3, 6), (60, 3))
    assert (boxes.dtype, mask.dtype, track.dtype) == (torch.float32, torch.bool, torch.int64)
    assert set(drawn.flip.tolist()) == {False, True}
    for row in range(60):
        wanted = slow_tracklets(view, stored[row, "tracklets.npy"], drawn, row)
        assert track[row].tolist() == [number for number, _ in wanted] + [-1] * (3 - len(wanted))
        for place, (_, frames) in enumerate(wanted):
            assert mask[row, place].tolist() == [box is not None for box in frames]
            for frame, box in enumerate(frames):
                assert np.allclose(boxes[row, place, frame], box or [0, 0, 0, 0], atol=1e-5)
        assert not mask[row, len(wanted) :].any()
        assert not boxes[row, len(wanted) :].any()
    assert 0.05 < mask.float().mean() < 0.9
    assert -1 in track


def test_a_frame_without_a_box_is_masked_not_made_up(make_samples, make_members):
    view = Tracklets(num=1)
    samples = make_samples([[20]], (WHOLE, view))
    samples.windows["clip"].frames[:] = [4, 5, 6, 7, 8, 9]
    drawn = TrackletsReader(view, {}).draw(samples, seen(samples, WHOLE))
    rows = [(0, frame, (frame, 0, frame + 24, 32)) for frame in (3, 4, 6, 9, 10)]
    batch = batch_of(view, samples, make_members({(0, "tracklets.npy"): member(*rows)}), drawn)
    assert batch["tracklets_mask"][0, 0].tolist() == [True, False, True, False, False, True]
    assert np.allclose(batch["tracklets"][0, 0, :, 1] * 96, [4, 0, 6, 0, 0, 9], atol=1e-4)


def test_a_reversed_window_and_a_repeated_frame_have_their_own_frames_boxes(make_samples, make_members):
    view = Tracklets(num=1)
    samples = make_samples([[20]] * 2, (WHOLE, view))
    samples.windows["clip"].frames[:] = [[9, 8, 7, 6, 5, 4], [17, 18, 19, 19, 19, 19]]
    drawn = TrackletsReader(view, {}).draw(samples, seen(samples, WHOLE))
    stored = member(*((0, frame, (frame, 0, frame + 24, 32)) for frame in range(20)))
    batch = batch_of(view, samples, make_members({(0, "tracklets.npy"): stored, (1, "tracklets.npy"): stored}), drawn)
    assert batch["tracklets_mask"].all()
    assert (batch["tracklets"][:, 0, :, 1] * 96).round().tolist() == drawn.frames.tolist()


def test_tracks_end_with_their_clip(make_samples, make_members):
    """Two clips with a track 0 each: they are two persons, and the one of more frames comes first."""
    view = Tracklets(num=3)
    samples = make_samples([[12, 12]], (WHOLE, view))
    samples.windows["clip"].frames[:] = range(8, 14)
    drawn = TrackletsReader(view, {}).draw(samples, seen(samples, WHOLE))
    first = member(*((0, frame, (10, 0, 34, 32)) for frame in range(12)), *((1, frame, (30, 0, 44, 32)) for frame in (8, 9)))
    second = member(*((0, frame, (50, 0, 74, 32)) for frame in range(12)))
    batch = batch_of(view, samples, make_members({(0, "tracklets.npy"): first, (1, "tracklets.npy"): second}), drawn)
    assert batch["tracklets_id"].tolist() == [[0, 1, 0]]
    assert batch["tracklets_mask"][0].int().tolist() == [[1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1]]
    wanted = torch.tensor([[10], [30], [50]]) * batch["tracklets_mask"][0]
    assert torch.equal((batch["tracklets"][0, :, :, 1] * 96).round().long(), wanted)


def test_clips_without_a_person_or_a_member_are_empty(make_samples, make_members):
    view = Tracklets(num=2)
    samples = make_samples([[20]] * 3, (WHOLE, view))
    drawn = TrackletsReader(view, {}).draw(samples, seen(samples, WHOLE))
    batch = batch_of(
        view, samples, make_members({(0, "tracklets.npy"): member(), (2, "tracklets.npy"): walks(0, num_frames=1)}), drawn
    )
    assert not batch["tracklets_mask"][:2].any()
    assert (batch["tracklets_id"][:2] == -1).all()
    assert not batch["tracklets"][:2].any()


def test_a_field_that_nobody_has_is_an_error_and_so_is_a_member_of_nothing(make_samples, make_members):
    view = Tracklets()
    samples = make_samples([[20]], (WHOLE, view))
    drawn = TrackletsReader(view, {}).draw(samples, seen(samples, WHOLE))
    with pytest.raises(SchemaMismatchError, match=r"tracklets\.npy"):
        batch_of(view, samples, make_members({}), drawn)
    with pytest.raises(CorruptShardError, match=r"no tracklets\.npy"):
        batch_of(view, samples, make_members({(0, "tracklets.npy"): b"nothing"}), drawn)


def test_a_row_is_replaced_by_another_sample_s(make_samples):
    view = Tracklets()
    many, one = make_samples([[60]] * 4, (CLIP, view)), make_samples([[50]], (CLIP, view), seed=1)
    drawn, other = (TrackletsReader(view, {}).draw(each, seen(each, CLIP)) for each in (many, one))
    put(drawn, 2, other)
    meta = TrackletsReader(view, {}).meta(drawn, many)
    for name in ("frames", "crop", "flip"):
        assert np.array_equal(getattr(drawn, name)[2], getattr(other, name)[0])
        assert np.array_equal(meta[name], getattr(drawn, name))
    assert np.allclose(meta["seconds"], drawn.frames / 25)


@pytest.mark.parametrize(("settings", "message"), [({"num": 0}, r"tracklets\.num"), ({"min_visible": -0.1}, r"min_visible")])
def test_settings_are_checked(settings, message):
    with pytest.raises(ConfigError, match=message):
        Tracklets(**settings)
