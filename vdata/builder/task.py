"""One task: the videos of one shard, cut, checked, extracted and committed. A pure function of its order."""

from __future__ import annotations

import errno
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from vdata.builder.config import BuildConfig
from vdata.builder.journal import Journal
from vdata.builder.lock import committing
from vdata.builder.plan import PlannedVideo, clip_index
from vdata.builder.plan_file import video_columns
from vdata.builder.state import tool_versions
from vdata.builder.tally import Tally
from vdata.datasets import DATASETS
from vdata.errors import BuildFailedError, DiskFullError, MediaError
from vdata.extract import EXTRACTORS, Extractor
from vdata.media.clip import EncodedClip
from vdata.media.contract import check_clip
from vdata.media.cut import DroppedTail, Part, cut
from vdata.media.origin import Origin
from vdata.media.source import SourceFile, prefetched
from vdata.media.url import Root
from vdata.records import Failure, readable
from vdata.shards.keys import clip_key
from vdata.shards.removed import Removed
from vdata.shards.schema import clip_columns, row_schema
from vdata.shards.write import ShardWriter

__all__ = ["TRIED_ENOUGH", "TRIES", "Order", "Postponed", "build_shard", "check_machine", "full_disk_told"]

TRIES = 3
"""Of a video that met a limit which another try may not meet; all but the first while nothing else of the build runs."""
TRIED_ENOUGH = frozenset({"download"})
"""Reasons that `--retry-failed` takes up, but for which a task does not begin anew: lists of URLs are full of dead hosts."""


@dataclass(frozen=True, slots=True)
class Order:
    """All that a worker needs to build one shard, in any process on any machine that sees root and folder."""

    folder: Path
    root: Root
    shard: int
    videos: tuple[PlannedVideo, ...]
    config: BuildConfig
    run: str = ""
    """The run's name, as sole_build gives it; a worker whose run is over must not commit."""
    tools: Mapping[str, str] | None = None
    """Versions that a worker on another machine must have as well, or other bytes would come."""
    attempt: int = TRIES
    """Which try this is; on the last a failure is recorded, whatever it is."""
    deadly: frozenset[int] = frozenset()
    """Videos, by their index, in whose work the worker has died again and again: they are recorded, not tried."""
    removed: Removed = field(default_factory=Removed)
    """What was taken out of the folder for good."""

    def execute(self) -> Tally | Postponed:
        """As build_shard."""
        return build_shard(self)


@dataclass(frozen=True, slots=True)
class Postponed:
    """What a task returns that was given up for now: another try, alone on the machine, may end otherwise."""

    source: str
    reason: str


class _TryAgain(Exception):  # noqa: N818 - no error: it ends a task early
    """A retryable failure, when there is another try."""


def build_shard(order: Order) -> Tally | Postponed:
    """Builds and commits one shard, and returns its sums.

    A video or clip that cannot be built becomes a row of the shard's errors and the task goes on. A failure that another try may
    mend gives the shard up until the last try. Any other error is a bug, and leaves nothing behind.

    Raises:
        DiskFullError: there is no room for the shard.
        BuildFailedError: this machine does not see the folder, or has other tools; or the run has been taken over.
    """
    config = order.config
    check_machine(order.folder, order.tools, config.extract)
    extractors = {name: EXTRACTORS[name](config.own[name]) for name in config.extract}
    columns = [column for extractor in extractors.values() for column in extractor.columns]
    exts = ["mp4", *(field.ext for extractor in extractors.values() for field in extractor.fields)]
    schema = row_schema(DATASETS[config.dataset].columns, columns, cells=exts if config.format == "parquet" else ())
    try:
        with full_disk_told(order.folder), Journal(order.folder, order.shard) as journal, ExitStack() as stack:
            writer = ShardWriter(order.folder, order.shard, schema)
            stack.callback(writer.abort)
            videos = [item for item in order.videos if item.video.video_id not in order.removed.videos]
            files = stack.enter_context(closing(prefetched(order.root, [item.video for item in videos], config.limit)))
            tally = _taken_out(order)
            for planned, opened in zip(videos, files, strict=True):
                journal.note(planned.video_index)
                tally += _Job(order, writer, extractors, planned, opened).run()
            writer.commit(tally.to_mapping(), committing(order.folder, order.run))
            return tally
    except _TryAgain as trial:
        failure: Failure = trial.args[0]
        return Postponed(failure.source, failure.reason)


