"""Label maps to boxes against loops over pixels, in exact fractions; and boxes that no CPU and no number of threads changes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from fractions import Fraction
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from vdata.errors import ConfigError
from vdata.extract import EXTRACTORS
from vdata.extract._segments import corners_of, kept, one_thread, reduced, smoothed
from vdata.extract.felzenszwalb import felzenszwalb_labels
from vdata.extract.slic import slic_labels
from vdata.media.box_codec import BOX_SOURCES, load_boxes
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.cut import cut
from vdata.records import Video

LABELS = {"slic": slic_labels, "felzenszwalb": felzenszwalb_labels}
KINDS = [(name, engine) for name in LABELS for engine in ("skimage", "opencv")]


def slow_corners(labels) -> dict[int, tuple[int, int, int, int]]:
    """The box of each label, pixel by pixel."""
    boxes = {}
    for y, row in enumerate(labels.tolist()):
        for x, label in enumerate(row):
            x0, y0, x1, y1 = boxes.get(label, (x, y, x + 1, y + 1))
            boxes[label] = min(x0, x), min(y0, y), max(x1, x + 1), max(y1, y + 1)
    return {label: boxes[label] for label in sorted(boxes)}


def slow_boxes(maps, size, keep, factor=1) -> list[tuple[int, int, int, int, int]]:
    """x0, y0, x1, y1 and the scale, by the rules as they are written: scaled back, within `keep`, the first of equal ones."""
    low, high = (Fraction(part) for part in keep)
    found = {}
    for scale, labels in enumerate(maps):
        for corners in slow_corners(labels).values():
            x0, y0, x1, y1 = (min(c * factor, size[i % 2]) for i, c in enumerate(corners))
            if low <= Fraction(x1 - x0, size[0]) <= high and low <= Fraction(y1 - y0, size[1]) <= high:
                found.setdefault((x0, y0, x1, y1), scale)
    return [(*corners, scale) for corners, scale in found.items()]


def member(clip, name, **settings):
    extractor = EXTRACTORS[name](EXTRACTORS[name].Config(**settings))
    (field,) = extractor.fields
    found = extractor(clip)
    assert found.members.keys() == {f"{name}.boxes.npy"} == {field.ext}
    return found.members[field.ext]


def clip_of(root, source, **settings):
    return next(iter(cut(root, Video("v", source, end_seconds=2.0), ClipConfig(**settings), LimitConfig())))


@pytest.mark.parametrize("seed", range(20))
def test_corners_equal_a_loop_over_pixels(seed):
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 40, 2)
    # Blocks of one label, labels that do not occur, labels in several places.
    labels = np.kron(rng.integers(0, 60, shape // 4 + 1), np.ones((4, 4), int))[: shape[0], : shape[1]]
    assert corners_of(labels).tolist() == [list(box) for box in slow_corners(labels).values()]


@pytest.mark.parametrize("seed", range(5))
def test_the_range_is_kept_with_its_ends(seed):
    rng = np.random.default_rng(seed)
    width, height = size = tuple(rng.integers(20, 400, 2).tolist())
    sides = [(width * part // 100, height * other // 100) for part in (4, 5, 6, 69, 70, 71) for other in (4, 5, 6, 69, 70, 71)]
    corners = np.array([(0, 0, x, y) for x, y in sides])
    wanted = [
        (0, 0, x, y) for x, y in sides if all(5 * full <= 100 * side <= 70 * full for side, full in ((x, width), (y, height)))
    ]
    assert list(map(tuple, kept(corners, size, (0.05, 0.7)).tolist())) == wanted
    ends = [[0, 0, 245, 245], [7, 7, 24, 252], [0, 0, 17, 17]]
    assert kept(np.array(ends), (350, 350), (17 / 350, 0.7)).tolist() == ends
    assert kept(np.array([[0, 0, 20, 20]]), (400, 400), (0.05, 0.7)).tolist() == [[0, 0, 20, 20]]
    assert kept(np.empty((0, 4), int), size, (0.05, 0.7)).shape == (0, 4)


def test_boxes_of_a_clip_have_its_frame_numbers_and_lie_within_its_picture(make_video):
    path = make_video(num_frames=30)
    # 86x64 on a larger canvas.
    clip = clip_of(path.parent, path.name, short_side=64, gop=8)
    assert clip.width > clip.picture.width
    for name in LABELS:
        # The texture's cells are as small as 4 pixels.
        settings = {"scales": (12, 6), "compactness": 200.0} if name == "slic" else {"scales": (30, 60)}
        boxes = load_boxes(member(clip, name, frames="every:7", **settings))
        assert set(boxes["frame"].tolist()) == {0, 7, 14, 21, 28}
        assert set(boxes["class"].tolist()) <= {0, 1}
        assert {BOX_SOURCES[source] for source in boxes["source"]} == {name}
        assert (boxes["score"] == 1).all()
        assert boxes["x1"].max() <= clip.picture.width
        assert boxes["y1"].max() <= clip.picture.height
        assert set(load_boxes(member(clip, name, **settings))["frame"].tolist()) == {0, 8, 16, 24}


def test_a_box_of_two_scales_stays_once_with_the_first():
    picture = np.zeros((1, 60, 80, 3), np.uint8)
    picture[0, 10:30, 20:50] = 200
    clip = SimpleNamespace(num_frames=1, pictures=lambda numbers: picture)
    boxes = load_boxes(member(clip, "felzenszwalb", frames="all", scales=(20, 30, 40), sigma=0.0))
    assert boxes[["x0", "y0", "x1", "y1", "class"]].tolist() == [(20, 10, 50, 30, 0)]


@pytest.mark.parametrize(("name", "engine"), KINDS)
@pytest.mark.parametrize("reduce", [1, 3])
def test_boxes_equal_a_slow_reference(name, engine, reduce):
    rng = np.random.default_rng(0)
    smooth = gaussian_filter(rng.normal(0, 1, (2, 65, 97, 3)), [0, 4, 4, 0])
    pictures = (128 + 300 * smooth).clip(0, 255).astype(np.uint8)
    settings = {"engine": engine, "reduce": reduce, "scales": (40, 20) if name == "slic" else (60, 120)}
    clip = SimpleNamespace(num_frames=2, pictures=lambda numbers: pictures[list(numbers)])
    boxes = load_boxes(member(clip, name, frames="all", **settings))
    wanted = []
    for number, picture in enumerate(pictures):
        maps = LABELS[name](reduced(picture, reduce), EXTRACTORS[name].Config(**settings))
        wanted += [(number, *box) for box in slow_boxes(maps, (97, 65), ("0.05", "0.7"), reduce)]
    assert boxes[["frame", "x0", "y0", "x1", "y1", "class"]].tolist() == wanted
    assert {scale for *_, scale in wanted} == {0, 1}


@pytest.mark.videos
@pytest.mark.parametrize(("name", "engine"), KINDS)
@pytest.mark.parametrize(
    ("source", "short_side", "reduce"),
    [("good/action/video4.mp4", 96, 1), ("good/gestures/walk.mkv", 98, 3), ("good/people/vid_h264.mp4", 256, 2)],
)
def test_boxes_of_real_videos_equal_a_slow_reference(videos_root, name, engine, source, short_side, reduce):
    clip = clip_of(videos_root, source, short_side=short_side)
    config = EXTRACTORS[name].Config(engine=engine, reduce=reduce)
    boxes = load_boxes(member(clip, name, engine=engine, reduce=reduce))
    numbers = [keyframe.frame for keyframe in clip.keyframes]
    wanted = []
    for number, picture in zip(numbers, clip.pictures(numbers), strict=True):
        maps = LABELS[name](reduced(picture, reduce), config)
        wanted += [(number, *box) for box in slow_boxes(maps, picture.shape[1::-1], ("0.05", "0.7"), reduce)]
    assert boxes[["frame", "x0", "y0", "x1", "y1", "class"]].tolist() == wanted
    assert wanted


@pytest.mark.parametrize("factor", [2, 3, 8])
def test_a_reduced_picture_is_the_mean_of_blocks(factor):
    picture = np.random.default_rng(factor).integers(0, 256, (17, 21, 3), dtype=np.uint8)
    found = reduced(picture, factor)
    assert found.shape == (-(-17 // factor), -(-21 // factor), 3)
    for y, x, channel in np.ndindex(found.shape):
        rows = [min(y * factor + i, 16) for i in range(factor)]
        columns = [min(x * factor + i, 20) for i in range(factor)]
        mean = Fraction(sum(int(picture[v, u, channel]) for v in rows for u in columns), factor**2)
        assert found[y, x, channel] == (mean + Fraction(1, 2)).__floor__()


@pytest.mark.parametrize("sigma", [0.0, 0.05, 0.8, 1.0, 3.0])
def test_smoothing_is_scipys(sigma):
    picture = np.random.default_rng(0).uniform(0, 255, (20, 31, 3))
    assert np.abs(smoothed(picture, sigma) - gaussian_filter(picture, [sigma, sigma, 0])).max() < 1e-8


def test_opencv_gets_its_threads_back():
    def fail():
        with one_thread():
            seen.append(cv2.getNumThreads())
            raise KeyError

    before, seen = cv2.getNumThreads(), []
    cv2.setNumThreads(3)
    try:
        with pytest.raises(KeyError):
            fail()
        assert [*seen, cv2.getNumThreads()] == [1, 3]
    finally:
        cv2.setNumThreads(before)


PICTURES = """
import hashlib, json, sys
import cv2
import numpy as np
from vdata.extract.felzenszwalb import FelzenszwalbConfig, felzenszwalb_labels
from vdata.extract.slic import SlicConfig, slic_labels

