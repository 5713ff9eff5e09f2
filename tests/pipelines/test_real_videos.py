"""The CPU's frames are the frames, bit for bit: of real videos, sound and damaged, for every stride, place and pad.

Two references know nothing of the loader: PyAV's container reader, and the ffmpeg binary that encoded the clips, whose own
decoder gives the planes of every frame.
"""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np
import pytest

from pipelines import ClipIterator
from pipelines.clips import open_clips
from pipelines.decode import Decoder
from pipelines.philox import NUM_UNIFORMS
from pipelines.read import Reader
from pipelines.samples import known_of
from pipelines.sources import DecodedSource
from pipelines.units import make_units
from pipelines.views import Shot
from vdata.errors import MediaError
from vdata.media.clip import EncodedClip
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.cut import cut
from vdata.media.ffmpeg import binary
from vdata.records import Video
from vdata.views import Clip

pytestmark = pytest.mark.videos

QUICK = [
    "good/action/test.mp4",
    "good/gestures/bird.mkv",
    "good/oddities/one_frame.mp4",
    "good/oddities/test-1s.webm",
    "good/oddities/vfr_h264.mp4",
    "good/oddities/video_90.mov",
    "bad/text_renamed.mp4",
]
STRIDES = (1, 2, 4, 8)
LAST = 1 - 2**-53


def clips_of(paths: Sequence[Path], layers: int, short_side: int) -> Iterator[EncodedClip]:
    """The clips of some seconds of every video; of a damaged one what is whole."""
    config = ClipConfig(short_side=short_side, seconds=2.0, layers=layers)
    for path in paths:
        try:
            cutter = cut(path.parent, Video(path.stem, path.name), config, LimitConfig(), with_motion=False)
            # The first three of a long one: two of them begin in the middle of the encoder's stream.
            yield from (item for item in itertools.islice(cutter, 3) if isinstance(item, EncodedClip))
        except MediaError:
            continue


