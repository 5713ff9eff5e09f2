"""From places in the sequence to batches: draw, load in threads, run the graph, add idx, label, valid and meta."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from pipelines.clips import Clips, is_remote
from pipelines.graph import Graph, GraphConfig, describe
from pipelines.members import Members
from pipelines.philox import SAMPLE
from pipelines.prefetch import Made, Place
from pipelines.read import Reader
from pipelines.readers import make_readers
from pipelines.sampler import Sampler
from pipelines.samples import Samples, known_of, put
from pipelines.sources import DecodedSource, EncodedSource, Source
from pipelines.units import Units, VideoUnits
from pipelines.views import Shot, ViewReader
from vdata.config import check
from vdata.errors import CorruptShardError, MediaError
from vdata.views import View

__all__ = ["BatchMaker", "Counts", "LoaderConfig"]

_REPLACEMENTS = 8
"""Units tried in the place of an unusable one before the error is raised after all."""

Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Drawn = dict[str, Any]
"""By view, what was drawn for the samples of a batch."""


@dataclass(frozen=True, slots=True)
class LoaderConfig:
    """How the loader works. None of it changes which frames a batch holds; `shortcuts` change their pixels a little."""

    decode_threads: int = 0
    """Threads that read and decode; 0 is one for each core that this rank has."""
    graph_threads: int = 0
    """DALI's own threads; 0 as above."""
    batches_ahead: int = 2
    """Batches that are read and decoded ahead of the one in the graph."""
    graph_depth: int = 0
    """Batches in the graph at once; 0 is 1 on the CPU, whose cores decode meanwhile, and 2 on CUDA."""
    shortcuts: tuple[Literal["scale", "blur"], ...] = ("scale", "blur")
    """What a CPU does outside the graph because it is quicker there, with gains in docs/loading.md; () runs the GPU's nodes."""
    thin: bool = False
    """On CUDA: leaves out pictures that no wanted one needs. Off until a GPU has shown that its frames are the same."""

    def __post_init__(self) -> None:
        """Checks the counts."""
        for name in ("decode_threads", "graph_threads", "batches_ahead", "graph_depth"):
            check(getattr(self, name) >= 0, f"loader.{name}", getattr(self, name), "must not be negative")
        known = {"scale", "blur"} if "scale" in self.shortcuts else set[str]()
        check(set(self.shortcuts) <= known, "loader.shortcuts", self.shortcuts, "must be (), ('scale',) or ('scale', 'blur')")


@dataclass(frozen=True, slots=True)
class Counts:
    """What a loader has done so far, of batches made ahead too."""

    num_bytes: int
    """Read."""
    num_requests: int
    """Reads of local files, or requests to a server."""
    num_packets: int
    """Pictures decoded, wanted or not; 0 on CUDA, where the graph decodes."""


@dataclass(slots=True)
class _Pending:
    """A batch on its way: what was drawn for it, and the loads under way."""

    epoch: int
    positions: Longs
    valid: Bools
    samples: Samples
    drawn: Drawn
    following: Place | None
    loads: list[Future[_Loaded]]
    loaded: list[_Loaded]
    """What the loads gave; kept until the graph is done with it."""
    skipped: list[str] = field(default_factory=list)
    """What is wrong with each clip that was replaced."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What was read of one sample."""

    pictures: list[Any]
    """One entry a shot."""
    others: list[Any]
    """One entry a view."""


