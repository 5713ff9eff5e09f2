"""A small finished shard folder, built without Ray."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import vdata.builder.added
import vdata.builder.repair
from vdata.builder import resolve
from vdata.builder.add import Addition, AddReport, add
from vdata.builder.build import finish, missing_orders, plan_splits
from vdata.builder.lock import sole_build
from vdata.builder.plan_file import write_plan
from vdata.builder.state import open_build
from vdata.builder.task import Order, build_shard

SMALL = {"clip": {"short_side": 64, "seconds": 0.5, "gop": 6, "min_seconds": 0.1}, "plan": {"shard_mb": 0.03}}


@pytest.fixture
def small_root(tmp_path: Path, make_video: Callable[..., Path]) -> Path:
    """Four videos of one to four clips, and one that is none."""
    for number in range(4):
        make_video(f"root/{'ab'[number % 2]}/v{number}.mp4", num_frames=13 * (number + 1), size=(96, 64), seed=number)
    (tmp_path / "root/a/broken.mp4").write_bytes(b"no video at all")
    return tmp_path / "root"


@pytest.fixture
def build_here() -> Callable[..., Path]:
    """A function that builds a root into a folder in this process, by the builder's own parts; it goes on with what is there."""

    def build(root: Path, out: Path, extract: tuple[str, ...] | None = None, **settings: object) -> Path:
        config = resolve("folder", extract, settings=SMALL | settings)
        (plan,) = plan_splits(config, root).values()
        with sole_build(out) as run:
            open_build(out, config, root, "")
            write_plan(out, plan)
            for order in missing_orders(out, plan, config, root, run):
                build_shard(order)
            finish(out, plan)
        return out

    return build


@pytest.fixture
def out(build_here: Callable[..., Path], small_root: Path, tmp_path: Path) -> Path:
    """The finished folder of those videos: several shards, one of them with several clips."""
    return build_here(small_root, tmp_path / "out")


@pytest.fixture
def orders_run_here(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Repair builds in this process; the numbers of the shards that it built."""
    built: list[int] = []

    def run_orders(orders, run):
        del run
        for order in orders:
            if isinstance(order, Order):
                built.append(order.shard)
            yield order, order.execute()

    for module in (vdata.builder.repair, vdata.builder.added):
        monkeypatch.setattr(sys.modules[module.__name__], "run_orders", run_orders)
    return built


@pytest.fixture
def add_here() -> Callable[..., AddReport]:
    """A function that adds a field to a folder in this process."""

    def run_here(orders, run):
        del run
        return ((order, order.execute()) for order in orders)

    def add_field(folder: Path, name: str, settings: Mapping[str, object] | None = None, **options: object) -> AddReport:
        return add([folder], Addition.of(name, settings or {}), run_orders=run_here, **options)[0]

    return add_field


@pytest.fixture
def contents() -> Callable[[Path], dict[str, bytes]]:
    """A function that reads every file of a shard folder but the index, whose stamp has the row files' times."""

    def read(folder: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")}

    return read
