"""The random draw of every video: one plan a video, a pure function of seed, split and number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vdata.datasets._sample.scenes import SCENES, SPLITS, tiles
from vdata.datasets._sample.sound import TIMBRES, Sound
from vdata.datasets._sample.sprites import SHAPES, SPRITES, Sprite
from vdata.datasets._sample.trajectories import MOTIONS, RADIUS_PIXELS, Camera, Trajectory

__all__ = ["EDGES", "FPS", "NOISE_WORDS", "NUM_VIDEOS", "PARTNERS", "Plan", "Still", "draw"]

FPS = 25
NUM_FRAMES = 100
SIZE = (96, 96)
"""Width and height of a video. Pixels."""

NUM_VIDEOS = {"full": (480, 240, 240), "tiny": (60, 30, 30)}
"""Videos of train, val and test."""

PARTNERS = tuple(range(0, 2 * len(MOTIONS), 2))
"""The scene that is each motion's partner in train."""

EDGES: tuple[tuple[str, int, tuple[int, int]], ...] = (
    *(("short", num_frames, SIZE) for num_frames in (1, 5, 9, 15)),
    *(("constant", NUM_FRAMES, SIZE) for _ in range(2)),
    *(("portrait", NUM_FRAMES, (96, 160)) for _ in range(2)),
)
"""Kind, frames and size of the last videos of train, which have no label: what a loader meets in real collections."""

NOISE_WORDS = ("north", "paper", "velvet", "seven", "harbour", "lemon", "quiet", "copper", "window", "autumn")

_PARTNER_SHARE = 0.6
_TIMBRE_SHARE = 0.9
_SILENT_SHARE = 0.10
_CUT_SOUND_SHARE = 0.05
_WORD_DROP_SHARE = 0.1
_PERIOD_FRAMES = 48.0
"""Of the slow speed: a turn in about two seconds, and at most 3 pixels a frame, which a small network at half the size and
stride 2 still sees as motion."""


@dataclass(frozen=True, slots=True)
class Still:
    """A distractor: a sprite that stays where it is."""

    sprite: Sprite
    x: float
    y: float
    radius: float


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a video shows and sounds; the rest is formulas."""

    split: str
    number: int
    edge: str
    """`` for the usual video, else `short`, `constant` or `portrait`."""
    num_frames: int
    size: tuple[int, int]
    scene: int
    tile: int
    camera: Camera
    sprite: Sprite
    trajectory: Trajectory
    distractors: tuple[Still, ...]
    speed: int
    """0 slow, 1 twice as fast, -1 for a sprite that stays."""
    lighting: tuple[float, float]
    """Depth of the slow change of light, and its phase in turns."""
    flash_frame: int
    """The white frame; -1 for none."""
    sound: Sound | None
    tags: tuple[str, ...]
    noise_seed: int

    @property
    def video_id(self) -> str:
        """As `train-000123`."""
        return f"{self.split}-{self.number:06d}"

    @property
    def source(self) -> str:
        """The file's path below the root, as `train/000123.mp4`."""
        return f"{self.split}/{self.number:06d}.mp4"

    @property
    def motion(self) -> int:
        """Index in MOTIONS."""
        return MOTIONS.index(self.trajectory.motion)

    @property
    def flash_seconds(self) -> float:
        """When the white frame starts; -1.0 for none."""
        return self.flash_frame / FPS if self.flash_frame >= 0 else -1.0


def draw(seed: int, scale: str) -> list[Plan]:
    """Every video of the dataset, in order of split and number."""
    plans = []
    for split, count in zip(SPLITS, NUM_VIDEOS[scale], strict=True):
        edges = EDGES if split == "train" else ()
        order = np.random.default_rng([seed, SPLITS.index(split)])
        # Dealt, not drawn: every class has its share, so that chance is 1/6 in a split of any size.
        motions = order.permutation(np.arange(count) % len(MOTIONS))
        for number, motion in enumerate(motions):
            edge = max(0, number - (count - len(edges)) + 1)
            kind = edges[edge - 1] if edge else ("", NUM_FRAMES, SIZE)
            plans.append(_draw_video(seed, split, number, int(motion), kind))
    return plans