class BatchMaker:
    """Makes the batches of one rank, in order. Used by one thread at a time."""

    def __init__(
        self,
        units: Units,
        views: Sequence[View],
        sampler: Sampler,
        device: torch.device,
        config: LoaderConfig,
        *,
        skip: bool,
        train: bool = True,
    ) -> None:
        """Takes the units that the sampler's numbers stand for; starts no thread yet.

        Without `train` a video's windows come from its longest run; otherwise the run is drawn.
        """
        self._draws_runs = train
        self._units, self._views, self._sampler, self._device, self._config = units, views, sampler, device, config
        self.clips: Clips = units.clips
        self._skip = skip
        self._is_remote = is_remote(self.clips)
        self._pool = ThreadPoolExecutor(config.decode_threads or _num_cores(), thread_name_prefix="vdata-decode")
        self.reader = Reader(self.clips)
        self._members = Members(self.clips, self.reader)
        cuda = device.type == "cuda"
        self.source: Source = EncodedSource(self.reader, thins=config.thin) if cuda else DecodedSource(self.reader)
        self.readers = self._readers(device.type)
        self._draw_order = _in_order(self.readers)
        self._shot_names = [name for reader in self.readers for name in reader.shot_names]
        threads = config.graph_threads or _num_cores()
        self._depth = config.graph_depth or (2 if cuda else 1)
        self.graph = Graph(self.readers, GraphConfig(device, sampler.batch_size, threads, self._depth))

    def describe(self, device: str) -> str:
        """The nodes of the graph as it is built for a device: see graph.describe."""
        return describe(self._readers(torch.device(device).type), device)

    def _readers(self, device: str) -> Sequence[ViewReader]:
        # Shortcuts are the CPU's own: on CUDA the graph does everything.
        return make_readers(self._views, shortcuts=() if device == "cuda" else self._config.shortcuts)

    def close(self) -> None:
        """Ends the threads."""
        self.reader.close()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def abandon(self) -> None:
        """Tells the threads to end, and does not wait for them."""
        self.reader.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    @property
    def on_cuda(self) -> bool:
        """Whether NVDEC decodes."""
        return self._device.type == "cuda"

    @property
    def counts(self) -> Counts:
        """Sums over all threads since the loader was made."""
        traffic = self.reader.traffic
        num_packets = self.source.decoder.num_packets if isinstance(self.source, DecodedSource) else 0
        return Counts(traffic.num_bytes, traffic.num_requests, num_packets)

    def stream(self, place: Place, *, endless: bool) -> Iterator[Made]:
        """The batches from a place on: to the epoch's end, or through all epochs that follow.

        Raises:
            CorruptShardError: an unusable clip that is not to be skipped.
        """
        loading, running = deque[_Pending](), deque[_Pending]()
        try:
            for now, following in self._places(place, endless=endless):
                loading.append(self._submit(*now, following))
                if len(loading) > self._config.batches_ahead:
                    yield from self._pushed(loading, running)
            while loading:
                yield from self._pushed(loading, running)
            while running:
                yield self._finish(running.popleft())
        finally:
            for pending in loading:
                for load in pending.loads:
                    load.cancel()
            # What was handed in must be taken out again before another stream begins.
            for _ in running:
                self.graph.take()

    def _pushed(self, loading: deque[_Pending], running: deque[_Pending]) -> Iterator[Made]:
        """Hands the first batch that is loading to the graph; the batch that comes out of it for that, if one does."""
        try:
            running.append(self._fed(loading.popleft()))
        except CorruptShardError:
            # Those before it are good.
            while running:
                yield self._finish(running.popleft())
            raise
        if len(running) >= self._depth:
            yield self._finish(running.popleft())

    def _places(self, place: Place, *, endless: bool) -> Iterator[tuple[Place, Place | None]]:
        """The places from `place` on, each with the one behind it."""
        last = self._sampler.num_batches - 1
        following: Place | None = place
        while following is not None:
            epoch, batch = now = following
            following = (epoch, batch + 1) if batch < last else (epoch + 1, 0) if endless else None
            yield now, following

    def _submit(self, epoch: int, batch: int, following: Place | None) -> _Pending:
        positions, valid = self._sampler.positions(batch)
        samples, drawn = self._draw(epoch, positions)
        if self._is_remote:
            for row in range(len(positions)):
                self.source.ahead(samples, row, self._shots(drawn, row))
        loads = [self._pool.submit(self._load, samples, row, drawn) for row in range(len(positions))]
        return _Pending(epoch, positions, valid, samples, drawn, following, loads, [])

    def _draw(self, epoch: int, positions: Longs) -> tuple[Samples, Drawn]:
        """Runs, windows and augmentation of the units at these positions, for each view."""
        sampler = self._sampler
        coins = sampler.uniforms(epoch, positions, SAMPLE)
        # The last number of a sample's own stream draws its run.
        which = sampler.units(epoch, positions)
        runs = self._units.runs(which, coins[:, -1]) if self._draws_runs else self._units.longest_runs(which)
        u = {view.name: sampler.uniforms(epoch, positions, place) for place, view in enumerate(self._views)}
        samples = known_of(self.clips, runs, self._views, u, coins)
        drawn: Drawn = {}
        for reader in self._draw_order:
            drawn[reader.view.name] = reader.draw(samples, drawn)
        return samples, drawn

    def _shots(self, drawn: Drawn, row: int) -> list[Shot]:
        return [shot for reader in self.readers for shot in reader.shots(drawn[reader.view.name], row)]

    def _load(self, samples: Samples, row: int, drawn: Drawn) -> _Loaded:
        """What the views want of a sample; its clip is named if it is unusable."""
        shots = self._shots(drawn, row)
        try:
            pictures = self.source.load(samples, row, shots) if shots else []
            others = [reader.load(self._members, samples, row, drawn[reader.view.name]) for reader in self.readers]
        except MediaError as error:
            key = self.clips.key(int(samples.first_clip[row]))
            raise CorruptShardError(f"'{self.clips.folder}', key '{key}': {error}") from error
        return _Loaded(pictures, others)

    def _fed(self, pending: _Pending) -> _Pending:
        """The batch, read whole and handed to the graph."""
        pending.loaded = [self._loaded(pending, row) for row in range(len(pending.loads))]
        feeds = self.source.feeds(self._shot_names, [one.pictures for one in pending.loaded], pending.samples)
        for place, reader in enumerate(self.readers):
            feeds |= reader.feeds(pending.drawn[reader.view.name], [one.others[place] for one in pending.loaded])
        self.graph.feed(feeds)
        return pending

    def _finish(self, pending: _Pending) -> Made:
        samples, batch = pending.samples, dict[str, Any]()
        meta: dict[str, Mapping[str, torch.Tensor]] = {}
        for place, (reader, outputs) in enumerate(zip(self.readers, self.graph.take(), strict=True)):
            drawn = pending.drawn[reader.view.name]
            made = reader.batch(drawn, [one.others[place] for one in pending.loaded], outputs)
            batch |= {name: tensor.to(self._device) for name, tensor in made.items()}
            meta[reader.view.name] = {key: torch.from_numpy(value) for key, value in reader.meta(drawn, samples).items()}
        numbers = self.clips.video if isinstance(self._units, VideoUnits) else self.clips.index
        for name, column in (("idx", numbers), ("label", self.clips.label)):
            batch[name] = torch.from_numpy(column[samples.first_clip].astype(np.int64)).to(self._device)
        batch["valid"] = torch.from_numpy(pending.valid).to(self._device)
        batch["meta"] = meta
        return Made(batch, pending.skipped, pending.following)

    def _loaded(self, pending: _Pending, row: int) -> _Loaded:
        try:
            return pending.loads[row].result()
        except CorruptShardError as error:
            if not self._skip:
                raise CorruptShardError(f"{error}; on_error='skip' takes another in its place") from error
            return self._replaced(pending, row, error)

    def _replaced(self, pending: _Pending, row: int, error: CorruptShardError) -> _Loaded:
        """The sample of another position for the row; which one depends on nothing but the row's own."""
        position, first = int(pending.positions[row]), error
        for attempt in range(1, _REPLACEMENTS + 1):
            samples, drawn = self._draw(pending.epoch, np.array([self._sampler.replacement(position, attempt)]))
            try:
                loaded = self._load(samples, 0, drawn)
            except CorruptShardError as next_error:
                error = next_error
                continue
            pending.samples.replace(row, samples)
            for name, one in drawn.items():
                put(pending.drawn[name], row, one)
            pending.skipped.append(str(first))
            if not self._draws_runs:
                # In an evaluation it would count twice.
                pending.valid[row] = False
            return loaded
        raise CorruptShardError(f"{_REPLACEMENTS} clips in a row are unusable, the last: {error}") from error


def _in_order(readers: Sequence[ViewReader]) -> list[ViewReader]:
    """The readers, those that look at no other view's draw first: of pictures, and of these the clips."""
    return sorted(readers, key=lambda reader: (not reader.shot_names, hasattr(reader.view, "of")))


def _num_cores() -> int:
    """Cores of this process, shared among the ranks that torchrun has started on this machine."""
    return max(1, len(os.sched_getaffinity(0)) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
