"""Linking: the same detections linked by overlap alone, at a constant speed, and along the motion field.

The truth is known: `drawn` are scenes of six figures that walk to and fro over a panning background, 1 to 8 pixels a frame, and
cross each other; `sample` is the sample dataset, a sprite at up to 6 pixels a frame and up to two that stay. Every video goes
through the cut, so the motion is what the encoder found. Detections are drawn from the truth, every 1, 4, 8 or 12 frames: one
in ten is missed, corners are off by 4 % of a side, and every third frame has a false alarm. All variants get the same ones.

`shards` are clips of the given shards that have tracklets, with the `person` extractor's boxes, where they were built with them:
no truth is known there, so the detail is the number of tracks, their mean length, and the share of boxes in one.

`overlap` leaves a box where it was, with the least overlap of 0.1, which suits it best; `speed` moves it at the mean
speed of the track's last four detections; `motion` is the extractor. Detail: the identity F1 score, identity switches per
1000 frames, the share of true links found, and the share of wrong ones among those made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from vdata.bench import Bench, Skip, Timed, Variant
from vdata.bench.identities import Detection, Links, identity_counts, identity_f1, links, switches
from vdata.datasets._sample import film, render, truth, world
from vdata.extract import EXTRACTORS
from vdata.extract._linking import Carry, LinkRules, Track, link, stay
from vdata.extract.motion import motion_grid
from vdata.extract.tracklets import motion_carry
from vdata.media.box_codec import Boxes, boxes_of, load_boxes
from vdata.media.clip import EncodedClip
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.cut import DroppedTail, cut
from vdata.media.origin import Origin
from vdata.media.tracklet_codec import CORNERS, Tracklets
from vdata.records import Video
from vdata.shards import open_shards
from vdata.shards.encoded import encoded_clip

UNIT = "frames/s"
REPEATS, WARM_UP = 3, False  # what counts is the detail, which is the same in every round
STEPS = (1, 4, 8, 12)
GAP, DETECTIONS = 25, 2
SIZE = np.array([340, 256])
FPS, NUM_FRAMES = 25, 96
BLOCK = 8
MISSED, JITTER, FALSE_ALARMS, HIDDEN = 0.1, 0.04, 1 / 3, 0.6

Floats = NDArray[np.float64]


class Scene(NamedTuple):
    """A clip and what is true of it."""

    truth: Floats
    """Boxes (T, K, 4)."""
    seen: NDArray[np.bool_]
    """(T, K): not hidden."""
    clip: EncodedClip

    @property
    def motion(self) -> Carry:
        """Along its own motion field."""
        return _motion_of(self.clip)


def _motion_of(clip: EncodedClip) -> Carry:
    return motion_carry(*motion_grid(clip.motion, clip.width, clip.height, BLOCK), BLOCK)


class Result(NamedTuple):
    """What linking gave in one scene."""

    seconds: float
    num_frames: int
    num_switches: int
    counts: tuple[int, int, int]
    links: Links


def variants(bench: Bench) -> Sequence[Variant | Skip]:
    """Each way of linking, for each collection and step."""
    count = 4 if bench.quick else 16
    scenes = {"drawn": list(drawn_scenes(bench.scratch, count)), "sample": list(sample_scenes(bench.scratch, count))}
    offered = [(name, step, ways(collection, step)) for name, collection in scenes.items() for step in STEPS]
    clips = list(_clips_with_people(bench.shards, count))
    offered += [("shards", step, ways_without_truth(clips, step)) for step in STEPS[1:] if clips]
    found = [
        Variant(f"{name} every {step}: {way}", run, base=f"{name} every {step}: overlap")
        for name, step, runs in offered
        for way, run in runs.items()
    ]
    return found if clips else [*found, Skip("shards", "no clip has tracklets: build with --extract tracklets")]


def ways(scenes: Sequence[Scene], step: int) -> dict[str, Callable[[], Timed]]:
    """The three ways to link the detections of the scenes at a step."""

    def linked(min_iou: float, carrier: Callable[[Scene], Carry]) -> Callable[[], Timed]:
        return lambda: _linked(scenes, step, LinkRules(min_iou, GAP, DETECTIONS), carrier)

    return {
        "overlap": linked(0.1, lambda _: stay),
        "speed": linked(0.1, lambda _: at_speed),
        "motion": linked(0.3, lambda scene: scene.motion),
    }


def ways_without_truth(clips: Sequence[tuple[EncodedClip, Boxes]], step: int) -> dict[str, Callable[[], Timed]]:
    """The two ways to link boxes that were found in frames 0, 4, 8 ... of each clip, at a step that 4 divides."""

    def linked(min_iou: float, carrier: Callable[[EncodedClip], Carry]) -> Timed:
        start, rows = perf_counter(), list[Tracklets]()
        for clip, boxes in clips:
            found = [(frame, boxes[boxes["frame"] == frame]) for frame in range(0, clip.num_frames, step)]
            rows.append(link(found, carrier(clip), LinkRules(min_iou, max(round(clip.fps), step), DETECTIONS)))
        seconds, tracks = perf_counter() - start, sum(len(np.unique(part["track"])) for part in rows)
        offered = sum((boxes["frame"] % step == 0).sum() for _, boxes in clips)
        detail = {
            "tracks": tracks,
            "frames a track": sum(map(len, rows)) / max(tracks, 1),
            "boxes linked": float(sum(part["detected"].sum() for part in rows) / max(offered, 1)),
        }
        return Timed(sum(clip.num_frames for clip, _ in clips), seconds, detail)

    return {"overlap": lambda: linked(0.1, lambda _: stay), "motion": lambda: linked(0.3, _motion_of)}


def _clips_with_people(shards: Path, count: int) -> Iterator[tuple[EncodedClip, Boxes]]:
    """Clips, with the people that the HOG detector finds in every fourth frame."""
    person = EXTRACTORS["person"](EXTRACTORS["person"].Config(frames="every:4"))
    samples = (sample for sample in open_shards(shards) if sample.row.get("num_tracklets"))
    for sample in islice(samples, count):
        clip = encoded_clip(sample, Origin(Path(), Video(sample.row["video_id"], sample.row["source"])))
        (member,) = person(clip).members.values()
        yield clip, load_boxes(member)


def at_speed(tracks: Sequence[Track], frame: int) -> Floats:
    """Shifts at the mean speed of each track's last four detections."""
    del frame
    places = [track.detections[-4:] for track in tracks]
    ways = [(track.corners[k[-1]] - track.corners[k[0]]) / max(1, k[-1] - k[0]) for track, k in zip(tracks, places, strict=True)]
    return np.stack([(way[:2] + way[2:]) / 2 for way in ways])


