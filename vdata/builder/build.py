"""The build of a dataset: list, plan, run what is missing, close the folder with its index and its sums."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from vdata.builder.classes import classes_of, own_classes
from vdata.builder.config import BuildConfig, RunConfig
from vdata.builder.failures import FailureWatch, retryable_shards
from vdata.builder.lock import sole_build
from vdata.builder.on_ray import run_orders
from vdata.builder.plan import Plan, changes, extend_plan, located, make_plan, renumbered
from vdata.builder.plan_file import read_plan, write_plan
from vdata.builder.report import BuildReport, SplitReport, report_split
from vdata.builder.state import check_same_build, close_build, open_build, tool_versions
from vdata.builder.tally import Tally
from vdata.builder.task import Order, full_disk_told
from vdata.builder.watch import Watch
from vdata.config import check
from vdata.datasets import DATASETS, Classes, list_videos, splits_of
from vdata.errors import ConfigError, MediaError
from vdata.extract import EXTRACTORS
from vdata.media.duration import described_seconds
from vdata.media.url import Root
from vdata.records import Video, readable
from vdata.shards.classes import write_classes
from vdata.shards.index import write_index
from vdata.shards.layout import clear_leftovers, committed_shards
from vdata.shards.removed import read_removed
from vdata.shards.replace import finish_replacements
from vdata.shards.sums import write_folder_sums
from vdata.shards.write import merge_errors

__all__ = ["build", "finish", "missing_orders", "plan_splits"]

_log = logging.getLogger(__name__)


def build(
    config: BuildConfig,
    root: Root,
    out: Path,
    splits: Sequence[str] = (),
    run: RunConfig | None = None,
    watches: Sequence[Watch] = (),
) -> BuildReport:
    """Builds the shards of a dataset, or what is missing of them, and returns the sums.

    Args:
        config: what decides the bytes of the shards.
        root: the dataset's folder, as its owners publish it.
        out: where the shards go; a dataset with splits writes out/SPLIT.
        splits: the splits to build; none named is all.
        run: workers, cluster, and what to do about failures and new videos.
        watches: told of what happens.

    Raises:
        ConfigError: the root is not laid out as expected, a split is unknown, videos have come or gone, or the output holds
            another build or is being built.
        BuildFailedError: more videos failed than `run.max_failed` allows, or workers cannot work.
        DiskFullError: there is no room left. What is finished stays; the same call goes on.
    """
    run = run or RunConfig()
    check(not out.exists() or out.is_dir(), "--out", str(out), "must be a folder")
    for option, name in (("--out", str(out.absolute())), ("--root", str(root.absolute()))):
        # Files below the root may have any names. But pyarrow opens no other folder, and Ray dies of such a command line.
        check(readable(name) == name, option, readable(name), "must be a name in UTF-8: rename it, or make a link to it")
    for name in config.extract:
        # A model or a list that is not there is told now, not by the first worker.
        EXTRACTORS[name](config.own[name])
    with full_disk_told(out):
        return _build(_Job(config, root, out, run, watches), splits)


def plan_splits(config: BuildConfig, root: Root, splits: Sequence[str] = ()) -> dict[str, Plan]:
    """The plans by split that `build` follows; nothing is written but what a dataset generates itself.

    Raises:
        ConfigError: as `build`.
    """
    dataset = DATASETS[config.dataset](config.own[config.dataset])
    if isinstance(root, Path):
        dataset.prepare(root)
    known = splits_of(dataset, root)
    chosen = _chosen(config.dataset, known, splits)
    if absent := [split for split in dataset.splits if known and not splits and split not in known]:
        _log.warning("%s: '%s' has no list of %s: not built", config.dataset, root, " and ".join(absent))
    with _uncollected():
        plans = {
            split: make_plan(root, list_videos(config.dataset, dataset, root, split), config.plan, _film_seconds(config, root))
            for split in chosen
        }
    for split, plan in plans.items():
        if not plan.videos:
            skipped = f"; {len(plan.skipped)} entries were skipped, the first: {plan.skipped[0].message}" if plan.skipped else ""
            raise ConfigError(f"no video was found below '{root}'{f' for split {split!r}' if split else ''}{skipped}")
    return plans


def missing_orders(folder: Path, plan: Plan, config: BuildConfig, root: Root, run: str, again: Sequence[int] = ()) -> list[Order]:
    """Orders for the shards that are not committed yet, and for those to be built `again`, by the run of that name.

    Unfinished work of earlier runs has been cleared away.
    """
    finish_replacements(folder)
    clear_leftovers(folder)
    done = set(committed_shards(folder)) - set(again)
    removed, tools = read_removed(folder), tool_versions(config.extract)
    return [
        Order(folder.absolute(), root.absolute(), shard, videos, config, run, tools, removed=removed)
        for shard, videos in plan.by_shard().items()
        if shard not in done
    ]


def finish(folder: Path, plan: Plan) -> SplitReport:
    """Closes a folder whose shards are all there: errors.parquet, index, dataset.json with the sums."""
    merge_errors(folder, plan.skipped)
    write_index(folder)
    report = report_split(folder, plan)
    close_build(folder, report)
    write_folder_sums(folder)
    return report


@dataclass(frozen=True, slots=True)
class _Job:
    """What `build` was asked for."""

    config: BuildConfig
    root: Root
    out: Path
    run: RunConfig
    watches: Sequence[Watch]


def _build(job: _Job, splits: Sequence[str]) -> BuildReport:
    start = time.monotonic()
    listed = plan_splits(job.config, job.root, splits)
    folders = {split: job.out / split for split in listed}
    with ExitStack() as stack:
        runs = {split: stack.enter_context(sole_build(folder)) for split, folder in folders.items()}
        own = own_classes(job.config, job.root)
        plans = {split: _settle(plan, job, split, folders[split], own) for split, plan in listed.items()}
        orders = [order for split in plans for order in _orders(plans[split], job, folders[split], runs[split])]
        for watch in job.watches:
            watch.on_plan(plans, orders)
        for folder in folders.values():
            # Also after Ctrl-C or a full disk: half-made shards would only take room.
            stack.callback(clear_leftovers, folder)
        tally, seconds_ray, seconds_building = _run(orders, job, list(folders.values()))
        reports = {split: finish(folders[split], plan) for split, plan in plans.items()}
    return BuildReport(reports, tally, time.monotonic() - start, seconds_building, seconds_ray)


def _run(orders: Sequence[Order], job: _Job, folders: Sequence[Path]) -> tuple[Tally, float, float]:
    """Runs the orders and tells the watches; the sums, the seconds that Ray took to start and stop, and those of the tasks."""
    start = begun = ended = time.monotonic()
    failures, tally = FailureWatch(folders, orders, job.run.max_failed), Tally()

    def on_start() -> None:
        nonlocal begun, ended
        begun = ended = time.monotonic()

    def on_retry(order: Order, why: str) -> None:
        for watch in job.watches:
            watch.on_retry(order, why)

    for order, done in run_orders(orders, job.run, on_retry, on_start):
        tally += done
        ended = time.monotonic()
        for watch in job.watches:
            watch.on_shard(order, done)
        failures.check(done)
    failures.check_end()
    return tally, time.monotonic() - start - (ended - begun), ended - begun


@contextmanager
def _uncollected() -> Iterator[None]:
    """No search for garbage while the block runs: among the records of a plan there is none, and looking takes a tenth."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _chosen(name: str, known: Sequence[str], splits: Sequence[str]) -> Sequence[str]:
    """The splits to build; one empty name for a dataset that has none."""
    for split in splits:
        listed = ", ".join(known) or "none: it is built whole"
        check(split in known, "--split", split, f"must be a split of '{name}': {listed}")
    return splits or known or ("",)


