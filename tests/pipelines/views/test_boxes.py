"""Box views against rectangles that the real graph crops and flips, a slow reading of the rules, and counted draws."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from scipy import stats

from pipelines import ClipIterator
from pipelines.draw import draw
from pipelines.graph import Graph, GraphConfig
from pipelines.readers import make_readers
from pipelines.samples import Samples, put
from pipelines.views.boxes import BoxesDraw, BoxesReader, nearest_places
from vdata.errors import ConfigError, CorruptShardError, SchemaMismatchError
from vdata.media.box_codec import boxes_of, dump_boxes, load_boxes
from vdata.records import GivenBoxes, Video
from vdata.views import Augment, Boxes, Clip, check_views

SIZE = (96, 64)
CROPPED = Augment(area=(0.3, 1.0), flip=0.5, jitter=0.0, gray=0.0, blur=0.0)
CLIP = Clip(frames=5, stride=2, size=64, augment=CROPPED)


def seen(samples: Samples, *clips: Clip) -> dict[str, object]:
    return {clip.name: draw(clip, samples.windows[clip.name], samples.picture, samples.u[clip.name]) for clip in clips}


def batch_of(view: Boxes, samples: Samples, members: object, drawn: BoxesDraw) -> dict[str, torch.Tensor]:
    reader = BoxesReader(view, {})
    assert reader.feeds(drawn, []) == {}
    assert len(reader.nodes("cpu", {})) == len(reader.shots(drawn, 0)) == 0
    return reader.batch(drawn, [reader.load(members, samples, row, drawn) for row in range(len(samples))], [])


def member(*rows: tuple[int, tuple[float, float, float, float], float]) -> bytes:
    """Boxes (frame, corners, score)."""
    return dump_boxes([boxes_of(frame, corners, "person", score) for frame, corners, score in rows])


def some_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, 4): corners of boxes of 8 pixels and more, on whole pixels of the picture."""
    low = np.stack([rng.integers(0, SIZE[0] - 8, count), rng.integers(0, SIZE[1] - 8, count)], axis=1)
    return np.concatenate([low, np.minimum(low + rng.integers(8, 41, (count, 2)), SIZE)], axis=1)


def through_the_graph(samples: Samples, drawn: object, pictures: list[np.ndarray]) -> torch.Tensor:
    """(B, 3, T, 64, 64): what the Clip makes of pictures (T, H, W, 3)."""
    readers = make_readers((CLIP,), shortcuts=())
    graph = Graph(readers, GraphConfig(torch.device("cpu"), len(samples), 1, 1))
    graph.feed({"clip": pictures} | readers[0].feeds(drawn, [None] * len(samples)))
    return readers[0].batch(drawn, [None] * len(samples), graph.take()[0])["clip"]


def iou(one: np.ndarray, other: np.ndarray) -> float:
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    both = np.prod(np.maximum(sides, 0))
    return both / (np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]) - both)


def test_boxes_lie_around_what_they_lay_around_in_the_whole_picture(make_samples, make_members):
    """One red rectangle a picture on gray; the graph crops, scales and flips it, and it is found again by its colour."""
    view = Boxes(sources=("person",), num=1, frame="all", min_visible=0.3)
    samples = make_samples([[40]] * 40, (CLIP, view))
    views = seen(samples, CLIP)
    rng, stored, pictures, corners = np.random.default_rng(0), {}, [], np.zeros((40, 5, 4), int)
    for row in range(40):
        corners[row] = some_boxes(rng, 5)
        frames = np.full((5, SIZE[1], SIZE[0], 3), 128, np.uint8)
        for picture, (x0, y0, x1, y1) in zip(frames, corners[row], strict=True):
            picture[y0:y1, x0:x1] = (255, 0, 0)
        pictures.append(frames)
        rows = zip(views["clip"].frames[row].tolist(), corners[row], [1.0] * 5, strict=True)
        stored[row, "person.boxes.npy"] = member(*rows)
    drawn = BoxesReader(view, {}).draw(samples, views)
    batch = batch_of(view, samples, make_members(stored), drawn)
    shown = through_the_graph(samples, views["clip"], pictures).numpy()
    assert batch["boxes"].shape == (40, 5, 1, 4)
    assert batch["boxes_mask"].shape == (40, 5, 1)
    assert batch["boxes"].dtype == torch.float32
    assert batch["boxes_mask"].dtype == torch.bool
    assert set(drawn.flip.tolist()) == {False, True}
    found = []
    for row, place in np.ndindex(40, 5):
        red = shown[row, 0, place] - shown[row, 1, place] > 0.5
        x0, y0, x1, y1 = views["clip"].box[row, 0]
        left, top, right, bottom = corners[row, place]
        inside = np.maximum(np.minimum([right, bottom], [x1, y1]) - np.maximum([left, top], [x0, y0]), 0).prod()
        assert bool(batch["boxes_mask"][row, place, 0]) == (inside >= 0.3 * (right - left) * (bottom - top))
        if batch["boxes_mask"][row, place, 0] and red.sum() >= 64:
            rows, columns = (np.flatnonzero(red.any(axis=axis)) for axis in (1, 0))
            around = np.array([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1]) / 64
            # The box may end anywhere within a pixel of the view.
            assert np.abs(batch["boxes"][row, place, 0].numpy() - around).max() <= 1 / 64
            found.append(iou(batch["boxes"][row, place, 0].numpy(), around))
        elif not batch["boxes_mask"][row, place, 0]:
            assert not batch["boxes"][row, place].any()
    assert len(found) > 80
    assert np.mean(found) > 0.93


