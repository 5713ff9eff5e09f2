"""Single clips by number or key, without torch or DALI: a look at the data, a script of one's own.

python examples/random_access.py shards/mine
"""

from __future__ import annotations

import sys

import numpy as np

import vdata


def mean_colours(shards: str, where: str | None = None) -> dict[str, list[float]]:
    """The mean colour of the first and the last frame of every clip, by key; each costs one GOP."""
    found = {}
    for sample in vdata.open_shards(shards, where=where):
        last = sample.row["num_frames"] - 1
        ends = np.concatenate([sample.frames(0, 1), sample.frames(last, last + 1)])
        found[sample.key] = ends.mean(axis=(0, 1, 2)).tolist()
    return found


if __name__ == "__main__":
    samples = vdata.open_shards(sys.argv[1])
    first = samples[0]
    print(f"{len(samples)} clips; the first is {first.key}, {first.row['label_name']}, {len(first['mp4'])} bytes")
    print("every fourth frame:", first.frames(0, 16, 4).shape, "first keyframe:", first.keyframe(0).shape)
    print("the same by its key:", samples[first.key].row["index"])
    print(mean_colours(sys.argv[1]))
