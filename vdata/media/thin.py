"""Thinning: a fragment without the pictures that nobody needs (pipelines/fragments.py says which are needed).

A pure function on bytes, for the loader. A B picture of our structures is no reference, so a stream without it is
an ordinary stream of a lower temporal layer (ITU-T H.264, nal_ref_idc 0): no gap in frame_num, and every other picture
decodes to the same pixels.
"""

from __future__ import annotations

import struct
from collections.abc import Container, Sequence
from itertools import accumulate

from vdata.errors import ContractError
from vdata.media.mp4 import TrackRun, child, is_reference, track_run

__all__ = ["thin"]

_EVERY_FIELD = 0x1 | 0x100 | 0x200 | 0x400 | 0x800
"""Flags of a track run: data offset; duration, size, flags and shift of each picture."""


def thin(fragment: bytes, keep: Container[int]) -> bytes:
    """The fragment (moof + mdat) with the kept pictures alone, each with its times; b"" where none is kept.

    A picture that is left out lengthens the one coded before it: decoding times stay as they were, and so do those at which
    pictures are shown. The track's default duration (tfhd) still says how long a frame is.

    Args:
        fragment: a fragment of our own clips.
        keep: frames of the fragment by their places in display order, as pipelines.fragments.needed gives them.

    Raises:
        ContractError: a reference is left out of which a kept picture may be predicted, or the fragment is not our muxer's.
    """
    run = track_run(fragment)
    kept = [number for number, place in enumerate(run.display_order()) if place in keep]
    if len(kept) == len(run.sizes):
        return fragment
    if not kept:
        return b""
    edges = list(accumulate(run.sizes, initial=run.offset))
    pictures = [fragment[edges[number] : edges[number + 1]] for number in range(kept[-1] + 1)]
    for number in set(range(kept[-1])).difference(kept):
        if is_reference(pictures[number]):
            raise ContractError("frames", f"picture {number} of a fragment is left out, which picture {kept[-1]} may need")
    data = b"".join([pictures[number] for number in kept])
    return b"".join((_movie_fragment(fragment, run, kept), struct.pack(">I4s", 8 + len(data), b"mdat"), data))


def _movie_fragment(fragment: bytes, run: TrackRun, kept: Sequence[int]) -> bytes:
    """The moof box, whose track run lists the kept pictures only."""
    moof, traf = child(fragment, b"moof"), child(fragment, b"moof/traf")
    if not run.box.end == traf.end == moof.end:
        raise ContractError("box", "boxes follow the track run")
    starts = list(accumulate(run.durations, initial=0))
    ends = [*kept[1:], len(run.sizes)]
    entries = [
        struct.pack(">IIIi", starts[end] - starts[number], run.sizes[number], run.flags[number], run.shifts[number])
        for number, end in zip(kept, ends, strict=True)
    ]
    size = 20 + sum(map(len, entries))
    shorter = run.box.end - run.box.start - size
    # The run begins with its flags, the number of pictures, and where their bytes start, counted from the moof.
    head = (size, b"trun", run.version << 24 | _EVERY_FIELD, len(kept), moof.end - shorter + 8)
    table = struct.pack(">I4sIIi", *head) + b"".join(entries)
    before = bytearray(fragment[: run.box.start])
    for box in (moof, traf):
        struct.pack_into(">I", before, box.start, box.end - box.start - shorter)
    return bytes(before) + table
