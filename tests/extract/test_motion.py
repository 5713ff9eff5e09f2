"""The motion extractor against another engine, known pans, phase correlation, and a loop that paints vector by vector."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from vdata.datasets._sample import film, render, truth, world
from vdata.datasets._sample.pan import pan_video
from vdata.errors import ConfigError, ContractError
from vdata.extract import EXTRACTORS
from vdata.extract.motion import motion_grid
from vdata.media.clip import EncodedClip
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.cut import DroppedTail, cut
from vdata.media.motion_codec import INTER, INTRA, SKIP, load_grid, load_vectors
from vdata.media.vectors import VECTOR, MotionPass, read_motion
from vdata.records import Video

DIRECTIONS = [(3, 0), (3, 3), (0, 3), (-3, 3), (-3, 0), (-3, -3), (0, -3), (3, -3)]
FRACTIONS = [(0.5, 0.0), (0.25, -0.75), (-1.5, 2.25), (5.3, -1.7)]


def clip_of(path: Path, end_seconds: float | None = None, **settings) -> EncodedClip:
    """The video's first clip, as the builder makes it."""
    video = Video("v", path.name, end_seconds=end_seconds)
    return next(
        item for item in cut(path.parent, video, ClipConfig(**settings), LimitConfig()) if not isinstance(item, DroppedTail)
    )


def extract(clip: EncodedClip, **settings) -> bytes:
    extractor = EXTRACTORS["motion"](EXTRACTORS["motion"].Config(**settings))
    (field,) = extractor.fields
    return extractor(clip).members[field.ext]


def luma(clip: EncodedClip) -> list[np.ndarray]:
    with av.open(io.BytesIO(clip.mp4)) as container:
        return [frame.to_ndarray(format="gray").astype(np.float32) for frame in container.decode(video=0)]


@contextmanager
def path_of(data: bytes) -> Iterator[str]:
    """A path to bytes in memory: the other engine opens nothing but a string."""
    handle = os.memfd_create("clip")
    try:
        os.write(handle, data)
        yield f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)


def rows_of_the_other_engine(clip: EncodedClip) -> list[tuple[str, np.ndarray]]:
    videocap = pytest.importorskip("mvextractor.videocap")
    found = []
    with path_of(clip.mp4) as path:
        capture = videocap.VideoCap()
        assert capture.open(path)
        while (frame := capture.read())[0]:
            found.append((frame[3], frame[2].reshape(-1, 10)))
        capture.release()
    return found


def assert_rows_equal(clip: EncodedClip) -> None:
    theirs = rows_of_the_other_engine(clip)
    ours = load_vectors(extract(clip, form="vectors"))
    assert [letter for letter, _ in theirs] == list(clip.motion.types)
    assert len(ours) == len(theirs) == clip.num_frames
    assert sum(map(len, ours)) > 1000
    for rows, (_, wanted) in zip(ours, theirs, strict=True):
        assert np.array_equal(rows, wanted)


@pytest.mark.parametrize("name", ["people/vid_h264.mp4", "action/video4.mp4", "gestures/walk.mkv", "oddities/test-vp9.webm"])
@pytest.mark.parametrize("settings", [{}, {"fastdecode": False, "preset": "medium"}], ids=["default", "medium"])
def test_vectors_are_row_for_row_those_of_motion_vector_extractor(videos_root, name, settings):
    assert_rows_equal(clip_of(videos_root / "good" / name, end_seconds=2.5, **settings))


def test_vectors_of_a_pan_are_those_of_motion_vector_extractor(make_video):
    assert_rows_equal(clip_of(make_video(num_frames=36, size=(176, 144), velocity=(-1.5, 2.25)), short_side=144))


@pytest.mark.parametrize("velocity", [(-3, -3), *FRACTIONS])  # all directions: below
def test_median_of_the_grid_is_the_pan_of_the_sample_dataset_s_texture(tmp_path, velocity):
    pan_video(tmp_path / "pan.mp4", velocity, num_frames=24)
    clip = clip_of(tmp_path / "pan.mp4", short_side=96)
    grid, kind = load_grid(extract(clip))
    for t in range(1, 24):
        if clip.motion.types[t] == "P":
            assert np.abs(np.median(grid[t][kind[t] != INTRA], axis=0) / 4 - velocity).max() <= 0.5


