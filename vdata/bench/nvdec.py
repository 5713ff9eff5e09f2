"""The loader on an NVIDIA GPU: what NVDEC alone does with such bytes, and whether its frames are the CPU's.

Has never run on a GPU.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from nvidia.dali import fn, pipeline_def, types
from nvidia.dali.pipeline import Pipeline

from pipelines import ClipIterator, LoaderConfig
from pipelines.clips import Clips, open_clips
from pipelines.fragments import needed
from pipelines.read import Reader
from vdata.bench.case import Timed
from vdata.media.mp4 import track_run
from vdata.media.thin import thin
from vdata.views import Clip

__all__ = [
    "DecodeAlone",
    "Difference",
    "Part",
    "decode_pipeline",
    "difference",
    "load_frames",
    "num_decoders",
    "random_parts",
    "same_size",
    "window_part",
]

MEAN_DIFFERENCE, MAX_DIFFERENCE = 2.0, 40
"""Allowed between frames of NVDEC and of libavcodec after their conversions to RGB, in steps of 1/255: the pictures are bit-exact
by the H.264 standard, chroma is doubled by other filters. Guessed, not measured."""
NUM_ENGINES = 7
"""NVDEC engines of an H100 or H200. Source: NVIDIA's decode matrix. The decoder uses as many as the graph has threads."""
NUM_BATCHES = 8
"""Batches of bytes that `DecodeAlone` goes round in."""

Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]


class Part(NamedTuple):
    """What NVDEC is given for one window."""

    mp4: Pixels
    """Bytes."""
    places: npt.NDArray[np.int32]
    """(T,): the wanted frames among those that the MP4 shows."""
    num_pictures: int
    """Pictures in it: what is decoded."""


def window_part(reader: Reader, clip: int, frames: Longs, *, thins: bool) -> Part:
    """The MP4 of a window, ascending: init and the fragments from its first frame to its last, whole or thinned."""
    encoded, parts, shown = reader.read(clip, np.arange(frames[0], frames[-1] + 1)), list[bytes](), list[Longs]()
    for data, first in zip(encoded.fragments, encoded.first_frames, strict=True):
        places = set(range(len(track_run(data).sizes)))
        if thins:
            places = {coded.place for coded in needed(data, set((frames - first).tolist()))}
        parts.append(thin(data, places))
        shown.append(first + np.array(sorted(places), np.int64))
    there = np.concatenate(shown)
    mp4 = np.frombuffer(b"".join([encoded.init, *parts]), np.uint8)
    return Part(mp4, np.searchsorted(there, frames).astype(np.int32), len(there))


def random_parts(clips: Clips, view: Clip, batch_size: int, *, thins: bool) -> list[list[Part]]:
    """Batches of windows of random clips."""
    reader, rng = Reader(clips), np.random.default_rng(0)
    usable = np.flatnonzero(np.asarray(clips.num_frames) >= view.span)
    steps = np.arange(view.frames) * view.stride

    def one() -> Part:
        clip = int(rng.choice(usable))
        return window_part(reader, clip, int(rng.integers(clips.num_frames[clip] - view.span + 1)) + steps, thins=thins)

    return [[one() for _ in range(batch_size)] for _ in range(NUM_BATCHES)]


def num_decoders(clips: Clips) -> int:
    """Coded sizes among the clips: DALI keeps an NVDEC decoder for each, and makes it once."""
    return len(np.unique(np.stack([clips.width, clips.height], axis=1), axis=0))


def same_size(clips: Clips) -> Bools:
    """(N,): the clips whose picture has the commonest size, which a batch of whole pictures can hold."""
    sizes, which, counts = np.unique(np.asarray(clips.picture)[:, 2:], axis=0, return_inverse=True, return_counts=True)
    chosen: Bools = which.reshape(-1) == int(counts.argmax())
    return chosen if len(sizes) else np.zeros(0, bool)


class Difference(NamedTuple):
    """Between two sets of frames, in steps of 1/255."""

    mean: float
    largest: int

    @property
    def is_conversion(self) -> bool:
        """Whether it is no more than two conversions of the same picture may differ by."""
        return self.mean <= MEAN_DIFFERENCE and self.largest <= MAX_DIFFERENCE


def difference(found: torch.Tensor, wanted: torch.Tensor) -> Difference:
    """The difference of two uint8 tensors of one shape, wherever they lie."""
    apart = (found.cpu().to(torch.int16) - wanted.cpu().to(torch.int16)).abs()
    return Difference(float(apart.float().mean()), int(apart.max()))


def load_frames(folder: Path, view: Clip, device: str, batches: int, *, thins: bool = False) -> list[torch.Tensor]:
    """Whole pictures (B, T, H, W, 3), uint8, of the first batches; the same windows on every device."""
    plain = Clip(view.name, view.frames, view.stride, size=None)
    where, config = same_size(open_clips(folder)), LoaderConfig(thin=thins)
    settings: dict[str, Any] = {"batch_size": 4, "device": device, "where": where, "drop_last": False, "config": config}
    with ClipIterator(folder, views=(plain,), **settings) as loader:
        return [batch[view.name] for batch, _ in zip(loader, range(batches), strict=False)]


@pipeline_def  # type: ignore[untyped-decorator]
def _decoding(source: Any, device: str) -> Any:  # noqa: ANN401 - DALI's nodes carry no types
    encoded, frames = fn.external_source(source=source, num_outputs=2, ndim=[1, 1], dtype=[types.UINT8, types.INT32])
    return fn.decoders.video(encoded, device=device, frames=frames)


def decode_pipeline(batches: Sequence[Sequence[Part]], device_id: int) -> Pipeline:
    """A DALI pipeline of the decoder alone, round and round the batches. It needs no driver until it is built."""
    rounds = cycle([([part.mp4 for part in batch], [part.places for part in batch]) for batch in batches])
    threads = max(NUM_ENGINES, len(os.sched_getaffinity(0)))
    settings = {"batch_size": len(batches[0]), "num_threads": threads, "device_id": device_id, "prefetch_queue_depth": 2}
    pipeline: Pipeline = _decoding(lambda: next(rounds), "mixed", **settings)
    return pipeline


class DecodeAlone:
    """NVDEC on the bytes of random windows, with nothing behind it: the limit."""

    def __init__(self, folder: Path, view: Clip, batch_size: int, device_id: int, *, thins: bool) -> None:
        """Reads the bytes; the GPU is not touched yet."""
        self._batches = random_parts(open_clips(folder), view, batch_size, thins=thins)
        self.pictures_a_window = float(np.mean([part.num_pictures for batch in self._batches for part in batch]))
        self._frames, self._batch_size, self._device_id = view.frames, batch_size, device_id

    def prepare(self) -> None:
        """Builds the pipeline and decodes once round."""
        self._pipeline = decode_pipeline(self._batches, self._device_id)
        self._pipeline.build()
        for _ in self._batches:
            self._pipeline.run()

    def run(self, seconds: float) -> Timed:
        """The frames returned in so many seconds, and those decoded."""
        start, windows = perf_counter(), 0
        while perf_counter() - start < seconds:
            self._pipeline.run()
            windows += self._batch_size
        taken = perf_counter() - start
        return Timed(windows * self._frames, taken, {"frames decoded/s": windows * self.pictures_a_window / taken})
