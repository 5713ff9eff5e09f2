"""The index that DALI's `fn.readers.webdataset` wants beside each tar.

Source: NVIDIA DALI's wds2idx, index version v1.2: a line `v1.2 <samples>`, then a line for each sample that holds
`<extension> <offset> <size> <name>` for each of its members.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from vdata.shards.tar import TarMember

__all__ = ["idx_text", "write_idx"]


def idx_text(members: Iterable[TarMember]) -> str:
    """The index of a tar with these members, in their order."""
    lines = [
        " ".join(f"{member.name.partition('.')[2]} {member.offset} {member.size} {member.name}" for member in sample)
        for _, sample in groupby(members, key=lambda member: member.name.partition(".")[0])
    ]
    return "\n".join([f"v1.2 {len(lines)}", *lines]) + "\n"


def write_idx(path: Path, members: Iterable[TarMember]) -> None:
    """Writes the index of a tar with these members."""
    path.write_text(idx_text(members), encoding="ascii")
