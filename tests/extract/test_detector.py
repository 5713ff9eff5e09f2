"""The extractor `detector`, with models whose answers are known: the boxes come back in pixels of the clip."""

from __future__ import annotations

import hashlib
import pickle
from types import SimpleNamespace

import numpy as np
import pytest

from vdata.builder import resolve
from vdata.builder.state import check_same_build, open_build
from vdata.errors import ConfigError
from vdata.extract import EXTRACTORS
from vdata.extract._detector_outputs import Detections
from vdata.media.box_codec import BOX_SOURCES, load_boxes

RECTANGLES = [(32, 16, 80, 64), (32, 16, 80, 64), (48, 32, 128, 80), None, None, None, (0, 0, 160, 96), (0, 0, 160, 96)]
EXTRACTOR = EXTRACTORS["detector"]


def extractor(path, **settings):
    return EXTRACTOR(EXTRACTOR.Config(model=str(path), **settings))


def boxes(clip, path, **settings):
    return load_boxes(extractor(path, **settings)(clip).members["detector.boxes.npy"])


def corners(found):
    return np.column_stack([found[name] for name in ("x0", "y0", "x1", "y1")])


SETTINGS = {"end_to_end": {"outputs": "end_to_end"}}


@pytest.mark.parametrize("place", ["centre", "corner"])
@pytest.mark.parametrize("convention", ["torchvision", "mmdet", "yolo", "yolo_v8", "end_to_end", "centernet"])
def test_every_convention_gives_pixels_of_the_clip(bright_model, bright_clip, convention, place):
    model = bright_model(convention, "chw" if convention == "torchvision" else "nchw")
    found = boxes(bright_clip(RECTANGLES), model, place=place, **SETTINGS.get(convention, {}))
    # Keyframes 0, 2, 4 and 6; on 4 there is nothing to be found.
    assert found["frame"].tolist() == [0, 2, 6]
    # An input's pixel is 2.5 of the clip's, and the model knows whole pixels.
    assert np.abs(corners(found) - [RECTANGLES[frame] for frame in (0, 2, 6)]).max() <= 2.5 / 2 + 0.01
    # CenterNet's centre lies between two cells, and a cell has the score.
    assert np.allclose(found["score"], 0.9, atol=0.2 if convention == "centernet" else 1e-6)
    assert found["class"].tolist() == [1, 1, 1]
    assert set(found["source"]) == {BOX_SOURCES.index("detector")}


@pytest.mark.parametrize("way", ["nchw", "one", "five", "nhwc", "half", "bytes"])
def test_an_enlarged_picture_gives_exact_pixels_whatever_the_batch(bright_model, bright_clip, way):
    clip = bright_clip(RECTANGLES)
    found = boxes(clip, bright_model("mmdet", way, size="640, 640"), frames="all", batch=3)
    known = [frame for frame, rectangle in enumerate(RECTANGLES) if rectangle]
    assert found["frame"].tolist() == known
    # Four pixels of the input are one of the clip's, which was encoded once in between.
    assert np.abs(corners(found) - [RECTANGLES[frame] for frame in known]).max() <= 0.5


def test_equal_clips_give_equal_bytes_and_nothing_is_an_empty_member(bright_model, bright_clip):
    model = bright_model("yolo")
    clip = bright_clip(RECTANGLES)
    assert extractor(model)(clip).members == extractor(model)(clip).members
    empty = boxes(bright_clip([None, None]), model)
    assert empty.shape == (0,)


@pytest.mark.parametrize(
    ("settings", "number"),
    [({"classes": (1,)}, 3), ({"classes": (0, 2)}, 0), ({"score": 0.95}, 0), ({"score": 0.0}, 4), ({"nms": 1.0}, 3 * 12)],
)
def test_classes_score_and_nms_choose(bright_model, bright_clip, settings, number):
    # With a score of 0 the picture in which there is nothing has a box as well, 12 times the same.
    assert len(boxes(bright_clip(RECTANGLES), bright_model("yolo"), **settings)) == number


def faked(detections, **settings):
    """An extractor whose model answers every picture with the same detections."""
    made = EXTRACTOR(EXTRACTOR.Config(**settings))
    answers = SimpleNamespace(size=(96, 160), batch=8, takes_bytes=False, convention=SimpleNamespace(raw=False))
    answers.seen = []
    answers.detect = lambda tensor, least: answers.seen.append(tensor) or [detections] * len(tensor)
    made._model = answers
    return made


