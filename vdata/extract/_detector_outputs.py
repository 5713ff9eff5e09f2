"""What detectors answer: the usual conventions of ONNX exports, each as one function from output arrays to detections.

Every convention's boxes are in pixels of the model's input; a pixel's left edge is its number, its right edge the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from vdata.errors import ConfigError

__all__ = ["CONVENTIONS", "Convention", "Detections", "ModelOutput", "OutputName", "choose_convention"]

OutputName = Literal["auto", "torchvision", "mmdet", "yolo", "yolo_v8", "end_to_end", "centernet"]

Floats = npt.NDArray[np.float32]


class Detections(NamedTuple):
    """What was found in one picture."""

    corners: Floats
    """(N, 4): x0, y0, x1, y1 in pixels of the model's input."""
    scores: Floats
    """(N,)."""
    classes: npt.NDArray[np.int32]
    """(N,), as the model counts them."""


class ModelOutput(NamedTuple):
    """An output as the model declares it."""

    name: str
    shape: tuple[int | None, ...]
    """None for a size that is only known once it has run."""
    whole: bool
    """Whether it holds whole numbers."""

    def __str__(self) -> str:
        """As "boxes float (?, 4)"."""
        sizes = ", ".join("?" if size is None else str(size) for size in self.shape)
        return f"{self.name} {'int' if self.whole else 'float'} ({sizes})"


Roles = tuple[int, ...]

_BATCHED_TABLE = 3


@dataclass(frozen=True)
class Convention:
    """How one family of exports answers."""

    name: str
    answers: str
    """For people: what the outputs are."""
    ranks: tuple[int, ...]
    """Axes of each output that is read, for one picture; a model may have the batch axis before them."""
    roles: Callable[[Sequence[ModelOutput]], Roles | None]
    """Places of these outputs among the model's, in the order that `decode` takes them; None where they are not there."""
    decode: Callable[[Sequence[npt.NDArray[Any]], tuple[int, int], float], Detections]
    """The detections of one picture: from its outputs, the (height, width) of the input, and the least score that matters."""
    raw: bool = False
    """Whether the model leaves non-maximum suppression to its readers."""

    def of_picture(self, arrays: Sequence[npt.NDArray[Any]], number: int) -> list[npt.NDArray[Any]]:
        """The outputs of one picture of a batch, without the batch axis.

        Raises:
            ValueError: an output has another number of axes than the convention says.
        """
        found = [array[number] if array.ndim == rank + 1 else array for array, rank in zip(arrays, self.ranks, strict=True)]
        if any(array.ndim != rank for array, rank in zip(found, self.ranks, strict=True)):
            shapes = ", ".join(str(array.shape) for array in arrays)
            raise ValueError(f"outputs of shape {shapes} are not those of the convention '{self.name}': {self.answers}")
        return found


def choose_convention(outputs: Sequence[ModelOutput], wanted: OutputName) -> tuple[Convention, Roles]:
    """The convention of a model's outputs, and the places of those that it reads.

    Raises:
        ConfigError: the outputs are not those of the convention that was asked for; or, for `auto`, of none or of more than one.
    """
    described = "; ".join(str(output) for output in outputs)
    names = [wanted] if wanted != "auto" else list(CONVENTIONS)
    fitting = [(CONVENTIONS[name], roles) for name in names if (roles := CONVENTIONS[name].roles(outputs)) is not None]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        which = " or ".join(f"detector.outputs={convention.name} ({convention.answers})" for convention, _ in fitting)
        raise ConfigError(f"detector.outputs ('auto') cannot tell what the model's outputs are ({described}): say {which}")
    known = "; ".join(f"{name}: {CONVENTIONS[name].answers}" for name in names)
    raise ConfigError(
        f"detector.outputs ('{wanted}') does not fit the model's outputs ({described}). Known: {known}. "
        "Export it in one of these ways, see docs/detectors.md"
    )


def _shaped(output: ModelOutput, rank: int) -> tuple[int | None, ...] | None:
    """The last `rank` sizes of an output, with or without a batch axis before them."""
    return output.shape[-rank:] if len(output.shape) in (rank, rank + 1) else None