def _linked(scenes: Sequence[Scene], step: int, rules: LinkRules, carrier: Callable[[Scene], Carry]) -> Timed:
    results = [_result(scene, step, number, rules, carrier) for number, scene in enumerate(scenes)]
    right, false, missed = (sum(result.counts[i] for result in results) for i in range(3))
    every = sum((result.links for result in results), Links(0, 0, 0))
    num_frames = sum(result.num_frames for result in results)
    detail = {
        "idf1": identity_f1((right, false, missed)),
        "switches per 1000": 1000 * sum(result.num_switches for result in results) / num_frames,
        "links found": every.right / every.true,
        "links wrong": 1 - every.right / max(every.made, 1),
    }
    return Timed(num_frames, sum(result.seconds for result in results), detail)


def _result(scene: Scene, step: int, seed: int, rules: LinkRules, carrier: Callable[[Scene], Carry]) -> Result:
    found, detections = detect(scene, step, seed)
    start = perf_counter()
    tracklets = link(found, carrier(scene), rules)
    return Result(
        seconds=perf_counter() - start,
        num_frames=len(scene.truth),
        num_switches=switches(tracklets, scene.truth, scene.seen),
        counts=identity_counts(tracklets, scene.truth, scene.seen),
        links=links(tracklets, detections, rules.max_gap),
    )


def detect(scene: Scene, step: int, seed: int) -> tuple[list[tuple[int, Boxes]], list[Detection]]:
    """What a detector of the docstring's errors would find: its boxes frame by frame, and whose they are."""
    rng = np.random.default_rng([seed, step])
    size = np.array([scene.clip.picture.width, scene.clip.picture.height])
    found, detections = [], []
    for frame in range(0, len(scene.truth), step):
        owners = np.flatnonzero(scene.seen[frame] & (rng.uniform(size=scene.truth.shape[1]) > MISSED))
        corners = scene.truth[frame, owners]
        sides = corners[:, 2:] - corners[:, :2]
        corners = corners + rng.normal(0, JITTER, corners.shape) * np.tile(sides, 2)
        false = np.array([_false_alarm(rng, size) for _ in range(rng.poisson(FALSE_ALARMS))]).reshape(-1, 4)
        boxes = boxes_of(frame, np.concatenate([corners, false]), "person")
        found.append((frame, boxes))
        whose = [*owners.tolist(), *[-1] * len(false)]
        places = np.stack([boxes[name] for name in CORNERS], axis=-1).tolist()
        detections += [Detection(frame, tuple(place), owner) for place, owner in zip(places, whose, strict=True)]
    return found, detections


def _false_alarm(rng: np.random.Generator, size: NDArray[np.int64]) -> Floats:
    width = rng.uniform(0.1, 0.15) * size.min()
    sides = np.array([width, 2 * width])
    low = rng.uniform(0, size - sides)
    return np.concatenate([low, low + sides])