def test_crop_and_flip_can_be_undone(make_samples, make_members):
    """IoU 1: whole boxes, mapped back by the crop that the batch's meta tells."""
    view = Boxes(sources=("slic",), num=16, min_visible=1.0, frame="centre", reach=0)
    samples = make_samples([[40]] * 30, (CLIP, view))
    views = seen(samples, CLIP)
    drawn = BoxesReader(view, {}).draw(samples, views)
    stored = some_boxes(np.random.default_rng(1), 16)
    members = make_members(
        {(row, "slic.boxes.npy"): member(*((int(drawn.frames[row, 0]), box, 1.0) for box in stored)) for row in range(30)}
    )
    batch, meta = batch_of(view, samples, members, drawn), BoxesReader(view, {}).meta(drawn, samples)
    assert meta["frames"].tolist() == views["clip"].frames[:, 2:3].tolist()
    assert batch["boxes_mask"].sum() > 30
    for row, place in np.argwhere(batch["boxes_mask"].numpy()):
        y0, x0, y1, x1 = batch["boxes"][row, place].numpy()
        x0, x1 = (1 - x1, 1 - x0) if meta["flip"][row] else (x0, x1)
        left, top, right, bottom = meta["crop"][row]
        back = np.array([x0, y0, x1, y1]) * np.tile([right - left, bottom - top], 2) + np.tile([left, top], 2)
        assert max(iou(back, box) for box in stored) > 0.999


def slow_random_boxes(count: int) -> np.ndarray:
    """The parser's formula with a generator of NumPy's, and degenerate boxes drawn again."""
    rng, found = np.random.default_rng(7), []
    while len(found) < count:
        y0, x0, width, aspect = rng.uniform(), rng.uniform(), rng.uniform(0.1, 0.5), rng.uniform(0.5, 2.0)
        y1, x1 = min(y0 + width * aspect, 1 - 1e-3), min(x0 + width, 1 - 1e-3)
        if y1 > y0 and x1 > x0:
            found.append((y0, x0, y1, x1))
    return np.array(found)


def test_random_boxes_follow_the_formula(make_samples, make_members):
    view = Boxes(num=25)
    samples = make_samples([[40]] * 4000, (CLIP, view))
    batch = batch_of(view, samples, make_members({}), BoxesReader(view, {}).draw(samples, seen(samples, CLIP)))
    assert batch["boxes"].shape == (4000, 25, 4)
    assert batch["boxes_mask"].all()
    boxes, wanted = batch["boxes"].double().numpy().reshape(-1, 4), slow_random_boxes(100_000)
    for measure in (lambda b: b[:, 0], lambda b: b[:, 1], lambda b: b[:, 2] - b[:, 0], lambda b: b[:, 3] - b[:, 1]):
        assert stats.ks_2samp(measure(boxes), measure(wanted)).pvalue > 0.01
    whole = boxes[(boxes[:, 2:] < 0.9985).all(axis=1)]
    width, height = whole[:, 3] - whole[:, 1], whole[:, 2] - whole[:, 0]
    assert 0.1 - 1e-6 <= width.min() < width.max() <= 0.5 + 1e-6
    assert 0.5 - 1e-4 <= (height / width).min() < (height / width).max() <= 2 + 1e-4
    # As found by running the parser: 55 % reach the edge, mean sides of what is left 0.25 and 0.28.
    assert abs(1 - len(whole) / len(boxes) - 0.55) < 0.01
    assert np.abs((boxes[:, 2:] - boxes[:, :2]).mean(axis=0) - (0.28, 0.25)).max() < 0.006
    assert (boxes[:, 2:] > boxes[:, :2]).all()


