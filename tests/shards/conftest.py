"""Small shard folders, whose clips come from an encoder that is not vdata's own."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import fsspec
import numpy as np
import pytest

from vdata.media.clip import EncodedClip
from vdata.media.mp4 import boxes, packets
from vdata.media.origin import Origin
from vdata.records import Failure, Fragment, Keyframe, Picture, Video
from vdata.shards import ShardWriter, clip_columns, clip_key, row_schema

GOP = 12


def encode(num_frames: int, seed: int = 0, size: tuple[int, int] = (64, 48), fps: Fraction = Fraction(25)) -> bytes:
    """Fragmented MP4 of a moving texture, one fragment a GOP."""
    rng = np.random.default_rng(seed)
    texture = np.kron(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8), np.ones((4, 4, 1), np.uint8))
    buffer = io.BytesIO()
    options = {"movflags": "frag_keyframe+empty_moov+default_base_moof+skip_trailer", "fflags": "+bitexact"}
    with av.open(buffer, "w", format="mp4", options=options) as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.thread_count = 1
        params = f"keyint={GOP}:min-keyint={GOP}:scenecut=0:bframes=0:ref=1:threads=1"
        stream.options = {"preset": "veryfast", "crf": "20", "x264-params": params}
        for t in range(num_frames):
            image = np.roll(texture, (t, 2 * t), (0, 1))[: size[1], : size[0]]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def clip_of(mp4: bytes, fps: Fraction = Fraction(25), size: tuple[int, int] = (64, 48)) -> EncodedClip:
    """What is known of such an MP4; the picture is smaller than the canvas."""
    fragments, keyframes, frame = [], [], 0
    found = list(boxes(mp4))
    init_size = next(box.start for box in found if box.kind == b"moof")
    for moof, mdat in itertools.pairwise(found):
        if moof.kind == b"moof":
            pictures = packets(mp4[moof.start : mdat.end])
            fragments.append(Fragment(frame, moof.start, mdat.end - moof.start))
            keyframes.append(Keyframe(frame, moof.start + pictures[0].offset, pictures[0].size))
            frame += len(pictures)
    return EncodedClip(
        mp4=mp4,
        init_size=init_size,
        fragments=tuple(fragments),
        keyframes=tuple(keyframes),
        num_frames=frame,
        fps=fps,
        width=size[0],
        height=size[1],
        picture=Picture(0, 0, size[0] - 2, size[1] - 4),
        structure="ip",
        gop=GOP,
        clip_in_video=0,
        start_seconds=0.0,
        end_seconds=float(frame / fps),
        source_width=size[0] - 2,
        source_height=size[1] - 4,
        has_audio=False,
        origin=Origin(Path(), Video("v", "v.mp4")),
    )


def row_of(clip: EncodedClip, number: int, **changes) -> dict:
    row = clip_columns(clip) | {
        "index": number,
        "video_id": f"video {number}",
        "video_index": number,
        "dataset": "test",
        "split": "",
        "splits": ["train1"],
        "label": number % 3,
        "labels": [number % 3],
        "label_name": f"class {number % 3}",
        "source": f"a/video {number}.mp4",
        "fields": [],
    }
    return row | changes


@pytest.fixture(scope="session")
def mp4s() -> list[bytes]:
    """Six clips: several GOPs, exactly one, a part of one, one frame, one frame into a second GOP."""
    return [encode(num_frames, seed) for seed, num_frames in enumerate((30, 12, 7, 1, 13, 24))]


@pytest.fixture(scope="session")
def clips(mp4s: list[bytes]) -> list[EncodedClip]:
    """What is known of the six."""
    return [clip_of(mp4) for mp4 in mp4s]


@pytest.fixture(scope="session")
def make_row() -> Callable[..., dict]:
    """row_of, for tests that write their own shards."""
    return row_of


@pytest.fixture
def write_shards(clips: list[EncodedClip]) -> Callable[..., Path]:
    """A function that fills a folder with shards of the six clips, `per_shard` to each, and a text member on every second."""

    def write(folder: Path, *, per_shard: int = 4, extra: dict[str, bytes] | None = None, parquet: bool = False) -> Path:
        schema = row_schema(cells=["mp4", "text.json", *(extra or {})] if parquet else ())
        for shard, start in enumerate(range(0, len(clips), per_shard)):
            writer = ShardWriter(folder, shard, schema)
            for number in range(start, min(start + per_shard, len(clips))):
                clip = clips[number]
                members = {"mp4": clip.mp4}
                if number % 2 == 0:
                    members |= {"text.json": b'{"number":%d}' % number, **(extra or {})}
                row = row_of(clip, number)
                writer.add(clip_key(row["video_id"], 0), row, members)
            writer.fail(Failure("a/bad.mp4", "bad", None, "cut", "no_frames", f"broken in shard {shard}"))
            writer.commit()
        return folder

    return write


@pytest.fixture
def shard_folder(write_shards: Callable[..., Path], tmp_path: Path) -> Path:
    """Two shards of four and two clips."""
    return write_shards(tmp_path / "shards")


@pytest.fixture
def objects() -> Iterator[fsspec.AbstractFileSystem]:
    """fsspec's store in memory, empty; what the S3 server would do slowly."""
    objects = fsspec.filesystem("memory")
    yield objects
    if objects.exists("/pre"):
        objects.rm("/pre", recursive=True)


@pytest.fixture
def put(objects: fsspec.AbstractFileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """A function that copies a shard folder there and returns its URL."""
    monkeypatch.setenv("VDATA_CACHE", str(tmp_path / "cache"))

    def put(folder: Path, name: str = "train") -> str:
        objects.pipe(
            {f"/pre/{name}/{path.relative_to(folder)}": path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}
        )
        return f"memory://pre/{name}"

    return put
