"""A field for shards that stand already: computed from the stored clips, on Ray, a shard a task, without another transcode.

The same command goes on after an interruption: a shard's row file says which fields were added to it, with what settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vdata.builder.add_task import AddOrder
from vdata.builder.build import finish, plan_splits
from vdata.builder.config import RunConfig
from vdata.builder.lock import sole_build
from vdata.builder.on_ray import run_orders
from vdata.builder.plan import Plan, located
from vdata.builder.plan_file import read_plan
from vdata.builder.state import config_of, note_added, tool_versions
from vdata.builder.tally import Tally
from vdata.builder.task import full_disk_told
from vdata.config import from_mapping, to_mapping
from vdata.errors import ConfigError
from vdata.extract import EXTRACTORS
from vdata.media.source import is_remote
from vdata.media.url import Root, parse_root
from vdata.shards.amend import FieldWriter, add_stage
from vdata.shards.dataset_json import DATASET_JSON, DatasetJson, read_dataset_json
from vdata.shards.index import write_index
from vdata.shards.layout import ERRORS, PLAN_FILE, clear_work, committed_shards, shard_name
from vdata.shards.replace import finish_replacements
from vdata.shards.rows import read_added, read_rows

__all__ = ["AddReport", "Addition", "add", "added_orders", "note_of"]

RunOrders = Callable[[Sequence[AddOrder], RunConfig], Iterator[tuple[AddOrder, Tally]]]
"""What turns orders into tallies: run_orders, or an engine of its own as of features."""


@dataclass(frozen=True, slots=True)
class Addition:
    """A field to add."""

    name: str
    """In EXTRACTORS, and the suffix of the new tars."""
    config: Any
    """The extractor's own Config."""
    tools: Mapping[str, str]
    """Versions of what decides the members' bytes."""
    exts: tuple[str, ...] = ()
    """Of the members, by which a shard that has them already is known before anything is begun."""
    reads_source: bool = False
    """Whether the source's own bytes are needed."""

    @classmethod
    def of(cls, name: str, settings: Mapping[str, Any] | None = None) -> Addition:
        """The field of an extractor, with its own settings by key.

        Raises:
            UnknownNameError: no extractor has that name, or its Config no such key.
            ConfigError: a value breaks its rule.
        """
        config: Any = from_mapping(EXTRACTORS[name].Config, settings or {}, f"{name}.")
        # A model or a list that is not there is told now, not by the first worker.
        extractor = EXTRACTORS[name](config)
        exts = tuple(field.ext for field in extractor.fields)
        return cls(name, config, tool_versions((name,)), exts, EXTRACTORS[name].reads_source)


@dataclass(frozen=True, slots=True)
class AddReport:
    """What was added to one folder."""

    folder: Path
    name: str
    shards: int
    """That were worked on."""
    standing: int
    """That had the field already."""
    tally: Tally
    """Of the shards that were worked on: clips_planned = clips_written + clips_failed, and the bytes of the new members."""

    def to_mapping(self) -> dict[str, Any]:
        """Plain values, for --json."""
        tally = self.tally
        sums = {"clips": tally.clips_planned, "added": tally.clips_written, "failed": tally.clips_failed}
        more = {"frames": tally.frames, "bytes": tally.bytes, "reasons": dict(tally.reasons)}
        return {"folder": str(self.folder), "field": self.name, "shards": self.shards, "standing": self.standing, **sums, **more}


def add(
    folders: Sequence[Path],
    addition: Addition,
    *,
    root: Root | None = None,
    run: RunConfig | None = None,
    again: bool = False,
    on_shard: Callable[[int, int], None] | None = None,
    run_orders: RunOrders = run_orders,
) -> list[AddReport]:
    """What was added to each shard folder. The clips' own files are not touched; readers see a shard with the field or without.

    Args:
        folders: shard folders, as the splits of one dataset.
        addition: the field.
        root: where the sources are now, for fields that need them; None is where dataset.json says they were.
        run: workers and cluster; `retry_failed` works again on the clips that failed and that another try may mend.
        again: whether every shard gets the field anew; otherwise other settings or tools than those it was made with are refused.
        on_shard: called after every shard, with the shards done and all that were due.
        run_orders: what runs the tasks.

    Raises:
        ConfigError: a folder is being built, was not made by `vdata build`, or has the field with other settings or tools.
        CorruptShardError: a stored clip is damaged; nothing of its shard has changed.
        BuildFailedError: workers cannot work.
        DiskFullError: there is no room; what is finished stays, and the same call goes on.
    """
    run = run or RunConfig()
    with full_disk_told(folders[0]), ExitStack() as locks:
        runs = {folder: locks.enter_context(sole_build(folder)) for folder in folders}
        jobs = [_Job(folder, addition, root, run, runs[folder], again=again) for folder in folders]
        for job in jobs:
            # Also after Ctrl-C or a full disk: half-made tars would only take room.
            locks.callback(clear_work, job.folder)
            job.begin()
        orders = [order for job in jobs for order in job.orders]
        for done, (order, tally) in enumerate(run_orders(orders, run), start=1):
            next(job for job in jobs if job.folder.absolute() == order.folder).note(tally)
            if on_shard:
                on_shard(done, len(orders))
        return [job.end() for job in jobs]


def note_of(addition: Addition) -> dict[str, Any]:
    """What is kept in dataset.json and with the rows of what a field was made with."""
    return {"config": to_mapping(addition.config), "tools": dict(addition.tools)}