def test_random_boxes_of_two_views_two_frames_and_two_places_differ(make_samples, make_members):
    views = Boxes("b0", frame="all"), Boxes("b1", frame="all")
    samples = make_samples([[40]] * 3, (CLIP, *views))
    batches = [
        batch_of(view, samples, make_members({}), BoxesReader(view, {}).draw(samples, seen(samples, CLIP))) for view in views
    ]
    assert batches[0]["b0"].shape == (3, 5, 8, 4)
    assert len(torch.cat([batches[0]["b0"], batches[1]["b1"]]).reshape(-1, 4).unique(dim=0)) == 240


def test_random_boxes_need_no_field_and_know_no_crop(make_samples, make_members):
    view = Boxes()
    samples = make_samples([[40]] * 6, (CLIP, view))
    members = make_members({})
    drawn = BoxesReader(view, {}).draw(samples, seen(samples, CLIP))
    batch = batch_of(view, samples, members, drawn)
    assert members.asked == []
    drawn.crop[:], drawn.flip[:] = (0, 0, 2, 2), ~drawn.flip
    assert torch.equal(batch_of(view, samples, members, drawn)["boxes"], batch["boxes"])


def test_the_frame_is_the_centre_or_a_random_one(make_samples):
    clip = Clip(frames=8, stride=3, size=32)
    centre, by_chance = Boxes("centre"), Boxes("random", frame="random")
    samples = make_samples([[60]] * 20_000, (clip, centre, by_chance))
    views = seen(samples, clip)
    assert np.array_equal(BoxesReader(centre, {}).draw(samples, views).frames[:, 0], views["clip"].frames[:, 4])
    drawn = BoxesReader(by_chance, {}).draw(samples, views).frames[:, 0]
    place = (drawn - views["clip"].frames[:, 0]) // 3
    assert stats.chisquare(np.bincount(place, minlength=8)).pvalue > 0.01


def test_nearest_frames_are_the_closest_pair_whichever_view_asks():
    rng = np.random.default_rng(0)
    starts, strides = rng.integers(0, 60, (400, 2)), rng.integers(1, 4, (400, 2))
    windows = starts[:, :, None] + np.arange(7) * strides[:, :, None]
    # A third of them as windows that were cut by the end of their run.
    windows[::3] = np.minimum(windows[::3], 45)
    windows[::5, 1] = windows[::5, 1, ::-1]
    one, other = windows[:, 0], windows[:, 1]
    ours, theirs = nearest_places(one, other), nearest_places(other, one)
    for row in range(400):
        gaps = np.abs(one[row][:, None] - other[row])
        chosen = one[row, ours[row]], other[row, theirs[row]]
        assert abs(chosen[0] - chosen[1]) == gaps.min()
    same = nearest_places(np.arange(10, 18)[None], np.arange(14, 22)[None])
    assert same.tolist() == [5]  # frames 14 to 17 are shared: 15 is in their middle


def test_nearest_takes_the_frames_of_the_two_views(make_samples):
    clips = Clip("v0", frames=6, stride=2, size=32), Clip("v1", frames=6, stride=2, size=32)
    views = Boxes("b0", of="v0", frame="nearest", pair="v1"), Boxes("b1", of="v1", frame="nearest", pair="v0")
    check_views((*clips, *views))
    samples = make_samples([[80]] * 200, (*clips, *views))
    known = seen(samples, *clips)
    frames = [BoxesReader(view, {}).draw(samples, known).frames[:, 0] for view in views]
    gap = np.abs(known["v0"].frames[:, :, None] - known["v1"].frames[:, None]).min(axis=(1, 2))
    assert np.array_equal(np.abs(frames[0] - frames[1]), gap)
    assert 0 in gap
    assert gap.max() > 10


def centre_of(make_samples, view: Boxes, runs: list[list[int]], start: int = 0) -> tuple[Samples, BoxesDraw]:
    """Samples that see the whole picture unflipped, and draw frame `start` of their run."""
    clip = Clip(frames=1, stride=1, size=None)
    samples = make_samples(runs, (clip, view))
    samples.windows["clip"].frames[:] = start
    return samples, BoxesReader(view, {}).draw(samples, seen(samples, clip))


