from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from vdata.datasets._sample import world
from vdata.datasets._sample.scenes import SCENES
from vdata.datasets._sample.sprites import SPRITES
from vdata.datasets._sample.trajectories import MOTIONS


@cache
def plans(seed: int = 0, scale: str = "full") -> list[world.Plan]:
    return world.draw(seed, scale)


def test_the_seed_decides_everything():
    assert world.draw(0, "tiny") == plans(0, "tiny")
    pairs = zip(plans(0, "tiny"), plans(1, "tiny"), strict=True)
    assert all(one.noise_seed != other.noise_seed and one.trajectory != other.trajectory for one, other in pairs)


@pytest.mark.parametrize(("scale", "counts"), [("full", (480, 240, 240)), ("tiny", (60, 30, 30))])
def test_counts_and_classes_are_even(scale, counts):
    for split, count in zip(("train", "val", "test"), counts, strict=True):
        motions = [plan.motion for plan in plans(0, scale) if plan.split == split]
        assert np.bincount(motions).tolist() == [count // len(MOTIONS)] * len(MOTIONS)
    assert len({plan.video_id for plan in plans(0, scale)}) == sum(counts)


def test_edges_are_the_last_of_train():
    edges = [plan for plan in plans() if plan.edge]
    assert [plan.number for plan in edges] == list(range(472, 480))
    assert [plan.num_frames for plan in edges if plan.edge == "short"] == [1, 5, 9, 15]
    assert [plan.edge for plan in edges].count("constant") == 2
    assert [plan.size for plan in edges if plan.edge == "portrait"] == [(96, 160)] * 2
    assert all(plan.split == "train" and plan.sound is None and plan.flash_seconds == -1 for plan in edges)


def test_scenes_are_biased_in_train_alone():
    def share(*splits):
        found = [plan for plan in plans() if plan.split in splits]
        return np.mean([plan.scene == world.PARTNERS[plan.motion] for plan in found])

    assert share("train") == pytest.approx(0.6, abs=0.06)
    assert share("val", "test") == pytest.approx(1 / len(SCENES), abs=0.04)
    unbiased = np.bincount([plan.scene for plan in plans() if plan.split != "train"], minlength=len(SCENES))
    assert unbiased.min() > 20  # 40 expected; a scene left out, or half as likely, would be below


def test_shares_of_sound_camera_speed_and_flash():
    found = [plan for plan in plans() if not plan.edge]
    sounds = [plan.sound for plan in found]
    assert np.mean([sound is None for sound in sounds]) == pytest.approx(0.10, abs=0.03)
    assert np.mean([sound is not None and sound.seconds < 4 for sound in sounds]) == pytest.approx(0.05, abs=0.025)
    timbres = [plan.sound.timbre == plan.motion for plan in found if plan.sound]
    assert np.mean(timbres) == pytest.approx(0.9, abs=0.03)
    kinds = [plan.camera.kind for plan in found]
    assert [kinds.count(kind) / len(kinds) for kind in ("none", "pan", "zoom")] == pytest.approx([0.5, 0.25, 0.25], abs=0.05)
    assert max(np.hypot(*plan.camera.velocity) for plan in found) <= 2
    assert np.mean([plan.speed for plan in found if plan.speed >= 0]) == pytest.approx(0.5, abs=0.06)
    assert {plan.speed for plan in found if MOTIONS[plan.motion] == "still"} == {-1}
    assert all(0 < plan.flash_frame < plan.num_frames for plan in found)
    assert all(plan.sound is None or plan.sound.click_seconds == plan.flash_seconds for plan in found)
    assert {len(plan.distractors) for plan in found} == {0, 1, 2}


def test_tags_are_drawn_from_forty_words():
    words = {*SCENES, *SPRITES, *MOTIONS, *world.NOISE_WORDS}
    assert len(words) == 40
    assert {tag for plan in plans() for tag in plan.tags} == words
    named = [SPRITES[plan.sprite.texture] in plan.tags for plan in plans()]
    assert np.mean(named) == pytest.approx(0.9, abs=0.03)
    assert max(len(plan.tags) for plan in plans()) == 6
