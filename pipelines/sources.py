"""What the graph is fed for the pictures of a batch: decoded ones on the CPU, encoded bytes on CUDA.

The one place where the two devices differ before the graph does. `load` runs in the loader's threads, one call a sample;
`feeds` gathers a batch. Whatever is wrong with a clip must show in `load`: DALI gives up the whole pipeline at a sample that
it cannot decode.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pipelines.clips import named
from pipelines.convert import Converter, ScaledPictures, WholePictures
from pipelines.decode import Decoder
from pipelines.fragments import needed
from pipelines.read import Encoded, Reader
from pipelines.samples import Samples
from pipelines.views import Shot
from vdata.errors import DecodeError
from vdata.media.mp4 import avc_config, decode_time, rebase, track_run
from vdata.media.thin import thin

__all__ = ["DecodedSource", "EncodedSource", "Source"]

Longs = npt.NDArray[np.int64]
Loaded = list[Any]
"""A sample as `load` gives it, one entry a shot."""


class Source(Protocol):
    """How the pictures of a batch come to the graph."""

    def load(self, samples: Samples, row: int, shots: Sequence[Shot]) -> Loaded:
        """What the graph needs of one sample.

        Raises:
            MediaError: a clip does not decode; the loader names it.
            CorruptShardError: its bytes cannot be read.
        """

    def ahead(self, samples: Samples, row: int, shots: Sequence[Shot]) -> None:
        """Begins to fetch what `load` will read, where that lies on another machine."""

    def feeds(self, shots: Sequence[str], loaded: Sequence[Loaded], samples: Samples) -> dict[str, Any]:
        """The inputs of a batch by the names of the graph's sources, from the names of its shots."""


class DecodedSource:
    """Pictures decoded by PyAV, uint8 (T, H, W, 3): whole, or finished as a shot asks."""

    def __init__(self, reader: Reader) -> None:
        """Opens no file yet."""
        self.reader, self.decoder, self._converter = reader, Decoder(), Converter()

    def load(self, samples: Samples, row: int, shots: Sequence[Shot]) -> Loaded:
        """The pictures of every shot; a frame that several shots want, or one twice, is decoded once."""
        picture = tuple(samples.picture[row].tolist())
        targets = [self._target(shot, picture) for shot in shots]
        wanted = np.concatenate([shot.frames for shot in shots])
        owner = np.repeat(np.arange(len(shots)), [len(shot.frames) for shot in shots])
        slot = np.concatenate([np.arange(len(shot.frames)) for shot in shots])
        for clip, frames, where in samples.runs.places(row, wanted):
            places: dict[int, dict[int, list[int]]] = {}
            for number, shot, place in zip(frames.tolist(), owner[where].tolist(), slot[where].tolist(), strict=True):
                places.setdefault(number, {}).setdefault(shot, []).append(place)
            with named(samples.clips, clip):
                for number, frame in self.decoder.frames(self.reader.read(clip, frames), set(places)):
                    for shot, slots in places[number].items():
                        targets[shot].put(frame, slots)
        return [target.take() for target in targets]

    def ahead(self, samples: Samples, row: int, shots: Sequence[Shot]) -> None:
        """Asks for the fragments of all shots."""
        if not shots:
            return
        for clip, frames, _ in samples.runs.places(row, np.concatenate([shot.frames for shot in shots])):
            self.reader.ahead(clip, frames)

    def _target(self, shot: Shot, picture: tuple[int, int, int, int]) -> WholePictures | ScaledPictures:
        if shot.finish is None:
            return WholePictures(self._converter, len(shot.frames), picture)
        return ScaledPictures(self._converter, len(shot.frames), picture[:2], shot.finish)

    def feeds(self, shots: Sequence[str], loaded: Sequence[Loaded], samples: Samples) -> dict[str, Any]:  # noqa: ARG002 - a Source
        """A list of pictures for each shot."""
        return {name: [sample[place] for sample in loaded] for place, name in enumerate(shots)}