@contextmanager
def full_disk_told(folder: Path) -> Iterator[None]:
    """While the block runs, a disk without room is DiskFullError."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        where = f"'{folder}' or for temporary files in '{tempfile.gettempdir()}'"
        raise DiskFullError(f"no room left for {where}: make room and run the same command again, to go on") from error


def check_machine(folder: Path, tools: Mapping[str, str] | None, extract: Sequence[str]) -> None:
    """Nothing, or the error of a worker on whose machine other bytes would come.

    Raises:
        BuildFailedError: it does not see the folder, or has other versions than `tools`.
    """
    if not folder.is_dir():
        raise BuildFailedError(f"a worker does not see '{folder}': --out and --root must be on a shared disk")
    if tools is not None and (here := tool_versions(extract)) != tools:
        other = [f"{name} {here.get(name)}, not {there}" for name, there in tools.items() if here.get(name) != there]
        raise BuildFailedError(f"a worker has {'; '.join(other)}: all machines of a build need the same versions")


def _taken_out(order: Order) -> Tally:
    """What stands in the sums for videos that were removed whole: they were built once."""
    tally = Tally()
    for video_index, group in groupby(order.videos, key=lambda planned: planned.video_index):
        parts = list(group)
        video_id = parts[0].video.video_id
        if video_id in order.removed.videos:
            clips = order.removed.clips.get((video_id, order.shard), 0)
            sums = {"clips_planned": clips, "clips_removed": clips, "videos": sum(item.part == 0 for item in parts)}
            film = parts[0].num_parts > 1
            films = {video_index: ("built",) * len(parts)} if film else {}
            tally += Tally.of(sums | ({} if film else {"built": 1}), {}, films)
    return tally


class _Job:
    """One video, or one part of a film, on its way into a shard."""

    def __init__(
        self,
        order: Order,
        writer: ShardWriter,
        extractors: Mapping[str, Extractor],
        planned: PlannedVideo,
        opened: AbstractContextManager[SourceFile],
    ) -> None:
        self._order, self._writer, self._extractors, self._planned, self._opened = order, writer, extractors, planned, opened
        self._counts: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()

    def run(self) -> Tally:
        planned, counts = self._planned, self._counts
        try:
            self._cut()
        except MediaError as error:
            self._fail(error, None, "cut")
        whole = not self._reasons
        outcome = "built" if whole else "partial" if counts["clips_written"] + counts["clips_removed"] else "failed"
        if planned.num_parts > 1:
            parts = {planned.video_index: (outcome,)}
            return Tally.of({**counts, "videos": int(planned.part == 0)}, self._reasons, parts)
        return Tally.of({**counts, "videos": 1, outcome: 1}, self._reasons)

    def _cut(self) -> None:
        order, planned = self._order, self._planned
        if planned.video_index in order.deadly:
            message = f"the worker died {TRIES} times while it built this video; was memory short?"
            raise MediaError("worker_died", message, retryable=True)
        if not planned.video.has_pictures:
            with self._opened as file:
                self._build_clip(EncodedClip.without_pictures(Origin(order.root, planned.video, order.config.limit, file)))
            return
        part = Part(planned.part, planned.num_parts, order.config.plan.part_seconds)
        motion = any(extractor.reads_motion for extractor in self._extractors.values())
        config = order.config
        for item in cut(order.root, planned.video, config.clip, config.limit, part, self._opened, with_motion=motion):
            if isinstance(item, DroppedTail):
                self._counts["tails_dropped"] += 1
            else:
                self._build_clip(item)

    def _build_clip(self, clip: EncodedClip) -> None:
        key = clip_key(self._planned.video.video_id, clip.clip_in_video)
        self._counts["clips_planned"] += 1
        if key in self._order.removed.keys:
            self._counts["clips_removed"] += 1
            return
        stage = "cut"
        extractors = {name: one for name, one in self._extractors.items() if clip.has_pictures or not one.needs_pictures}
        try:
            if clip.has_pictures:
                check_clip(clip)
            stage = "extract"
            found = [extractor(clip) for extractor in extractors.values()]
        except MediaError as error:
            self._fail(error, key, stage)
            self._counts["clips_failed"] += 1
            return
        members = ({"mp4": clip.mp4} if clip.has_pictures else {}) | {
            ext: data for one in found for ext, data in one.members.items()
        }
        columns = {name: value for one in found for name, value in one.columns.items()}
        self._writer.add(key, {**self._row(clip), "fields": list(extractors), **columns}, members)
        self._counts["clips_written"] += 1
        self._counts["frames"] += clip.num_frames
        self._counts["bytes"] += sum(len(data) for data in members.values())

    def _row(self, clip: EncodedClip) -> dict[str, Any]:
        video = self._planned.video
        return {
            "index": clip_index(self._planned.video_index, clip.clip_in_video),
            "video_index": self._planned.video_index,
            "dataset": self._order.config.dataset,
            **video_columns(video),
            **clip_columns(clip),
            **video.facts,
        }

    def _fail(self, error: MediaError, key: str | None, stage: str) -> None:
        video = self._planned.video
        failure = Failure(
            source=readable(video.source),
            video_id=video.video_id,
            key=key,
            stage=stage,
            reason=error.reason,
            message=error.message,
            tail=error.tail,
            retryable=error.retryable,
        )
        tried = error.reason in TRIED_ENOUGH or self._planned.video_index in self._order.deadly
        if error.retryable and not tried and self._order.attempt < TRIES:
            raise _TryAgain(failure)
        self._reasons[error.reason] += 1
        self._writer.fail(failure)
