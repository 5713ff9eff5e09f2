"""A clip becomes rows of features: windows of frames, decoded as they are reached, through a network that stays loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from torch import Tensor

from vdata.checkpoint import load_backbone, load_checkpoint
from vdata.config import check, from_mapping
from vdata.evaluate import evaluation_view
from vdata.extract import Extracted
from vdata.features.config import FeaturesConfig, pinned
from vdata.media.clip import EncodedClip
from vdata.media.decode import decode_frames
from vdata.media.feature_codec import dump_features
from vdata.nn.centre_crop import centre_crop
from vdata.recipes import TrainConfig
from vdata.records import Column, Field, Fragment
from vdata.views import Clip

__all__ = ["FeatureExtractor", "window_frames", "window_view"]

Longs = npt.NDArray[np.int64]


class FeatureExtractor:
    """A clip's features, by a network that stays loaded. It is no entry of EXTRACTORS: builds import no torch."""

    Config: ClassVar[type] = FeaturesConfig
    packages: ClassVar[tuple[str, ...]] = ("torch",)
    reads_source: ClassVar[bool] = False
    reads_motion: ClassVar[bool] = False
    needs_pictures: ClassVar[bool] = True

    def __init__(self, config: FeaturesConfig) -> None:
        """Loads the network.

        Raises:
            ConfigError: the checkpoint is absent, is none of vdata's, or is not the one that the work began with.
        """
        saved = load_checkpoint(Path(config.checkpoint))
        self.config = pinned(config)
        self.view = window_view(config, saved.config)
        self._device = torch.device(config.device)
        self._backbone = load_backbone(saved).to(self._device)
        # (3, 1, 1, 1), in steps of 1/255: pixels are bytes.
        self._mean, self._std = (
            255 * torch.tensor(values, device=self._device).view(3, 1, 1, 1) for values in (self.view.mean, self.view.std)
        )

    @property
    def fields(self) -> tuple[Field, ...]:
        """The one member."""
        doc = "Row i is of the window of frames centred on frame i * `feature_stride`; beyond its ends a clip repeats them."
        return (Field("features", "features.npy", "float16", "T D", "as the network gives them", doc),)

    @property
    def columns(self) -> tuple[Column, ...]:
        """What says how to read the member."""
        return (
            Column("feature_dim", pa.int32(), "D of `.features.npy`: what the backbone puts out."),
            Column("feature_stride", pa.int32(), "Frames of the clip from one row of `.features.npy` to the next."),
        )

    def __call__(self, clip: EncodedClip) -> Extracted:
        """The clip's rows: float16 (ceil(num_frames / stride), D).

        On one kind of machine equal clips give equal bytes; on another CPU the last bit of a number may differ.

        Raises:
            DecodeError: the clip does not decode.
            ConfigError: the network gives numbers that float16 does not hold.
        """
        stride = self.config.stride_at(clip.fps)
        windows = window_frames(clip.num_frames, stride, self.view)
        pictures = _Pictures(clip, windows, _side(self.view))
        batches = range(0, len(windows), self.config.batch)
        features = torch.cat([self._features(pictures.take(windows[i : i + self.config.batch])) for i in batches])
        member = dump_features(features.numpy())
        return Extracted({"features.npy": member}, {"feature_dim": features.shape[1], "feature_stride": stride})

    def _features(self, pictures: Tensor) -> Tensor:
        """(B, D) float32 on the CPU, of windows (B, 3, T, S, S) uint8."""
        x = (pictures.to(self._device).float() - self._mean) / self._std
        with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, enabled=self.config.dtype == "bfloat16"):
            features: Tensor = self._backbone(x).float().cpu()
        return features


def _side(view: Clip) -> int:
    """Height and width of the view; of one that is no square the shorter."""
    return min(view.size) if isinstance(view.size, tuple) else view.size or 0


def window_view(config: FeaturesConfig, trained: Mapping[str, Any]) -> Clip:
    """The first view of the method as evaluation reads it, with what the config says otherwise.

    Raises:
        ConfigError: the method is unknown here, or its view has no size and the config neither.
    """
    view = evaluation_view(from_mapping(TrainConfig, trained).views)
    size = config.size or view.size
    check(size is not None, "features.size", size, "must be given: the checkpoint was trained on pictures as they are")
    return replace(view, frames=config.frames or view.frames, stride=config.step or view.stride, size=size)


def window_frames(num_frames: int, stride: int, view: Clip) -> Longs:
    """Frames (R, T) of the windows around frames 0, stride, 2 stride ... of a clip.

    Of an even T the centre is frame T / 2, counted from 0. What lies outside the clip is its first or its last frame.
    """
    centres = np.arange(0, num_frames, stride, dtype=np.int64)
    offsets = (np.arange(view.frames, dtype=np.int64) - view.frames // 2) * view.stride
    frames: Longs = np.clip(centres[:, None] + offsets, 0, num_frames - 1)
    return frames


class _Pictures:
    """The network's pixels of a clip, decoded a fragment at a time: one clip may be a whole film."""

    def __init__(self, clip: EncodedClip, windows: Longs, size: int) -> None:
        self._clip, self._size = clip, size
        self._wanted = set(windows.ravel().tolist())
        ends = [fragment.first_frame for fragment in clip.fragments[1:]]
        self._left = iter(zip(clip.fragments, [*ends, clip.num_frames], strict=True))
        self._ready: dict[int, Tensor] = {}

    def take(self, windows: Longs) -> Tensor:
        """(B, 3, T, S, S) uint8 of windows (B, T), none of which begins before one that was taken."""
        first, last = int(windows.min()), int(windows.max())
        self._ready = {number: pixels for number, pixels in self._ready.items() if number >= first}
        while last not in self._ready:
            self._decode(*next(self._left))
        pixels = torch.stack([self._ready[number] for number in windows.ravel().tolist()])
        return pixels.view(*windows.shape, *pixels.shape[1:]).transpose(1, 2)

    def _decode(self, fragment: Fragment, end: int) -> None:
        clip = self._clip
        numbers = [number for number in range(fragment.first_frame, end) if number in self._wanted]
        mp4 = clip.mp4[: clip.init_size] + clip.mp4[fragment.offset : fragment.offset + fragment.size]
        pixels = centre_crop(torch.from_numpy(decode_frames(mp4, numbers, clip.picture)), self._size)
        self._ready.update(zip(numbers, pixels, strict=True))
