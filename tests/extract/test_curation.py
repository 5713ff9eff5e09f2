"""The three numbers of clips whose motion, sharpness and light are known."""

from __future__ import annotations

import io
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from vdata.extract import EXTRACTORS
from vdata.extract.curation import brightness, motion_score, sharpness
from vdata.media.clip import EncodedClip
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.cut import DroppedTail, cut
from vdata.media.motion_codec import INTRA
from vdata.records import Video


def clip_of(path: Path, end_seconds: float | None = None, **settings) -> EncodedClip:
    """The video's first clip, as the builder makes it."""
    video = Video("v", path.name, end_seconds=end_seconds)
    found = cut(path.parent, video, ClipConfig(**({"short_side": 96} | settings)), LimitConfig())
    return next(item for item in found if not isinstance(item, DroppedTail))


def curate(clip: EncodedClip) -> dict:
    extractor = EXTRACTORS["curation"](EXTRACTORS["curation"].Config())
    found = extractor(clip)
    assert extractor.fields == ()
    assert dict(found.members) == {}
    assert [column.name for column in extractor.columns] == list(found.columns) == ["motion_score", "blur", "brightness"]
    return dict(found.columns)


def write(path: Path, frames: np.ndarray) -> Path:
    """Frames (T, H, W, 3) as a video without loss of luma."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        stream.options = {"crf": "1", "preset": "veryfast"}
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("velocity", [(0.0, 0.0), (3.0, 0.0), (0.0, -2.0), (-3.0, 4.0), (0.5, 0.0)])
def test_a_pan_of_v_pixels_has_v(make_video, velocity):
    """Macroblocks at the edge where the picture comes in have no match, hence the tolerance; a still clip has none."""
    found = curate(clip_of(make_video(num_frames=24, velocity=velocity)))["motion_score"]
    speed = np.hypot(*velocity)
    assert found == pytest.approx(speed, rel=0.1)
    assert found != 0 or speed == 0


def test_the_score_is_the_mean_of_a_slow_loop(make_video):
    """Over the macroblocks that lie in the picture, which ends within one."""
    clip = clip_of(make_video(num_frames=14, size=(200, 140), velocity=(2.5, -1.25)), short_side=100)
    assert clip.picture.width % 16
    assert clip.picture.height % 16
    motion, lengths = clip.motion, []
    for t in range(clip.num_frames):
        field = {}
        for _, w, h, _, _, x, y, mx, my, _ in motion.rows[motion.offsets[t] : motion.offsets[t + 1]].tolist():
            for i in range((y - h // 2) // 8, (y + h // 2) // 8):
                for j in range((x - w // 2) // 8, (x + w // 2) // 8):
                    field[i, j] = mx, my
        for i in range(clip.picture.height // 16):
            for j in range(clip.picture.width // 16):
                parts = [field.get((2 * i + di, 2 * j + dj)) for di in (0, 1) for dj in (0, 1)]
                if motion.types[t] == "P" and None not in parts:
                    mean = [round(sum(part[axis] for part in parts) / 4) for axis in (0, 1)]
                    lengths.append(np.hypot(*mean) / 4)
    assert len(lengths) > 200
    assert motion_score(clip) == pytest.approx(np.mean(lengths), abs=1 / 512)


def test_blocks_without_a_vector_do_not_count(make_video, monkeypatch):
    clip = clip_of(make_video(num_frames=3, size=(96, 96)))
    grid, kind = np.zeros((3, 6, 6, 2), np.int16), np.full((3, 6, 6), INTRA, np.uint8)
    monkeypatch.setattr("vdata.extract.curation.motion_grid", lambda *_: (grid, kind))
    assert motion_score(clip) is None
    kind[1, 2, 3], grid[1, 2, 3] = 0, (12, -16)
    grid[1, 3, 3] = 4000
    assert motion_score(clip) == 5


def test_a_single_frame_has_no_motion_and_is_seen(make_video):
    found = curate(clip_of(make_video(num_frames=1)))
    assert found["motion_score"] is None
    assert found["blur"] > 0
    assert 0 < found["brightness"] < 1


def test_a_blurred_copy_is_less_sharp(make_video, tmp_path):
    with av.open(str(make_video(num_frames=14, velocity=(1.0, 0.0)))) as container:
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    scores = [curate(clip_of(write(tmp_path / "sharp.mp4", frames)))["blur"]]
    for sigma in (1.0, 2.0):
        soft = np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in frames])
        scores.append(curate(clip_of(write(tmp_path / f"{sigma}.mp4", soft)))["blur"])
    assert scores[0] > 1.5 * scores[1] > 1.5**2 * scores[2] > 0


@pytest.mark.parametrize("grey", [16, 128, 235])
def test_a_grey_clip_is_as_bright_as_its_grey(tmp_path, grey):
    found = curate(clip_of(write(tmp_path / "grey.mp4", np.full((14, 96, 128, 3), grey, np.uint8))))
    assert found["brightness"] == pytest.approx(grey / 255, abs=0.01)
    assert found["blur"] == pytest.approx(0, abs=0.5)
    assert found["motion_score"] == 0


def test_sharpness_and_brightness_are_their_formulas():
    luma = np.random.default_rng(0).integers(0, 256, (2, 7, 9), dtype=np.uint8)
    variances = []
    for picture in luma.astype(float):
        wide = np.pad(picture, 1, mode="reflect")
        laplacian = wide[1:-1, :-2] + wide[1:-1, 2:] + wide[:-2, 1:-1] + wide[2:, 1:-1] - 4 * picture
        variances.append(np.mean((laplacian - laplacian.mean()) ** 2))
    assert sharpness(luma) == pytest.approx(np.mean(variances))
    assert brightness(luma) == pytest.approx(luma.mean() / 255)


def test_padding_does_not_count(make_video):
    """The canvas repeats the picture's edge, which is neither sharp nor as bright."""
    clip = clip_of(make_video(num_frames=14, size=(150, 100)), short_side=100)
    assert (clip.picture.width, clip.picture.height) != (clip.width, clip.height)
    with av.open(io.BytesIO(clip.mp4)) as container:
        first = next(container.decode(video=0)).to_ndarray(format="gray")[: clip.picture.height, : clip.picture.width]
    # Limited range: black is 16, white 235.
    assert brightness(np.asarray(first)[None]) == pytest.approx((16 + 219 * curate(clip)["brightness"]) / 255, abs=0.02)


@pytest.mark.videos
def test_the_score_follows_optical_flow_in_real_videos(videos_root):
    """Against the mean length of DIS flow between the same frames."""
    names = ["people/vid_h264.mp4", "action/video11.mp4", "action/test.mp4", "gestures/walk.mkv"]
    ours, theirs = [], []
    for name in names:
        clip = clip_of(videos_root / "good" / name, end_seconds=1.2, short_side=128)
        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clip.pictures(range(clip.num_frames))]
        flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        moving = [t for t, letter in enumerate(clip.motion.types) if letter == "P"]
        theirs.append(np.mean([np.hypot(*np.moveaxis(flow.calc(grey[t - 1], grey[t], None), -1, 0)).mean() for t in moving]))
        ours.append(motion_score(clip))
    assert np.argsort(ours).tolist() == np.argsort(theirs).tolist()
    assert np.allclose(ours, theirs, rtol=0.35, atol=0.1)


def test_equal_clips_have_equal_numbers_of_single_precision(make_video):
    path = make_video(num_frames=24)
    found = curate(clip_of(path))
    assert found == curate(clip_of(path))
    assert all(value == float(np.float32(value)) for value in found.values())
