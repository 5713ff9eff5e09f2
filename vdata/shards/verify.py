"""Whether a shard folder holds what it promises: every file against its hash, every file against the others."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vdata.errors import CorruptShardError, SchemaMismatchError, ShardError
from vdata.shards.classes import CLASSES_FILE
from vdata.shards.dataset_json import DATASET_JSON, DatasetJson, count_problems, read_dataset_json
from vdata.shards.index import differing_files
from vdata.shards.layout import PLAN_FILE, ROWS, TEMPORARY, committed_shards, require_shards, shard_files, shard_name
from vdata.shards.removed import REMOVED_FILE, read_removed
from vdata.shards.replace import READY
from vdata.shards.sums import FOLDER_SUMS, file_sha256, read_sums
from vdata.shards.verify_shard import Damage, ShardCheck, check_shard

__all__ = ["Damage", "VerifyReport", "verify", "verify_folders"]


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was looked at, and what was found."""

    shards: int
    clips: int
    damaged: tuple[Damage, ...]
    checks: tuple[ShardCheck, ...] = field(default=(), compare=False, repr=False)
    """What was found shard by shard; `verify(known=...)` takes it back."""

    @property
    def ok(self) -> bool:
        """Whether nothing is damaged."""
        return not self.damaged


def verify_folders(path: Path) -> list[Path]:
    """The folder itself where it holds shards or a plan for some, else its sub-folders that do, as the splits of a dataset.

    Raises:
        ShardError: neither does.
    """
    if _begun(path):
        return [path]
    below = [folder for folder in sorted(path.glob("*")) if _begun(folder)]
    if not below:
        require_shards(path)
    return below


def verify(
    folder: Path,
    *,
    decode: bool = False,
    workers: int = 1,
    known: Sequence[ShardCheck] = (),
    on_shard: Callable[[int, int], None] | None = None,
) -> VerifyReport:
    """What is damaged in a shard folder, after every byte of its files was read and held against hashes, rows and plan.

    Args:
        folder: one shard folder.
        decode: also decode every clip: as many frames as the row says, of the types that its structure says.
        workers: processes to check shards in; 1 is this one. They import the main module, so a script that gives more guards
            its own work by `if __name__ == "__main__":`.
        known: checks of shards that are not looked at again.
        on_shard: called after every shard, with the shards done and all there are.

    Raises:
        ShardError: the folder holds no shard, finished or planned; or a checking process died.
        SchemaMismatchError: the shards are of another format version, or their rows of another structure.
    """
    if not _begun(folder):
        require_shards(folder)
    shards = committed_shards(folder)
    checks = [check for check in known if check.shard in set(shards)]
    due = sorted(set(shards) - {check.shard for check in checks})
    for check in _checked(folder, due, decode=decode, workers=min(workers, len(due))):
        checks.append(check)
        if on_shard:
            on_shard(len(checks), len(shards))
    checks.sort(key=lambda check: check.shard)
    damaged = [damage for check in checks for damage in check.damaged]
    damaged += _Folder(folder, checks).damaged()
    return VerifyReport(len(shards), sum(len(check.keys) for check in checks), tuple(damaged), tuple(checks))


def _begun(folder: Path) -> bool:
    return folder.is_dir() and bool(committed_shards(folder) or (folder / PLAN_FILE).exists())


def _checked(folder: Path, shards: Sequence[int], *, decode: bool, workers: int) -> Iterator[ShardCheck]:
    """The checks of all shards, in their order."""
    check = partial(check_shard, folder, decode=decode)
    if workers <= 1:
        yield from map(check, shards)
        return
    # Not forked: Arrow's threads do not survive a fork.
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
    try:
        yield from pool.map(check, shards)
    except BrokenProcessPool as error:
        raise ShardError(f"a process that checked '{folder}' died (out of memory?): give fewer --workers") from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


