"""Motion views against maps made pixel by pixel, pans of known speed, videos that are really reversed, and counted draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations

import numpy as np
import pytest
import torch
from scipy import stats

from pipelines import ClipIterator
from pipelines.draw import draw
from pipelines.graph import Graph, GraphConfig, describe
from pipelines.samples import Samples, put
from pipelines.views.motion import MotionDraw, MotionReader, disjoint_starts
from vdata.errors import ConfigError, CorruptShardError, SchemaMismatchError
from vdata.extract import EXTRACTORS
from vdata.media.motion_codec import INTER, INTRA, dump_grid, load_grid
from vdata.views import Augment, Clip, Keyframe, Motion, check_views

GOP = 12
CROPPED = Augment(area=(0.3, 1.0), flip=0.5)
BACKWARDS = Clip(frames=8, stride=1, size=32, reverse=1.0)


def grids(num_frames: int, rows: int = 5, columns: int = 7, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Any vectors of up to 20 pixels, and kinds with I frames at the multiples of 12."""
    grid = np.random.default_rng(seed).integers(-80, 81, (num_frames, rows, columns, 2)).astype(np.int16)
    kind = np.full((num_frames, rows, columns), INTER, np.uint8)
    grid[::GOP], kind[::GOP] = 0, INTRA
    return grid, kind


def counted(num_frames: int, first: int = 0) -> bytes:
    """A member whose frame t has dx = first + t pixels and dy = 1 everywhere; none on I frames."""
    grid, kind = grids(num_frames)
    grid[..., 0], grid[..., 1] = 4 * (first + np.arange(num_frames)[:, None, None]), 4
    grid[kind == INTRA] = 0
    return dump_grid(grid, kind)


def with_clip(view: Motion, samples: Samples, clip: Clip) -> dict[str, object]:
    """What the views that `view` looks at have drawn."""
    return {clip.name: draw(clip, samples.windows[clip.name], samples.picture, samples.u[clip.name])}


def batch_of(view: Motion, samples: Samples, members: object, drawn: MotionDraw) -> dict[str, torch.Tensor]:
    """The reader's way from a draw to the batch, through the graph."""
    reader = MotionReader(view, {})
    graph = Graph((reader,), GraphConfig(torch.device("cpu"), len(samples), 1, 1))
    loaded = [reader.load(members, samples, row, drawn) for row in range(len(samples))]
    graph.feed(reader.feeds(drawn, loaded))
    return reader.batch(drawn, loaded, graph.take()[0])