def _places(outputs: Sequence[ModelOutput], fits: Callable[[ModelOutput], bool], names: Sequence[str]) -> list[int]:
    """Outputs that fit; where some of them have one of these names, only those."""
    found = [place for place, output in enumerate(outputs) if fits(output)]
    named = [place for place in found if any(name in outputs[place].name.lower() for name in names)]
    return named or found


def _one_each(*found: list[int]) -> Roles | None:
    """The only place of each role; None where one has none or several."""
    places = tuple(candidates[0] for candidates in found if len(candidates) == 1)
    return places if len(places) == len(found) == len(set(places)) else None


def _is_list(output: ModelOutput, *, whole: bool) -> bool:
    """Whether it may be a number for each box."""
    return _shaped(output, 1) is not None and output.whole == whole


def _has_columns(output: ModelOutput, number: int) -> bool:
    shape = _shaped(output, 2)
    return shape is not None and not output.whole and shape[1] == number


def _torchvision_roles(outputs: Sequence[ModelOutput]) -> Roles | None:
    return _one_each(
        _places(outputs, lambda output: _has_columns(output, 4), ["box"]),
        _places(outputs, lambda output: _is_list(output, whole=False), ["score"]),
        _places(outputs, lambda output: _is_list(output, whole=True), ["label", "class"]),
    )


def _torchvision(arrays: Sequence[npt.NDArray[Any]], _input: tuple[int, int], _least: float) -> Detections:
    corners, scores, labels = arrays
    return Detections(corners.astype(np.float32), scores.astype(np.float32), labels.astype(np.int32))


def _mmdet_roles(outputs: Sequence[ModelOutput]) -> Roles | None:
    return _one_each(
        _places(outputs, lambda output: _has_columns(output, 5), ["det"]),
        _places(outputs, lambda output: _is_list(output, whole=True), ["label", "class"]),
    )


def _mmdet(arrays: Sequence[npt.NDArray[Any]], _input: tuple[int, int], _least: float) -> Detections:
    rows, labels = arrays[0].astype(np.float32), arrays[1].astype(np.int32)
    return Detections(rows[:, :4], rows[:, 4], labels)


def _rows_roles(fits: Callable[[int | None, int | None], bool]) -> Callable[[Sequence[ModelOutput]], Roles | None]:
    """The one output that is a batch of tables whose two sizes fit; a classifier's (N, classes) must not pass for one table."""

    def roles(outputs: Sequence[ModelOutput]) -> Roles | None:
        def table(output: ModelOutput) -> bool:
            return len(output.shape) == _BATCHED_TABLE and not output.whole and fits(*output.shape[1:])

        return _one_each(_places(outputs, table, ["output"]))

    return roles


def _yolo(arrays: Sequence[npt.NDArray[Any]], _input: tuple[int, int], _least: float) -> Detections:
    rows = arrays[0].astype(np.float32)
    return _best_class(rows[:, :4], rows[:, 5:] * rows[:, 4:5])


def _yolo_v8(arrays: Sequence[npt.NDArray[Any]], _input: tuple[int, int], _least: float) -> Detections:
    rows = arrays[0].astype(np.float32).T
    return _best_class(rows[:, :4], rows[:, 4:])


def _best_class(boxes: Floats, scores: Floats) -> Detections:
    """One detection a row: of boxes (centre x, centre y, width, height) and scores (N, C), the class that scores best."""
    classes = scores.argmax(axis=1)
    best = np.take_along_axis(scores, classes[:, None], axis=1)[:, 0]
    return Detections(_corners(boxes[:, :2], boxes[:, 2:]), best, classes.astype(np.int32))


def _corners(centres: Floats, sizes: Floats) -> Floats:
    return np.hstack([centres - sizes / 2, centres + sizes / 2])


def _end_to_end(arrays: Sequence[npt.NDArray[Any]], _input: tuple[int, int], _least: float) -> Detections:
    rows = arrays[0].astype(np.float32)
    return Detections(rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int32))


def _centernet_roles(outputs: Sequence[ModelOutput]) -> Roles | None:
    maps = [place for place, output in enumerate(outputs) if _shaped(output, 3) is not None and not output.whole]
    named = [[place for place in maps if _says(outputs[place].name, words)] for words in _MAP_NAMES]
    if all(len(found) == 1 for found in named):
        return _one_each(*named)
    # Without names that tell: the order in which the authors' heads stand, where the sizes agree with it.
    pairs = [outputs[place].shape[-3] in (2, None) for place in maps]
    return tuple(maps) if len(maps) == len(_MAP_NAMES) and pairs[1:] == [True, True] else None


