"""Clips taken out of shards for good: the shards that hold them written anew without them, and the removal remembered.

What is kept is copied member by member, never made again, so it works without the sources and with any tools. The removal is
noted in removed.parquet before the first shard changes: after a crash the same command goes on, and no build, retry, repair or
append brings a removed clip back.

plan.parquet keeps the names of removed videos. Without them the next listing would find such a video new, and build it again;
and removed.parquet must name it for the same reason.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vdata.builder.build import finish
from vdata.builder.lock import sole_build
from vdata.builder.plan_file import read_plan
from vdata.builder.state import reopen_build
from vdata.builder.task import full_disk_told
from vdata.errors import ConfigError, ShardError
from vdata.records import Failure
from vdata.shards.dataset_json import DATASET_JSON, read_dataset_json
from vdata.shards.index import write_index
from vdata.shards.layout import ERRORS, PLAN_FILE, ROWS, TAR, TEMPORARY, clear_leftovers, committed_shards, shard_name
from vdata.shards.read import Sample
from vdata.shards.removed import RemovedClip, note_removed, read_removed
from vdata.shards.replace import finish_replacements, replace_shard
from vdata.shards.rows import read_counts, read_rows, read_schema
from vdata.shards.sums import FOLDER_SUMS
from vdata.shards.verify_shard import check_shard
from vdata.shards.write import ShardWriter

__all__ = ["RemoveReport", "remove"]

_SHOWN = 20
"""Unknown names that an error lists."""


@dataclass(frozen=True, slots=True)
class RemoveReport:
    """What was taken out of one shard folder, or would be."""

    folder: Path
    keys: tuple[str, ...]
    """Of the clips."""
    videos: tuple[str, ...]
    """Ids of videos that were taken out whole."""
    shards: tuple[str, ...]
    """That were written anew."""
    bytes: int
    """Of the members that are gone."""

    def to_mapping(self) -> dict[str, Any]:
        """Plain values, for --json."""
        return {**asdict(self), "folder": str(self.folder)}


def remove(
    folders: Sequence[Path],
    *,
    keys: Collection[str] = (),
    videos: Collection[str] = (),
    dry_run: bool = False,
    on_shard: Callable[[int, int], None] | None = None,
) -> list[RemoveReport]:
    """What was taken out of each shard folder; afterwards every byte of the shards written anew has been read and checked.

    Args:
        folders: shard folders, as the splits of one dataset.
        keys: of clips. One that was removed before is no mistake: a command that was interrupted is typed again.
        videos: ids of videos, all of whose clips go, and their rows in errors.parquet.
        dry_run: only say what would go.
        on_shard: called after every shard, with the shards done and all that must be written anew.

    Raises:
        ConfigError: a key or a video that no folder knows, of which all are named; or a folder is being built.
        ShardError: a shard that must be written anew is damaged. In both cases nothing has been changed.
        DiskFullError: there is no room for the new shards; the same call goes on.
    """
    with full_disk_told(folders[0]), ExitStack() as locks:
        for folder in folders:
            locks.enter_context(sole_build(folder))
            finish_replacements(folder)
        removals = [_Removal(folder, frozenset(keys), frozenset(videos)) for folder in folders]
        _check_known("key", keys, {key for removal in removals for key in removal.known_keys})
        _check_known("video", videos, {video for removal in removals for video in removal.known_videos})
        if not dry_run:
            for removal in removals:
                removal.check_whole()
            done, total = 0, sum(len(removal.shards) for removal in removals)
            for removal in removals:
                for _ in removal.run():
                    done += 1
                    if on_shard:
                        on_shard(done, total)
        return [removal.report() for removal in removals]


def _check_known(what: str, names: Collection[str], known: Collection[str]) -> None:
    unknown = sorted(set(names) - set(known))
    if unknown:
        more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
        raise ConfigError(
            f"{len(unknown)} of {len(set(names))} {what}s to remove are unknown: {', '.join(unknown[:_SHOWN])}{more}; "
            "nothing was removed, correct the list"
        )


class _Removal:
    """What goes from one folder."""

    def __init__(self, folder: Path, keys: frozenset[str], videos: frozenset[str]) -> None:
        self._folder = folder
        content, plan = read_dataset_json(folder), read_plan(folder)
        if content is None or plan is None:
            raise ConfigError(f"'{folder}' has no {DATASET_JSON} or no {PLAN_FILE}: only what `vdata build` made can be changed")
        self._content, self._plan = content, plan
        before = read_removed(folder)
        planned = {item.video.video_id for item in plan.videos}
        self._videos = videos & (planned | before.videos)
        self.known_videos: frozenset[str] = frozenset(self._videos)
        self._known_before = keys & before.keys
        self.known_keys: set[str] = set(self._known_before)
        self._clips: dict[int, list[RemovedClip]] = {}
        self._bytes = 0
        self.shards: list[int] = []
        """That must be written anew."""
        for shard in committed_shards(folder):
            self._look(shard, keys)

    def _look(self, shard: int, keys: frozenset[str]) -> None:
        """Notes what goes from one shard."""
        for row in read_rows(self._folder, shard, ["key", "video_id", "members"]).to_pylist():
            if row["key"] in keys or row["video_id"] in self._videos:
                self._clips.setdefault(shard, []).append(RemovedClip(row["key"], row["video_id"], shard))
                self._bytes += sum(member["size"] for member in row["members"])
                self.known_keys.add(row["key"])
        named = read_rows(self._folder, shard, ["video_id"], suffix=ERRORS)["video_id"].to_pylist() if self._videos else []
        if shard in self._clips or not self._videos.isdisjoint(named):
            self.shards.append(shard)

    def check_whole(self) -> None:
        """Nothing, or the error of a shard from which no clip can be copied safely.

        Raises:
            ShardError: names the first damage.
        """
        lost = set(self._plan.by_shard()) - set(committed_shards(self._folder))
        if lost and self._content.state == "complete":
            # Nobody can say whether its tar holds a clip that must go.
            name = shard_name(min(lost))
            raise ShardError(f"{name} is lost: run `vdata verify {self._folder} --repair` first; nothing was removed")
        for shard in self.shards:
            going = {clip.key for clip in self._clips.get(shard, ())}
            damaged = [damage for damage in check_shard(self._folder, shard).damaged if damage.key not in going or not damage.key]
            if damaged:
                raise ShardError(f"{damaged[0]}: run `vdata verify {self._folder} --repair` first; nothing was removed")

    def run(self) -> Iterator[int]:
        """The number of each shard, once it is written anew; then the folder is closed again."""
        closed = self._content.state == "complete" and (self._folder / FOLDER_SUMS).exists()
        interrupted = self._known_before and not closed
        if not (self._clips or self._videos or interrupted):
            return
        reopen_build(self._folder, self._content)
        clips = [clip for found in self._clips.values() for clip in found]
        note_removed(self._folder, clips, self._videos)
        # Half-made shards may hold what must go; no shard that was finished has lost its row file.
        clear_leftovers(self._folder)
        for shard in self.shards:
            self._rewrite(shard)
            yield shard
        if set(self._plan.by_shard()) <= set(committed_shards(self._folder)):
            finish(self._folder, self._plan)
        else:
            # The build is not complete: whoever goes on with it will close it.
            write_index(self._folder)

    def report(self) -> RemoveReport:
        """What goes, or has gone."""
        clips = [clip for found in self._clips.values() for clip in found]
        keys, shards = tuple(sorted(clip.key for clip in clips)), tuple(shard_name(shard) for shard in self.shards)
        return RemoveReport(self._folder, keys, tuple(sorted(self._videos)), shards, self._bytes)

    def _rewrite(self, shard: int) -> None:
        """Writes one shard anew beside the others, holds it against what must be kept, and puts it into place."""
        work = self._folder / TEMPORARY / f"remove-{shard_name(shard)}"
        shutil.rmtree(work, ignore_errors=True)
        going = {clip.key for clip in self._clips.get(shard, ())}
        rows = read_rows(self._folder, shard).to_pylist()
        kept = [row for row in rows if row["key"] not in going]
        with ExitStack() as stack:
            writer = ShardWriter(work, shard, read_schema(self._folder, shard), _sidecars(shard, kept))
            stack.callback(writer.abort)
            for row in kept:
                sample = Sample(self._folder, row)
                own = {name: value for name, value in row.items() if name not in ("key", "members")}
                writer.add(row["key"], own, {ext: sample[ext] for ext in sample.exts})
            for failure in read_rows(self._folder, shard, suffix=ERRORS).to_pylist():
                if failure["key"] not in going and failure["video_id"] not in self._videos:
                    writer.fail(Failure(**failure))
            writer.commit(_counts_without(read_counts(self._folder, shard), [row for row in rows if row["key"] in going]))
        self._check_copy(shard, work, kept)
        replace_shard(self._folder, shard, work)

    def _check_copy(self, shard: int, work: Path, kept: Sequence[Mapping[str, Any]]) -> None:
        """Nothing, or the error of a copy that differs or holds more than it should: every byte of it is read.

        Raises:
            ShardError: the disk does not keep what it is given.
        """
        copied = {row["key"]: _hashes(row) for row in read_rows(work, shard).to_pylist()}
        damaged = check_shard(work, shard).damaged
        if damaged or copied != {row["key"]: _hashes(row) for row in kept}:
            what = damaged[0] if damaged else "other members than those that were kept"
            raise ShardError(
                f"{shard_name(shard)} was written anew and is not as it should be ({what}); the old one stays: is the disk sound?"
            )


def _sidecars(shard: int, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The tars other than the shard's own that hold members, by extension, as ShardWriter takes them."""
    name = shard_name(shard)
    places = {member["name"]: member["file"].removeprefix(name) for row in rows for member in row["members"]}
    return {ext: suffix for ext, suffix in places.items() if suffix not in (TAR, ROWS)}


def _counts_without(counts: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The builder's sums for a shard after these clips have left it; the same that a build gives which leaves them out."""
    members = [member for row in rows for member in row["members"] if member["name"] != "json"]
    changes = {
        "clips_written": -len(rows),
        "clips_removed": len(rows),
        "frames": -sum(row["num_frames"] for row in rows),
        "bytes": -sum(member["size"] for member in members),
    }
    return {**counts, **{name: counts.get(name, 0) + change for name, change in changes.items()}} if counts else {}


def _hashes(row: Mapping[str, Any]) -> dict[str, str]:
    return {member["name"]: member["sha256"] for member in row["members"]}
