"""Boxes of segments: frames a second of each source and engine, and how alike the engines' boxes are.

A round is the whole extractor as a build runs it: keyframes decoded, segmented at both scales, boxes stored. Beside the figures,
as `detail`, stands what a choice of engine rests on: `boxes` a frame; the share of frames `without`; `found`, the share of the
base's boxes that the variant has at IoU 0.5, and `shared`, the share of its own that the base has. The base's own `found` and
`shared` are those between the frames and the same frames under noise of 2 grey levels: what such boxes are worth at all. On
pictures drawn of known regions: `boundaries`, the share of true boundary pixels with one of the finer scale within 2 pixels;
`regions`, the share of true regions with a box at IoU 0.5.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vdata import open_shards
from vdata.bench import Bench, Timed, Variant
from vdata.extract import EXTRACTORS
from vdata.extract._segments import corners_of, kept, reduced
from vdata.extract.felzenszwalb import felzenszwalb_labels
from vdata.extract.slic import slic_labels
from vdata.media.box_codec import load_boxes
from vdata.media.clip import EncodedClip
from vdata.media.origin import Origin
from vdata.records import Video
from vdata.shards.encoded import encoded_clip

UNIT = "frames/s"
REPEATS = 3  # a round of all takes a minute
LABELS = {"slic": slic_labels, "felzenszwalb": felzenszwalb_labels}
SETTINGS: dict[str, dict[str, Any]] = {
    "skimage": {},
    "opencv": {"engine": "opencv"},
    "skimage-reduce2": {"reduce": 2},
    "opencv-reduce2": {"engine": "opencv", "reduce": 2},
}

Array = npt.NDArray[Any]


class Stills:
    """Pictures in place of a clip: what an extractor asks of one."""

    def __init__(self, pictures: Array) -> None:
        self.num_frames = len(pictures)
        self._pictures = pictures

    def pictures(self, frames: Sequence[int]) -> Array:
        """Those of the numbers."""
        return self._pictures[list(frames)]


def variants(bench: Bench) -> Sequence[Variant]:
    """Both sources by both engines, on the whole picture and at half its sides."""
    clips = list(_clips(bench))
    frames = [clip.pictures([keyframe.frame for keyframe in clip.keyframes]) for clip in clips]
    scenes = [_scene(seed) for seed in range(3 if bench.quick else 12)]
    offered = []
    for name in LABELS:
        base = _boxes(name, {}, frames)
        for kind, settings in SETTINGS.items():
            quality = _alike(name, settings, frames, base) | _truth(name, settings, scenes)
            extractor = EXTRACTORS[name](EXTRACTORS[name].Config(**settings))
            run = partial(_timed, extractor, clips, quality)
            offered.append(Variant(f"{name}-{kind}", run, base="" if not offered else f"{name}-skimage"))
    return offered


def _clips(bench: Bench) -> Iterator[EncodedClip]:
    shards = open_shards(bench.shards)
    count = min(len(shards), 6 if bench.quick else 24)
    for number in range(count):
        sample = shards[number * len(shards) // count]
        clip = encoded_clip(sample, Origin(Path(), Video(sample.row["video_id"], sample.row["source"])))
        # Two keyframes a clip: frames of one clip resemble each other.
        yield replace(clip, keyframes=(clip.keyframes[0], *clip.keyframes[1:][-1:]))


def _timed(extractor: Any, clips: Sequence[EncodedClip], quality: dict[str, float]) -> Timed:  # noqa: ANN401 - any extractor
    start = time.perf_counter()
    for clip in clips:
        extractor(replace(clip))  # a fresh copy: decoded pictures are kept on the clip
    return Timed(float(sum(len(clip.keyframes) for clip in clips)), time.perf_counter() - start, quality)


def _boxes(name: str, settings: dict[str, Any], stacks: Sequence[Array]) -> list[Array]:
    """The corners (N, 4) of each picture of the stacks."""
    extractor = EXTRACTORS[name](EXTRACTORS[name].Config(frames="all", **settings))
    found = []
    for pictures in stacks:
        (member,) = extractor(Stills(pictures)).members.values()
        boxes = load_boxes(member)
        corners = np.stack([boxes[key] for key in ("x0", "y0", "x1", "y1")], axis=-1)
        found += [corners[boxes["frame"] == number] for number in range(len(pictures))]
    return found


def _alike(name: str, settings: dict[str, Any], frames: Sequence[Array], base: Sequence[Array]) -> dict[str, float]:
    rng = np.random.default_rng(0)
    noisy = [np.clip(np.rint(stack + rng.normal(0, 2, stack.shape)), 0, 255).astype(np.uint8) for stack in frames]
    own = _boxes(name, settings, frames) if settings else base
    other = own if settings else _boxes(name, settings, noisy)
    return {
        "boxes": float(np.mean([len(boxes) for boxes in own])),
        "without": float(np.mean([not len(boxes) for boxes in own])),
        "found": _found(base, other),
        "shared": _found(other, base),
    }


def _found(wanted: Sequence[Array], among: Sequence[Array]) -> float:
    """The share of boxes with one at IoU 0.5 or more among the other picture's."""
    hits = [_ious(one, other).max(axis=1, initial=0) >= 0.5 for one, other in zip(wanted, among, strict=True)]  # noqa: PLR2004
    return float(np.concatenate(hits).mean())