def sample_scenes(folder: Path, count: int) -> Iterator[Scene]:
    """Videos of the sample dataset's val split."""
    for plan in [plan for plan in world.draw(0, "tiny") if plan.split == "val"][:count]:
        path, known = folder / f"{plan.video_id}.mp4", truth.of(plan)
        film.write(path, render.frames(plan), plan.size, world.FPS)
        middles, radii = known.distractors[:, :2], known.distractors[:, 2:]
        still = np.concatenate([middles - radii, middles + radii], axis=-1)
        boxes = np.concatenate([np.repeat(still[None], plan.num_frames, axis=0), known.boxes[:, None]], axis=1)
        yield Scene(boxes, _seen(boxes), _clip(path, short_side=96))


def drawn_scenes(folder: Path, count: int) -> Iterator[Scene]:
    """Figures over a background."""
    for seed in range(count):
        rng, path = np.random.default_rng(seed), folder / f"drawn-{seed}.mp4"
        widths = rng.uniform(28, 48, 6)
        sides = np.stack([widths, widths * rng.uniform(1.5, 2.3, 6)], axis=-1)
        centres = _walks(rng, sides)
        film.write(path, _frames(rng, centres, [_figure(rng, side) for side in sides]), (int(SIZE[0]), int(SIZE[1])), FPS)
        boxes = np.concatenate([centres - sides / 2, centres + sides / 2], axis=-1)
        yield Scene(boxes, _seen(boxes), _clip(path))


def _clip(path: Path, **settings: int) -> EncodedClip:
    parts = cut(path.parent, Video(path.stem, path.name), ClipConfig(**settings), LimitConfig())
    (clip,) = [part for part in parts if not isinstance(part, DroppedTail)]
    return clip


def _walks(rng: np.random.Generator, sides: Floats) -> Floats:
    """Centres (T, K, 2): straight to and fro between the edges."""
    room = SIZE - sides
    speed, angle = rng.uniform(1, 8, len(sides)), rng.uniform(0, 2 * np.pi, len(sides))
    velocity = speed[:, None] * np.stack([np.cos(angle), np.sin(angle) / 2], axis=-1)
    way = (rng.uniform(0, 2, sides.shape) * room + velocity * np.arange(NUM_FRAMES)[:, None, None]) % (2 * room)
    return sides / 2 + np.minimum(way, 2 * room - way)


def _seen(boxes: Floats) -> NDArray[np.bool_]:
    """(T, K): whether less than 0.6 of it lies behind one that is drawn later."""
    sides = np.minimum(boxes[:, :, None, 2:], boxes[:, None, :, 2:]) - np.maximum(boxes[:, :, None, :2], boxes[:, None, :, :2])
    covered = np.prod(np.maximum(sides, 0), axis=-1) / np.prod(boxes[..., 2:] - boxes[..., :2], axis=-1)[:, :, None]
    later = np.triu(np.ones(covered.shape[1:], bool), 1)
    return ~((covered > HIDDEN) & later).any(axis=2)


def _texture(rng: np.random.Generator, size: tuple[int, int], grain: int) -> NDArray[np.uint8]:
    coarse = rng.integers(30, 226, (size[1] // grain + 2, size[0] // grain + 2, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def _figure(rng: np.random.Generator, sides: Floats) -> NDArray[np.uint8]:
    """An ellipse in its box, 0.6 of its width or more, uint8 (H, W, 4)."""
    width, height = (int(side) for side in np.ceil(sides))
    colour = (_texture(rng, (width, height), 5) * rng.uniform(0.4, 1.0, 3)).astype(np.uint8)
    cover = np.zeros((height, width, 1), np.uint8)
    half = (int(width * rng.uniform(0.3, 0.5)), height // 2)
    cv2.ellipse(cover, (width // 2, height // 2), half, 0, 0, 360, 255, -1)
    return np.concatenate([colour, cover], axis=-1)


def _frames(rng: np.random.Generator, centres: Floats, figures: Sequence[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    size = (int(SIZE[0]), int(SIZE[1]))
    background = _texture(rng, (3 * size[0], 3 * size[1]), 12)
    pan = rng.uniform(-2, 2, 2)
    for t in range(len(centres)):
        frame = _moved(background, pan * t - SIZE, size)
        for centre, figure in zip(centres[t], figures, strict=True):
            layer = _moved(figure, centre - np.array(figure.shape[1::-1]) / 2, size)
            cover = layer[..., 3:] / 255
            frame = frame * (1 - cover) + layer[..., :3] * cover
        frame = frame + rng.normal(0, 3, (*frame.shape[:2], 1))
        yield np.clip(np.rint(frame), 0, 255).astype(np.uint8)


def _moved(image: NDArray[np.uint8], shift: Floats, size: tuple[int, int]) -> Floats:
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]])
    return np.asarray(cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR), np.float64)