class EncodedSource:
    """Bytes for NVDEC: init and the run of fragments around each window. Has never run on a GPU."""

    def __init__(self, reader: Reader, *, thins: bool) -> None:
        """Opens no file yet. `thins` leaves out the pictures that no wanted one needs."""
        self.reader, self._thins = reader, thins

    def load(self, samples: Samples, row: int, shots: Sequence[Shot]) -> Loaded:
        """An MP4 (bytes,) and the wanted pictures' places in it (T,), for every shot."""
        return [self._window(samples, row, shot.frames) for shot in shots]

    def ahead(self, samples: Samples, row: int, shots: Sequence[Shot]) -> None:
        """Asks for the fragments around each window."""
        for shot in shots:
            for clip, frames, _ in samples.runs.places(row, _between(shot.frames)):
                self.reader.ahead(clip, frames)

    def _window(self, samples: Samples, row: int, frames: Longs) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
        init, parts, shown = b"", list[bytes](), list[Longs]()
        for clip, own, where in samples.runs.places(row, _between(frames)):
            encoded = self.reader.read(clip, own)
            if init and encoded.init != init:
                raise DecodeError("init", "the clips of one window were not encoded alike: take windows of one clip")
            # DALI gives up its whole pipeline at a stream that it cannot open.
            avc_config(encoded.init)
            init, first_frame = encoded.init, int(frames.min() + where[0] - own[0])
            wanted = set((frames - first_frame).tolist())
            with named(samples.clips, clip):
                for part, numbers in _kept(encoded, wanted, thins=self._thins):
                    parts.append(_after(parts, part))
                    shown.append(numbers + first_frame)
        there = np.concatenate(shown)
        places = np.searchsorted(there, frames)
        if not np.array_equal(there[np.minimum(places, len(there) - 1)], frames):
            raise DecodeError("frames", f"the fragments of frames {frames.min()} to {frames.max()} lack a wanted one")
        return np.frombuffer(b"".join([init, *parts]), np.uint8), places.astype(np.int32)

    def feeds(self, shots: Sequence[str], loaded: Sequence[Loaded], samples: Samples) -> dict[str, Any]:
        """Bytes, frames and picture rectangle for each shot."""
        picture = np.asarray(samples.picture, np.int32)
        feeds: dict[str, Any] = {}
        for place, name in enumerate(shots):
            feeds[name] = [sample[place][0] for sample in loaded]
            feeds[f"{name}.frames"] = np.stack([sample[place][1] for sample in loaded])
            feeds[f"{name}.picture_corner"] = np.ascontiguousarray(picture[:, [1, 0]])
            feeds[f"{name}.picture_shape"] = np.ascontiguousarray(picture[:, [3, 2]])
        return feeds


def _between(frames: Longs) -> Longs:
    """Every frame from the first to the last, wanted or not: DALI counts pictures from the first one that it is given."""
    return np.arange(frames.min(), frames.max() + 1)


def _kept(encoded: Encoded, wanted: set[int], *, thins: bool) -> list[tuple[bytes, Longs]]:
    """Fragments with the numbers of the frames that they show, ascending; thinned to what `wanted` needs."""
    kept = []
    for data, first_frame in zip(encoded.fragments, encoded.first_frames, strict=True):
        count = len(track_run(data).sizes)
        chosen = [coded.place for coded in needed(data, {number - first_frame for number in wanted})]
        places = set(chosen) if thins else set(range(count))
        part = thin(data, places) if thins else data
        if part:
            kept.append((part, first_frame + np.array(sorted(places), np.int64)))
    return kept


def _after(before: Sequence[bytes], part: bytes) -> bytes:
    """The fragment with its decoding time behind that of the ones before; a run's second clip starts at 0 again."""
    if not before:
        return part
    run, start = track_run(before[-1]), decode_time(before[-1])
    end = start + sum(run.durations)
    return part if decode_time(part) >= end else rebase(part, decode_time(part) - end)
