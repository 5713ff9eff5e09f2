"""Runs the loader's peers: `python _run_loader_peer.py`, told over its standard input what to do, a line of JSON a command.

Apart from `vdata.bench.loader_peers`, which starts it: a DataLoader forks its workers, which must not happen in a process that
has run DALI, and the peers' packages lie on this process's path alone. It imports nothing of vdata, and so `Item`, which both
sides know, is defined here.

A peer is a function from bytes or a path and frame numbers to frames. All of them share the rest: a torch DataLoader with a
worker a core, crop, resize and flip by torch on uint8 frames, one copy into a float batch. The choices below are the quickest
that were found for each, in windows of 16 frames at stride 4 of 480p sources and of 256-pixel clips made of them, a second of
one core (AMD EPYC, torch 2.13, all libav but decord's own from PyAV's wheel):

- TorchCodec: whole frames and torch's antialiased resize on uint8, 79 on clips; its own transforms (RandomCrop, Resize), 69;
  torch's resize without antialiasing 75, on floats 71. `seek_mode="exact"` scans a file first, which `approximate` does not: no
  difference above noise (source files 9.6 and 8.0, 340x256 ones 39 and 36), and on fragments its frames are wrong.
- decord: 53 on clips, 7.8 on sources.
- PyAV: with a converter that is kept, 66 on clips with one layer and 87 with three; with `frame.to_ndarray`, which makes one a
  frame, 41 and 54; decoding from the clip's start in place of a seek, 30 and 36.
- DataLoader: batches of uint8 from the workers, made float by the consumer; floats from the workers take 6 ms more a sample.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import torch
from av.video.reformatter import VideoReformatter
from torch.nn.functional import interpolate
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

TICKS = os.sysconf("SC_CLK_TCK")
SHUFFLE_BUFFER = 100
"""Clips that webdataset keeps in memory, still encoded, to draw from."""
AREA, ASPECT, TRIES, FLIP = (0.3, 1.0), (3 / 4, 4 / 3), 10, 0.5
"""The random resized crop and the flip, as vdata's own view in the bench has them."""


class Item(NamedTuple):
    """One video: a file, or a part of one."""

    path: str
    offset: int
    size: int
    """Bytes from `offset` on; 0 is the whole file, which the peer opens itself."""
    num_frames: int
    width: int
    """Of the picture, whose left upper corner is the frame's."""
    height: int

    def source(self) -> str | bytes:
        """What a decoder is given."""
        if not self.size:
            return self.path
        with Path(self.path).open("rb", buffering=0) as file:
            return os.pread(file.fileno(), self.size, self.offset)


@dataclass(frozen=True)
class Job:
    """What to load, as the bench's own side writes it."""

    peer: str
    items: Sequence[Item]
    tars: Sequence[str]
    """For webdataset, which reads nothing else."""
    frames: int
    stride: int
    size: int
    batch_size: int
    workers: int
    seed: int = 0

    def window(self, num_frames: int, rng: random.Random) -> list[int]:
        """Frame numbers of a uniform start."""
        start = rng.randrange(num_frames - (self.frames - 1) * self.stride)
        return [start + i * self.stride for i in range(self.frames)]


Frames = Callable[[Any, Sequence[int]], torch.Tensor]
"""From a path or bytes and frame numbers, ascending, to frames uint8 (T, H, W, 3)."""


def torchcodec_frames() -> Frames:
    """TorchCodec, a decoder opened for each sample."""
    from torchcodec.decoders import VideoDecoder  # noqa: PLC0415 - one peer may be absent

    def frames(source: str | bytes, wanted: Sequence[int]) -> torch.Tensor:
        decoder = VideoDecoder(source, dimension_order="NHWC", num_ffmpeg_threads=1, seek_mode="exact")
        found: torch.Tensor = decoder.get_frames_at(list(wanted)).data
        return found

    return frames


