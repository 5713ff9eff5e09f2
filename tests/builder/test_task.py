"""Single tasks, without Ray: what is asked of the format reaches the shard."""

import numpy as np
import pytest

from vdata import open_shards
from vdata.builder import resolve
from vdata.builder.plan import make_plan
from vdata.builder.task import Order, build_shard
from vdata.datasets import DATASETS
from vdata.shards.rows import read_schema
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


def test_the_cells_are_those_that_the_extractors_declare(build_in):
    assert cell_names(read_schema(build_in("parquet", ())[0], 0)) == ["mp4"]
    folder, _ = build_in("parquet", ("motion",), motion={"form": "vectors"})
    assert cell_names(read_schema(folder, 0)) == ["mp4", "vectors.npz"]
    assert len(open_shards(folder)[0].motion_vectors()) == open_shards(folder)[0].row["num_frames"]
