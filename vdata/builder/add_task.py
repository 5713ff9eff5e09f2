"""One task of `vdata add`: a field of all clips of one shard, extracted and committed. A pure function of its order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vdata.builder.journal import Journal
from vdata.builder.lock import committing
from vdata.builder.tally import Tally
from vdata.builder.task import TRIED_ENOUGH, TRIES, Postponed, check_machine, full_disk_told
from vdata.errors import MediaError
from vdata.extract import EXTRACTORS, Extractor
from vdata.media.config import LimitConfig
from vdata.media.origin import Origin
from vdata.media.url import Root
from vdata.records import Failure, Video
from vdata.shards.amend import FieldWriter, add_stage
from vdata.shards.encoded import encoded_clip
from vdata.shards.read import Sample
from vdata.shards.replace import finish_replacements
from vdata.shards.rows import read_added

__all__ = ["AddOrder", "add_to_shard"]


@dataclass(frozen=True, slots=True)
class AddOrder:
    """All that a worker needs to add a field to one shard, in any process on any machine that sees the folder."""

    folder: Path
    root: Root
    shard: int
    videos: Mapping[int, Video]
    """Those of the shard, by their index in the plan."""
    name: str
    """In EXTRACTORS."""
    config: Any
    """The extractor's own."""
    note: Mapping[str, Any]
    """What is kept with the rows: `config` and `tools`, which a worker must have as well."""
    limits: LimitConfig
    run: str = ""
    """As Order.run."""
    attempt: int = TRIES
    """As Order.attempt."""
    deadly: frozenset[int] = frozenset()
    """As Order.deadly."""
    keep: bool = False
    """Whether clips that have the field already keep it as it is."""

    def execute(self) -> Tally | Postponed:
        """Adds the field to the shard, and returns its sums.

        Raises:
            CorruptShardError: a stored clip is damaged.
            DiskFullError: there is no room for the field.
            BuildFailedError: this machine does not see the folder, or has other tools; or the run has been taken over.
        """
        check_machine(self.folder, self.note["tools"], (self.name,))
        return add_to_shard(self, EXTRACTORS[self.name](self.config))


def add_to_shard(order: AddOrder, extractor: Extractor) -> Tally | Postponed:
    """The sums of one shard after the extractor's members and columns have been added to it and committed.

    A clip whose field cannot be made keeps all else that it has, and becomes a row of the shard's errors. What another try may
    mend gives the shard up until the last try.

    Raises:
        CorruptShardError: a stored clip is damaged.
        DiskFullError: there is no room for the field.
    """
    with committing(order.folder, order.run):
        # Of a worker that died while it put this shard into place.
        finish_replacements(order.folder)
    with full_disk_told(order.folder), Journal(order.folder, order.shard) as journal, ExitStack() as stack:
        exts = [field.ext for field in extractor.fields]
        writer = FieldWriter(order.folder, order.shard, order.name, exts, extractor.columns, order.note)
        stack.callback(writer.abort)
        has = read_added(order.folder, order.shard) if order.keep else {}
        work = _Addition(order, writer, extractor, journal)
        for row in writer.rows:
            if extractor.needs_pictures and not row["codec"]:
                # A document, or features: it has nothing of which the field could be made.
                continue
            if order.name in has and order.name in row["fields"]:
                writer.keep(order.folder, row)
                continue
            postponed = work.add(row)
            if postponed:
                return postponed
        writer.commit(committing(order.folder, order.run))
        return work.tally()


class _Addition:
    """The clips of one shard on their way through an extractor."""

    def __init__(self, order: AddOrder, writer: FieldWriter, extractor: Extractor, journal: Journal) -> None:
        self._order, self._writer, self._extractor, self._journal = order, writer, extractor, journal
        self._counts: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()

    def add(self, row: Mapping[str, Any]) -> Postponed | None:
        """The field of one clip; what is returned where the shard must be tried again."""
        self._journal.note(row["video_index"])
        self._counts["clips_planned"] += 1
        try:
            self._extract(row)
        except MediaError as error:
            tried = error.reason in TRIED_ENOUGH or row["video_index"] in self._order.deadly
            if error.retryable and not tried and self._order.attempt < TRIES:
                return Postponed(row["source"], error.reason)
            self._fail(row, error)
        return None

    def tally(self) -> Tally:
        """The sums so far: clips, frames, bytes of the new members, failures by reason."""
        return Tally.of(self._counts, self._reasons)

    def _extract(self, row: Mapping[str, Any]) -> None:
        order = self._order
        if row["video_index"] in order.deadly:
            message = f"the worker died {TRIES} times at this video; was memory short?"
            raise MediaError("worker_died", message, retryable=True)
        origin = Origin(order.root, order.videos[row["video_index"]], order.limits)
        found = self._extractor(encoded_clip(Sample(order.folder, row), origin))
        self._writer.add(row["key"], found.members, found.columns)
        self._counts["clips_written"] += 1
        self._counts["frames"] += row["num_frames"]
        self._counts["bytes"] += sum(len(content) for content in found.members.values())

    def _fail(self, row: Mapping[str, Any], error: MediaError) -> None:
        self._counts["clips_failed"] += 1
        self._reasons[error.reason] += 1
        self._writer.fail(
            Failure(
                source=row["source"],
                video_id=row["video_id"],
                key=row["key"],
                stage=add_stage(self._order.name),
                reason=error.reason,
                message=error.message,
                tail=error.tail,
                retryable=error.retryable,
            )
        )