class _Folder:
    """What concerns the folder as a whole."""

    def __init__(self, folder: Path, checks: Sequence[ShardCheck]) -> None:
        self._folder, self._checks = folder, checks
        self._sums, self._problem = self._read_sums()
        self._differing = {
            name for name, wanted in self._sums.items() if (folder / name).exists() and file_sha256(folder / name) != wanted
        }
        """What they say is not to be relied on; damage in Parquet's own headers makes any number out of another."""

    def damaged(self) -> list[Damage]:
        planned, damaged_plan = self._planned()
        content, found = self._dataset_json(planned)
        found += [*damaged_plan, *self._own_files(content), *self._plan(planned, content)]
        found += self._strays()
        found += self._twice()
        found += self._removed()
        if self._readable and self._checks:
            found += self._index()
        return found

    def _read_sums(self) -> tuple[dict[str, str], str]:
        """The hashes of the files that belong to no shard, and what is wrong with their file."""
        try:
            return read_sums(self._folder / FOLDER_SUMS), ""
        except FileNotFoundError:
            return {}, f"{FOLDER_SUMS} is absent: `--repair` makes it anew"
        except CorruptShardError as error:
            return {}, f"{error}: `--repair` makes it anew"

    @property
    def _readable(self) -> bool:
        """Whether all row files are."""
        return all(check.readable for check in self._checks)

    def _dataset_json(self, planned: set[int]) -> tuple[DatasetJson | None, list[Damage]]:
        """dataset.json and what is wrong in it by its own sums and the rows."""
        way_out = _WAY_OUT[DATASET_JSON]
        if DATASET_JSON in self._differing:
            return None, []
        try:
            content = read_dataset_json(self._folder)
        except (CorruptShardError, SchemaMismatchError) as error:
            # Shards that really are of another version have been refused before: here it is a damaged digit.
            return None, [_of_folder(DATASET_JSON, f"{error}; or delete it and run the same `vdata build` command again")]
        if content is None:
            return None, [_of_folder(DATASET_JSON, f"{DATASET_JSON} is absent: {way_out}")]
        if content.state != "complete":
            return content, [
                _of_folder(DATASET_JSON, f"{DATASET_JSON} says that the build is not complete: run `vdata build` again")
            ]
        problems = [f"{DATASET_JSON}: {problem}" for problem in count_problems(content.counts)]
        num_clips = sum(len(check.keys) for check in self._checks)
        counted = content.counts.get("clips_written")
        there = {check.shard for check in self._checks}
        if self._readable and planned <= there and counted != num_clips:
            problems.append(f"{DATASET_JSON} counts {counted} clips written, the rows hold {num_clips}")
        return content, [_of_folder(DATASET_JSON, problem) for problem in problems]

    def _own_files(self, content: DatasetJson | None) -> Iterator[Damage]:
        """The files that belong to no shard, against their hashes, which are written when a build is complete."""
        if self._problem and (content is None or content.state == "complete"):
            yield _of_folder(FOLDER_SUMS, self._problem)
        for name in self._sums:
            way_out = _WAY_OUT.get(name, "restore it")
            if name in self._differing:
                yield _of_folder(name, f"{name} differs from its hash in {FOLDER_SUMS}: {way_out}")
            elif not (self._folder / name).exists() and name != DATASET_JSON:
                yield _of_folder(name, f"{name} is absent: {way_out}")

    def _planned(self) -> tuple[set[int], list[Damage]]:
        """The shards that plan.parquet names; none where it is damaged."""
        if PLAN_FILE in self._differing:
            return set(), []
        try:
            column = pq.read_table(self._folder / PLAN_FILE, columns=["shard"])["shard"]
        except FileNotFoundError:
            # Shards that were not built by a plan; where one was there, SHA256SUMS names it.
            return set(), []
        except (pa.ArrowException, OSError) as error:
            return set(), [_of_folder(PLAN_FILE, f"{PLAN_FILE} cannot be read ({error}): {_WAY_OUT[PLAN_FILE]}")]
        return {shard for shard in column.to_pylist() if shard is not None and shard >= 0}, []

    def _plan(self, planned: set[int], content: DatasetJson | None) -> Iterator[Damage]:
        """Shards that are planned and not there, or there and not planned."""
        there = {check.shard for check in self._checks}
        if content is None or content.state == "complete":
            for name in map(shard_name, sorted(planned - there)):
                yield Damage(name, "", name + ROWS, f"{name}{ROWS} is absent: `--repair` builds the shard")
        for shard in sorted(there - planned) if planned else ():
            name = shard_name(shard)
            yield Damage(name, "", PLAN_FILE, f"{PLAN_FILE} names no shard {shard}: move its files away")

    def _strays(self) -> Iterator[Damage]:
        """What a build that was killed has left, and files without a row file."""
        there = {check.shard for check in self._checks}
        for shard, _, path in shard_files(self._folder):
            if shard not in there:
                what = f"{path.name} has no row file beside it, so no reader sees it: `--repair` clears it"
                yield Damage(shard_name(shard), "", path.name, what)
        work = self._folder / TEMPORARY
        left = [*self._folder.glob("*.tmp"), *(self._folder / READY).glob("*"), *work.glob("*")]
        for path in sorted(left):
            name = path.relative_to(self._folder).as_posix()
            if path != work:
                yield _of_folder(
                    name, f"{name} is unfinished work, of a build that runs or of one that was stopped: `--repair` clears it"
                )

    def _twice(self) -> Iterator[Damage]:
        """Keys and clip indices that more than one row has."""
        for what in ("keys", "indices"):
            columns: list[pa.Array] = [getattr(check, what) for check in self._checks]
            counts = pc.value_counts(pa.chunked_array(columns or [[]]))
            for value in counts.filter(pc.greater(pc.struct_field(counts, "counts"), 1)).field("values").to_pylist():
                found = [
                    check.shard for check, column in zip(self._checks, columns, strict=True) if column.index(value).as_py() >= 0
                ]
                files = [shard_name(shard) + ROWS for shard in found]
                text = f"the key '{value}'" if what == "keys" else f"the clip of index {value}"
                key = str(value) if what == "keys" else ""
                yield Damage(shard_name(found[0]), key, files[0], f"{text} is there twice: in {', '.join(files)}")

    def _removed(self) -> list[Damage]:
        """Clips that were taken out, and are there."""
        if REMOVED_FILE in self._differing:
            return []
        try:
            removed = read_removed(self._folder)
        except CorruptShardError as error:
            return [_of_folder(REMOVED_FILE, str(error))]
        gone = pa.array(sorted(removed.keys), pa.string())
        what = f"it was removed and is there: run `vdata remove --shards {self._folder}` with its key again"
        return [
            Damage(shard_name(check.shard), str(key), shard_name(check.shard) + ROWS, what)
            for check in self._checks
            for key in check.keys.filter(pc.is_in(check.keys, value_set=gone))
        ]

    def _index(self) -> list[Damage]:
        files = differing_files(self._folder)
        what = f"index/ is not as the rows give it ({', '.join(files)}): make it anew with `vdata index`"
        return [_of_folder("index", what)] if files else []


_WAY_OUT = {
    DATASET_JSON: "restore it, or delete it and run the same `vdata build` command again",
    PLAN_FILE: "restore it, or delete it and run the same `vdata build` command again, which plans the same",
    CLASSES_FILE: "run the same `vdata build` command again, which writes it",
    "errors.parquet": "`--repair` makes it anew",
    REMOVED_FILE: "restore it, or delete it and run `vdata remove` again with all keys that were taken out",
}


def _of_folder(file: str, what: str) -> Damage:
    return Damage("", "", file, what)
