"""From places in the sequence to batches: draw, load in threads, run the graph, add idx, label and meta."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pipelines import graph
from pipelines.clips import Clips
from pipelines.draw import Draw, draw
from pipelines.prefetch import Made, Place
from pipelines.sampler import Sampler, uniforms
from pipelines.sources import DecodedSource, EncodedSource, Loaded, Source
from pipelines.windows import frame_numbers, window_starts
from vdata.config import check
from vdata.errors import CorruptShardError
from vdata.views import View

__all__ = ["BatchMaker", "LoaderConfig"]

_REPLACEMENTS = 8
"""Clips tried in the place of an unusable one before the error is raised after all."""

Longs = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LoaderConfig:
    """How hard the loader works. None of it changes a batch."""

    decode_threads: int = 0
    """Threads that read and decode; 0 is one for each core that this rank has."""
    graph_threads: int = 0
    """DALI's own threads; 0 as above."""
    batches_ahead: int = 2
    """Batches that are read and decoded ahead of the one in the graph."""

    def __post_init__(self) -> None:
        """Checks the counts."""
        for name in ("decode_threads", "graph_threads", "batches_ahead"):
            check(getattr(self, name) >= 0, f"loader.{name}", getattr(self, name), "must not be negative")


@dataclass(slots=True)
class _Pending:
    """A batch on its way: what was drawn for it, and the loads under way."""

    epoch: int
    positions: range
    clips: Longs
    draws: list[Draw]
    """One a view."""
    loads: list[Future[Loaded]]
    num_skipped: int = 0


class BatchMaker:
    """Makes the batches of one rank, in order. Used by one thread at a time."""

    def __init__(
        self,
        clips: Clips,
        used: Longs,
        views: Sequence[View],
        sampler: Sampler,
        device: torch.device,
        config: LoaderConfig,
        *,
        skip: bool,
    ) -> None:
        """Takes the clips `used` of the index that the sampler's numbers stand for; starts no thread yet."""
        self._clips, self._used, self._views, self._sampler, self._device = clips, used, views, sampler, device
        self._ahead = config.batches_ahead
        self._pool = ThreadPoolExecutor(config.decode_threads or _num_cores(), thread_name_prefix="vdata-decode")
        self._source: Source = EncodedSource(clips) if device.type == "cuda" else DecodedSource(clips)
        self._order: tuple[int, Longs] = -1, np.empty(0, np.int64)
        self._skip = skip
        self.pipeline = graph.build(views, device, sampler.batch_size, config.graph_threads or _num_cores())

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def stream(self, place: Place, *, endless: bool) -> Iterator[Made]:
        """The batches from a place on: to the epoch's end, or through all epochs that follow.

        Raises:
            CorruptShardError: an unusable clip that is not to be skipped.
        """
        ahead: deque[tuple[_Pending, Place | None]] = deque()
        try:
            for now, following in self._places(place, endless=endless):
                ahead.append((self._submit(*now), following))
                if len(ahead) > self._ahead:
                    yield self._finish(*ahead.popleft())
            while ahead:
                yield self._finish(*ahead.popleft())
        finally:
            for pending, _ in ahead:
                for load in pending.loads:
                    load.cancel()

    def _places(self, place: Place, *, endless: bool) -> Iterator[tuple[Place, Place | None]]:
        """The places from `place` on, each with the one behind it."""
        last = self._sampler.num_batches - 1
        following: Place | None = place
        while following is not None:
            epoch, batch = now = following
            following = (epoch, batch + 1) if batch < last else (epoch + 1, 0) if endless else None
            yield now, following

    def _submit(self, epoch: int, batch: int) -> _Pending:
        positions = self._sampler.positions(batch)
        clips = self._clip_at(epoch, np.arange(positions.start, positions.stop))
        draws = self._draw(epoch, positions.start, clips)
        rows = enumerate(clips.tolist())
        loads = [self._pool.submit(self._source.load, clip, [drawn.frames[row] for drawn in draws]) for row, clip in rows]
        return _Pending(epoch, positions, clips, draws, loads)

    def _clip_at(self, epoch: int, positions: Longs) -> Longs:
        if self._order[0] != epoch:
            self._order = epoch, self._sampler.order(epoch)
        return self._used[self._order[1][positions]]

    def _draw(self, epoch: int, first: int, clips: Longs) -> list[Draw]:
        """Windows and augmentation of the clips at positions first, first + 1, ..., for each view."""
        u = {view.name: uniforms(self._sampler.seed, epoch, first, len(clips), place) for place, view in enumerate(self._views)}
        num_frames, picture = self._clips.num_frames[clips].astype(np.int64), self._clips.picture[clips]
        starts = window_starts(self._views, num_frames, u)
        return [draw(view, frame_numbers(view, starts[view.name], num_frames), picture, u[view.name]) for view in self._views]

    def _finish(self, pending: _Pending, following: Place | None) -> Made:
        loaded = [self._loaded(pending, row) for row in range(len(pending.loads))]
        feeds = self._source.feeds(self._views, loaded, pending.clips)
        for view, drawn in zip(self._views, pending.draws, strict=True):
            feeds.update(graph.parameters(view, drawn))
        batch: dict[str, Any] = graph.run(self.pipeline, feeds, self._views, self._device)
        for name, column in (("idx", self._clips.index), ("label", self._clips.label)):
            batch[name] = torch.from_numpy(column[pending.clips].astype(np.int64)).to(self._device)
        fps = self._clips.fps[pending.clips]
        batch["meta"] = {view.name: _meta(drawn, fps) for view, drawn in zip(self._views, pending.draws, strict=True)}
        return Made(batch, pending.num_skipped, following)

    def _loaded(self, pending: _Pending, row: int) -> Loaded:
        try:
            return pending.loads[row].result()
        except CorruptShardError as error:
            if not self._skip:
                raise
            return self._replaced(pending, row, error)

    def _replaced(self, pending: _Pending, row: int, error: CorruptShardError) -> Loaded:
        """Another clip for the row, drawn with the same numbers; the choice depends on nothing but the row's position."""
        position = pending.positions[row]
        for attempt in range(1, _REPLACEMENTS + 1):
            clips = self._clip_at(pending.epoch, np.array([self._sampler.replacement(position, attempt)]))
            draws = self._draw(pending.epoch, position, clips)
            try:
                loaded = self._source.load(int(clips[0]), [drawn.frames[0] for drawn in draws])
            except CorruptShardError as next_error:
                error = next_error
                continue
            pending.clips[row] = clips[0]
            for drawn, one in zip(pending.draws, draws, strict=True):
                drawn.put(row, one)
            pending.num_skipped += 1
            return loaded
        raise CorruptShardError(f"{_REPLACEMENTS} clips in a row are unusable, the last: {error}") from error


def _meta(drawn: Draw, fps: npt.NDArray[np.float64]) -> dict[str, torch.Tensor]:
    seconds = drawn.frames / fps[:, None]
    meta = {"frames": drawn.frames, "seconds": seconds, "crop": drawn.box, "flip": drawn.flip}
    return {name: torch.from_numpy(values) for name, values in meta.items()}


def _num_cores() -> int:
    """Cores of this process, shared among the ranks that torchrun has started on this machine."""
    return max(1, len(os.sched_getaffinity(0)) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