def _film_seconds(config: BuildConfig, root: Root) -> Callable[[Video], float]:
    def seconds(video: Video) -> float:
        try:
            return described_seconds(root, video, config.limit)
        except MediaError:
            # The task that cuts it will say what is wrong.
            return 0.0

    return seconds


def _settle(listed: Plan, job: _Job, split: str, folder: Path, own: Classes) -> Plan:
    """The plan to follow, saved with its class lists: that of an earlier run, grown if that was asked.

    Raises:
        ConfigError: the folder holds another build, or other videos or classes than are listed.
    """
    check_same_build(folder, job.config)
    saved = read_plan(folder)
    plan = listed if saved is None else _continued(saved, listed, job, folder, settles="label" not in own)
    classes = classes_of(own, plan)
    # The config first: a plan without one could be continued with other settings.
    open_build(folder, job.config, job.root, split)
    if plan != saved:
        write_plan(folder, plan)
    write_classes(folder, classes)
    return plan


def _continued(saved: Plan, listed: Plan, job: _Job, folder: Path, *, settles: bool) -> Plan:
    """The saved plan, with what is new below the root if `append` allows it."""
    found = changes(saved, listed, settles=settles)
    # Who had a video taken out may have deleted its source too.
    removed = read_removed(folder).videos
    found = replace(found, gone=tuple(video for video in found.gone if video.video_id not in removed))
    append, config = job.run.append, job.config.plan
    check(not (append and config.limit), "--append", "with --limit", "needs the whole listing: give one of the two")
    refused = replace(found, new=(), gone=()) if append else found
    if str(refused):
        way_out = "bring them back, or build into a new --out" if refused.gone or refused.changed else "--append builds them too"
        if refused.changed and (moved := renumbered(saved, listed)):
            way_out = f"{moved}: bring the class list back, or build into a new --out"
        raise ConfigError(
            f"the videos below '{job.root}' are no longer those that '{folder}' was planned from: {refused}; {way_out}"
        )
    grown = extend_plan(job.root, saved, found.new, config, _film_seconds(job.config, job.root))
    return replace(located(grown, listed), skipped=listed.skipped)


def _orders(plan: Plan, job: _Job, folder: Path, run: str) -> list[Order]:
    finish_replacements(folder)
    again = retryable_shards(folder) if job.run.retry_failed else ()
    return missing_orders(folder, plan, job.config, job.root, run, again)
