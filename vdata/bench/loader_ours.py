"""ClipIterator, and what limits it: decoding the very packets that its windows need, on all cores, with nothing behind it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from pipelines import ClipIterator, LoaderConfig
from pipelines.clips import open_clips
from pipelines.convert import Converter, WholePictures
from pipelines.decode import Decoder
from pipelines.read import Reader
from vdata.bench.case import Timed, Variant
from vdata.bench.loader_material import BATCH_SIZE, Sampling
from vdata.bench.timing import cpu_seconds
from vdata.shards import open_shards
from vdata.views import Augment, Clip, View
from vdata.views.window import Phase

__all__ = ["Counts", "Limit", "Ours", "check_frames", "view_of"]

AUGMENT = Augment(area=(0.3, 1.0), flip=0.5, jitter=0.0, gray=0.0, blur=0.0)
"""Random resized crop and flip."""
WARM_UP = 4
"""Batches before the first that counts: as many as are made ahead, and one."""

Longs = npt.NDArray[np.int64]


class Counts(NamedTuple):
    """Sums since the start, or the difference of two."""

    cpu_seconds: float
    num_bytes: int
    num_packets: int

    def since(self, before: Counts) -> Counts:
        """What has come since."""
        num_bytes, num_packets = self.num_bytes - before.num_bytes, self.num_packets - before.num_packets
        return Counts(self.cpu_seconds - before.cpu_seconds, num_bytes, num_packets)

    def timed(self, samples: int, seconds: float) -> Timed:
        """The samples that these were for, and what each of them cost."""
        detail = {
            "CPU ms a clip": 1000 * self.cpu_seconds / samples,
            "kB a clip": self.num_bytes / samples / 1000,
            "packets a clip": self.num_packets / samples,
        }
        return Timed(samples, seconds, detail, self.cpu_seconds)


def view_of(sampling: Sampling, phase: Phase = "any") -> Clip:
    """The view that is measured."""
    return Clip("clip", *sampling, augment=AUGMENT, phase=phase)


class Ours:
    """The loader on one folder; it starts warm and ends with as many batches ahead as it began with."""

    def __init__(
        self,
        folder: Path,
        views: Clip | Sequence[View],
        device: str = "cpu",
        *,
        batch_size: int = BATCH_SIZE,
        config: LoaderConfig | None = None,
    ) -> None:
        """Opens nothing yet."""
        self._folder, self._device = folder, device
        self._views = (views,) if isinstance(views, Clip) else tuple(views)
        self._batch_size, self._config = batch_size, config

    def prepare(self) -> None:
        """Opens the loader and takes its first batches."""
        self._loader = ClipIterator(
            self._folder,
            views=self._views,
            batch_size=self._batch_size,
            device=self._device,
            drop_last=False,
            config=self._config,
        )
        self._batches = self._endless()
        list(islice(self._batches, WARM_UP))

    def run(self, seconds: float) -> Timed:
        """The samples of so many seconds."""
        before, start, samples = self._counts(), perf_counter(), 0
        while perf_counter() - start < seconds:
            samples += len(next(self._batches)["idx"])
        if self._device.startswith("cuda"):
            torch.cuda.synchronize()
        done = self._counts().since(before).timed(samples, perf_counter() - start)
        self._loader.close()
        return done

    def variant(self, name: str, seconds: float, base: tuple[str, ...]) -> Variant:
        """The loader as a variant of a case."""
        return Variant(name, lambda: self.run(seconds), self.prepare, base)

    def _endless(self) -> Iterator[dict[str, Any]]:
        while True:
            yield from self._loader

    def _counts(self) -> Counts:
        counts = self._loader.counts
        return Counts(cpu_seconds(), counts.num_bytes, counts.num_packets)


class Limit:
    """Windows of the same kind read and decoded by a thread a core: `decode`; and their frames converted to RGB too: `RGB`."""

    def __init__(self, folder: Path, view: Clip, *, rgb: bool) -> None:
        """Opens the index."""
        self._clips, self._view, self._rgb = open_clips(folder), view, rgb
        self._reader, self._decoder, self._converter = Reader(self._clips), Decoder(), Converter()
        self._pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)))
        self._random = np.random.default_rng(0)
        self._long = np.flatnonzero(self._clips.num_frames >= view.span)

    def run(self, seconds: float) -> Timed:
        """The windows of so many seconds."""
        before, start, samples = self._counts(), perf_counter(), 0
        while perf_counter() - start < seconds:
            list(self._pool.map(self._load, *self._draw()))
            samples += BATCH_SIZE
        return self._counts().since(before).timed(samples, perf_counter() - start)

    def variant(self, name: str, seconds: float, base: tuple[str, ...] = ()) -> Variant:
        """The limit as a variant of a case."""
        return Variant(name, lambda: self.run(seconds), base=base)

    def _draw(self) -> tuple[Longs, Longs]:
        """Clips and first frames of a batch."""
        clips = self._long[self._random.integers(len(self._long), size=BATCH_SIZE)]
        starts = self._random.integers(self._clips.num_frames[clips] - self._view.span + 1)
        return clips, starts - starts % self._view.stride if self._view.phase == "stride" else starts

    def _load(self, clip: int, start: int) -> None:
        frames = start + np.arange(self._view.frames) * self._view.stride
        x, y, width, height = self._clips.picture[clip].tolist()
        pictures = WholePictures(self._converter, len(frames), (x, y, width, height))
        for number, frame in self._decoder.frames(self._reader.read(int(clip), frames), set(frames.tolist())):
            if self._rgb:
                pictures.put(frame, [(number - int(start)) // self._view.stride])

    def _counts(self) -> Counts:
        return Counts(cpu_seconds(), self._reader.traffic.num_bytes, self._decoder.num_packets)


def check_frames(folder: Path, sampling: Sampling) -> None:
    """Compares the loader's frames before any augmentation with those that PyAV gives of the whole clip.

    Raises:
        ValueError: they differ by a bit.
    """
    plain = Clip("clip", sampling.frames, sampling.stride, size=None, start="centre")
    shards = open_shards(folder)
    # The loader passes over clips that are shorter than the window.
    long = np.flatnonzero(shards.index.num_frames >= plain.span)[:4].tolist()
    with ClipIterator(folder, views=(plain,), batch_size=1, train=False) as loader:
        for number, batch in zip(long, loader, strict=False):
            frames = batch["meta"]["clip"]["frames"][0].tolist()
            wanted = shards[number].frames(frames[0], frames[-1] + 1, sampling.stride)
            if not np.array_equal(batch["clip"][0].numpy(), wanted):
                raise ValueError(f"the loader's frames of clip '{shards[number].key}' differ from a plain decoder's")
