"""The loader's peers: TorchCodec and decord behind a torch DataLoader, and PyAV behind webdataset.

Each runs in a process of its own with a worker a core, idle while others have their turn; what each of them is tuned to stands
in _run_loader_peer.py. All give what the loader gives: float32 (B, 3, T, S, S) in [0, 1] of random windows, cropped, resized
and flipped at random.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from vdata.bench._run_loader_peer import Item
from vdata.bench.case import Bench, Skip, Timed, Variant
from vdata.bench.loader_material import BATCH_SIZE, Material, Sampling
from vdata.bench.loader_packets import mean_packets, packet_order
from vdata.bench.loader_process import PACKAGES, PeerProcess
from vdata.shards import open_shards

__all__ = ["Item", "Peer", "clip_items", "loader_peers", "source_items"]

NAMES = {"torchcodec": "TorchCodec", "decord": "decord", "webdataset": "webdataset"}
ONLY_ON_CLIPS = ("decord", "webdataset")
JUMPING = ("torchcodec", "decord")
"""They seek to a keyframe that lies between two wanted frames; the others decode a window straight through."""
MOST_DIFFERENT = 0.5
"""Mean difference allowed between a peer's frames and PyAV's, in steps of 1/255. None had any; decord carries an FFmpeg of its
own, whose conversion might round otherwise. The next frame differs by more than 1 where things move."""

Pixels = npt.NDArray[np.uint8]


def source_items(material: Material) -> list[Item]:
    """The source files."""
    items = []
    for path in material.sources:
        with av.open(str(path)) as container:
            video = container.streams.video[0]
            items.append(Item(str(path), 0, 0, video.frames, video.width, video.height))
    return items


def clip_items(folder: Path) -> list[Item]:
    """The clips of a shard folder."""
    shards = open_shards(folder)
    index, items = shards.index, []
    for number, sample in enumerate(shards):
        place = str(index.mp4_path(number)), int(index.mp4_offset[number]), len(sample["mp4"])
        _, _, width, height = index.picture[number].tolist()
        items.append(Item(*place, int(index.num_frames[number]), width, height))
    return items


def loader_peers(
    bench: Bench, material: Material, sampling: Sampling, seconds: float, prefix: str = ""
) -> Sequence[Variant | Skip]:
    """Every peer on our clips, TorchCodec on the sources too. Frames, shape and range are checked before.

    Args:
        bench: says whether peers are wanted.
        material: the same videos as files and as shards.
        sampling: the windows.
        seconds: how long a round lasts at least.
        prefix: of the variants' names.

    Raises:
        ValueError: a peer's frames are not the clip's, or its batches are not like ours.
    """
    if not bench.peers:
        return [Skip(f"{prefix}peers", "asked for by --peers")]
    if not PACKAGES.exists():
        return [Skip(f"{prefix}peers", f"'{PACKAGES.name}' is not there: `make bench-peers` in a checkout makes it")]
    offered: list[Variant | Skip] = []
    for name, title in NAMES.items():
        process = PeerProcess(bench.scratch / f"{prefix}{name}".replace(" ", "-"))
        missing = process.ask(do="import", peer=name)["missing"]
        if missing:
            process.close()
            offered.append(Skip(f"{prefix}{title}", missing))
            continue
        for what, peer in _peers(process, name, material, sampling):
            offered.append(_variant(f"{prefix}{title}, {what}", peer, seconds))
    return offered


def _peers(process: PeerProcess, name: str, material: Material, sampling: Sampling) -> Iterator[tuple[str, Peer]]:
    """The peer on what it can read, with the words for that."""
    if name not in ONLY_ON_CLIPS:
        yield "sources", Peer(process, name, source_items(material), (), sampling)
    for layers, folder in material.shards.items():
        tars = [str(path) for path in sorted(folder.glob("clips-*.tar"))]
        yield f"layers {layers}", Peer(process, name, clip_items(folder), tars, sampling)


def _variant(title: str, peer: Peer, seconds: float) -> Variant:
    peer.check()
    num_packets = peer.num_packets()
    return Variant(title, lambda: peer.run(seconds, num_packets), peer.open, base=title)


@dataclass(frozen=True, slots=True)
class Peer:
    """One peer on one set of videos."""

    process: PeerProcess
    name: str
    """In NAMES."""
    items: Sequence[Item]
    tars: Sequence[str]
    """Files that webdataset reads; it looks at none of the items but the first."""
    sampling: Sampling

    def check(self) -> None:
        """Compares the frames of windows at the start, in the middle and at the end of two videos with PyAV's rgb24.

        Raises:
            ValueError: they differ by more than a conversion may.
        """
        steps = np.arange(self.sampling.frames) * self.sampling.stride
        for number in sorted({0, len(self.items) - 1}):
            item, whole = self.items[number], _rgb24(self.items[number].source())
            last = item.num_frames - 1 - int(steps[-1])
            windows: list[tuple[int, list[int]]] = [(number, (start + steps).tolist()) for start in (0, last // 2, last)]
            file = self.process.folder / "frames.npz"
            self.process.ask(do="frames", job=self.job(), windows=windows, file=str(file))
            with np.load(file) as found:
                for at, (_, wanted) in enumerate(windows):
                    _compare(self.name, found[f"arr_{at}"], whole[wanted], item)

    def open(self) -> None:
        """Starts the loader and warms it up.

        Raises:
            ValueError: its batches have another shape or range than ours.
        """
        frames, _, size = self.sampling
        found = self.process.ask(do="open", job=self.job())
        if found["shape"] != [BATCH_SIZE, 3, frames, size, size] or not (0 <= found["low"] < found["high"] <= 1):
            raise ValueError(f"{NAMES[self.name]} gives batches of {found}; {BATCH_SIZE} x 3 x {frames} x {size} x {size} is due")

    def run(self, seconds: float, num_packets: float) -> Timed:
        """The samples of so many seconds, and what each of them cost."""
        done = self.process.ask(do="run", seconds=seconds)
        samples = done["samples"]
        detail = {
            "CPU ms a clip": 1000 * done["cpu"] / samples,
            "kB a clip": done["bytes"] / samples / 1000,
            "packets a clip": num_packets,
        }
        return Timed(samples, done["seconds"], detail, done["cpu"])

    def job(self) -> dict[str, Any]:
        """What its process is told."""
        workers = len(os.sched_getaffinity(0))
        fixed = {"peer": self.name, "items": self.items, "tars": self.tars, "batch_size": BATCH_SIZE, "workers": workers}
        return {**fixed, **self.sampling._asdict()}

    def num_packets(self) -> float:
        """Packets a window, over the videos and all starts."""
        frames, stride, _ = self.sampling
        orders = [packet_order(item.source()) for item in self.items]
        return float(np.mean([mean_packets(order, frames, stride, jumps=self.name in JUMPING) for order in orders]))


def _rgb24(source: str | bytes) -> Pixels:
    """Every frame."""
    with av.open(io.BytesIO(source) if isinstance(source, bytes) else source, "r") as container:
        frames: list[Any] = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack(frames)


def _compare(name: str, found: Pixels, wanted: Pixels, item: Item) -> None:
    difference = float(np.abs(found.astype(np.int16) - wanted).mean()) if found.shape == wanted.shape else np.inf
    if difference > MOST_DIFFERENT:
        raise ValueError(f"{NAMES[name]}'s frames of {item} differ from PyAV's by {difference:.2f}")