def _draw_video(seed: int, split: str, number: int, motion: int, kind: tuple[str, int, tuple[int, int]]) -> Plan:
    # From 1: NumPy pads short seeds with zeros, so that number 0 would repeat the stream that deals the classes.
    rng = np.random.default_rng([seed, SPLITS.index(split), 1 + number])
    edge, num_frames, size = kind
    scene = _scene(rng, motion, biased=split == "train")
    tile = int(rng.integers(len(tiles(scene, split))))
    speed = int(rng.integers(2))
    trajectory = _trajectory(rng, MOTIONS[motion], size, _PERIOD_FRAMES / 2**speed)
    sprite = _sprite(rng)
    flash_frame = int(rng.integers(10, NUM_FRAMES - 10))
    return Plan(
        split=split,
        number=number,
        edge=edge,
        num_frames=num_frames,
        size=size,
        scene=scene,
        tile=tile,
        camera=_camera(rng, tiles(scene, split)[tile].shape, size),
        sprite=sprite,
        trajectory=trajectory,
        distractors=_distractors(rng, size),
        speed=speed if MOTIONS[motion] != "still" else -1,
        lighting=(float(rng.uniform(0, 0.15)), float(rng.uniform())),
        flash_frame=-1 if edge else flash_frame,
        sound=None if edge else _sound(rng, motion, trajectory, flash_frame),
        tags=_tags(rng, scene, sprite, motion),
        noise_seed=int(rng.integers(2**62)),
    )


def _scene(rng: np.random.Generator, motion: int, *, biased: bool) -> int:
    if not biased:
        return int(rng.integers(len(SCENES)))
    others = [scene for scene in range(len(SCENES)) if scene != PARTNERS[motion]]
    return PARTNERS[motion] if rng.uniform() < _PARTNER_SHARE else int(rng.choice(others))


def _trajectory(rng: np.random.Generator, motion: str, size: tuple[int, int], period: float) -> Trajectory:
    """Every class and speed draws all numbers alike, so that no class has its own extent, place or size."""
    amplitude = float(rng.uniform(16, 22))
    margin = amplitude + RADIUS_PIXELS[1]
    x, y = (float(rng.uniform(margin, length - margin)) for length in size)
    phases = rng.uniform(size=3)
    if motion == "circle":
        phases[1] = phases[0] + rng.choice([-0.25, 0.25])
    return Trajectory(
        motion=motion,
        period=period * float(rng.uniform(0.9, 1.1)),
        centre=(x, y),
        amplitude=amplitude,
        swing=float(rng.uniform(2.5, 3)),
        phases=(float(phases[0]), float(phases[1]), float(phases[2])),
    )


def _sprite(rng: np.random.Generator) -> Sprite:
    red, green, blue = rng.uniform(0.75, 1.25, size=3)
    return Sprite(int(rng.integers(len(SPRITES))), int(rng.integers(len(SHAPES))), (float(red), float(green), float(blue)))


def _camera(rng: np.random.Generator, tile: tuple[int, ...], size: tuple[int, int]) -> Camera:
    """Half of the videos have a still camera, the rest pans and zooms in equal parts."""
    height, width = tile[:2]
    x, y = (float(rng.uniform(picture / 2, n - picture / 2)) for picture, n in zip(size, (width, height), strict=True))
    kind = str(rng.choice(["none", "none", "pan", "zoom"]))
    speed, angle = rng.uniform(0, 2), rng.uniform(0, 2 * np.pi)
    zoom = rng.uniform(0.002, 0.005) * rng.choice([-1, 1])
    if kind == "pan":
        return Camera(kind, (x, y), velocity=(float(speed * np.cos(angle)), float(speed * np.sin(angle))))
    return Camera(kind, (x, y), zoom=float(zoom) if kind == "zoom" else 0.0)


def _distractors(rng: np.random.Generator, size: tuple[int, int]) -> tuple[Still, ...]:
    """Up to two; their places and sizes are distributed as those of the main sprite in one frame."""
    found = []
    for _ in range(int(rng.integers(3))):
        x, y, radius = _trajectory(rng, "still", size, _PERIOD_FRAMES)(1)[0]
        found.append(Still(_sprite(rng), float(x), float(y), float(radius)))
    return tuple(found)


def _sound(rng: np.random.Generator, motion: int, trajectory: Trajectory, flash_frame: int) -> Sound | None:
    """No track, a track that ends early, or a whole one, in the dataset's shares."""
    kind = rng.uniform()
    other = [timbre for timbre in range(len(TIMBRES)) if timbre != motion]
    timbre = motion if rng.uniform() < _TIMBRE_SHARE else int(rng.choice(other))
    seconds = float(rng.uniform(1, 3))
    if kind < _SILENT_SHARE:
        return None
    full = NUM_FRAMES / FPS
    cut = kind < _SILENT_SHARE + _CUT_SOUND_SHARE
    return Sound(timbre, trajectory, seconds if cut else full, flash_frame / FPS, int(rng.integers(2**62)))


def _tags(rng: np.random.Generator, scene: int, sprite: Sprite, motion: int) -> tuple[str, ...]:
    words = [SCENES[scene], SPRITES[sprite.texture], MOTIONS[motion]]
    words += [str(word) for word in rng.choice(NOISE_WORDS, size=int(rng.integers(1, 4)), replace=False)]
    kept = [word for word in words if rng.uniform() >= _WORD_DROP_SHARE]
    return tuple(str(word) for word in rng.permutation(kept))
