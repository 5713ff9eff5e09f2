"""Loading: windows of 16 frames at stride 4, 112 pixels, random resized crop and flip, as float tensors.

`decode` reads and decodes windows of the same kind with one colour conversion of each wanted frame, on all cores and with
nothing behind it: the limit. `ClipIterator` adds crop, resize, flip, normalise and the copy into torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from os import sched_getaffinity

import numpy as np
import torch

from pipelines import ClipIterator
from pipelines.clips import open_clips
from pipelines.decode import Decoder
from pipelines.read import Reader
from vdata import open_shards
from vdata.bench import Bench, Skip, Variant
from vdata.views import Augment, Clip

UNIT = "clips/s"
AUGMENT = Augment(area=(0.3, 1.0), flip=0.5, jitter=0.0, gray=0.0, blur=0.0)
BATCH_SIZE = 16


def variants(bench: Bench) -> Sequence[Variant | Skip]:
    """The limit and the loader."""
    clips = open_clips(bench.shards)
    view = _view(int(clips.num_frames.max()))
    usable = np.flatnonzero(clips.num_frames >= view.span)
    batches = 8 if bench.quick else 24
    _check_frames(bench, usable, view)
    loader = _Loader(bench, view)
    cores = len(sched_getaffinity(0))
    reader, decoder, pool = Reader(clips), Decoder(), ThreadPoolExecutor(cores)
    rng = np.random.default_rng(0)

    def load_one(which: int) -> None:
        start = int(rng.integers(clips.num_frames[which] - view.span + 1))
        frames = start + np.arange(view.frames) * view.stride
        decoder.decode(reader.read(which, frames), [frames], tuple(clips.picture[which].tolist()))

    def decode() -> float:
        chosen = rng.choice(usable, batches * BATCH_SIZE).tolist()
        list(pool.map(load_one, chosen))
        return float(len(chosen))

    ours = Variant("ClipIterator", lambda: loader.run(batches), loader.prepare)
    return [Variant("decode", decode), ours]


def _view(longest: int) -> Clip:
    """16 frames at stride 4, or at the largest stride that fits the shards' clips."""
    return Clip("clip", frames=16, stride=max(1, min(4, (longest - 1) // 15)), size=112, augment=AUGMENT)


class _Loader:
    """A loader that is warm when its time starts and idle when it is the others' turn.

    The batches made ahead before the start are counted, those made ahead at the end are not: as many.
    """

    def __init__(self, bench: Bench, view: Clip) -> None:
        self._open = lambda: ClipIterator(
            bench.shards, views=(view,), batch_size=BATCH_SIZE, device=bench.device, drop_last=False
        )

    def prepare(self) -> None:
        self._loader = self._open()
        self._stream = self._endless()
        list(islice(self._stream, 4))

    def run(self, batches: int) -> float:
        work = float(sum(len(batch["idx"]) for batch in islice(self._stream, batches)))
        self._loader.close()
        return work

    def _endless(self) -> Iterator[dict[str, torch.Tensor]]:
        while True:
            yield from self._loader


def _check_frames(bench: Bench, usable: np.ndarray, view: Clip) -> None:
    """The loader's frames before any augmentation are those that a plain decoder gives of the whole clip."""
    plain = replace(view, size=None, augment=None, start="centre")
    shards = open_shards(bench.shards)
    where = np.isin(np.arange(len(shards)), usable[:4])
    with ClipIterator(bench.shards, views=(plain,), batch_size=1, train=False, where=where) as loader:
        for number, batch in zip(usable[:4].tolist(), loader, strict=True):
            frames = batch["meta"]["clip"]["frames"][0].tolist()
            wanted = shards[number].frames(frames[0], frames[-1] + 1, view.stride)
            if not np.array_equal(batch["clip"][0].numpy(), wanted):
                raise ValueError(f"the loader's frames of clip '{shards[number].key}' differ from a plain decoder's")
