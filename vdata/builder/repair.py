"""Damaged shards made whole: what follows from other files at once, the rest built again from the sources.

A shard is built beside its folder's shards and compared with what is left of the old one. It takes the old one's place only if
every clip that the old rows promise has come back bit for bit; otherwise the old one stays as it is.
"""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from vdata.builder.added import AddedFields
from vdata.builder.build import finish, plan_splits
from vdata.builder.config import BuildConfig, RunConfig
from vdata.builder.lock import sole_build
from vdata.builder.on_ray import run_orders
from vdata.builder.plan import Plan, located
from vdata.builder.plan_file import read_plan
from vdata.builder.state import check_same_build, config_of, tool_versions
from vdata.builder.task import Order, full_disk_told
from vdata.config import check
from vdata.errors import ConfigError, CorruptShardError
from vdata.media.source import is_gone, is_remote
from vdata.media.url import Root, parse_root
from vdata.shards.classes import CLASSES_FILE
from vdata.shards.dataset_json import DATASET_JSON, read_dataset_json
from vdata.shards.derived import mend_derived
from vdata.shards.index import write_index
from vdata.shards.layout import (
    ERRORS,
    PLAN_FILE,
    ROWS,
    TAR,
    TEMPORARY,
    clear_work,
    committed_shards,
    discard,
    shard_name,
    shard_path,
)
from vdata.shards.removed import REMOVED_FILE, read_removed
from vdata.shards.replace import finish_replacements, replace_shard
from vdata.shards.rows import read_rows
from vdata.shards.sums import FOLDER_SUMS, SUMS, file_sha256, read_sums
from vdata.shards.tar import read_members
from vdata.shards.verify import VerifyReport, verify, verify_folders

__all__ = ["RepairReport", "ShardRepair", "repair"]


class ShardRepair(NamedTuple):
    """What became of one damaged shard."""

    shard: str
    """As `clips-000000`."""
    mended: bool
    what: str
    """How it was mended and whether the original bytes came back, or why it was left as it is."""


@dataclass(frozen=True, slots=True)
class RepairReport:
    """The folder before and after, and the shards that were worked on."""

    before: VerifyReport
    after: VerifyReport
    shards: tuple[ShardRepair, ...]


def repair(
    folder: Path,
    *,
    root: Root | None = None,
    run: RunConfig | None = None,
    decode: bool = False,
    workers: int = 1,
    on_shard: Callable[[int, int], None] | None = None,
) -> RepairReport:
    """What was damaged in a shard folder, what was done about it, and what is damaged still.

    Args:
        folder: one shard folder.
        root: where the sources are now; None is where dataset.json says they were.
        run: workers and cluster for what must be built again.
        decode: as `verify`.
        workers: as `verify`.
        on_shard: as `verify`.

    Raises:
        ShardError: the folder holds no shard.
        ConfigError: it is a folder of splits or is being built; or shards must be built again, and the tools are not those of
            the build, so that other bytes would come.
        BuildFailedError: workers cannot work, or there is no room left.
    """
    check(verify_folders(folder) == [folder], "folder", str(folder), "must be one shard folder: repair the splits one by one")
    with full_disk_told(folder), sole_build(folder):
        finish_replacements(folder)
        before = verify(folder, decode=decode, workers=workers, on_shard=on_shard)
        if before.ok:
            return RepairReport(before, before, ())
        done = _Repair(folder, before, root, run or RunConfig()).run()
        bad = {damage.shard for damage in before.damaged}
        known = [check for check in before.checks if shard_name(check.shard) not in bad]
        after = verify(folder, decode=decode, workers=workers, known=known)
    return RepairReport(before, after, tuple(done))