def added_orders(
    folder: Path, shard: int, content: DatasetJson, plan: Plan, root: Root, notes: Mapping[str, Mapping[str, Any]]
) -> list[AddOrder]:
    """Orders that make the added fields of a shard once more, in this order, with the settings that their notes have."""
    limits, videos = config_of(content).limit, _videos(plan, shard)
    orders = []
    for name, note in notes.items():
        addition = Addition.of(name, note["config"])
        orders.append(AddOrder(folder.absolute(), root, shard, videos, name, addition.config, note_of(addition), limits))
    return orders


class _Job:
    """One folder's share."""

    def __init__(self, folder: Path, addition: Addition, root: Root | None, run: RunConfig, name: str, *, again: bool) -> None:
        self.folder, self._addition, self._run, self._again = folder, addition, run, again
        finish_replacements(folder)
        content, plan = read_dataset_json(folder), read_plan(folder)
        if content is None or plan is None:
            raise ConfigError(f"'{folder}' has no {DATASET_JSON} or no {PLAN_FILE}: only what `vdata build` made can be added to")
        self._content, self._plan = content, plan
        self._root = (root or parse_root(content.root)).absolute()
        self._note = note_of(addition)
        due = self._due()
        self.standing = len(committed_shards(folder)) - len(due)
        limits = config_of(content).limit
        located_plan = self._located(plan) if due else plan
        if due:
            self._check_possible(due[0])
        self.orders = [
            AddOrder(
                folder.absolute(), self._root, shard, _videos(located_plan, shard), addition.name, addition.config, self._note,
                limits, name, attempt=1, keep=not again,
            )
            for shard in due
        ]  # fmt: skip
        self._tally = Tally()

    def _check_possible(self, shard: int) -> None:
        """Nothing, or the error of what no task could do; nothing has been changed.

        Raises:
            ConfigError: the sources are needed, and their folder is not there.
            SchemaMismatchError: the shards were built with members of those names.
        """
        if self._addition.reads_source and isinstance(self._root, Path) and not self._root.exists():
            raise ConfigError(
                f"{self._addition.name} reads the sources, and '{self._root}' is not there: give --root, where they are"
            )
        FieldWriter(self.folder, shard, self._addition.name, self._addition.exts, (), self._note).abort()

    def begin(self) -> None:
        """Notes in dataset.json what is being added; clears away what an interrupted run left."""
        clear_work(self.folder)
        if self.orders:
            note_added(self.folder, self._content, self._addition.name, self._note)

    def note(self, tally: Tally) -> None:
        """Adds a shard's sums."""
        self._tally += tally

    def end(self) -> AddReport:
        """Closes the folder, where something has changed or an earlier run was cut off before it did."""
        content = read_dataset_json(self.folder)
        if self.orders or (content is not None and content.state == "building"):
            if set(self._plan.by_shard()) <= set(committed_shards(self.folder)):
                finish(self.folder, self._plan)
            else:
                # The build is not complete: whoever goes on with it will close it.
                write_index(self.folder)
        return AddReport(self.folder, self._addition.name, len(self.orders), self.standing, self._tally)

    def _due(self) -> list[int]:
        """The shards that lack the field."""
        due = []
        for shard in committed_shards(self.folder):
            found = read_added(self.folder, shard).get(self._addition.name)
            if found is not None and not self._again:
                self._check_same(shard, found)
            if found is None or self._again or (self._run.retry_failed and self._may_be_mended(shard)):
                due.append(shard)
        return due

    def _check_same(self, shard: int, found: Mapping[str, Any]) -> None:
        """Nothing, or the error of a shard that has the field otherwise.

        Raises:
            ConfigError: names what differs.
        """
        before, now = ({**_identity(note["config"]), **_identity(note["tools"])} for note in (found, self._note))
        others = [key for key in sorted({*before, *now}) if before.get(key) != now.get(key)]
        if others:
            key = others[0]
            raise ConfigError(
                f"{shard_name(shard)} in '{self.folder}' has {self._addition.name} with {key} {before.get(key)!r}, "
                f"not {now.get(key)!r}: give the same, or --again to make it anew in every shard"
            )

    def _may_be_mended(self, shard: int) -> bool:
        rows = read_rows(self.folder, shard, ["stage", "retryable", "reason"], suffix=ERRORS).to_pylist()
        mine = [row for row in rows if row["stage"] == add_stage(self._addition.name)]
        # Sources that were away may be back.
        return any(row["retryable"] or row["reason"] == "missing" for row in mine)

    def _located(self, plan: Plan) -> Plan:
        """The plan with what it does not save: signed URLs."""
        if not any(is_remote(self._root, planned.video.source) for planned in plan.videos):
            return plan
        split = self._content.split
        return located(plan, plan_splits(config_of(self._content), self._root, [split] if split else [])[split])


def _identity(values: Mapping[str, Any]) -> dict[str, Any]:
    """What two notes must share: not Python's version, and not the name of a file that is told by its hash."""
    told = {"model", "checkpoint"} if "sha256" in values else set()
    kept = {key: value for key, value in values.items() if key not in told | {"python"}}
    return {key: _identity(value) if isinstance(value, Mapping) else value for key, value in kept.items()}


def _videos(plan: Plan, shard: int) -> dict[int, Any]:
    return {planned.video_index: planned.video for planned in plan.by_shard().get(shard, ())}