def decord_frames() -> Frames:
    """decord, a reader opened for each sample."""
    from decord import VideoReader, cpu  # noqa: PLC0415 - as above

    def frames(source: str | bytes, wanted: Sequence[int]) -> torch.Tensor:
        opened = io.BytesIO(source) if isinstance(source, bytes) else source
        reader = VideoReader(opened, ctx=cpu(0), num_threads=1)
        return torch.from_numpy(reader.get_batch(list(wanted)).asnumpy())

    return frames


def pyav_frames() -> Frames:
    """PyAV: seek to the keyframe before the window, decode to its end, convert the wanted frames alone by a kept converter."""
    converter = VideoReformatter()

    def frames(source: str | bytes, wanted: Sequence[int]) -> torch.Tensor:
        numbers, found = set(wanted), list[Any]()
        with av.open(io.BytesIO(source) if isinstance(source, bytes) else source, "r") as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            ticks = round(1 / ((stream.average_rate or 0) * (stream.time_base or 0)))
            if wanted[0]:
                container.seek(wanted[0] * ticks, stream=stream)
            for frame in container.decode(stream):
                number = round((frame.pts or 0) / ticks)
                if number in numbers:
                    found.append(converter.reformat(frame, format="rgb24", threads=1).to_ndarray())
                if number >= wanted[-1]:
                    break
        return torch.from_numpy(np.stack(found))

    return frames


PEERS = {"torchcodec": torchcodec_frames, "decord": decord_frames, "webdataset": pyav_frames}


def missing(peer: str) -> str:
    """Why a peer cannot run here; empty if it can."""
    try:
        PEERS[peer]()
        if peer == "webdataset":
            importlib.import_module(peer)
    except ImportError as error:
        return f"{error}: `make bench-peers` in a checkout installs it"
    except RuntimeError as error:
        # TorchCodec's answer where it finds no FFmpeg that it knows, or another torch than its own; a page long.
        return f"{str(error).splitlines()[0]} Debian's FFmpeg will do: apt install ffmpeg"
    return ""


def crop_box(width: int, height: int, rng: random.Random) -> tuple[int, int, int, int]:
    """x, y, width, height of a random resized crop, by torchvision's rule."""
    for _ in range(TRIES):
        area, aspect = width * height * rng.uniform(*AREA), np.exp(rng.uniform(*np.log(ASPECT)))
        wide, tall = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if wide <= width and tall <= height:
            return rng.randint(0, width - wide), rng.randint(0, height - tall), wide, tall
    side = min(width, height)
    return (width - side) // 2, (height - side) // 2, side, side


def augmented(frames: torch.Tensor, item: Item, size: int, rng: random.Random) -> torch.Tensor:
    """(T, 3, size, size) uint8: cropped, resized and perhaps flipped. Channels stay last in memory: torch's quick path."""
    x, y, wide, tall = crop_box(item.width, item.height, rng)
    cropped = frames[:, y : y + tall, x : x + wide].permute(0, 3, 1, 2)
    resized = interpolate(cropped, size=(size, size), mode="bilinear", antialias=True)
    return resized.flip(3) if rng.random() < FLIP else resized


class Windows(IterableDataset[torch.Tensor]):
    """Endless samples of random windows of random videos."""

    def __init__(self, job: Job) -> None:
        """Looks the peer up."""
        self.job, self.frames = job, PEERS[job.peer]()

    def __iter__(self) -> Iterator[torch.Tensor]:
        """The samples of this worker."""
        rng = worker_random(self.job)
        while True:
            item = rng.choice(self.job.items)
            frames = self.frames(item.source(), self.job.window(item.num_frames, rng))
            yield augmented(frames, item, self.job.size, rng)


def webdataset_samples(job: Job) -> IterableDataset[torch.Tensor]:
    """Endless samples of webdataset: whole clips from its shuffle buffer, a random window of each."""
    from webdataset import WebDataset  # noqa: PLC0415 - one peer may be absent

    decode = PEERS[job.peer]()

    def windows(found: Iterator[dict[str, Any]]) -> Iterator[torch.Tensor]:
        rng = worker_random(job)
        for sample in found:
            row = json.loads(sample["json"])
            item = Item("", 0, 0, row["num_frames"], row["picture"]["width"], row["picture"]["height"])
            yield augmented(decode(sample["mp4"], job.window(item.num_frames, rng)), item, job.size, rng)

    clips = WebDataset(list(job.tars), resampled=True, shardshuffle=False).shuffle(SHUFFLE_BUFFER)
    samples: IterableDataset[torch.Tensor] = clips.compose(windows)
    return samples


