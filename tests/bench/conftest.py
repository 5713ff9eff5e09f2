import pytest

from vdata.builder import resolve
from vdata.builder.build import missing_orders, plan_splits
from vdata.builder.plan_file import write_plan
from vdata.builder.state import open_build
from vdata.builder.task import build_shard


@pytest.fixture
def make_shards(tmp_path, make_video):
    """A function that builds a folder of small clips of so many frames, without Ray."""

    def make(*lengths):
        root, out = tmp_path / "videos", tmp_path / "shards"
        for number, num_frames in enumerate(lengths):
            make_video(f"videos/{number}.mp4", num_frames=num_frames, seed=number)
        out.mkdir()
        config = resolve("folder", settings={"clip": {"short_side": 64}})
        (plan,) = plan_splits(config, root).values()
        open_build(out, config, root, "")
        write_plan(out, plan)
        for order in missing_orders(out, plan, config, root, run=""):
            build_shard(order)
        return out

    return make


@pytest.fixture
def shards(make_shards):
    """A folder of two small clips."""
    return make_shards(30, 30)
