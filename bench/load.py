"""Loading: windows of 16 frames at stride 4, 112 pixels, random resized crop and flip, as float tensors.

`decode` reads and decodes windows of the same kind with one colour conversion of each wanted frame, on all cores and with
nothing behind it: the limit. `ClipIterator` adds crop, resize, flip, normalise and the copy into torch. `torchcodec` is
TorchCodec's decoder in the worker processes of a torch DataLoader, on the same clips written out as files, resized by torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from os import sched_getaffinity
from pathlib import Path

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
    """The limit, the loader, and the peer if it is asked for and there."""
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
    return [Variant("decode", decode), ours, _torchcodec(bench, usable, view, batches)]


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


class _Windows(torch.utils.data.Dataset[torch.Tensor]):
    """The peer's dataset: a random window of a file, cropped at random and resized."""

    def __init__(self, paths: Sequence[Path], view: Clip, length: int) -> None:
        self.paths, self.view, self.length = paths, view, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, item: int) -> torch.Tensor:
        from torchcodec.decoders import VideoDecoder  # noqa: PLC0415 - a peer that may be absent

        decoder = VideoDecoder(str(self.paths[item % len(self.paths)]), num_ffmpeg_threads=1)
        start = int(torch.randint(len(decoder) - self.view.span + 1, ()))
        frames = decoder.get_frames_at(list(range(start, start + self.view.span, self.view.stride))).data
        side = int(min(frames.shape[-2:]) * float(torch.empty(()).uniform_(0.55, 1.0)))
        y, x = (int(torch.randint(extent - side + 1, ())) for extent in frames.shape[-2:])
        crop = frames[..., y : y + side, x : x + side].float() / 255
        resized = torch.nn.functional.interpolate(crop, (112, 112), mode="bilinear", antialias=True)
        return resized.flip(-1) if torch.rand(()) < 0.5 else resized  # noqa: PLR2004 - a coin


def _torchcodec(bench: Bench, usable: np.ndarray, view: Clip, batches: int) -> Variant | Skip:
    if not bench.peers:
        return Skip("torchcodec", "asked for by --peers")
    try:
        import torchcodec  # noqa: F401, PLC0415 - a peer that may be absent
    except (ImportError, RuntimeError, OSError) as error:
        return Skip("torchcodec", f"does not import here: {str(error).splitlines()[0][:80]}")
    shards, paths = open_shards(bench.shards), []
    for number in usable[:64].tolist():
        paths.append(bench.scratch / f"{number}.mp4")
        paths[-1].write_bytes(shards[number]["mp4"])
    workers = len(sched_getaffinity(0))
    data = torch.utils.data.DataLoader(
        _Windows(paths, view, batches * BATCH_SIZE), BATCH_SIZE, num_workers=workers, multiprocessing_context="spawn"
    )
    # Workers are kept from round to round: their start is no part of the figure.
    data.persistent_workers = True
    return Variant("torchcodec", lambda: float(sum(len(batch) for batch in data)))