def binary_planes(clip: EncodedClip) -> np.ndarray:
    """(T, H * 3 / 2, W) yuv420p by ffmpeg's own decoder."""
    command = [binary(), "-v", "error", "-i", "pipe:", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"]
    raw = subprocess.run(command, input=clip.mp4, stdout=subprocess.PIPE, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(clip.num_frames, clip.height * 3 // 2, clip.width)


def rgb_of(planes: np.ndarray) -> np.ndarray:
    """The binary's planes in PyAV's colours: what a clip says of itself is said of them."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(planes), "yuv420p")
    frame.colorspace, frame.color_range = av.video.reformatter.Colorspace.ITU601, av.video.reformatter.ColorRange.MPEG
    return frame.to_ndarray(format="rgb24")


def assert_planes(clip: EncodedClip, reader: Reader, number: int, planes: np.ndarray) -> None:
    everything = np.arange(clip.num_frames)
    seen = 0
    for place, frame in Decoder().frames(reader.read(number, everything), set(everything.tolist())):
        assert np.array_equal(frame.to_ndarray(), planes[place])
        seen += 1
    assert seen == clip.num_frames


def views_of(num_frames: int) -> list[Clip]:
    """Windows that fit, that reach beyond the end, and that reach beyond both ends."""
    views = []
    for stride in STRIDES:
        views.append(Clip(f"fits {stride}", min(16, (num_frames - 1) // stride + 1), stride, None))
        views += [Clip(f"{pad} {stride}", num_frames // stride + 5, stride, None, pad=pad) for pad in ("edge", "loop")]
        views.append(Clip(f"both {stride}", 8, stride, None, start="centre_clamped", pad="edge"))
    return views


def windows_of(index, number: int, u: float) -> tuple[object, list[Shot], list[Clip]]:
    """A sample of one clip with every random number the same, and what its views want."""
    views = views_of(int(index.num_frames[number]))
    runs = make_units("clip", index, np.array([number])).runs(np.zeros(1, np.int64), np.zeros(1))
    numbers = np.full((1, NUM_UNIFORMS), u)
    samples = known_of(index, runs, views, {view.name: numbers for view in views}, numbers)
    return samples, [Shot(view.name, samples.windows[view.name].frames[0]) for view in views], views


def assert_windows(clip: EncodedClip, source: DecodedSource, index, number: int, whole: np.ndarray) -> None:
    pictures = whole[:, : clip.picture.height, : clip.picture.width]
    for u in (0.0, 0.5, LAST):
        samples, shots, views = windows_of(index, number, u)
        for view, shot, found in zip(views, shots, source.load(samples, 0, shots), strict=True):
            assert np.array_equal(found, pictures[shot.frames]), (view, u)
            inside = samples.windows[view.name].inside[0]
            # In the middle of a long clip the last kind fits too.
            assert inside.all() == view.name.startswith("fits") or (u == 0.5 and view.name.startswith("both"))
            if u == 0.0 and not view.name.startswith("both"):
                assert shot.frames[0] == 0
            if u == LAST and view.name.startswith("fits"):
                assert shot.frames[-1] == clip.num_frames - 1


def assert_exact(paths: Sequence[Path], layers: int, short_side: int, folder: Path, whole, write_clips) -> list[str]:
    """The videos whose clips were compared, one name a clip."""
    clips = list(clips_of(paths, layers, short_side))
    index = open_clips(write_clips(folder, clips))
    reader = Reader(index)
    source = DecodedSource(reader)
    for number, clip in enumerate(clips):
        by_pyav, planes = whole(clip.mp4), binary_planes(clip)
        assert len(by_pyav) == clip.num_frames
        assert_planes(clip, reader, number, planes)
        assert all(
            np.array_equal(rgb_of(planes[place]), by_pyav[place]) for place in (0, clip.num_frames // 2, clip.num_frames - 1)
        )
        assert_windows(clip, source, index, number, by_pyav)
    return [clip.origin.video.source for clip in clips]


@pytest.mark.parametrize("layers", [1, 3])
def test_frames_of_a_few_videos_are_exact(videos_root, tmp_path, whole, write_clips, layers):
    names = assert_exact([videos_root / name for name in QUICK], layers, 96, tmp_path / "shards", whole, write_clips)
    assert len(names) >= 10
    assert {*names} == {Path(name).name for name in QUICK if name.startswith("good")}


@pytest.mark.slow
@pytest.mark.parametrize("layers", [1, 3])
def test_frames_of_all_videos_are_exact(videos_root, tmp_path, whole, write_clips, layers):
    good = {path.name for path in (videos_root / "good").rglob("*.*")}
    paths = sorted(path for path in videos_root.rglob("*/*") if path.is_file())
    names = assert_exact(paths, layers, 128, tmp_path / "shards", whole, write_clips)
    assert len(names) >= 90
    # Of two damaged ones a part builds too.
    assert good < {*names}
    assert {"bitflips_400.mp4", "truncated_faststart_half.mp4"} <= {*names}


@pytest.mark.parametrize("layers", [1, 3])
def test_batches_without_size_are_the_frames(videos_root, tmp_path, whole, write_clips, layers):
    """Through the iterator: what comes out is what PyAV decodes, at the frames that meta names."""
    clips = list(clips_of([videos_root / name for name in QUICK], layers, 64))
    folder = write_clips(tmp_path / "shards", clips)
    views = tuple(Clip(f"{pad}{stride}", 16, stride, None, pad=pad) for stride in STRIDES for pad in ("edge", "loop"))
    seen = 0
    with ClipIterator(folder, views=views, batch_size=1) as it:
        for batch in it:
            clip = clips[int(batch["idx"][0]) - 100]
            pictures = whole(clip.mp4)[:, : clip.picture.height, : clip.picture.width]
            for view in views:
                assert np.array_equal(batch[view.name][0], pictures[batch["meta"][view.name]["frames"][0].numpy()])
            seen += 1
    assert seen == len(clips)
