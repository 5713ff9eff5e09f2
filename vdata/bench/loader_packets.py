"""How many packets a decoder that drops none must decode for a window: the peers do not count theirs."""

from __future__ import annotations

import io
from dataclasses import dataclass

import av
import numpy as np
import numpy.typing as npt

__all__ = ["PacketOrder", "mean_packets", "packet_order", "window_packets"]

Longs = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class PacketOrder:
    """The packets of a video, by frames in the order in which they are shown."""

    place: Longs
    """(N,): the packet that holds a frame, counted in the order of decoding."""
    key: Longs
    """(N,): the place of the last keyframe that is shown no later than the frame."""


def packet_order(source: str | bytes) -> PacketOrder:
    """The order of the packets of a file, or of one in memory, whose GOPs are closed."""
    with av.open(io.BytesIO(source) if isinstance(source, bytes) else source, "r") as container:
        found = [(packet.pts or 0, packet.is_keyframe) for packet in container.demux(video=0) if packet.size]
    place = np.argsort([pts for pts, _ in found], kind="stable").astype(np.int64)
    is_key = np.array([key for _, key in found])[place]
    return PacketOrder(place, np.maximum.accumulate(np.where(is_key, place, -1)))


def window_packets(order: PacketOrder, wanted: Longs, *, jumps: bool) -> int:
    """Packets decoded for the frames `wanted`, ascending.

    Args:
        order: of the video.
        wanted: numbers of frames.
        jumps: whether the decoder seeks to a keyframe that lies between two wanted frames (TorchCodec and decord do), or
            decodes from the first one to the end.
    """
    if not jumps:
        return int(order.place[wanted].max() - order.key[wanted[0]] + 1)
    keys = order.key[wanted]
    return sum(int(order.place[wanted[keys == key]].max() - key + 1) for key in np.unique(keys))


def mean_packets(order: PacketOrder, frames: int, stride: int, *, jumps: bool) -> float:
    """Packets a window, over all its possible starts."""
    steps = np.arange(frames) * stride
    counts = [window_packets(order, start + steps, jumps=jumps) for start in range(len(order.place) - int(steps[-1]))]
    return float(np.mean(counts))
