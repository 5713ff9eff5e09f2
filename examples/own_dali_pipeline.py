"""Two DALI pipelines of one's own on vdata's tars, without ClipIterator. Both run on a CPU.

The first reads keyframes as JPEG with DALI's own WebDataset reader; shards hold them if they were built with
`--extract keyframes --set keyframes.form=jpeg`. The second is fed frames by Python.

python examples/own_dali_pipeline.py shards/mine
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from nvidia.dali import fn, pipeline_def, types
from nvidia.dali.plugin.base_iterator import LastBatchPolicy
from nvidia.dali.plugin.pytorch import DALIGenericIterator
from nvidia.dali.types import SampleInfo

import vdata


@pipeline_def
def keyframe_graph(tars: list[str]) -> Any:  # noqa: ANN401 - DALI's nodes carry no types
    """The first keyframe of every clip, uint8 (H, W, 3) scaled to 64x64."""
    indexes = [tar.removesuffix(".tar") + ".idx" for tar in tars]
    encoded = fn.readers.webdataset(paths=tars, index_paths=indexes, ext=["keyframes.mjpeg"], random_shuffle=True, name="reader")
    return fn.resize(fn.decoders.image(encoded), size=(64, 64))


def keyframes(shards: str, batch_size: int = 32) -> DALIGenericIterator:
    """Batches {"key": uint8 (B, 64, 64, 3)} of one epoch; the last one is a short one."""
    tars = sorted(str(path) for path in Path(shards).glob("clips-??????.tar"))
    graph = keyframe_graph(tars, batch_size=batch_size, num_threads=2, device_id=None)
    return DALIGenericIterator(graph, ["key"], reader_name="reader", last_batch_policy=LastBatchPolicy.PARTIAL)


def frames_of(shards: str) -> Callable[[SampleInfo], tuple[np.ndarray, np.ndarray]]:
    """A source for DALI: clip number i, its first 8 frames and its label."""
    samples = vdata.open_shards(shards)

    def frames(info: SampleInfo) -> tuple[np.ndarray, np.ndarray]:
        if info.idx_in_epoch >= len(samples):
            raise StopIteration
        sample = samples[info.idx_in_epoch]
        return sample.frames(0, 8), np.array([sample.row["label"]])

    return frames


@pipeline_def
def clip_graph(shards: str) -> Any:  # noqa: ANN401 - as above
    """Clips, float32 (3, 8, 64, 64), and labels."""
    video, label = fn.external_source(frames_of(shards), num_outputs=2, batch=False, layout=["FHWC", "X"])
    return fn.crop_mirror_normalize(fn.resize(video, size=(64, 64)), output_layout="CFHW", dtype=types.FLOAT), label


def clips(shards: str, batch_size: int = 32) -> DALIGenericIterator:
    """Batches {"clip": float32 (B, 3, 8, 64, 64), "label": int64 (B, 1)}; the last clips that fill no batch are left out."""
    graph = clip_graph(shards, batch_size=batch_size, num_threads=2, device_id=None)
    return DALIGenericIterator(graph, ["clip", "label"], auto_reset=True)


if __name__ == "__main__":
    if "keyframes.mjpeg" in vdata.open_shards(sys.argv[1])[0]:
        for (batch,) in keyframes(sys.argv[1]):
            print(batch["key"].shape)
    else:
        print("no JPEG keyframes: `vdata add keyframes --set keyframes.form=jpeg` makes them")
    for (batch,) in clips(sys.argv[1], batch_size=4):
        print(batch["clip"].shape, batch["label"].flatten().tolist())
