"""Boxes by a detector of your own, any ONNX file: `--set detector.model=PATH`, see docs/detectors.md."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import numpy.typing as npt

from vdata.config import check
from vdata.errors import ConfigError
from vdata.extract import EXTRACTORS, Extracted
from vdata.extract._boxes import member_field
from vdata.extract._detector_outputs import Detections, OutputName
from vdata.extract._frames import check_frames, chosen_frames
from vdata.extract._letterbox import Letterbox, Place
from vdata.extract._nms import suppress
from vdata.extract._onnx import DetectorModel
from vdata.media.box_codec import Boxes, boxes_of, dump_boxes
from vdata.media.clip import EncodedClip
from vdata.records import Column, Field

__all__ = ["DetectorConfig", "DetectorExtractor"]

Three = tuple[float, float, float]


@dataclass(frozen=True)
class DetectorConfig:
    """The model, what it wants to see, and which of its boxes are kept."""

    model: str = field(default="", metadata={"required": "must be the path of an ONNX file: --set detector.model=PATH"})
    """Path of the ONNX file, on every machine that builds; it becomes absolute."""
    sha256: str = ""
    """Of that file; computed when the settings are read, so that it is saved with them and a resumed build has the same model."""
    outputs: OutputName = "auto"
    """The convention of its outputs; `auto` goes by their names, types and shapes."""
    frames: str = "keyframes"
    """`keyframes`, `every:N` or `all`."""
    size: tuple[int, int] = (640, 640)
    """(height, width) of the input where the model leaves it open."""
    place: Place = "centre"
    """Where the picture lies in it: `centre` or `corner`."""
    fill: int = 114
    """Value of the padding around it."""
    colours: Literal["rgb", "bgr"] = "rgb"
    """Order of the input's channels."""
    scale: float = 1 / 255
    """The input is (pixel * scale - mean) / std; a model of uint8 input gets the pixels."""
    mean: Three = (0.0, 0.0, 0.0)
    """In the order of the input's channels."""
    std: Three = (1.0, 1.0, 1.0)
    """As `mean`."""
    classes: tuple[int, ...] = ()
    """Classes that are kept, as the model counts them; empty keeps all."""
    score: float = 0.5
    """The least score."""
    nms: float = 0.5
    """Of boxes of a class whose IoU is above this the best stays; for `yolo` and `yolo_v8`, the others have it behind them."""
    top: int = 100
    """The most boxes of a frame, the best first."""
    batch: int = 8
    """Frames at a time, where the model leaves it open."""
    providers: tuple[str, ...] = ("CPUExecutionProvider",)
    """What onnxruntime may run it on, in this order."""

    def __post_init__(self) -> None:
        """Checks each setting, and notes which model it is."""
        check(self.outputs in get_args(OutputName), "detector.outputs", self.outputs, f"must be one of {get_args(OutputName)}")
        check_frames(self.frames, "detector.frames")
        check(min(self.size) >= 1, "detector.size", self.size, "must be positive")
        check(self.place in get_args(Place), "detector.place", self.place, "must be 'centre' or 'corner'")
        check(0 <= self.fill <= 255, "detector.fill", self.fill, "must be in [0, 255]")  # noqa: PLR2004 - a byte
        check(self.colours in ("rgb", "bgr"), "detector.colours", self.colours, "must be 'rgb' or 'bgr'")
        check(0 not in self.std, "detector.std", self.std, "must not hold 0")
        check(0 <= self.nms <= 1, "detector.nms", self.nms, "must be in [0, 1]")
        check(self.top >= 1, "detector.top", self.top, "must be 1 or more")
        check(self.batch >= 1, "detector.batch", self.batch, "must be 1 or more")
        check(bool(self.providers), "detector.providers", self.providers, "must name one")
        if self.model:
            object.__setattr__(self, "model", str(Path(self.model).absolute()))
            if not self.sha256:
                object.__setattr__(self, "sha256", hashlib.sha256(_content(self.model)).hexdigest())