class _Repair:
    """One folder's repair."""

    def __init__(self, folder: Path, before: VerifyReport, root: Root | None, run: RunConfig) -> None:
        self._folder, self._root, self._run = folder, root, run
        self._damaged: dict[int, set[str]] = {}
        for damage in before.damaged:
            if damage.shard:
                self._damaged.setdefault(int(damage.shard.removeprefix("clips-")), set()).add(damage.file)
        self._doubtful = _doubtful(folder)

    def run(self) -> list[ShardRepair]:
        """Mends shard by shard what can be mended, then the folder's own files."""
        done, due = [], []
        for shard, files in sorted(self._damaged.items()):
            if mend_derived(self._folder, shard, files):
                what = f"made anew from the other files: {', '.join(sorted(files))}"
                done.append(ShardRepair(shard_name(shard), mended=True, what=what))
            else:
                due.append(shard)
        done += self._rebuild(due) if due else []
        self._close({item.shard for item in done if not item.mended})
        return sorted(done)

    def _rebuild(self, due: Sequence[int]) -> Iterator[ShardRepair]:
        """Builds shards again, and says what became of each."""
        if self._doubtful:
            yield from (_left(shard, f"{' and '.join(self._doubtful)} must be restored first") for shard in due)
            return
        content, plan = read_dataset_json(self._folder), read_plan(self._folder)
        if content is None or plan is None:
            raise ConfigError(
                f"'{self._folder}' has no {DATASET_JSON} or no {PLAN_FILE}, by which shards are built again: restore it"
            )
        config = config_of(content)
        check_same_build(self._folder, config)
        root = (self._root or parse_root(content.root)).absolute()
        plan = _with_locations(plan, config, root, content.split)
        orders, added = [], AddedFields(self._folder, content, plan, root)
        for shard in due:
            order = self._order(shard, plan, config, root)
            if not order.videos and not shard_path(self._folder, shard, ROWS).exists():
                discard(self._folder, shard)
                yield ShardRepair(shard_name(shard), mended=True, what="cleared: neither plan nor row file knows it")
            elif added.alone(shard, self._damaged[shard]) and not added.lost(shard, self._damaged[shard]):
                orders.append(order)
            elif gone := _gone(self._folder, order) if order.videos else [f"{PLAN_FILE} does not name it"]:
                yield _left(shard, f"{_listed(gone)}; --root says where they are now")
            elif lost := added.lost(shard, self._damaged[shard]):
                yield _left(shard, f"its {_listed(lost)} are damaged: make them anew first, `vdata add {lost[0]} --again`")
            else:
                orders.append(order)
        yield from self._built(orders, added)

    def _order(self, shard: int, plan: Plan, config: BuildConfig, root: Root) -> Order:
        """The order of one shard, built in a folder of its own."""
        work = self._folder.absolute() / TEMPORARY / f"repair-{shard_name(shard)}"
        videos, removed = plan.by_shard().get(shard, ()), read_removed(self._folder)
        return Order(work, root, shard, videos, config, tools=tool_versions(config.extract), removed=removed)

    def _built(self, orders: Sequence[Order], added: AddedFields) -> Iterator[ShardRepair]:
        with ExitStack() as stack:
            for order in orders:
                shutil.rmtree(order.folder, ignore_errors=True)
                order.folder.mkdir(parents=True)
                stack.callback(shutil.rmtree, order.folder, ignore_errors=True)
            linked = [order for order in orders if added.alone(order.shard, self._damaged[order.shard])]
            for order in linked:
                added.link_whole(order.shard, self._damaged[order.shard], order.folder)
            made = linked + [order for order, _ in run_orders([order for order in orders if order not in linked], self._run)]
            added.add(made, self._damaged, self._run)
            for order in made:
                yield self._settle(order, "its added fields made again" if order in linked else "built again")

    def _settle(self, order: Order, how: str) -> ShardRepair:
        """Puts a shard that was built again into the old one's place, or leaves the old one."""
        name = shard_name(order.shard)
        rows_whole = name + ROWS not in self._damaged[order.shard]
        if other := (_other_members if rows_whole else _lost_names)(self._folder, order):
            return _left(order.shard, f"built again, these came out otherwise: {_listed(other)}; have their sources changed?")
        what = f"{how}: {_compared(self._folder, order)}"
        replace_shard(self._folder, order.shard, order.folder)
        return ShardRepair(name, mended=True, what=what)

    def _close(self, left: set[str]) -> None:
        """What belongs to no shard: leftovers cleared, errors.parquet, index and sums made anew where all row files allow it."""
        clear_work(self._folder)
        needed = {name + suffix for name in left for suffix in (ROWS, ERRORS)}
        if needed & {file for files in self._damaged.values() for file in files} or not committed_shards(self._folder):
            return
        plan = None if self._doubtful else read_plan(self._folder)
        if plan is not None and set(plan.by_shard()) <= set(committed_shards(self._folder)):
            finish(self._folder, plan)
        else:
            write_index(self._folder)