def slow_map(view: Motion, grid: np.ndarray, box: np.ndarray, flip: bool, picture: np.ndarray, cell: int) -> np.ndarray:
    """(T, H, W, 2) by definition, pixel by pixel: between the middles of the four cells around it, of which none is outside.

    `grid` is (T, h, w, 2) in quarter pixels.
    """
    x0, y0, x1, y1 = box.tolist()
    last_row, last_column = -(-int(picture[3]) // cell) - 1, -(-int(picture[2]) // cell) - 1
    found = np.zeros((len(grid), view.size, view.size, 2))
    for i in range(view.size):
        for j in range(view.size):
            y = (y0 + (i + 0.5) * (y1 - y0) / view.size) / cell - 0.5
            x = (x0 + (j + 0.5) * (x1 - x0) / view.size) / cell - 0.5
            for row, share_y in ((np.floor(y), 1 - y % 1), (np.floor(y) + 1, y % 1)):
                for column, share_x in ((np.floor(x), 1 - x % 1), (np.floor(x) + 1, x % 1)):
                    at = int(np.clip(row, 0, last_row)), int(np.clip(column, 0, last_column))
                    found[:, i, j] += share_y * share_x * grid[:, *at] / 4
    if view.rescale:
        found *= (view.size / (x1 - x0), view.size / (y1 - y0))
    if flip:
        found = found[:, :, ::-1] * ((-1, 1) if view.negate else (1, 1))
    return np.clip(found, -view.clamp, view.clamp) / view.clamp if view.clamp else found


@pytest.mark.parametrize("cell", [16, 8, 4])
@pytest.mark.parametrize(
    "settings", [{}, {"rescale": False}, {"negate": False}, {"clamp": 0.0}, {"clamp": 4.0}, {"clamp": 40.0}, {"augment": None}]
)
def test_maps_are_those_of_a_slow_loop(make_samples, make_members, settings, cell):
    """A picture of 88x60 on a canvas of 112x80: cells reach over its edge; those outside hold vectors that must not be seen."""
    view = Motion(frames=3, start="uniform", negatives=1, size=24, **{"augment": CROPPED} | settings)
    samples = make_samples([[30]] * 4, (view,))
    samples.picture[:], samples.clips.picture[:] = (0, 0, 88, 60), (0, 0, 88, 60)
    stored = [grids(30, 80 // cell, 112 // cell, seed=clip) for clip in range(4)]
    for grid, _ in stored:
        grid[:, -(-60 // cell) :], grid[:, :, -(-88 // cell) :] = 30000, 30000
    members = make_members({(clip, "motion.npz"): dump_grid(*pair) for clip, pair in enumerate(stored)})
    drawn = MotionReader(view, {}).draw(samples, {})
    # Crops that reach the picture's edges.
    drawn.box[0, 0], drawn.box[1, 1] = (0, 0, 88, 60), (40, 20, 88, 60)
    batch = batch_of(view, samples, members, drawn)
    assert batch["motion"].dtype == torch.float32
    assert batch["motion"].shape == (4, 2, 2, 3, 24, 24)
    assert {bool(flip) for flip in drawn.flip.ravel()} == ({False, True} if view.augment else {False})
    for row, window in np.ndindex(4, 2):
        frames = drawn.frames[row, window]
        box, flip = drawn.box[row, window], bool(drawn.flip[row, window])
        wanted = slow_map(view, stored[row][0][frames], box, flip, samples.picture[row], cell)
        found = batch["motion"][row, window].permute(1, 2, 3, 0).numpy()
        assert np.abs(found - wanted).max() < 1e-4 * max(1, np.abs(wanted).max())
        assert batch["motion_mask"][row, window].tolist() == [frame % GOP != 0 for frame in frames]
    reached = batch["motion"].abs().amax()
    assert reached <= 1 if view.clamp else reached > 10
    if view.clamp in (4, 40):
        assert (reached == 1) == (view.clamp == 4)


def drift(path: Sequence[tuple[float, float]], size: tuple[int, int] = (96, 64)) -> np.ndarray:
    """(T, H, W, 3): a texture of plane waves that lies at the places of `path`; it can be sampled at any fraction of a pixel."""
    rng = np.random.default_rng(0)
    wave, angle = 2 * np.pi / np.exp(rng.uniform(np.log(7), np.log(60), 48)), rng.uniform(0, 2 * np.pi, 48)
    along_x, along_y, phase = wave * np.cos(angle), wave * np.sin(angle), rng.uniform(0, 2 * np.pi, 48)
    frames = []
    for x, y in path:
        columns = np.exp(1j * np.outer(np.arange(size[0]) - x, along_x) + 1j * phase)
        rows = np.exp(1j * np.outer(np.arange(size[1]) - y, along_y))
        frames.append(np.clip(128 + 9 * (rows @ columns.T).real, 0, 255).astype(np.uint8))
    return np.repeat(np.stack(frames)[..., None], 3, axis=-1)


def padded(frames: np.ndarray) -> np.ndarray:
    """96x64 pictures on a canvas of 112x80, the edge repeated as the builder does."""
    return np.pad(frames, ((0, 0), (0, 16), (0, 16), (0, 0)), mode="edge")


def member_of(clip: object) -> bytes:
    extractor = EXTRACTORS["motion"](EXTRACTORS["motion"].Config())
    return extractor(clip).members["motion.npz"]


@pytest.fixture(scope="module")
def pan(make_clip: Callable) -> bytes:
    """Motion, as the extractor finds it, of 36 frames that move right by 3 pixels and down by 1.5 a frame."""
    return member_of(make_clip(padded(drift([(3 * t, 1.5 * t) for t in range(36)]))))


def medians(batch: dict[str, torch.Tensor], row: int, window: int) -> np.ndarray:
    """(n, 2): the middle (dx, dy) of every frame that has motion."""
    return batch["motion"][row, window][:, batch["motion_mask"][row, window]].flatten(2).median(dim=2).values.T.numpy()


def test_a_pan_keeps_its_speed_through_crop_enlargement_and_flip(make_samples, make_members, pan):
    clip = Clip(frames=4, stride=2, size=48, augment=CROPPED)
    view = Motion(negatives=2, size=48, follow="clip", augment=CROPPED, clamp=0)
    samples = make_samples([[36]] * 16, (clip, view))
    seen = with_clip(view, samples, clip)
    drawn = MotionReader(view, {}).draw(samples, seen)
    assert np.array_equal(drawn.box[:, 0], seen["clip"].box[:, 0])
    assert np.array_equal(drawn.flip[:, 0], seen["clip"].flip)
    assert len({tuple(box) for box in drawn.box.reshape(-1, 4).tolist()}) == 48
    batch = batch_of(view, samples, make_members({(clip, "motion.npz"): pan for clip in range(16)}), drawn)
    assert set(drawn.flip[:, 0].tolist()) == set(drawn.flip[:, 1:].ravel().tolist()) == {False, True}
    for row, window in np.ndindex(16, 3):
        x0, y0, x1, y1 = drawn.box[row, window].tolist()
        dx = 3 * 48 / (x1 - x0) * (-1 if drawn.flip[row, window] else 1)
        found = medians(batch, row, window)
        assert len(found) >= 7
        assert np.abs(found - (dx, 1.5 * 48 / (y1 - y0))).max() < 0.3 * 48 / min(x1 - x0, y1 - y0)


def test_the_first_window_is_that_of_the_sampler(make_samples, make_members):
    """CMD's: 8 frames that begin 2 behind the clip's last."""
    clip, view = Clip(frames=4, stride=4, size=32), Motion(size=16, clamp=0, rescale=False)
    samples = make_samples([[60]] * 40, (clip, view))
    drawn = MotionReader(view, {}).draw(samples, with_clip(view, samples, clip))
    assert np.array_equal(drawn.frames[:, 0], samples.windows["clip"].frames[:, -1:] + np.arange(3, 11))
    batch = batch_of(view, samples, make_members({(clip, "motion.npz"): counted(60) for clip in range(40)}), drawn)
    assert batch["motion"].shape == (40, 1, 2, 8, 16, 16)
    frames = torch.from_numpy(drawn.frames[:, 0])
    wanted = torch.where(frames % GOP == 0, 0, frames)
    assert torch.allclose(batch["motion"][:, 0, 0], wanted[:, :, None, None].float(), atol=1e-4)
    assert torch.equal(batch["motion_mask"][:, 0], frames % GOP != 0)


def test_speeds_and_strides_choose_the_frames(make_samples):
    view = Motion(frames=3, start="uniform", stride=2, speeds=(1, 3), negatives=2, size=16)
    samples = make_samples([[64]] * 200, (view,))
    drawn = MotionReader(view, {}).draw(samples, {})
    assert set(drawn.speed.tolist()) == {1, 3}
    steps = np.diff(drawn.frames, axis=2)
    assert np.array_equal(steps, np.broadcast_to(2 * drawn.speed[:, None, None], steps.shape))
    assert drawn.inside.all()
    assert drawn.frames.min() >= 0
    assert drawn.frames.max() < 64


def test_a_reversed_window_shows_the_motion_of_the_reversed_video(make_samples, make_members, make_clip):
    """The same frames, played backwards before they are encoded, are the reference. Uneven drift: a shift would show."""
    place = np.cumsum(np.random.default_rng(3).uniform(-4, 4, (36, 2)), axis=0)
    frames = padded(drift(place.tolist()))
    stored, (turned, kind) = member_of(make_clip(frames)), load_grid(member_of(make_clip(frames[::-1])))
    view = Motion(start="same:clip", size=32, clamp=0, rescale=False)
    samples = make_samples([[36]] * 24, (BACKWARDS, view))
    drawn = MotionReader(view, {}).draw(samples, with_clip(view, samples, BACKWARDS))
    assert drawn.backwards.all()
    assert np.array_equal(drawn.frames[:, 0], samples.windows["clip"].frames)
    batch = batch_of(view, samples, make_members({(clip, "motion.npz"): stored for clip in range(24)}), drawn)
    compared = 0
    for row, place in np.ndindex(24, 8):
        frame = 35 - int(drawn.frames[row, 0, place])
        if batch["motion_mask"][row, 0, place] and (kind[frame] != INTRA).any():
            wanted = np.median(turned[frame, 1:3, 1:5].reshape(-1, 2), axis=0) / 4
            found = batch["motion"][row, 0, :, place].flatten(1).median(dim=1).values.numpy()
            assert np.abs(found - wanted).max() < 0.6
            compared += 1
    assert compared > 100
    # What is seen first moved in from the frame behind it: that of the run's last frame is not known.
    assert np.array_equal(batch["motion_mask"][:, 0].numpy(), (drawn.frames[:, 0] + 1) % GOP != 0)


def test_reversal_negates_and_shifts_by_one_frame(make_samples, make_members):
    view = Motion(start="same:clip", negatives=1, size=8, clamp=0, rescale=False)
    samples = make_samples([[40]] * 30, (BACKWARDS, view))
    drawn = MotionReader(view, {}).draw(samples, with_clip(view, samples, BACKWARDS))
    batch = batch_of(view, samples, make_members({(clip, "motion.npz"): counted(40) for clip in range(30)}), drawn)
    frames = torch.from_numpy(drawn.frames)
    assert (frames.diff(dim=2) == -1).all()
    known = ((frames + 1) % GOP != 0) & (frames + 1 < 40)
    assert torch.equal(batch["motion_mask"], known)
    wanted = torch.where(known, -(frames + 1), 0)
    assert torch.allclose(batch["motion"][:, :, 0], wanted[..., None, None].float(), atol=1e-4)
    assert not known[frames == 39].any()


def test_negatives_share_no_frame_with_the_first_window_nor_a_start(make_samples):
    view = Motion(start="uniform", negatives=5, size=16)
    samples = make_samples([[length] for length in [40, 41, 60, 200] * 500], (view,))
    drawn = MotionReader(view, {}).draw(samples, {})
    starts = drawn.frames[:, :, 0]
    assert (np.abs(starts[:, 1:] - starts[:, :1]) >= 8).all()
    assert all(len(set(row)) == 5 for row in starts[:, 1:].tolist())
    assert (drawn.frames[:, :, -1] < samples.num_frames[:, None]).all()


@pytest.mark.parametrize(("first", "num_frames"), [(0, 22), (14, 22), (6, 25), (10, 30)])
def test_every_order_of_negatives_is_as_likely(first, num_frames):
    """Windows of 6 frames, two negatives: all pairs of different starts that are free, counted by hand."""
    free = [start for start in range(num_frames - 5) if start + 5 < first or start > first + 5]
    draws = np.random.default_rng(0).random((100_000, 2))
    one = np.ones(len(draws), np.int64)
    starts = disjoint_starts(first * one, (first + 5) * one, num_frames * one, 6 * one, draws)
    pairs, counts = np.unique(starts, axis=0, return_counts=True)
    assert sorted(map(tuple, pairs.tolist())) == sorted(permutations(free, 2))
    assert stats.chisquare(counts).pvalue > 0.01


def test_too_few_starts_are_drawn_again_and_none_is_marked():
    u = np.random.default_rng(0).random((20_000, 3))
    one = np.ones(len(u), np.int64)
    # Two starts are free, 0 and 1, for three windows.
    starts = disjoint_starts(7 * one, 12 * one, 13 * one, 6 * one, u)
    assert stats.chisquare(np.unique(starts, axis=0, return_counts=True)[1]).pvalue > 0.01
    assert len(np.unique(starts, axis=0)) == 8
    assert (disjoint_starts(3 * one, 8 * one, 13 * one, 6 * one, u) == -1).all()


def test_a_run_without_room_has_masked_negatives(make_samples, make_members):
    view = Motion(start="centre", negatives=2, size=8)
    samples = make_samples([[14], [60]], (view,))
    drawn = MotionReader(view, {}).draw(samples, {})
    batch = batch_of(view, samples, make_members({(0, "motion.npz"): counted(14), (1, "motion.npz"): counted(60)}), drawn)
    assert not batch["motion_mask"][0, 1:].any()
    assert not batch["motion"][0, 1:].any()
    assert batch["motion_mask"][0, 0].any()
    assert batch["motion_mask"][1].any(dim=1).all()


def test_what_the_pad_repeats_has_no_motion(make_samples, make_members):
    view = Motion(start="uniform", frames=10, pad="edge", size=8, clamp=0, rescale=False)
    samples = make_samples([[7]], (view,))
    drawn = MotionReader(view, {}).draw(samples, {})
    batch = batch_of(view, samples, make_members({(0, "motion.npz"): counted(7)}), drawn)
    assert batch["motion_mask"][0, 0].tolist() == [False, *[True] * 6, *[False] * 3]
    assert torch.allclose(batch["motion"][0, 0, 0, :, 3, 3], torch.tensor([0.0, 1, 2, 3, 4, 5, 6, 0, 0, 0]), atol=1e-5)


def test_a_window_goes_on_from_clip_to_clip(make_samples, make_members):
    view = Motion(start="uniform", frames=8, negatives=1, size=8, clamp=0, rescale=False)
    samples = make_samples([[24, 24, 30]] * 30, (view,))
    firsts = {0: 0, 1: 24, 2: 48}
    stored = {(clip, "motion.npz"): counted(int(samples.clips.num_frames[clip]), firsts[clip % 3]) for clip in range(90)}
    drawn = MotionReader(view, {}).draw(samples, {})
    members = make_members(stored)
    batch = batch_of(view, samples, members, drawn)
    frames = torch.from_numpy(drawn.frames)
    crossing = (frames[..., 0] // 24 != frames[..., -1] // 24).sum()
    assert crossing > 5
    wanted = torch.where(frames % GOP == 0, 0, frames)
    assert torch.allclose(batch["motion"][:, :, 0], wanted[..., None, None].float(), atol=1e-4)
    # Each clip that a sample needs is read once, whatever windows lie in it.
    assert len({(clip, ext) for clip, ext, _ in members.asked}) == len(members.asked)


def test_a_clip_without_the_member_is_masked_and_its_neighbours_are_not(make_samples, make_members):
    view = Motion(start="centre", frames=8, size=8, clamp=0)
    samples = make_samples([[24, 24], [30]], (view,))
    drawn = MotionReader(view, {}).draw(samples, {})
    batch = batch_of(view, samples, make_members({(1, "motion.npz"): counted(24)}), drawn)
    assert drawn.frames[0, 0].tolist() == list(range(20, 28))
    assert batch["motion_mask"][0, 0].tolist() == [False] * 5 + [True] * 3
    assert not batch["motion"][0, 0, :, :5].any()
    assert batch["motion"][0, 0, :, 5:].all()
    assert not batch["motion"][1].any()
    assert not batch["motion_mask"][1].any()


def test_a_row_is_replaced_by_another_sample_s(make_samples, make_members):
    view = Motion(start="uniform", negatives=2, size=8, augment=CROPPED)
    many, one = make_samples([[60]] * 4, (view,)), make_samples([[50]], (view,), seed=1)
    drawn, other = MotionReader(view, {}).draw(many, {}), MotionReader(view, {}).draw(one, {})
    before = drawn.frames.copy()
    put(drawn, 2, other)
    for name in ("frames", "inside", "box", "flip", "speed", "backwards"):
        assert np.array_equal(getattr(drawn, name)[2], getattr(other, name)[0])
    assert np.array_equal(drawn.frames[[0, 1, 3]], before[[0, 1, 3]])


def test_a_row_does_not_depend_on_the_others(make_samples):
    view = Motion(start="uniform", negatives=3, size=8, augment=CROPPED)
    samples = make_samples([[60], [90], [40], [200]], (view,))
    whole = MotionReader(view, {}).draw(samples, {})
    u = {view.name: samples.u[view.name][2:3]}
    alone = make_samples([[40]], (view,))
    alone = type(samples)(
        *(getattr(alone, name) for name in ("clips", "runs", "first_clip", "num_frames", "fps", "picture", "gop")),
        u,
        samples.coins[2:3],
        {
            view.name: type(samples.windows[view.name])(
                *(getattr(samples.windows[view.name], name)[2:3] for name in ("frames", "inside", "speed", "backwards"))
            )
        },
    )
    again = MotionReader(view, {}).draw(alone, {})
    for name in ("frames", "inside", "box", "flip"):
        assert np.array_equal(getattr(again, name)[0], getattr(whole, name)[2])


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (dump_grid(*grids(29)), r"grid of \(29, 5, 7, 2\).*30 frames of 112x80"),
        (dump_grid(*grids(30, 4, 7)), r"grid of \(30, 4, 7, 2\)"),
        (b"nothing", "is no motion.npz"),
    ],
)
def test_members_of_another_clip_or_of_nothing_are_errors(make_samples, make_members, stored, message):
    view = Motion(start="uniform", size=8)
    samples = make_samples([[30]], (view,))
    drawn = MotionReader(view, {}).draw(samples, {})
    with pytest.raises(CorruptShardError, match=message):
        batch_of(view, samples, make_members({(0, "motion.npz"): stored}), drawn)


def test_clips_of_a_run_with_cells_of_two_sizes_are_an_error(make_samples, make_members):
    view = Motion(start="centre", size=8)
    samples = make_samples([[24, 24]], (view,))
    drawn = MotionReader(view, {}).draw(samples, {})
    stored = {(0, "motion.npz"): dump_grid(*grids(24)), (1, "motion.npz"): dump_grid(*grids(24, 10, 14))}
    with pytest.raises(SchemaMismatchError, match=r"cells of \[8, 16\] pixels"):
        batch_of(view, samples, make_members(stored), drawn)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 0}, r"views\.motion\.size"),
        ({"size": (8, 0)}, r"views\.motion\.size"),
        ({"negatives": -1}, r"views\.motion\.negatives"),
        ({"start": "uniform_k:2"}, r"views\.motion\.start.*one window"),
        ({"augment": Augment(rotate=5.0)}, r"views\.motion\.augment\.rotate"),
        ({"clamp": -1.0}, r"views\.motion\.clamp"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(ConfigError, match=message):
        Motion(**settings)


def test_the_crop_that_is_followed_must_be_one_that_vectors_can_go_through():
    turned = Clip(augment=Augment(rotate=10.0))
    check_views((turned, Motion()))
    with pytest.raises(ConfigError, match=r"views\.clip\.augment\.rotate"):
        check_views((turned, Motion(follow="clip")))
    with pytest.raises(ConfigError, match=r"views\.clip\.crops"):
        check_views((Clip(crops="three"), Motion(follow="clip")))


def test_nodes_are_the_same_on_both_devices():
    lines = {device: describe((MotionReader(Motion(negatives=1), {}),), device).splitlines() for device in ("cpu", "cuda")}
    assert [line.split()[0].rpartition("_")[0] for line in lines["cpu"]] == ["Resize", "Resize"]
    assert [line for line in lines["cuda"] if "Resize" in line and "(gpu)" in line] == [
        line for line in lines["cuda"] if "Resize" in line
    ]
    assert len([line for line in lines["cuda"] if "Resize" in line]) == 2


@pytest.fixture(scope="module")
def two_clips(make_clip) -> list:
    """One pan of 96 frames, right by 3 pixels and down by 1.5 a frame, cut in two."""
    frames = drift([(3 * t, 1.5 * t) for t in range(96)], (112, 80))
    return [make_clip(frames[:48]), make_clip(frames[48:])]


@pytest.mark.parametrize("unit", ["clip", "video"])
def test_the_loader_s_batches_have_the_pan_s_motion(make_folder, two_clips, unit):
    """CMD's three views, from the tar to the batch."""
    folder = make_folder(
        two_clips * 4, videos=[0, 0, 1, 1, 2, 2, 3, 3], members=[{"motion.npz": member_of(clip)} for clip in two_clips] * 4
    )
    clip = Clip(frames=4, stride=4, size=48, augment=CROPPED)
    motion = Motion(negatives=3, size=48, follow="clip", augment=CROPPED, clamp=0.0)
    across = 0
    with ClipIterator(folder, views=(clip, Keyframe(size=48), motion), batch_size=4, unit=unit) as loader:
        for _ in range(4):
            for batch in loader:
                meta = batch["meta"]["motion"]
                assert batch["motion"].shape == (4, 4, 2, 8, 48, 48)
                assert torch.equal(meta["crop"][:, 0], batch["meta"]["clip"]["crop"])
                assert torch.equal(meta["flip"][:, 0], batch["meta"]["clip"]["flip"])
                assert torch.equal(meta["frames"][:, 0, 0], batch["meta"]["clip"]["frames"][:, -1] + 3)
                across += int((meta["frames"] // 48 != meta["frames"][..., :1] // 48).any(dim=2).sum())
                for row, window in np.ndindex(4, 4):
                    x0, y0, x1, y1 = meta["crop"][row, window].tolist()
                    wanted = 3 * 48 / (x1 - x0) * (-1 if meta["flip"][row, window] else 1), 1.5 * 48 / (y1 - y0)
                    found = medians(batch, row, window)
                    assert len(found) >= 7
                    assert np.abs(found - wanted).max() < 0.3 * 48 / min(x1 - x0, y1 - y0)
    assert (across > 0) == (unit == "video")


def test_the_loader_names_what_is_missing_and_what_is_damaged(make_folder, two_clips):
    views = (Clip(frames=4, stride=1, size=16), Motion(size=16))
    bare = make_folder(two_clips)
    with (
        ClipIterator(bare, views=views, batch_size=2) as loader,
        pytest.raises(SchemaMismatchError, match=r"no member 'motion\.npz'.*vdata add motion --shards"),
    ):
        next(iter(loader))
    damaged = make_folder(two_clips, members=[{"motion.npz": b"nothing"}, {"motion.npz": member_of(two_clips[1])}])
    with (
        ClipIterator(damaged, views=views, batch_size=2) as loader,
        pytest.raises(CorruptShardError, match=r"clips-000000\.tar', key '.*0.*': a member of 7 bytes is no motion\.npz"),
    ):
        next(iter(loader))
    with ClipIterator(damaged, views=views, batch_size=2, on_error="skip") as loader:
        assert next(iter(loader))["idx"].tolist() == [101, 101]
        assert loader.num_skipped == 1