def places(batch: dict[str, torch.Tensor], row: int = 0) -> list[float]:
    """The left edges, in pixels, of the boxes that are there."""
    return (batch["boxes"][row, batch["boxes_mask"][row]][:, 1] * 96).round().tolist()


def test_each_box_keeps_its_class(make_samples, make_members):
    view = Boxes(sources=("dataset", "slic"), num=5)
    samples, drawn = centre_of(make_samples, view, [[20]])
    rows = np.concatenate([load_boxes(member((0, (x, 0, x + 9, 9), score))) for x, score in [(1, 0.3), (2, 0.9), (2, 0.8)]])
    rows["class"] = [70, 12, 80]
    stored = {(0, "dataset.boxes.npy"): dump_boxes([rows]), (0, "slic.boxes.npy"): member((0, (5, 0, 20, 9), 0.5))}
    batch = batch_of(view, samples, make_members(stored), drawn)
    assert places(batch) == [2, 2, 5, 1]
    assert batch["boxes_class"].dtype == torch.int64
    assert batch["boxes_class"].tolist() == [[12, 80, -1, 70, -1]]
    random = Boxes(num=3)
    samples, drawn = centre_of(make_samples, random, [[20]])
    assert batch_of(random, samples, make_members({}), drawn)["boxes_class"].tolist() == [[-1, -1, -1]]


def test_the_highest_scores_are_taken_and_low_ones_left_out(make_samples, make_members):
    view = Boxes(sources=("person", "slic"), num=3, min_score=0.2)
    samples, drawn = centre_of(make_samples, view, [[20]])
    person = member(*((0, (x, 0, x + 9, 9), score) for x, score in [(1, 0.3), (2, 0.9), (3, 0.1), (4, 0.5)]))
    slic = member((0, (5, 0, 20, 9), 0.7), (0, (6, 0, 20, 9), 0.05))
    batch = batch_of(view, samples, make_members({(0, "person.boxes.npy"): person, (0, "slic.boxes.npy"): slic}), drawn)
    assert places(batch) == [2, 5, 4]
    few = batch_of(view, samples, make_members({(0, "person.boxes.npy"): person, (5, "slic.boxes.npy"): b""}), drawn)
    assert places(few) == [2, 4, 1]
    alone = Boxes(sources=("slic",), num=3, min_score=0.2)
    batch = batch_of(alone, samples, make_members({(0, "slic.boxes.npy"): slic}), drawn)
    assert batch["boxes_mask"].tolist() == [[True, False, False]]
    assert not batch["boxes"][0, 1:].any()


def test_equal_scores_are_chosen_by_chance(make_samples, make_members):
    """Two of five equal scores, behind one that is better: every order of them is as likely."""
    view = Boxes(sources=("slic",), num=3)
    samples, drawn = centre_of(make_samples, view, [[20]] * 6000)
    stored = member((0, (0, 0, 90, 60), 2.0), *((0, (x, 0, x + 9, 9), 1.0) for x in range(1, 6)))
    batch = batch_of(view, samples, make_members({(row, "slic.boxes.npy"): stored for row in range(6000)}), drawn)
    chosen = Counter(tuple(places(batch, row)) for row in range(6000))
    assert {order[0] for order in chosen} == {0}
    assert len(chosen) == 5 * 4
    assert stats.chisquare(list(chosen.values())).pvalue > 0.01


def test_all_frames_that_take_a_keyframe_s_boxes_choose_the_same(make_samples, make_members):
    view = Boxes(sources=("slic",), num=3, frame="all")
    clip = Clip(frames=6, stride=1, size=None)
    samples = make_samples([[24]] * 20, (clip, view))
    samples.windows["clip"].frames[:] = np.arange(12, 18)
    stored = member(*((12, (x, 0, x + 9, 9), 1.0) for x in range(40)), (24, (50, 0, 60, 9), 1.0))
    drawn = BoxesReader(view, {}).draw(samples, seen(samples, clip))
    batch = batch_of(view, samples, make_members({(row, "slic.boxes.npy"): stored for row in range(20)}), drawn)
    assert torch.equal(batch["boxes"], batch["boxes"][:, :1].expand(-1, 6, -1, -1))
    assert len(batch["boxes"][:, 0].reshape(20, -1).unique(dim=0)) == 20


