"""One task: the videos of one shard, cut, checked, extracted and committed. A pure function of its order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vdata.builder.config import BuildConfig
from vdata.builder.plan import PlannedVideo, clip_index, video_columns
from vdata.datasets import DATASETS
from vdata.errors import MediaError
from vdata.extract import EXTRACTORS, Extractor
from vdata.media.clip import EncodedClip
from vdata.media.contract import check_clip
from vdata.media.cut import DroppedTail, cut
from vdata.records import Failure
from vdata.shards.keys import clip_key
from vdata.shards.schema import clip_columns, row_schema
from vdata.shards.write import ShardWriter

__all__ = ["Order", "Tally", "build_shard"]


@dataclass(frozen=True, slots=True)
class Order:
    """All that a worker needs to build one shard, in any process on any machine that sees root and folder."""

    folder: Path
    root: Path
    shard: int
    videos: tuple[PlannedVideo, ...]
    config: BuildConfig


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of a shard's videos and clips, counted where it happens, so that sums can be held against each other."""

    videos: int = 0
    built: int = 0
    partial: int = 0
    failed: int = 0
    clips_planned: int = 0
    """Clips that left the encoder."""
    clips_written: int = 0
    clips_failed: int = 0
    tails_dropped: int = 0
    frames: int = 0
    bytes: int = 0
    """Of the clips' members."""

    def __add__(self, other: Tally) -> Tally:
        """The sums of both."""
        return Tally(*(a + b for a, b in zip(asdict(self).values(), asdict(other).values(), strict=True)))


def build_shard(order: Order) -> Tally:
    """Builds and commits one shard, and returns its sums.

    A video or clip that cannot be built becomes a row of the shard's errors and the task goes on; any other error is a bug or
    a full disk, and leaves nothing behind.
    """
    config = order.config
    extractors = {name: EXTRACTORS[name](config.own[name]) for name in config.extract}
    columns = [column for extractor in extractors.values() for column in extractor.columns]
    writer = ShardWriter(order.folder, order.shard, row_schema(DATASETS[config.dataset].columns, columns))
    try:
        counts: Counter[str] = Counter()
        for planned in order.videos:
            counts += _Job(order, writer, extractors, planned).run()
        writer.commit(counts)
    except BaseException:
        writer.abort()
        raise
    return Tally(**counts)


class _Job:
    """One video on its way into a shard."""

    def __init__(self, order: Order, writer: ShardWriter, extractors: Mapping[str, Extractor], planned: PlannedVideo) -> None:
        self._order, self._writer, self._extractors, self._planned = order, writer, extractors, planned
        self._counts: Counter[str] = Counter(videos=1)

    def run(self) -> Counter[str]:
        config, video, counts = self._order.config, self._planned.video, self._counts
        whole = True
        try:
            for item in cut(self._order.root, video, config.clip, config.limit):
                if isinstance(item, DroppedTail):
                    counts["tails_dropped"] += 1
                else:
                    self._build_clip(item)
        except MediaError as error:
            self._fail(error, None, "cut")
            whole = False
        whole = whole and not counts["clips_failed"]
        counts["built" if whole else "partial" if counts["clips_written"] else "failed"] += 1
        return counts

    def _build_clip(self, clip: EncodedClip) -> None:
        key = clip_key(self._planned.video.video_id, clip.clip_in_video)
        self._counts["clips_planned"] += 1
        stage = "cut"
        try:
            check_clip(clip)
            stage = "extract"
            found = [extractor(clip) for extractor in self._extractors.values()]
        except MediaError as error:
            self._fail(error, key, stage)
            self._counts["clips_failed"] += 1
            return
        members = {"mp4": clip.mp4} | {ext: data for one in found for ext, data in one.members.items()}
        columns = {name: value for one in found for name, value in one.columns.items()}
        self._writer.add(key, {**self._row(clip), **columns}, members)
        self._counts["clips_written"] += 1
        self._counts["frames"] += clip.num_frames
        self._counts["bytes"] += sum(len(data) for data in members.values())

    def _row(self, clip: EncodedClip) -> dict[str, Any]:
        video = self._planned.video
        return {
            "index": clip_index(self._planned.video_index, clip.clip_in_video),
            "video_index": self._planned.video_index,
            "dataset": self._order.config.dataset,
            "fields": list(self._order.config.extract),
            **video_columns(video),
            **clip_columns(clip),
            **video.facts,
        }

    def _fail(self, error: MediaError, key: str | None, stage: str) -> None:
        video = self._planned.video
        failure = Failure(
            source=video.source,
            video_id=video.video_id,
            key=key,
            stage=stage,
            reason=error.reason,
            message=error.message,
            tail=error.tail,
            retryable=error.retryable,
        )
        self._writer.fail(failure)