def test_grid_of_the_sample_dataset_follows_its_camera(tmp_path):
    """Noise, light and sprites and all: the median of the background's cells is the camera's known pan."""
    plans = [plan for plan in world.draw(0, "full") if plan.camera.kind == "pan" and plan.split == "val"][:8]
    errors = []
    for plan in plans:
        film.write(tmp_path / "v.mp4", render.frames(plan), plan.size, world.FPS)
        grid, kind = load_grid(extract(clip_of(tmp_path / "v.mp4", short_side=96)))
        known = truth.of(plan)
        for t in range(1, plan.num_frames):
            flow = known.flow(t)[:, 2]
            around_flash = plan.flash_frame <= t <= plan.flash_frame + 1
            background = (kind[t] != INTRA) & ~cells_of(known, t)
            if not around_flash and background.sum() >= 12:
                errors.append(np.abs(np.median(grid[t][background], axis=0) / 4 - flow).max())
    assert len(errors) > 400
    assert np.median(errors) <= 0.25
    assert np.mean(np.array(errors) <= 0.5) >= 0.9


def cells_of(known: truth.Truth, t: int) -> np.ndarray:
    """The 16-pixel cells that any sprite touches, now or a frame before."""
    cells = np.zeros((known.size[1] // 16, known.size[0] // 16), bool)
    for x, y, radius in [known.path[t], known.path[t - 1], *known.distractors]:
        left, top = int(max(x - radius, 0) // 16), int(max(y - radius, 0) // 16)
        cells[top : int((y + radius) // 16) + 1, left : int((x + radius) // 16) + 1] = True
    return cells


@pytest.mark.parametrize("velocity", DIRECTIONS + FRACTIONS)
@pytest.mark.parametrize("layers", [1, 3])
def test_median_of_the_grid_is_the_known_pan(make_video, velocity, layers):
    clip = clip_of(make_video(num_frames=24, velocity=velocity), short_side=96, layers=layers)
    for block in (16, 8, 4):
        grid, kind = load_grid(extract(clip, block=block))
        for t in range(clip.num_frames):
            if clip.motion.types[t] == "I":
                assert not grid[t].any()
                assert (kind[t] == INTRA).all()
            else:
                assert np.abs(np.median(grid[t][kind[t] != INTRA], axis=0) / 4 - velocity).max() <= 0.5


@pytest.mark.parametrize("settings", [{}, {"block": 8}, {"form": "vectors"}])
def test_motion_of_three_layers_is_what_one_layer_of_that_gop_gives(make_video, settings):
    """Byte for byte: the frames are encoded a second time as that one layer."""
    path = make_video(num_frames=40, velocity=(4.0, 0.0))
    one, three = (clip_of(path, short_side=96, layers=layers, gop=16) for layers in (1, 3))
    assert one.mp4 != three.mp4
    assert extract(three, **settings) == extract(one, **settings)


def test_motion_of_stored_three_layers_is_that_of_their_own_pictures(make_video):
    """As `vdata add motion` finds them, without the frames of the source: a pan still has dx = +4 in every frame."""
    clip = replace(clip_of(make_video(num_frames=40, velocity=(4.0, 0.0)), short_side=96, layers=3), p_only=b"")
    for block in (16, 8, 4):
        grid, kind = load_grid(extract(clip, block=block))
        assert len(grid) == 40
        for t in range(40):
            assert (clip.motion.types[t] == "I") == (t % 16 == 0)
            if t % 16:
                assert np.abs(np.median(grid[t][kind[t] != INTRA], axis=0) / 4 - (4, 0)).max() <= 0.5


def test_camera_motion_agrees_with_phase_correlation(videos_root):
    """Between the first and the last frame of each GOP: phase correlation of the frames, and the sum of the grid's medians.

    Over a GOP, because the camera is held by hand and moves by 0.2 pixels a frame, less than one vector can say. GOPs in which
    the correlation has no peak (response under 0.2: a whip pan) are left out; most stay.
    """
    clip = clip_of(videos_root / "good/people/vid_h264.mp4")
    frames = [frame[:, : clip.picture.width] for frame in luma(clip)]
    grid, kind = load_grid(extract(clip))
    window = cv2.createHanningWindow(frames[0].shape[::-1], cv2.CV_32F)
    ours, theirs = [], []
    for first in range(0, clip.num_frames - clip.gop + 1, clip.gop):
        last = first + clip.gop - 1
        shift, response = cv2.phaseCorrelate(frames[first], frames[last], window)
        if response > 0.2:
            theirs.append(shift)
            ours.append(sum(np.median(grid[t][kind[t] != INTRA], axis=0) / 4 for t in range(first + 1, last + 1)))
    error = np.abs(np.subtract(ours, theirs)).max(axis=1)
    assert len(error) >= 15
    assert np.corrcoef(np.ravel(ours), np.ravel(theirs))[0, 1] > 0.9
    assert np.median(error) < 0.5
    assert error.max() < 1.25
    assert np.abs(theirs).max() > 3


def test_what_moves_is_predicted_by_the_grid(videos_root):
    """Cells that move by 1.5 pixels or more: the frame before is nearer when the grid moves it than unmoved or moved back."""
    clip = clip_of(videos_root / "good/people/vid_h264.mp4", end_seconds=5)
    frames = luma(clip)
    grid, kind = load_grid(extract(clip))
    errors = {-1: [], 0: [], 1: []}
    for t, y, x in np.argwhere((kind == INTER) & (np.hypot(grid[..., 0], grid[..., 1]) >= 6)):
        dx, dy = np.rint(grid[t, y, x] / 4).astype(int)
        before = {sign: (16 * y - sign * dy, 16 * x - sign * dx) for sign in errors}
        if all(0 <= top <= clip.height - 16 and 0 <= left <= clip.width - 16 for top, left in before.values()):
            now = frames[t][16 * y : 16 * y + 16, 16 * x : 16 * x + 16]
            for sign, (top, left) in before.items():
                errors[sign].append(np.mean((frames[t - 1][top : top + 16, left : left + 16] - now) ** 2))
    with_grid, unmoved, reverse = (np.array(errors[sign]) for sign in (1, 0, -1))
    assert len(with_grid) > 500
    assert (with_grid < unmoved).mean() > 0.8
    assert with_grid.mean() < 0.7 * unmoved.mean() < 0.7 * reverse.mean()


def painted(motion: MotionPass, frame: int, width: int, height: int, block: int) -> tuple[np.ndarray, np.ndarray]:
    """Vector by vector and pixel by pixel, from the definition: the mean over a cell's pixels, rounded halves to even."""
    tall, wide = motion.skipped.shape[1] * 16, motion.skipped.shape[2] * 16
    field, covered = np.zeros((tall, wide, 2), int), np.zeros((tall, wide), bool)
    for _, w, h, _, _, x, y, mx, my, _ in motion.rows[motion.offsets[frame] : motion.offsets[frame + 1]]:
        place = slice(y - h // 2, y + h // 2), slice(x - w // 2, x + w // 2)
        assert not covered[place].any()
        field[place], covered[place] = (-mx, -my), True
    rows, columns = -(-height // block), -(-width // block)
    grid, kind = np.zeros((rows, columns, 2), int), np.zeros((rows, columns), int)
    for i in range(rows):
        for j in range(columns):
            cell = slice(i * block, (i + 1) * block), slice(j * block, (j + 1) * block)
            grid[i, j] = [round(Fraction(int(field[cell][..., axis].sum()), block * block)) for axis in (0, 1)]
            skipped = motion.skipped[frame, i * block // 16, j * block // 16]
            kind[i, j] = INTRA if not covered[cell].any() else SKIP if skipped else INTER
    return grid, kind


@pytest.mark.parametrize("block", [16, 8, 4])
@pytest.mark.parametrize("size", [(100, 70), (128, 96)])
def test_grid_is_what_a_slow_loop_paints(make_video, size, block):
    """100 x 70: the last macroblocks reach over the picture, and 70 is a multiple of no block."""
    options = {"bf": "0", "refs": "1", "crf": "30", "partitions": "all"}
    motion = read_motion(str(make_video(num_frames=8, size=size, velocity=(2.5, -1.25), options=options)))
    grid, kind = motion_grid(motion, *size, block)
    assert grid.dtype == np.int16
    assert kind.dtype == np.uint8
    assert grid.shape == (8, -(-size[1] // block), -(-size[0] // block), 2)
    for t in range(8):
        wanted_grid, wanted_kind = painted(motion, t, *size, block)
        assert np.array_equal(grid[t], wanted_grid)
        assert np.array_equal(kind[t], wanted_kind)


@pytest.mark.parametrize("block", [16, 8, 4])
def test_grid_of_a_real_clip_is_what_a_slow_loop_paints(videos_root, block):
    clip = clip_of(videos_root / "good/action/video4.mp4", end_seconds=1, short_side=128)
    grid, kind = load_grid(extract(clip, block=block))
    assert set(np.unique(kind)) == {INTER, SKIP, INTRA}
    assert len(np.unique(clip.motion.rows[:, 1:3], axis=0)) == 4  # 16x16, 16x8, 8x16, 8x8
    for t in (0, 5, 11, 17):
        wanted_grid, wanted_kind = painted(clip.motion, t, clip.width, clip.height, block)
        assert np.array_equal(grid[t], wanted_grid)
        assert np.array_equal(kind[t], wanted_kind)


def test_four_quarters_of_a_macroblock_are_averaged_with_halves_to_even():
    rows = [
        (-1, 8, 8, 0, 0, x, y, mx, 0, 4)
        for (x, y), mx in zip([(4, 4), (12, 4), (4, 12), (12, 12)], [-1, -2, -2, -5], strict=True)
    ]
    motion = MotionPass("P", np.array(rows, VECTOR), np.array([0, 4]), np.zeros((1, 1, 1), bool))
    assert motion_grid(motion, 16, 16, 16)[0][0, 0, 0].tolist() == [2, 0]  # 10 / 4 = 2.5
    assert motion_grid(motion, 16, 16, 8)[0][0, :, :, 0].tolist() == [[1, 2], [2, 5]]
    assert motion_grid(motion, 13, 4, 4)[0].shape == (1, 1, 4, 2)


def test_equal_clips_give_equal_bytes_and_other_clips_others(make_video):
    path = make_video(num_frames=24)
    clip, again = clip_of(path, short_side=96), clip_of(path, short_side=96)
    other = clip_of(make_video(num_frames=24, velocity=(1.0, 1.0)), short_side=96)
    for settings in ({"form": "grid"}, {"form": "grid", "block": 8}, {"form": "vectors"}):
        assert extract(clip, **settings) == extract(again, **settings) != extract(other, **settings)


def test_b_frames_and_foreign_vectors_are_refused(make_video):
    motion = read_motion(str(make_video(num_frames=12, options={"bf": "3", "b_strategy": "0"})))
    with pytest.raises(ContractError, match="I and P frames"):
        motion_grid(motion, 128, 96)
    rows = np.array([(-1, 4, 8, 0, 0, 2, 4, 0, 0, 4)], VECTOR)
    with pytest.raises(ContractError, match=r"H\.264's vectors"):
        motion_grid(MotionPass("P", rows, np.array([0, 1]), np.zeros((1, 1, 1), bool)), 16, 16)


def test_settings_are_checked():
    config = EXTRACTORS["motion"].Config
    with pytest.raises(ConfigError, match=r"motion\.block \(32\)"):
        config(block=32)
    with pytest.raises(ConfigError, match=r"motion\.form \('flow'\)"):
        config(form="flow")


def test_field_names_the_member_of_the_form(make_video):
    clip = clip_of(make_video(num_frames=12), short_side=96)
    for form, ext, pair in (("grid", "motion.npz", {"grid", "kind"}), ("vectors", "vectors.npz", {"rows", "offsets"})):
        extractor = EXTRACTORS["motion"](EXTRACTORS["motion"].Config(form=form))
        members = extractor(clip).members
        assert [field.ext for field in extractor.fields] == list(members) == [ext]
        with np.load(io.BytesIO(members[ext]), allow_pickle=False) as archive:
            assert set(archive.files) == pair