def worker_random(job: Job) -> random.Random:
    """Numbers of a worker's own."""
    return random.Random(f"{job.seed} {getattr(get_worker_info(), 'id', 0)}")  # noqa: S311 - no secret is drawn


def collate(samples: Sequence[torch.Tensor]) -> torch.Tensor:
    """uint8 (B, 3, T, H, W): floats would be four times the bytes on their way from worker to consumer."""
    return torch.stack([sample.permute(0, 2, 3, 1) for sample in samples]).permute(0, 4, 1, 2, 3).contiguous()


class Loader:
    """An open DataLoader whose work is measured between two of its batches."""

    def __init__(self, job: Job) -> None:
        dataset = webdataset_samples(job) if job.peer == "webdataset" else Windows(job)
        loader = DataLoader(dataset, job.batch_size, num_workers=job.workers, collate_fn=collate)
        self.job, self.batches = job, iter(loader)
        workers: Any = self.batches._workers  # type: ignore[attr-defined]  # noqa: SLF001 - whom else to ask
        self.pids = [os.getpid(), *(worker.pid for worker in workers)]
        # One of each worker: from then on all are at work, and none is ahead.
        for _ in range(job.workers):
            self.last = self.next_batch()

    def next_batch(self) -> torch.Tensor:
        """float32 (B, 3, T, H, W) in [0, 1]."""
        batch: torch.Tensor = next(self.batches)
        return batch.float().div_(255)

    def run(self, seconds: float) -> dict[str, float]:
        """Batches for that long, as many of each worker: they hand out theirs in turn."""
        cpu, read, start, count = self.cpu_seconds(), self.bytes_read(), time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            for _ in range(self.job.workers):
                count += len(self.next_batch())
        taken = time.perf_counter() - start
        return {"samples": count, "seconds": taken, "cpu": self.cpu_seconds() - cpu, "bytes": self.bytes_read() - read}

    def cpu_seconds(self) -> float:
        """Of this process and its workers."""
        fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in self.pids]
        return sum(int(values[11]) + int(values[12]) for values in fields) / TICKS

    def bytes_read(self) -> int:
        """By read calls of all of them: files, and some kB of what they tell each other."""
        return sum(int(Path(f"/proc/{pid}/io").read_text().split()[1]) for pid in self.pids)


def job_of(command: dict[str, Any]) -> Job:
    """The job in a command."""
    return Job(**{**command["job"], "items": [Item(*item) for item in command["job"]["items"]]})


def answers(commands: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """An answer for each command: `frames` writes frames to a file, `open` starts a loader, `run` measures it and ends it."""
    loader: Loader | None = None
    for command in commands:
        if command["do"] == "import":
            yield {"missing": missing(command["peer"])}
        elif command["do"] == "frames":
            job = job_of(command)
            decode = PEERS[job.peer]()
            found = [decode(job.items[item].source(), wanted).numpy() for item, wanted in command["windows"]]
            np.savez(command["file"], *found)
            yield {}
        elif command["do"] == "open":
            loader = Loader(job_of(command))
            yield {"shape": list(loader.last.shape), "low": float(loader.last.min()), "high": float(loader.last.max())}
        elif loader is not None:
            done, loader = loader.run(command["seconds"]), None
            yield done


def main() -> None:
    """Answers until the input ends. Standard output carries answers alone: what packages print goes to standard error."""
    told, sys.stdout = sys.stdout, sys.stderr
    torch.set_num_threads(1)
    for answer in answers(json.loads(line) for line in sys.stdin):
        told.write(json.dumps(answer) + "\n")
        told.flush()


if __name__ == "__main__":
    main()