_MAP_NAMES = (("hm", "heat"), ("wh", "size"), ("reg", "off"))


def _says(name: str, words: Sequence[str]) -> bool:
    return any(word in name.lower() for word in words)


def _centernet(arrays: Sequence[npt.NDArray[Any]], size: tuple[int, int], least: float) -> Detections:
    heat, extents, offsets = (array.astype(np.float32) for array in arrays)
    if (heat < 0).any():  # no probabilities: the authors' network ends before the sigmoid, mmdetection's behind it
        heat = np.reciprocal(1 + np.exp(-heat))
    classes, rows, columns = np.nonzero((heat >= least) & (heat == _max_of_nine(heat)))
    centres = np.column_stack([columns, rows]) + offsets[:, rows, columns].T
    # The maps are `stride` times smaller than the input: 4 in the paper.
    strides = np.array([size[1] / heat.shape[2], size[0] / heat.shape[1]] * 2)
    corners = _corners(centres, extents[:, rows, columns].T) * strides
    return Detections(corners.astype(np.float32), heat[classes, rows, columns], classes.astype(np.int32))


def _max_of_nine(heat: Floats) -> Floats:
    """The largest of each cell of (C, H, W) and its eight neighbours."""
    padded = np.pad(heat, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    rows: Floats = np.maximum(np.maximum(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])
    return np.maximum(np.maximum(rows[:, :, :-2], rows[:, :, 1:-1]), rows[:, :, 2:])


def _more(many: int | None, few: int | None) -> bool:
    """Whether the axis of boxes may be the first of these and that of columns the second."""
    return few is not None and (many is None or many > few)


_ALL = (
    Convention("torchvision", "boxes (N, 4), scores (N,), labels (N,)", (2, 1, 1), _torchvision_roles, _torchvision),
    Convention("mmdet", "dets (N, 5): x0, y0, x1, y1, score; labels (N,)", (2, 1), _mmdet_roles, _mmdet),
    Convention(
        "yolo",
        "(N, 5 + C): centre x, centre y, width, height, objectness, a score a class",
        (2,),
        _rows_roles(lambda rows, columns: _more(rows, columns) and (columns or 0) >= 6),  # noqa: PLR2004 - one class
        _yolo,
        raw=True,
    ),
    Convention(
        "yolo_v8",
        "(4 + C, N): centre x, centre y, width, height, a score a class",
        (2,),
        _rows_roles(lambda rows, columns: _more(columns, rows) and (rows or 0) >= 5),  # noqa: PLR2004 - one class
        _yolo_v8,
        raw=True,
    ),
    Convention(
        "end_to_end",
        "(N, 6): x0, y0, x1, y1, score, class",
        (2,),
        _rows_roles(lambda _rows, columns: columns == 6),  # noqa: PLR2004 - its columns
        _end_to_end,
    ),
    Convention(
        "centernet",
        "heat (C, h, w), sizes (2, h, w), offsets (2, h, w) in cells of the maps",
        (3, 3, 3),
        _centernet_roles,
        _centernet,
    ),
)

CONVENTIONS = {convention.name: convention for convention in _ALL}
"""By name, what `detector.outputs` can say.

Source: torchvision: `FasterRCNN`, docs.pytorch.org/vision. mmdet: github.com/open-mmlab/mmdeploy, outputs `dets` and `labels` of
end2end.onnx. yolo: github.com/ultralytics/yolov5, `Detect` and `non_max_suppression`: the score is objectness times class score;
YOLOv7 and YOLOX (exported with `--decode_in_inference`) answer alike. yolo_v8: github.com/ultralytics/ultralytics, `Detect`;
end_to_end: its docs, guides/end2end-detection. centernet: Zhou et al., Objects as Points, arXiv 1904.07850, section 4, and
`ctdet_decode` of github.com/xingyizhou/CenterNet: peaks are cells that equal the largest of their 3x3 neighbourhood.
"""