def _ious(one: Array, other: Array) -> Array:
    """(N, M) of boxes (N, 4) and (M, 4)."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    common = (high - low).clip(min=0).prod(axis=-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=-1) for boxes in (one, other)]
    return common / (areas[0][:, None] + areas[1][None] - common)


def _scene(seed: int, height: int = 256, width: int = 342, count: int = 24) -> tuple[Array, Array]:
    """A picture of regions with wavy edges, shaded, textured, blurred and noisy, and the map of its regions."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    wave = cv2.GaussianBlur(rng.normal(0, 1, (height, width, 2)), (0, 0), 12)
    places = np.stack([y, x], axis=-1) + wave * 8 / np.abs(wave).max()
    seeds = rng.uniform(0, 1, (count, 2)) * [height, width]
    regions = ((places[:, :, None] - seeds) ** 2).sum(axis=-1).argmin(axis=-1)
    colour = rng.uniform(30, 225, (count, 3))[regions] + rng.uniform(-30, 30, (count, 3))[regions] * (x / width)[..., None]
    texture = cv2.GaussianBlur(rng.normal(0, 1, colour.shape), (0, 0), 1.5)
    shown = cv2.GaussianBlur(colour + texture / texture.std() * 6, (0, 0), 0.8) + rng.normal(0, 2, colour.shape)
    return np.clip(np.rint(shown), 0, 255).astype(np.uint8), regions


def _truth(name: str, settings: dict[str, Any], scenes: Sequence[tuple[Array, Array]]) -> dict[str, float]:
    config = EXTRACTORS[name].Config(**settings)
    true = [kept(corners_of(regions), regions.shape[::-1], config.keep) for _, regions in scenes]
    found = _boxes(name, settings, [picture[None] for picture, _ in scenes])
    boundaries = []
    for picture, regions in scenes:
        fine = next(iter(LABELS[name](reduced(picture, config.reduce), config)))
        whole = fine.repeat(config.reduce, axis=0).repeat(config.reduce, axis=1)[: regions.shape[0], : regions.shape[1]]
        near = cv2.dilate(_edges(whole), np.ones((5, 5), np.uint8))
        boundaries.append(near[_edges(regions) > 0].mean())
    return {"boundaries": float(np.mean(boundaries)), "regions": _found(true, found)}


def _edges(labels: Array) -> Array:
    """1 where a pixel's label differs from its left or upper neighbour's, uint8 (h, w)."""
    edges = np.zeros(labels.shape, np.uint8)
    edges[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    edges[1:] |= labels[1:] != labels[:-1]
    return edges
