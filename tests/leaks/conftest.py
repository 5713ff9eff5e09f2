"""Shards and near copies for the check."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import pyarrow.parquet as pq
import pytest

from vdata.builder import resolve
from vdata.builder.build import finish, missing_orders, plan_splits
from vdata.builder.plan_file import write_plan
from vdata.builder.state import open_build
from vdata.builder.task import build_shard
from vdata.shards import write_index
from vdata.shards.rows import write_rows


def build_folder(root: Path, out: Path, **clip) -> Path:
    """The videos below `root` as a complete shard folder, built without Ray."""
    config = resolve("folder", settings={"clip": {"short_side": 96, **clip}})
    (plan,) = plan_splits(config, root).values()
    out.mkdir(parents=True)
    open_build(out, config, root, "")
    write_plan(out, plan)
    for order in missing_orders(out, plan, config, root, run=""):
        build_shard(order)
    finish(out, plan)
    return out


def convert_video(
    source: Path, place: Path, filters: str = "null", *, crf: int = 23, start: float = 0, seconds: float = 6
) -> None:
    """Another encode of a video, through ffmpeg's filters."""
    place.parent.mkdir(parents=True, exist_ok=True)
    cut = ("-ss", str(start), "-t", str(seconds), "-i", str(source))
    even = f"{filters},scale=trunc(iw/2)*2:trunc(ih/2)*2"
    encode = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-threads", "1", "-crf", str(crf))
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *cut, "-an", "-vf", even, *encode, str(place)]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def build() -> Callable[..., Path]:
    return build_folder


@pytest.fixture
def convert() -> Callable[..., None]:
    return convert_video


@pytest.fixture
def set_columns() -> Callable[..., None]:
    """A function that gives the clips of a folder other values, from their video_id."""

    def set_values(folder: Path, **columns: Callable[[str], object]) -> None:
        for path in folder.glob("clips-*[0-9].parquet"):
            table = pq.read_table(path)
            ids = table["video_id"].to_pylist()
            for name, value in columns.items():
                field = table.schema.field(name)
                own = [value(video_id) for video_id in ids]
                table = table.set_column(table.schema.get_field_index(name), field, [own])
            write_rows(path, table)
        write_index(folder)

    return set_values