BY_DEFAULT = [(0, [10]), (6, [10]), (7, [22]), (18, [22]), (23, [22]), (24, []), (25, [46])]
IN_REACH = [(11, 0, []), (12, 0, [22]), (14, 1, []), (13, 1, [22]), (24, 12, [22]), (24, 100, [22])]


@pytest.mark.parametrize(("frame", "reach", "wanted"), [*((frame, None, wanted) for frame, wanted in BY_DEFAULT), *IN_REACH])
def test_stored_boxes_are_those_of_the_nearest_frame_within_reach(make_samples, make_members, frame, reach, wanted):
    """Frames 0, 12 and 36 have boxes, at the left edge 10 + frame. A GOP has 12 frames: less than that is near by default."""
    view = Boxes(sources=("person",), reach=reach)
    samples, drawn = centre_of(make_samples, view, [[60]], frame)
    stored = member(*((at, (10 + at, 0, 60 + at, 9), 1.0) for at in (36, 0, 12)))
    assert places(batch_of(view, samples, make_members({(0, "person.boxes.npy"): stored}), drawn)) == wanted


def test_boxes_come_from_the_clip_that_holds_the_frame(make_samples, make_members):
    view = Boxes(sources=("person",))
    samples, drawn = centre_of(make_samples, view, [[24, 24], [24, 24]], 25)
    stored = {(clip, "person.boxes.npy"): member((0, (clip, 0, 50, 9), 1.0)) for clip in range(3)}
    batch = batch_of(view, samples, make_members(stored), drawn)
    assert places(batch, 0) == [1]
    assert places(batch, 1) == []


def test_boxes_are_cut_at_the_crop_and_hidden_ones_left_out(make_samples, make_members):
    clip = Clip(frames=1, stride=1, size=32)
    wide, shares = Boxes(sources=("person",), min_visible=0.0), Boxes("shares", sources=("person",), min_visible=0.5)
    samples = make_samples([[20]], (clip, wide, shares))
    known = seen(samples, clip)
    x0, y0, x1, y1 = known["clip"].box[0, 0].tolist()
    frame = int(known["clip"].frames[0, 0])
    half, outside = (x0 - 10, y0, x0 + 10, y1), (x0 - 10, y0, x0, y1)
    less, point = (x0 - 11, y0, x0 + 9, y1), (x0 + 5, y0 + 5, x0 + 5, y0 + 9)
    stored = make_members({(0, "person.boxes.npy"): member(*((frame, box, 1.0) for box in (half, outside, less, point)))})
    batch = batch_of(wide, samples, stored, BoxesReader(wide, {}).draw(samples, known))
    edges = sorted(batch["boxes"][0, batch["boxes_mask"][0]].tolist())
    assert np.allclose(edges, [[0, 0, 1, 9 / (x1 - x0)], [0, 0, 1, 10 / (x1 - x0)]])
    batch = batch_of(shares, samples, stored, BoxesReader(shares, {}).draw(samples, known))
    assert np.allclose(batch["shares"][0, batch["shares_mask"][0]].tolist(), [[0, 0, 1, 10 / (x1 - x0)]])


def test_a_field_that_nobody_has_is_an_error_and_so_is_a_member_of_nothing(make_samples, make_members):
    view = Boxes(sources=("person",))
    samples, drawn = centre_of(make_samples, view, [[20]])
    with pytest.raises(SchemaMismatchError, match=r"person\.boxes\.npy"):
        batch_of(view, samples, make_members({}), drawn)
    with pytest.raises(CorruptShardError, match=r"no boxes\.npy"):
        batch_of(view, samples, make_members({(0, "person.boxes.npy"): b"nothing"}), drawn)


