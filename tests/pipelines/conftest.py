"""Shard folders whose pixels the tests know: clips encoded by PyAV from given frames, the padding painted magenta."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pyarrow as pa
import pytest

from vdata.media.box_codec import boxes_of, dump_boxes
from vdata.media.clip import EncodedClip
from vdata.media.motion_codec import INTRA, dump_grid
from vdata.media.mp4 import boxes, packets
from vdata.media.origin import Origin
from vdata.media.structure import STRUCTURES
from vdata.records import Column, Fragment, Picture, Video
from vdata.shards import ShardWriter, clip_columns, clip_key, row_schema

GOP = 12
FPS = Fraction(25)
MAGENTA = (255, 0, 255)


def texture_frames(num_frames: int, size: tuple[int, int] = (96, 64), seed: int = 0) -> np.ndarray:
    """(T, H, W, 3) uint8: a smooth green and brown texture that drifts; it has no magenta."""
    width, height = size
    coarse = np.random.default_rng(seed).integers(40, 216, (height // 4 + 8, width // 4 + 32, 3), dtype=np.uint8)
    texture = cv2.resize(coarse, (width + 64, height + 16), interpolation=cv2.INTER_CUBIC)
    texture[..., 2] //= 4
    frames = [texture[t % 13 : t % 13 + height, t % 61 : t % 61 + width] for t in range(num_frames)]
    return np.ascontiguousarray(np.stack(frames))


def pad(frames: np.ndarray, right: int, bottom: int, colour: tuple[int, int, int] = MAGENTA) -> np.ndarray:
    padded = np.empty((len(frames), frames.shape[1] + bottom, frames.shape[2] + right, 3), np.uint8)
    padded[:] = colour
    padded[:, : frames.shape[1], : frames.shape[2]] = frames
    return padded


def encode(frames: np.ndarray, gop: int = GOP, layers: int = 1) -> bytes:
    """Fragmented MP4, one fragment a GOP; with 3 layers three B pictures between two references."""
    buffer, structure = io.BytesIO(), STRUCTURES[layers]
    options = {"movflags": structure.movflags, "fflags": "+bitexact"}
    with av.open(buffer, "w", format="mp4", options=options) as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        stream.codec_context.thread_count = 1
        params = f"keyint={gop}:min-keyint={gop}:scenecut=0:ref=1:threads=1"
        params += f":bframes={structure.num_b}:b-adapt=0:b-pyramid=none:weightp=0"
        stream.options = {"preset": "veryfast", "tune": "fastdecode", "crf": "18", "x264-params": params}
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def clip_of(mp4: bytes, picture: Picture, canvas: tuple[int, int], gop: int = GOP, layers: int = 1) -> EncodedClip:
    fragments, frame = [], 0
    found = list(boxes(mp4))
    for moof, mdat in itertools.pairwise(found):
        if moof.kind == b"moof":
            fragments.append(Fragment(frame, moof.start, mdat.end - moof.start))
            frame += len(packets(mp4[moof.start : mdat.end]))
    return EncodedClip(
        mp4=mp4,
        init_size=fragments[0].offset,
        fragments=tuple(fragments),
        keyframes=(),
        num_frames=frame,
        fps=FPS,
        width=canvas[0],
        height=canvas[1],
        picture=picture,
        structure=STRUCTURES[layers].name,
        gop=gop,
        clip_in_video=0,
        start_seconds=0.0,
        end_seconds=float(frame / FPS),
        source_width=picture.width,
        source_height=picture.height,
        has_audio=False,
        origin=Origin(Path(), Video("v", "v.mp4")),
    )


def rgb24(mp4: bytes) -> np.ndarray:
    """Every frame of the whole MP4 as PyAV's container reader gives it: the reference of the loader's own decoding."""
    with av.open(io.BytesIO(mp4)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def write_folder(
    folder: Path,
    clips: Sequence[EncodedClip],
    *,
    videos: Sequence[int] | None = None,
    per_shard: int = 5,
    cells: Sequence[str] = (),
    members: Sequence[Mapping[str, bytes]] | None = None,
    columns: Mapping[str, pa.DataType] | None = None,
    values: Mapping[str, object] | None = None,
) -> Path:
    """Clips of one video follow one another in it; `members` are what each has beside its MP4, by extension.

    `columns` are further ones, by name, and `values` what all clips have there.
    """
    videos = range(len(clips)) if videos is None else list(videos)
    for shard, start in enumerate(range(0, len(clips), per_shard)):
        further = [Column(name, kind, "") for name, kind in (columns or {}).items()]
        writer = ShardWriter(folder, shard, row_schema(further, cells=cells))
        for number in range(start, min(start + per_shard, len(clips))):
            row = clip_columns(clips[number]) | {
                "index": 100 + number,
                "video_id": f"video {videos[number]}",
                "video_index": videos[number],
                "clip_in_video": clips[number].clip_in_video or videos[:number].count(videos[number]),
                "dataset": "test",
                "split": "",
                "splits": [],
                "label": number % 3,
                "labels": [number % 3],
                "label_name": f"class {number % 3}",
                "source": f"a/video {videos[number]}.mp4",
                "fields": [],
                **(values or {}),
            }
            others = members[number] if members else {}
            writer.add(clip_key(f"clip {number}", 0), row, {"mp4": clips[number].mp4, **others})
        writer.commit()
    return folder


def field_members(clip: EncodedClip, seed: int = 0) -> dict[str, bytes]:
    """Motion that differs from block to block, and three SLIC boxes on every keyframe."""
    rng = np.random.default_rng(seed)
    shape = clip.num_frames, -(-clip.height // 16), -(-clip.width // 16)
    kind = np.zeros(shape, np.uint8)
    kind[:: clip.gop] = INTRA
    grid = np.where(kind[..., None] == INTRA, 0, rng.integers(-60, 60, (*shape, 2))).astype(np.int16)
    low = rng.uniform(0, 0.5, (clip.num_frames // clip.gop + 1, 3, 2))
    corners = np.concatenate([low, low + rng.uniform(0.1, 0.5, low.shape)], axis=2) * np.tile([clip.width, clip.height], 2)
    found = [boxes_of(frame, corners[number], "slic") for number, frame in enumerate(range(0, clip.num_frames, clip.gop))]
    return {"motion.npz": dump_grid(grid, kind), "slic.boxes.npy": dump_boxes(found)}


@pytest.fixture(scope="session")
def clips() -> list[EncodedClip]:
    """14 clips of 30 to 56 frames, 96x64 on a canvas of 112x80 whose rest is magenta."""
    picture = Picture(0, 0, 96, 64)
    return [clip_of(encode(pad(texture_frames(30 + 2 * i, seed=i), 16, 16)), picture, (112, 80)) for i in range(14)]


@pytest.fixture(scope="session")
def folder(clips: list[EncodedClip], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The 14 clips, each of its own video, in three shards."""
    return write_folder(tmp_path_factory.mktemp("clips") / "shards", clips)


