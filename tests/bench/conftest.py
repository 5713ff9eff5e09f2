import pytest

from vdata.builder import resolve
from vdata.builder.build import missing_orders, plan_splits
from vdata.builder.plan_file import write_plan
from vdata.builder.state import open_build
from vdata.builder.task import build_shard


@pytest.fixture
def shards(tmp_path, make_video):
    """A folder of two small clips, built without Ray."""
    root, out = tmp_path / "videos", tmp_path / "shards"
    for number in range(2):
        make_video(f"videos/{number}.mp4", num_frames=30, seed=number)
    out.mkdir()
    config = resolve("folder", settings={"clip": {"short_side": 64}})
    (plan,) = plan_splits(config, root).values()
    open_build(out, config, root, "")
    write_plan(out, plan)
    for order in missing_orders(out, plan, config, root, run=""):
        build_shard(order)
    return out