def _left(shard: int, why: str) -> ShardRepair:
    return ShardRepair(shard_name(shard), mended=False, what=f"left as it is: {why}")


def _doubtful(folder: Path) -> list[str]:
    """Files that a build alone writes, and that are not as they were written."""
    try:
        sums = read_sums(folder / FOLDER_SUMS)
    except (FileNotFoundError, CorruptShardError):
        return []
    # Closing the folder would take a damaged class list's hash for the right one.
    names = [name for name in (CLASSES_FILE, DATASET_JSON, PLAN_FILE, REMOVED_FILE) if name in sums]
    return [name for name in names if not (folder / name).exists() or file_sha256(folder / name) != sums[name]]


def _with_locations(plan: Plan, config: BuildConfig, root: Root, split: str) -> Plan:
    """The plan with what it does not save: signed URLs. Local sources need no new listing."""
    if not any(is_remote(root, planned.video.source) for planned in plan.videos):
        return plan
    return located(plan, plan_splits(config, root, [split] if split else [])[split])


def _gone(folder: Path, order: Order) -> list[str]:
    """The sources of an order that are not there and were when the shard was built. Remote ones are not asked for here."""
    try:
        rows = read_rows(folder, order.shard, ["video_id", "reason"], suffix=ERRORS).to_pylist()
    except (CorruptShardError, FileNotFoundError):
        rows = []
    failed = {row["video_id"] for row in rows if row["reason"] == "missing"} | order.removed.videos
    wanted = [planned.video for planned in order.videos if planned.part == 0 and planned.video.video_id not in failed]
    return [f"'{video.source}' is not below '{order.root}'" for video in wanted if is_gone(order.root, video)]


def _members(folder: Path, shard: int) -> dict[tuple[str, str], str]:
    """SHA-256 of every member by key and extension, as the rows say."""
    rows = read_rows(folder, shard, ["key", "members"]).to_pylist()
    return {(row["key"], member["name"]): member["sha256"] for row in rows for member in row["members"]}


def _other_members(folder: Path, order: Order) -> list[str]:
    """What the old rows promise and the new shard does not hold."""
    new, old = _members(order.folder, order.shard), _members(folder, order.shard)
    kept = {place: digest for place, digest in old.items() if place[0] not in order.removed.keys}
    return [f"{key}.{ext}" for (key, ext), digest in kept.items() if new.get((key, ext)) != digest]


def _lost_names(folder: Path, order: Order) -> list[str]:
    """What the old tar holds and the new shard does not, where the old rows cannot be asked."""
    try:
        names = [member.name for member in read_members(shard_path(folder, order.shard, TAR))]
    except (tarfile.TarError, OSError):
        return []
    new = {f"{key}.{ext}" for key, ext in _members(order.folder, order.shard)}
    return [name for name in names if name not in new and name.partition(".")[0] not in order.removed.keys]


def _compared(folder: Path, order: Order) -> str:
    """Whether the files that were built are those that were lost, by the old checksum file."""
    name = shard_name(order.shard)
    new = read_sums(order.folder / (name + SUMS))
    try:
        old = read_sums(folder / (name + SUMS))
    except (FileNotFoundError, CorruptShardError):
        return "the old checksums are lost too, so whether the bytes are the original ones cannot be told"
    other = sorted(file for file in {*old, *new} if old.get(file) != new.get(file))
    return f"other bytes than the original ones in {', '.join(other)}" if other else "the original bytes came back"


def _listed(items: Sequence[str]) -> str:
    shown = 5
    more = f" and {len(items) - shown} more" if len(items) > shown else ""
    return ", ".join(items[:shown]) + more