@pytest.mark.parametrize("sources", [("random",), ("slic",)])
def test_a_row_is_replaced_by_another_sample_s(make_samples, sources):
    view = Boxes(sources=sources, frame="random")
    many, one = make_samples([[60]] * 4, (CLIP, view)), make_samples([[50]], (CLIP, view), seed=1)
    drawn, other = (BoxesReader(view, {}).draw(each, seen(each, CLIP)) for each in (many, one))
    put(drawn, 2, other)
    for name in ("frames", "crop", "flip", "key", *(["boxes"] if sources == ("random",) else [])):
        assert np.array_equal(getattr(drawn, name)[2], getattr(other, name)[0])
    assert (drawn.boxes is None) == (sources != ("random",))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num": 0}, r"views\.boxes\.num"),
        ({"sources": ()}, r"views\.boxes\.sources"),
        ({"sources": ("random", "slic")}, r"views\.boxes\.sources.*random alone"),
        ({"frame": "first"}, r"views\.boxes\.frame"),
        ({"frame": "nearest"}, r"views\.boxes\.pair"),
        ({"pair": "v1"}, r"views\.boxes\.pair"),
        ({"reach": -1}, r"views\.boxes\.reach"),
        ({"min_visible": 1.5}, r"views\.boxes\.min_visible"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(ConfigError, match=message):
        Boxes(**settings)


def test_the_view_they_lie_in_must_be_one_that_boxes_can_go_through():
    with pytest.raises(ConfigError, match=r"views\.clip\.augment\.rotate"):
        check_views((Clip(augment=Augment(rotate=10.0)), Boxes()))
    with pytest.raises(ConfigError, match=r"views\.clip\.start.*one window"):
        check_views((Clip(start="uniform_k:2"), Boxes()))
    # The other view of a pair lends its time only.
    turned = Clip("v1", augment=Augment(rotate=10.0))
    check_views((Clip(), turned, Boxes(frame="nearest", pair="v1")))


def test_the_loader_s_boxes_lie_around_what_its_pictures_show(make_folder, make_clip):
    """A red rectangle in every GOP of real clips; the box is stored on the keyframe, seen on the middle frame of the window."""
    rng, clips, members = np.random.default_rng(5), [], []
    for _ in range(8):
        corners = some_boxes(rng, 3)
        frames = np.full((36, SIZE[1], SIZE[0], 3), 128, np.uint8)
        for frame in range(36):
            x0, y0, x1, y1 = corners[frame // 12]
            frames[frame, y0:y1, x0:x1] = (230, 20, 20)
        clips.append(make_clip(frames))
        members.append({"slic.boxes.npy": member(*((12 * number, box, 1.0) for number, box in enumerate(corners)))})
    view = Boxes(sources=("slic",), num=2, min_visible=0.5)
    found = []
    with ClipIterator(make_folder(clips, members=members), views=(CLIP, view), batch_size=4) as loader:
        for _ in range(8):
            for batch in loader:
                # Towards the end of a GOP the next keyframe's box is nearer, and is of the next picture.
                early = batch["meta"]["boxes"]["frames"][:, 0] % 12 <= 6
                for row in torch.nonzero(batch["boxes_mask"][:, 0] & early)[:, 0].tolist():
                    picture = batch["clip"][row, :, 2]
                    red = (picture[0] - picture[1]).numpy() > 0.4
                    rows, columns = (np.flatnonzero(red.any(axis=axis)) for axis in (1, 0))
                    around = np.array([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1]) / 64
                    assert np.abs(batch["boxes"][row, 0].numpy() - around).max() < 2.5 / 64
                    found.append(iou(batch["boxes"][row, 0].numpy(), around))
    assert len(found) > 15
    assert np.mean(found) > 0.9


def test_boxes_of_a_dataset_come_from_a_build_on_every_frame(build_listed, make_video, tmp_path):
    """They move by a pixel of the source a frame; the clip has half its size."""
    root = make_video("root/a.mp4", num_frames=24, size=(128, 96)).parent
    corners = np.array([[8 + i, 16, 40 + i, 80] for i in range(24)])
    given = GivenBoxes.of(np.arange(24) / 25, corners, 7)
    folder = build_listed(root, [Video("a", "a.mp4", boxes=given)], tmp_path / "out", ("dataset",))
    view = Boxes(num=2, sources=("dataset",), frame="all", reach=0)
    with ClipIterator(folder, views=(Clip(frames=6, stride=3, size=48, augment=None), view), batch_size=1) as it:
        batch = next(iter(it))
    crop = batch["meta"]["clip"]["crop"][0].numpy() * 2
    sides = np.stack([corners[frame] for frame in batch["meta"]["boxes"]["frames"][0].tolist()])
    expected = (sides - np.tile(crop[:2], 2)) / np.tile(crop[2:] - crop[:2], 2)
    assert np.allclose(batch["boxes"][0, :, 0].numpy(), expected.clip(0, 1)[:, [1, 0, 3, 2]], atol=1e-5)
    assert batch["boxes_mask"][0].tolist() == [[True, False]] * 6
