"""The build of a dataset: list, plan, run what is missing, close the folder with its index and its sums."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from vdata.builder.config import BuildConfig, RunConfig
from vdata.builder.on_ray import run_orders
from vdata.builder.plan import Plan, make_plan, read_plan, write_plan
from vdata.builder.report import BuildReport, SplitReport, report_split
from vdata.builder.state import check_same_build, close_build, open_build, sole_build
from vdata.builder.task import Order, Tally
from vdata.config import check
from vdata.datasets import DATASETS, Dataset
from vdata.errors import ConfigError
from vdata.shards.index import write_index
from vdata.shards.layout import clear_leftovers, committed_shards
from vdata.shards.write import merge_errors

__all__ = ["build", "plan_splits"]

OnShard = Callable[[Order, Tally], None]


def build(
    config: BuildConfig,
    root: Path,
    out: Path,
    splits: Sequence[str] = (),
    run: RunConfig | None = None,
    on_plan: Callable[[dict[str, Plan], list[Order]], None] | None = None,
    on_shard: OnShard | None = None,
) -> BuildReport:
    """Builds the shards of a dataset, or what is missing of them, and returns the sums.

    Args:
        config: what decides the bytes of the shards.
        root: the dataset's folder, as its owners publish it.
        out: where the shards go; a dataset with splits writes out/SPLIT.
        splits: the splits to build; none named is all.
        run: workers and cluster.
        on_plan: called once with the plans by split and the orders for what is not there yet.
        on_shard: called after every commit.

    Raises:
        ConfigError: the root is not laid out as expected, a split is unknown, or the output holds another build or is
            being built.
    """
    run = run or RunConfig()
    start = time.monotonic()
    check(not out.exists() or out.is_dir(), "--out", str(out), "must be a folder")
    plans = plan_splits(config, root, splits)
    folders = {split: out / split for split in plans}
    with ExitStack() as locks:
        for split, plan in plans.items():
            locks.enter_context(sole_build(folders[split]))
            _settle(plan, config, root, split, folders[split])
        orders = [order for split, plan in plans.items() for order in _missing(plan, config, root, folders[split])]
        if on_plan:
            on_plan(plans, orders)
        building = time.monotonic()
        tally = Tally()
        for order, done in run_orders(orders, run):
            tally += done
            if on_shard:
                on_shard(order, done)
        seconds_building = time.monotonic() - building
        reports = {split: _finish(plan, folders[split]) for split, plan in plans.items()}
    return BuildReport(reports, tally, time.monotonic() - start, seconds_building)


def plan_splits(config: BuildConfig, root: Path, splits: Sequence[str] = ()) -> dict[str, Plan]:
    """The plans by split that `build` follows; nothing is written but what a dataset generates itself.

    Raises:
        ConfigError: as `build`.
    """
    dataset = DATASETS[config.dataset](config.own[config.dataset])
    dataset.prepare(root)
    chosen = _chosen(config.dataset, dataset, splits)
    plans = {split: make_plan(root, dataset.videos(root, split), config.plan) for split in chosen}
    for split, plan in plans.items():
        if not plan.videos:
            skipped = f"; {len(plan.skipped)} entries were skipped, the first: {plan.skipped[0].message}" if plan.skipped else ""
            raise ConfigError(f"no video was found below '{root}'{f' for split {split!r}' if split else ''}{skipped}")
    return plans


def _chosen(name: str, dataset: Dataset, splits: Sequence[str]) -> Sequence[str]:
    """The splits to build; one empty name for a dataset that has none."""
    for split in splits:
        known = ", ".join(dataset.splits) or "none: it is built whole"
        check(split in dataset.splits, "--split", split, f"must be a split of '{name}': {known}")
    return splits or dataset.splits or ("",)


def _settle(plan: Plan, config: BuildConfig, root: Path, split: str, folder: Path) -> None:
    """Makes the folder this build's own, or finds that it is; an output that holds another build is refused."""
    check_same_build(folder, config)
    saved = read_plan(folder)
    if saved is not None and saved.digest != plan.digest:
        raise ConfigError(
            f"the videos below '{root}' are no longer those that '{folder}' was planned from "
            f"({len(saved.videos)} then, {len(plan.videos)} now): build into a new --out"
        )
    # The config first: a plan without one could be continued with other settings.
    open_build(folder, config, split)
    if saved is None:
        write_plan(folder, plan)


def _missing(plan: Plan, config: BuildConfig, root: Path, folder: Path) -> list[Order]:
    """Orders for the shards that are not committed yet, after unfinished work has been cleared away."""
    clear_leftovers(folder)
    done = set(committed_shards(folder))
    return [
        Order(folder.absolute(), root.absolute(), shard, videos, config)
        for shard, videos in plan.by_shard().items()
        if shard not in done
    ]


def _finish(plan: Plan, folder: Path) -> SplitReport:
    merge_errors(folder, plan.skipped)
    write_index(folder)
    report = report_split(folder, plan)
    close_build(folder, report)
    return report
