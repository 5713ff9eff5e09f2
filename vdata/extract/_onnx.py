"""A detector's ONNX file in onnxruntime: its input as the file declares it, its outputs by their convention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vdata.config import check
from vdata.errors import ConfigError, MissingExtraError
from vdata.extract._detector_outputs import Detections, ModelOutput, OutputName, choose_convention

__all__ = ["DetectorModel"]

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
_CHANNELS = 3


class DetectorModel:
    """A loaded model. It does not pickle: each worker loads its own."""

    def __init__(
        self,
        content: bytes,
        path: str,
        outputs: OutputName,
        size: tuple[int, int],
        batch: int,
        providers: Sequence[str],
    ) -> None:
        """Loads the model and reads its declarations.

        Args:
            content: the ONNX file.
            path: its name in messages.
            outputs: the convention of its outputs.
            size: (height, width) of the input where the model leaves it open.
            batch: pictures at a time, where the model leaves it open.
            providers: what onnxruntime may run it on.

        Raises:
            ConfigError: no ONNX; or it has not one picture for its input, or outputs of no convention.
            MissingExtraError: onnxruntime is not installed.
        """
        self._path = path
        self._session = _session(content, path, providers)
        self._read_input(size, batch)
        declared = self._session.get_outputs()
        described = [ModelOutput(item.name, _sizes(item.shape), "int" in item.type) for item in declared]
        self.convention, roles = choose_convention(described, outputs)
        self._outputs = [declared[place].name for place in roles]

    def _read_input(self, size: tuple[int, int], batch: int) -> None:
        inputs = self._session.get_inputs()
        shapes = "; ".join(f"{item.name} {item.type} {item.shape}" for item in inputs)
        rule = f"must have one input of pictures, (N, 3, H, W) or (N, H, W, 3) of float, float16 or uint8; it has {shapes}"
        check(len(inputs) == 1 and inputs[0].type in _TYPES, "detector.model", self._path, rule)
        shape = _sizes(inputs[0].shape)
        # torchvision's models take one picture without a batch axis.
        self._single = len(shape) == _CHANNELS
        self._channels_first = shape[-3:][:1] == (_CHANNELS,)
        picture = shape[-2:] if self._channels_first else shape[-3:-1]
        known = self._channels_first or shape[-1:] == (_CHANNELS,)
        check(known and len(shape) in (_CHANNELS, _CHANNELS + 1), "detector.model", self._path, rule)
        self._name, self._type = inputs[0].name, _TYPES[inputs[0].type]
        self.takes_bytes = self._type == np.uint8
        self.size = picture[0] or size[0], picture[1] or size[1]
        self._fixed = 1 if self._single else shape[0]
        self.batch = self._fixed or batch

    def detect(self, pictures: npt.NDArray[Any], least: float) -> list[Detections]:
        """What is found in each of up to `batch` pictures (N, H, W, 3), whose values are the input's.

        Raises:
            ConfigError: the model fails, or its outputs are not as the convention says.
        """
        from onnxruntime.capi import onnxruntime_pybind11_state as ort  # noqa: PLC0415 - an extra

        try:
            arrays = self._session.run(self._outputs, {self._name: self._arranged(pictures)})
            found = [self.convention.of_picture(arrays, number) for number in range(len(pictures))]
            return [self.convention.decode(item, self.size, least) for item in found]
        except (ort.Fail, ort.InvalidArgument, ort.RuntimeException, ort.EPFail, ValueError, IndexError) as error:
            what = f"fails on {len(pictures)} pictures of {self.size[1]}x{self.size[0]}: {_words(error)}"
            raise ConfigError(f"detector.model ('{self._path}') {what}; see detector.size, batch and outputs") from error

    def _arranged(self, pictures: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The input tensor: the model's axes and type, filled up with zeros where its batch is fixed."""
        tensor = np.zeros((self._fixed or len(pictures), *pictures.shape[1:]), self._type)
        tensor[: len(pictures)] = pictures
        tensor = np.ascontiguousarray(tensor.transpose(0, 3, 1, 2)) if self._channels_first else tensor
        return tensor[0] if self._single else tensor


def _session(content: bytes, path: str, providers: Sequence[str]) -> Any:  # noqa: ANN401 - onnxruntime is an extra
    try:
        import onnxruntime  # noqa: PLC0415 - an extra, and heavy
        from onnxruntime.capi import onnxruntime_pybind11_state as ort  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        if error.name != "onnxruntime":
            raise
        way_out = "pip install '.[detect]' in vdata's checkout"
        raise MissingExtraError("the extractor 'detector'", "onnxruntime", way_out) from error
    known = onnxruntime.get_available_providers()
    check(set(providers) <= set(known), "detector.providers", tuple(providers), f"must be among those of this machine: {known}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 4  # fatal ones; the others are raised
    # They have no class in common but Exception.
    refusals = (ort.Fail, ort.InvalidArgument, ort.InvalidGraph, ort.InvalidProtobuf, ort.NotImplemented, ort.RuntimeException)
    try:
        return onnxruntime.InferenceSession(content, options, list(providers))
    except refusals as error:
        hint = "give an ONNX file that holds its weights itself, of an IR version and opset that this onnxruntime knows"
        raise ConfigError(f"detector.model ('{path}') cannot be loaded: {_words(error)}; {hint}") from error


def _sizes(shape: Sequence[object]) -> tuple[int | None, ...]:
    """A declared shape; sizes that are names or nothing are open."""
    return tuple(size if isinstance(size, int) and size > 0 else None for size in shape)


def _words(error: Exception) -> str:
    """What an error says, on one line."""
    return " ".join(str(error).split())[:500]
