"""What is known of a batch's samples, and how one row takes the place of another."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from pipelines.clips import open_clips
from pipelines.draw import draw
from pipelines.philox import SAMPLE, uniforms
from pipelines.samples import Samples, known_of, put
from pipelines.units import make_units
from pipelines.windows import draw_windows
from vdata.views import Augment, Clip, Keyframe, Motion

VIEWS = (Clip("a", 4, 2, 32, Augment(), reverse=0.5), Keyframe(of="a"), Motion("m", 4, start="consecutive_after:a:1"))


def samples_of(folder, which, seed: int = 0) -> Samples:
    clips = open_clips(folder)
    units = make_units("clip", clips, np.arange(len(clips)))
    which = np.asarray(which)
    u = {view.name: uniforms(seed, 0, np.arange(len(which)), place) for place, view in enumerate(VIEWS)}
    coins = uniforms(seed, 0, np.arange(len(which)), SAMPLE)
    return known_of(clips, units.runs(which, coins[:, -1]), VIEWS, u, coins)


def test_the_index_is_what_is_known(folder, clips):
    found = samples_of(folder, [3, 0, 13])
    assert len(found) == 3
    assert found.first_clip.tolist() == [3, 0, 13]
    assert found.num_frames.tolist() == [clips[number].num_frames for number in (3, 0, 13)]
    assert found.fps.tolist() == [25.0] * 3
    assert found.picture.tolist() == [[0, 0, 96, 64]] * 3
    assert found.gop.tolist() == [12] * 3
    # Views that take windows, and no other.
    assert set(found.windows) == {"a", "m"}
    windows = draw_windows((VIEWS[0], VIEWS[2]), found.num_frames, found.fps, found.u, found.coins)
    assert all(np.array_equal(windows[name].frames, found.windows[name].frames) for name in "am")


def test_a_replaced_row_has_the_other_sample_s_facts(folder):
    many, one = samples_of(folder, [3, 0, 13]), samples_of(folder, [7])
    many.replace(1, one)
    assert many.first_clip.tolist() == [3, 7, 13]
    assert many.num_frames.tolist() == [36, 44, 56]


def test_put_overwrites_one_row_of_every_array(folder):
    many, one = (samples_of(folder, which, seed) for which, seed in (([3, 0, 13, 5], 0), ([7], 9)))
    drawn, other = (draw(VIEWS[0], samples.windows["a"], samples.picture, samples.u["a"]) for samples in (many, one))
    before = {field.name: getattr(drawn, field.name).copy() for field in fields(drawn)}
    put(drawn, 2, other)
    for field in fields(drawn):
        found = getattr(drawn, field.name)
        assert np.array_equal(found[2], getattr(other, field.name)[0]), field.name
        assert np.array_equal(found[[0, 1, 3]], before[field.name][[0, 1, 3]]), field.name


@dataclass(frozen=True)
class Inner:
    values: np.ndarray


@dataclass(frozen=True)
class Outer:
    inner: Inner
    ids: np.ndarray
    nothing: None = None


def test_put_goes_into_dataclasses():
    outer = Outer(Inner(np.zeros((3, 2))), np.arange(3))
    put(outer, 1, Outer(Inner(np.ones((1, 2))), np.array([9])))
    assert outer.inner.values.tolist() == [[0, 0], [1, 1], [0, 0]]
    assert outer.ids.tolist() == [0, 9, 2]