@pytest.fixture(scope="session")
def pixels(clips: list[EncodedClip]) -> list[np.ndarray]:
    """All frames of each clip by PyAV, cut to the picture."""
    return [rgb24(clip.mp4)[:, :64, :96] for clip in clips]


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """write_folder into a new folder."""

    def make(clips: Sequence[EncodedClip], **settings) -> Path:
        return write_folder(tmp_path / f"shards-{len(list(tmp_path.iterdir()))}", clips, **settings)

    return make


@pytest.fixture(scope="session")
def write_clips() -> Callable[..., Path]:
    """write_folder, for fixtures that last longer than a test."""
    return write_folder


@pytest.fixture(scope="session")
def make_clip() -> Callable[..., EncodedClip]:
    """A function from frames (T, H, W, 3), which fill the canvas, to a clip."""

    def make(frames: np.ndarray, gop: int = GOP, layers: int = 1) -> EncodedClip:
        height, width = frames.shape[1:3]
        return clip_of(encode(frames, gop, layers), Picture(0, 0, width, height), (width, height), gop, layers)

    return make


@pytest.fixture(scope="session")
def make_frames() -> Callable[..., np.ndarray]:
    """texture_frames, for tests that encode their own clips."""
    return texture_frames


LONG_VIDEOS = (0, 0, 1, 2, 3, 3, 3, 4, 5, 6, 7, 8, 9)


@pytest.fixture(scope="session")
def long_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """13 clips of 72 to 96 frames, 64x48, of 10 videos, with motion and boxes, in three shards: enough for every method."""
    picture = Picture(0, 0, 64, 48)
    clips = [clip_of(encode(texture_frames(72 + 2 * i, (64, 48), seed=i)), picture, (64, 48)) for i in range(13)]
    members = [field_members(clip, seed) for seed, clip in enumerate(clips)]
    return write_folder(tmp_path_factory.mktemp("long") / "shards", clips, videos=LONG_VIDEOS, members=members)


@pytest.fixture(scope="session")
def every_field(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A function from members and columns to six clips of 96 frames, 64x48, that have them beside motion and boxes."""

    def make(members: Mapping[str, bytes], columns: Mapping[str, pa.DataType], values: Mapping[str, object]) -> Path:
        clips = [clip_of(encode(texture_frames(96, (64, 48), seed=i)), Picture(0, 0, 64, 48), (64, 48)) for i in range(6)]
        own = [{**field_members(clip, seed), **members} for seed, clip in enumerate(clips)]
        folder = tmp_path_factory.mktemp("fields") / "shards"
        return write_folder(folder, clips, members=own, columns=columns, values=values)

    return make


@pytest.fixture(scope="session")
def whole() -> Callable[[bytes], np.ndarray]:
    """rgb24: the reference of the loader's own decoding."""
    return rgb24


class TableIndex:
    """An index of columns alone, as far as what counts and orders clips asks for it."""

    def __init__(self, num_frames: np.ndarray, video: np.ndarray, shard: np.ndarray, columns: dict) -> None:
        self.num_frames, self.video, self.shard, self._table = num_frames, video, shard, pa.table(columns)
        self.schema = self._table.schema

    def __len__(self) -> int:
        return len(self.num_frames)

    def column(self, name: str) -> np.ndarray:
        return self._table[name].to_numpy()

    def table(self, names: Sequence[str]) -> pa.Table:
        return self._table.select(names)


@pytest.fixture(scope="session")
def make_index() -> Callable[..., TableIndex]:
    """A function from the videos of clips to an index; clips of a video are numbered in their order, each has 10 frames."""

    def make(video, *, clip_in_video=None, num_frames=10, shard=0, **columns) -> TableIndex:
        video = np.asarray(video)
        if clip_in_video is None:
            clip_in_video = [np.sum(video[:i] == one) for i, one in enumerate(video)]
        num_frames, shard = (np.broadcast_to(np.asarray(values, np.int32), video.shape) for values in (num_frames, shard))
        return TableIndex(num_frames, video, shard, {"clip_in_video": np.asarray(clip_in_video, np.int32), **columns})

    return make
