"""What the graph is fed for the frames of a batch: decoded pictures on the CPU, encoded bytes on CUDA.

The one place where the two devices differ before the graph does. `load` runs in the loader's threads, one call a sample;
`feeds` gathers a batch. Whatever is wrong with a clip must show in `load`: DALI gives up the whole pipeline at a sample that
it cannot decode.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pipelines.clips import Clips
from pipelines.decode import Decoder
from pipelines.read import Reader
from vdata.errors import CorruptShardError, DecodeError, MediaError
from vdata.media.mp4 import packets
from vdata.views import View

__all__ = ["DecodedSource", "EncodedSource", "Source"]

Longs = npt.NDArray[np.int64]
Loaded = list[Any]
"""A sample as `load` gives it, one entry a view."""


class Source(Protocol):
    """How the frames of a batch come to the graph."""

    def load(self, clip: int, windows: Sequence[Longs]) -> Loaded:
        """What the graph needs of one clip, for the frames (T,) of each view.

        Raises:
            CorruptShardError: the clip cannot be used; names its file and key.
        """

    def feeds(self, views: Sequence[View], samples: Sequence[Loaded], clips: Longs) -> dict[str, Any]:
        """The inputs of a batch by the names of the graph's sources."""


class DecodedSource:
    """Frames decoded by PyAV, uint8 (T, H, W, 3) of the picture alone."""

    def __init__(self, clips: Clips) -> None:
        """Opens no file yet."""
        self._clips, self._reader, self._decoder = clips, Reader(clips), Decoder()

    def load(self, clip: int, windows: Sequence[Longs]) -> Loaded:
        """The frames of every window; those that windows share are decoded once."""
        try:
            encoded = self._reader.read(clip, np.concatenate(windows))
            x, y, width, height = self._clips.picture[clip].tolist()
            return list(self._decoder.decode(encoded, windows, (x, y, width, height)))
        except MediaError as error:
            raise _unusable(self._clips, clip, error) from error

    def feeds(self, views: Sequence[View], samples: Sequence[Loaded], clips: Longs) -> dict[str, Any]:  # noqa: ARG002 - a Source
        """A list of pictures for each view."""
        return {view.name: [sample[place] for sample in samples] for place, view in enumerate(views)}


class EncodedSource:
    """Bytes for NVDEC: init and the run of fragments around each window. Has never run on a GPU."""

    def __init__(self, clips: Clips) -> None:
        """Opens no file yet."""
        self._clips, self._reader = clips, Reader(clips)

    def load(self, clip: int, windows: Sequence[Longs]) -> Loaded:
        """An MP4 (bytes,) and the window's frames (T,) counted from its first fragment, for every view."""
        try:
            return [self._window(clip, window) for window in windows]
        except MediaError as error:
            raise _unusable(self._clips, clip, error) from error

    def _window(self, clip: int, window: Longs) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
        # Every fragment in between, wanted or not: DALI counts frames from the first one that it is given.
        encoded = self._reader.read(clip, np.arange(window.min(), window.max() + 1))
        frames = (window - encoded.first_frames[0]).astype(np.int32)
        num_frames = sum(len(packets(fragment)) for fragment in encoded.fragments)
        if frames.max() >= num_frames:
            raise DecodeError(
                "frames", f"the fragments of frame {window.max()} hold {num_frames} pictures, not {frames.max() + 1}"
            )
        return np.frombuffer(b"".join([encoded.init, *encoded.fragments]), np.uint8), frames

    def feeds(self, views: Sequence[View], samples: Sequence[Loaded], clips: Longs) -> dict[str, Any]:
        """Bytes, frames and picture rectangle for each view."""
        picture = np.asarray(self._clips.picture[clips], np.int32)
        feeds: dict[str, Any] = {}
        for place, view in enumerate(views):
            feeds[view.name] = [sample[place][0] for sample in samples]
            feeds[f"{view.name}.frames"] = np.stack([sample[place][1] for sample in samples])
            feeds[f"{view.name}.picture_corner"] = np.ascontiguousarray(picture[:, [1, 0]])
            feeds[f"{view.name}.picture_shape"] = np.ascontiguousarray(picture[:, [3, 2]])
        return feeds


def _unusable(clips: Clips, clip: int, error: MediaError) -> CorruptShardError:
    path = clips.mp4_path(clip)
    way_out = "on_error='skip' takes another clip in its place, `vdata verify --decode` names all such"
    return CorruptShardError(f"'{path}', key '{clips.key(clip)}': {error}; {way_out}")