def digest(arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(array, np.int64).tobytes() for array in arrays)).hexdigest()

rng = np.random.default_rng(0)
y, x = np.mgrid[:96, :128]
flat = np.repeat((((x // 16) + (y // 16)) % 2 * 200).astype(np.uint8)[..., None], 3, axis=-1)
texture = cv2.resize(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8), (128, 96), interpolation=cv2.INTER_NEAREST)
noise = rng.integers(0, 256, (96, 128, 3), dtype=np.uint8)
found = {"order of equal numbers": digest([np.argsort(rng.integers(0, 9, 9999).astype(float))])}
cv2.setNumThreads(int(sys.argv[1]))
for engine in ("skimage", "opencv"):
    for reduce in (1, 2):
        for labels, config in ((slic_labels, SlicConfig), (felzenszwalb_labels, FelzenszwalbConfig)):
            settings = config(engine=engine, reduce=reduce, scales=(20, 60))
            maps = [one for picture in (flat, texture, noise, (noise // 3 + texture // 2)) for one in labels(picture, settings)]
            found[f"{config.section} {engine} {reduce}"] = digest(maps)
print(json.dumps(found))
"""


def labels_of_pictures(threads: int, **environment: str) -> dict[str, str]:
    """Digests of label maps, made by another process under these variables."""
    script = [sys.executable, "-c", PICTURES, str(threads)]
    return json.loads(subprocess.run(script, env={**os.environ, **environment}, capture_output=True, check=True).stdout)


def test_another_kind_of_cpu_and_other_threads_give_the_same_segments():
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    if not found:
        pytest.skip("this CPU is itself of the oldest kind that NumPy's wheel knows")
    here = labels_of_pictures(threads=4)
    older = labels_of_pictures(
        threads=1,
        NPY_DISABLE_CPU_FEATURES=" ".join(found),
        OPENBLAS_CORETYPE="Nehalem",
        OPENCV_CPU_DISABLE="AVX512-SKX,AVX2,FMA3,AVX,SSE4.2,SSE4.1",
        GLIBC_TUNABLES="glibc.cpu.hwcaps=-AVX512F,-AVX2,-FMA,-FMA4",
    )
    # The pretence reached NumPy: this is what would have moved the boxes.
    assert here.pop("order of equal numbers") != older.pop("order of equal numbers")
    assert here == older


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("frames", "some"),
        ("keep", (0.7, 0.05)),
        ("keep", (0.0, 1.1)),
        ("reduce", 0),
        ("engine", "numpy"),
        ("scales", ()),
        ("scales", (500, 0)),
        ("sigma", -1.0),
        ("sigma", float("nan")),
    ],
)
def test_a_setting_that_breaks_its_rule_is_refused(name, key, value):
    with pytest.raises(ConfigError, match=f"{name}.{key}"):
        EXTRACTORS[name].Config(**{key: value})