def _content(model: str) -> bytes:
    try:
        return Path(model).read_bytes()
    except OSError as error:
        raise ConfigError(f"detector.model ('{model}') cannot be read: {error.strerror}; give the path of an ONNX file") from None


def _installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


@EXTRACTORS.add("detector")
class DetectorExtractor:
    """The clip's boxes as one member. Equal clips give equal bytes on one kind of CPU; onnxruntime's sums differ between two."""

    Config: ClassVar[type] = DetectorConfig
    packages: ClassVar[tuple[str, ...]] = (
        "opencv-contrib-python-headless",
        *(name for name in ("onnxruntime", "onnxruntime-gpu") if _installed(name)),
    )
    reads_source: ClassVar[bool] = False
    reads_motion: ClassVar[bool] = False
    needs_pictures: ClassVar[bool] = True

    def __init__(self, config: DetectorConfig) -> None:
        """Loads the model; without one, the extractor can only say what its member is.

        Raises:
            ConfigError: the file is not there, is not the one of the settings, is no ONNX, or has not the inputs and outputs of a
                detector.
            MissingExtraError: onnxruntime is not installed.
        """
        self.config = config
        self._model = _load(config) if config.model else None

    @property
    def fields(self) -> tuple[Field, ...]:
        """The boxes."""
        doc = "Boxes of the ONNX detector that was given, best first in each frame; `class` as the model counts."
        return (member_field("detector", doc),)

    @property
    def columns(self) -> tuple[Column, ...]:
        """None."""
        return ()

    def __call__(self, clip: EncodedClip) -> Extracted:
        """The member's bytes. A clip in which nothing is found has a member of no boxes.

        Raises:
            DecodeError: the clip does not decode.
            ConfigError: the model fails on its pictures, or does not answer as its convention says.
        """
        model = self._model
        if model is None:
            raise ConfigError("detector.model ('') must be the path of an ONNX file: --set detector.model=PATH")
        frames = chosen_frames(self.config.frames, clip)
        pictures = clip.pictures(frames)
        letterbox = Letterbox(pictures.shape[1:3], model.size, self.config.place, self.config.fill)
        parts: list[Boxes] = []
        for first in range(0, len(frames), model.batch):
            chosen = frames[first : first + model.batch]
            found = model.detect(self._input(letterbox.apply(pictures[first : first + model.batch])), self.config.score)
            parts += [self._boxes(frame, item, letterbox) for frame, item in zip(chosen, found, strict=True)]
        (member,) = self.fields
        return Extracted({member.ext: dump_boxes(parts)})

    def _input(self, pictures: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        """(N, H, W, 3) as the model wants its values; axes and type are the model's own matter."""
        config = self.config
        ordered = pictures if config.colours == "rgb" else pictures[..., ::-1]
        if self._model is not None and self._model.takes_bytes:
            return ordered
        scaled = ordered.astype(np.float32) * np.float32(config.scale)
        return (scaled - np.array(config.mean, np.float32)) / np.array(config.std, np.float32)

    def _boxes(self, frame: int, found: Detections, letterbox: Letterbox) -> Boxes:
        config = self.config
        corners = letterbox.undo(found.corners)
        # NaN fails every comparison, so a box with one in it goes here.
        chosen = (found.scores >= config.score) & (corners[:, :2] < corners[:, 2:]).all(axis=1)
        if config.classes:
            chosen &= np.isin(found.classes, config.classes)
        corners, scores, classes = corners[chosen], found.scores[chosen], found.classes[chosen]
        raw = self._model is not None and self._model.convention.raw
        if raw:
            kept = suppress(corners, scores, config.nms, classes, most=config.top)
        else:
            kept = np.argsort(-scores, kind="stable")[: config.top]
        return boxes_of(frame, corners[kept], "detector", scores[kept], classes[kept])


def _load(config: DetectorConfig) -> DetectorModel:
    content = _content(config.model)
    here = hashlib.sha256(content).hexdigest()
    rule = f"must be the file that the settings were made for, its sha256 is {here}, not {config.sha256}"
    check(here == config.sha256, "detector.model", config.model, rule)
    return DetectorModel(content, config.model, config.outputs, config.size, config.batch, config.providers)
