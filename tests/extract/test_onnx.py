"""ONNX files in onnxruntime: what they take, what they answer, and what is refused."""

from __future__ import annotations

import sys

import numpy as np
import onnx.parser
import pytest

from vdata.errors import ConfigError, MissingExtraError
from vdata.extract._onnx import DetectorModel

CPU = ("CPUExecutionProvider",)


def load(path, outputs="auto", size=(32, 48), batch=4, providers=CPU):
    return DetectorModel(path.read_bytes(), str(path), outputs, size, batch, providers)


def write(path, text):
    path.write_bytes(onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 18]> {text}').SerializeToString())
    return path


def pictures(number, size=(64, 64)):
    """White rectangles (5, 6, 7 + n, 9) on black, of shares."""
    found = np.zeros((number, *size, 3), np.float32)
    for n, picture in enumerate(found):
        picture[6:9, 5 : 7 + n] = 1
    return found


@pytest.mark.parametrize("way", ["nchw", "one", "five", "nhwc", "chw", "half", "bytes"])
def test_every_way_in_gives_the_same_boxes(bright_model, way):
    model = load(bright_model("mmdet", way))
    assert model.size == (64, 64)
    assert model.batch == {"one": 1, "chw": 1, "five": 5}.get(way, 4)
    assert model.takes_bytes == (way == "bytes")
    number = min(model.batch, 3)  # fewer than a fixed batch of 5
    given = pictures(number)
    found = model.detect((given * 255).astype(np.uint8) if model.takes_bytes else given, 0.5)
    assert [item.corners.tolist() for item in found] == [[[5, 6, 7 + n, 9]] for n in range(number)]
    assert [item.classes.tolist() for item in found] == [[1]] * number
    assert np.allclose([item.scores for item in found], 0.9)


def test_a_size_that_the_model_leaves_open_is_the_setting(bright_model):
    model = load(bright_model("mmdet", size="H, W"))
    assert model.size == (32, 48)
    assert load(bright_model("mmdet", size="H, 16")).size == (32, 16)
    (found,) = model.detect(pictures(1, (32, 48)), 0.5)
    assert found.corners.tolist() == [[5, 6, 7, 9]]


@pytest.mark.parametrize(
    "model",
    [
        "other (float[N, 4] values) => (float[N, 4] same) { same = Identity (values) }",
        "other (float[N, 1, 64, 64] grey) => (float[N, 1, 64, 64] same) { same = Identity (grey) }",
        "other (int32[N, 3, 64, 64] images) => (int32[N, 3, 64, 64] same) { same = Identity (images) }",
        "other (float[N, 3, 64, 64] a, float[N, 2] size) => (float[N, 3, 64, 64] same) { same = Identity (a) }",
    ],
)
def test_inputs_that_are_no_pictures_are_refused(tmp_path, model):
    with pytest.raises(ConfigError, match=r"detector\.model .*must have one input of pictures.* it has ") as caught:
        load(write(tmp_path / "other.onnx", model))
    assert "\n" not in str(caught.value)


def test_outputs_of_no_convention_are_refused_with_their_shapes(tmp_path):
    text = "other (float[N, 3, 64, 64] images) => (float[N, 64] features) { axes = Constant <value_ints = [1, 2]> () "
    text += "features = ReduceMax <keepdims = 0> (images, axes) }"
    with pytest.raises(ConfigError, match=r"features float \(\?, 64\).*docs/detectors\.md"):
        load(write(tmp_path / "other.onnx", text))


@pytest.mark.parametrize("content", [b"", b"no ONNX", b"\x08\x07"])
def test_what_is_no_onnx_is_refused(tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"detector\.model .*model\.onnx'\) cannot be loaded: ") as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_an_opset_of_tomorrow_is_refused(bright_model, tmp_path):
    model = onnx.load(bright_model("mmdet"))
    model.opset_import[0].version = 999
    (tmp_path / "new.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ConfigError, match=r"cannot be loaded.*opset"):
        load(tmp_path / "new.onnx")


def test_weights_in_another_file_are_refused(tmp_path, bright_model):
    model = onnx.load(bright_model("mmdet"))
    weights = onnx.numpy_helper.from_array(np.zeros(4096, np.float32), "weights")
    model.graph.initializer.append(weights)
    model.graph.node.append(onnx.helper.make_node("Identity", ["weights"], ["weights_too"]))
    path = tmp_path / "large.onnx"
    onnx.save_model(model, path, save_as_external_data=True, location="large.data", size_threshold=0)
    with pytest.raises(ConfigError, match="holds its weights itself"):
        load(path)


def test_a_provider_that_is_not_there_is_refused(bright_model):
    with pytest.raises(ConfigError, match=r"detector\.providers.*AbacusExecutionProvider.*CPUExecutionProvider"):
        load(bright_model("mmdet"), providers=("AbacusExecutionProvider",))


def test_a_model_that_fails_on_its_pictures_says_so(tmp_path):
    text = """other (float[N, 3, H, W] images) => (float[N, K, 5] dets, int64[N, K] labels)
        { shape = Constant <value_ints = [1, 7, 5]> ()
          dets = Reshape (images, shape)
          kind = Constant <value_ints = [1, 7]> ()
          labels = ConstantOfShape <value = int64[1] {0}> (kind) }"""
    model = load(write(tmp_path / "other.onnx", text))
    with pytest.raises(ConfigError, match=r"fails on 1 pictures of 48x32: .*detector\.size") as caught:
        model.detect(np.zeros((1, 32, 48, 3), np.float32), 0.5)
    assert "\n" not in str(caught.value)


def test_outputs_that_are_not_as_they_were_called_say_so(bright_model):
    model = load(bright_model("yolo_v8"), outputs="yolo_v8")
    model.convention = load(bright_model("centernet")).convention
    with pytest.raises(ConfigError, match=r"not those of the convention|zip"):
        model.detect(pictures(1), 0.5)


def test_without_onnxruntime_the_extra_is_named(bright_model, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"'onnxruntime'.*\[detect\]"):
        load(bright_model("mmdet"))
