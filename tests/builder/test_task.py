"""Single tasks, without Ray: what is asked of the format reaches the shard."""

import inspect
import io
import json
import sys

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

from vdata import open_shards
from vdata.builder import resolve
from vdata.builder.plan import make_plan
from vdata.builder.task import Order, build_shard
from vdata.datasets import DATASETS
from vdata.extract import EXTRACTORS
from vdata.records import FeatureFile, Video
from vdata.shards.rows import read_counts, read_schema
from vdata.shards.schema import cell_names

SMALL = {"clip": {"short_side": 96, "seconds": 1.0}}


@pytest.fixture
def build_in(tmp_path, make_video):
    """A function that builds three videos, one of them damaged, in one format; returns the folder and the tally."""
    root = tmp_path / "root"
    root.mkdir()
    for number in range(3):
        make_video(num_frames=30 + 20 * number, seed=number).rename(root / f"{number}.mp4")
    (root / "1.mp4").write_bytes((root / "1.mp4").read_bytes()[:300])

    def build(form, extract=("keyframes", "motion"), **settings):
        config = resolve("folder", extract, {**SMALL, **settings, "format": form})
        dataset = DATASETS["folder"](config.own["folder"])
        plan = make_plan(root, dataset.videos(root, ""), config.plan)
        ((shard, videos),) = plan.by_shard().items()
        folder = tmp_path / f"out-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        return folder, build_shard(Order(folder, root, shard, videos, config))

    return build


def test_both_formats_hold_the_same_samples(build_in):
    (tar, tar_tally), (cells, cells_tally) = build_in("tar"), build_in("parquet")
    assert tar_tally == cells_tally
    assert [path.suffix for path in sorted(cells.glob("clips-000000.*"))] == [".parquet", ".parquet", ".sha256"]
    assert len(open_shards(tar)) >= 3
    for old, new in zip(open_shards(tar), open_shards(cells), strict=True):
        assert {**new.row, "members": 0} == {**old.row, "members": 0}
        assert new.exts == ("mp4", "motion.npz")
        assert [new[ext] for ext in new.exts] == [old[ext] for ext in new.exts]
        assert np.array_equal(new.frames(), old.frames())
        assert np.array_equal(new.keyframe(0), old.keyframe(0))
    again, _ = build_in("parquet")
    assert (again / "clips-000000.parquet").read_bytes() == (cells / "clips-000000.parquet").read_bytes()


def decoded(mp4):
    with av.open(io.BytesIO(mp4)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


@pytest.mark.parametrize("form", ["tar", "parquet"])
def test_samples_of_three_layers_are_read_as_any_other(build_in, form):
    extract = ("keyframes", "motion", "curation", "slic")
    folder, tally = build_in(form, extract, clip={"layers": 3, "seconds": 1.0, "short_side": 96})
    assert tally.clips_failed == 0
    assert len(open_shards(folder)) >= 3
    for sample in open_shards(folder):
        whole, num_frames = decoded(sample["mp4"]), sample.row["num_frames"]
        assert (sample.row["structure"], sample.row["gop"], len(whole)) == ("ibbbp", 16, num_frames)
        for start, step in ((0, 1), (1, 2), (3, 4), (num_frames - 1, 1)):
            assert np.array_equal(sample.frames(start, num_frames, step), whole[start::step])
        for k, fragment in enumerate(sample.row["fragments"]):
            assert np.array_equal(sample.keyframe(k), whole[fragment["first_frame"]])
        assert len(sample.motion()[0]) == num_frames


def test_motion_is_encoded_for_those_alone_who_ask_for_it(build_in, monkeypatch):
    asked, module = [], sys.modules[build_shard.__module__]
    real = module.cut

    def cut(*args, with_motion):
        asked.append(with_motion)
        return real(*args, with_motion=with_motion)

    monkeypatch.setattr(module, "cut", cut)
    for extract, wanted in ((("keyframes",), False), (("keyframes", "curation"), True), ((), False), (("motion",), True)):
        build_in("tar", extract, clip={"layers": 3, "short_side": 96})
        assert set(asked) == {wanted}
        asked.clear()


def test_every_extractor_that_reads_motion_says_so():
    """Of those that come with vdata, by their source."""
    for name in EXTRACTORS:
        source = inspect.getsource(inspect.getmodule(EXTRACTORS[name]))
        assert EXTRACTORS[name].reads_motion == ("clip.motion" in source), name


def test_the_cells_are_those_that_the_extractors_declare(build_in):
    assert cell_names(read_schema(build_in("parquet", ())[0], 0)) == ["mp4"]
    folder, _ = build_in("parquet", ("motion",), motion={"form": "vectors"})
    assert cell_names(read_schema(folder, 0)) == ["mp4", "vectors.npz"]
    assert len(open_shards(folder)[0].motion_vectors()) == open_shards(folder)[0].row["num_frames"]


def test_rows_without_pictures(bare_folder, bare_root):
    """In both formats: everything that a row says, and members of nothing but what was extracted."""
    shards = open_shards(bare_folder)
    assert len(shards) == len(bare_root[1]) == read_counts(bare_folder, 0)["clips_written"]
    for video in bare_root[1]:
        sample = shards[f"{video.video_id}-00000"]
        row = sample.row
        nothing = (
            "num_frames",
            "width",
            "height",
            "init_size",
            "gop",
            "fps_num",
            "start_seconds",
            "end_seconds",
            "clip_in_video",
        )
        assert {row[name] for name in nothing} == {0}
        assert (row["codec"], row["structure"], row["fragments"], row["fps_den"], row["has_audio"]) == ("", "", [], 1, False)
        assert (row["source"], row["label"], row["label_name"]) == (video.source, video.label, video.label_name)
        # Extractors that need pictures are not named, and their columns are null.
        assert row["fields"] == ["text", "frame_labels", "published"]
        assert (row["keyframes"], row["motion_score"], row["blur"]) == (None, None, None)
        own = ("text.json",) if video.medium == "text" else ("labels.npy", "features.npy")
        assert tuple(ext for ext in sample.exts if ext != "json") == own
        if "json" in sample:
            assert json.loads(sample["json"]) == {name: value for name, value in row.items() if name != "members"}


def test_a_source_without_pictures_that_is_not_there_is_a_failure_of_its_own(bare_root, build_listed, tmp_path):
    root, videos = bare_root
    gone = [Video("gone", "gone.npy", medium="features", features=FeatureFile("gone.npy"))]
    gone += [Video("short", "all.txt", medium="text", byte_range=(10, 10**6))]
    folder = build_listed(root, [*videos, *gone], tmp_path / "out", ("text", "published"))
    assert len(open_shards(folder)) == len(videos)
    failed = pq.read_table(folder / "errors.parquet").to_pylist()
    assert sorted((row["video_id"], row["key"], row["reason"]) for row in failed) == [
        ("gone", None, "missing"),
        ("short", None, "bad_range"),
    ]