def test_the_best_come_first_and_what_has_no_area_or_no_number_goes(bright_clip):
    table = np.float32(
        [[0, 0, 9, 9], [1, 1, 5, 5], [5, 5, 5, 9], [np.nan, 0, 9, 9], [-9, -9, -1, -1], [2, 2, 6, 6], [0, 0, 4, 4]]
    )
    scores = np.float32([0.6, 0.8, 0.9, 0.9, 0.9, 0.8, np.nan])
    made = faked(Detections(table, scores, np.arange(7, dtype=np.int32)), top=2)
    found = load_boxes(made(bright_clip([None, None])).members["detector.boxes.npy"])
    assert found["class"].tolist() == [1, 5]
    assert corners(found).tolist() == [[1, 1, 5, 5], [2, 2, 6, 6]]


@pytest.mark.parametrize("colours", ["rgb", "bgr"])
def test_the_input_is_scaled_less_its_mean_over_its_std(bright_clip, colours):
    none = Detections(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int32))
    made = faked(none, colours=colours, scale=1.0, mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))
    clip = bright_clip(RECTANGLES)
    made(clip)
    pictures = clip.pictures([0, 2, 4, 6]).astype(np.float64)
    ordered = pictures if colours == "rgb" else pictures[..., [2, 1, 0]]
    wanted = (ordered - [123.675, 116.28, 103.53]) / [58.395, 57.12, 57.375]
    assert np.abs(made._model.seen[0] - wanted).max() < 1e-5


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"outputs": "yolo_v9"}, "outputs"),
        ({"frames": "some"}, "frames"),
        ({"size": (0, 640)}, "size"),
        ({"place": "left"}, "place"),
        ({"fill": 256}, "fill"),
        ({"colours": "gbr"}, "colours"),
        ({"std": (1.0, 0.0, 1.0)}, "std"),
        ({"nms": 1.5}, "nms"),
        ({"top": 0}, "top"),
        ({"batch": 0}, "batch"),
        ({"providers": ()}, "providers"),
        ({"model": "nowhere.onnx"}, "model"),
        ({"model": "."}, "model"),
    ],
)
def test_settings_that_break_their_rule_are_refused(settings, key):
    with pytest.raises(ConfigError, match=rf"detector\.{key} "):
        EXTRACTOR.Config(**settings)


def test_without_a_model_a_build_is_refused_at_once_and_the_member_can_be_told(bright_clip):
    with pytest.raises(ConfigError, match=r"detector\.model \(''\) must be the path"):
        resolve("folder", ("detector",))
    made = EXTRACTOR(EXTRACTOR.Config())
    assert [(field.name, field.ext) for field in made.fields] == [("detector", "detector.boxes.npy")]
    with pytest.raises(ConfigError, match=r"detector\.model \(''\) must be the path"):
        made(bright_clip([None]))


def test_the_model_is_known_by_its_content(bright_model, tmp_path, monkeypatch):
    model = bright_model("mmdet")
    monkeypatch.chdir(tmp_path)
    settings = {"detector": {"model": model.name}}
    config = resolve("folder", ("detector",), settings)
    own = config.own["detector"]
    assert (own.model, own.sha256) == (str(model), hashlib.sha256(model.read_bytes()).hexdigest())
    assert pickle.loads(pickle.dumps(own)) == own
    out = tmp_path / "out"
    out.mkdir()
    open_build(out, config, tmp_path, "")

    # The same file elsewhere is the same model; another one in its place is not.
    moved = tmp_path / "moved.onnx"
    moved.write_bytes(model.read_bytes())
    check_same_build(out, resolve("folder", ("detector",), {"detector": {"model": str(moved)}}))
    moved.write_bytes(bright_model("yolo").read_bytes())
    with pytest.raises(ConfigError, match=r"detector\.sha256"):
        check_same_build(out, resolve("folder", ("detector",), {"detector": {"model": str(moved)}}))

    # What was read from dataset.json names the old one: a worker that finds another refuses.
    stored = resolve("folder", ("detector",), {"detector": config.to_mapping()["detector"]})
    assert stored.own["detector"] == own
    model.write_bytes(moved.read_bytes())
    with pytest.raises(ConfigError, match=r"detector\.model .*its sha256 is"):
        EXTRACTOR(stored.own["detector"])
