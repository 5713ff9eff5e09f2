"""Finished shards for people: samples by number and by key, their members, pictures and motion.

The loader does not come this way; it reads windows of many clips by the index. This is for notebooks, checks and exports.
"""

from __future__ import annotations

import logging
import operator
import os
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vdata.config import check
from vdata.errors import CorruptShardError, MediaError, SchemaMismatchError
from vdata.media.audio_codec import load_flac
from vdata.media.box_codec import Boxes, load_boxes
from vdata.media.decode import decode_frames, decode_keyframe
from vdata.media.feature_codec import load_features
from vdata.media.label_codec import FrameLabels, load_labels
from vdata.media.motion_codec import load_grid, load_vectors
from vdata.media.text_codec import Text, load_text
from vdata.media.tracklet_codec import Tracklets, load_tracklets
from vdata.records import Picture
from vdata.shards.classes import read_classes
from vdata.shards.index import Index, open_index
from vdata.shards.remote import Folder, RemoteFile, folder_of
from vdata.shards.where import Where, select

__all__ = ["Sample", "Shards", "open_shards", "read_range"]

_log = logging.getLogger(__name__)

_GIVEN = ("dataset", "frame_labels")
"""Fields that carry over what a dataset's owners have published: no command makes them."""


def open_shards(path: str | Path, where: Where | None = None) -> Shards:
    """The samples of one shard folder, or those that a filter chooses (docs/filters.md); how many it leaves out is logged.

    `path` may be a URL, as "s3://bucket/shards/train" (docs/loading.md).

    Raises:
        ConfigError: `path` names several folders, or `where` is no filter; an UnknownNameError names a column that is not there.
        ShardError: the folder holds no finished shard; a folder of splits says which to open.
        SchemaMismatchError: the shards are of another format version.
    """
    one = isinstance(path, str | Path)
    check(one, "path", path, "must be one folder of shards: open several one by one, or read them with pipelines.ClipIterator")
    index = open_index(folder_of(path))
    if where is None:
        return Shards(index)
    selection = select(index, where)
    _log.warning("%s", selection)
    return Shards(index, np.flatnonzero(selection.chosen))


class Shards:
    """A sequence of samples, in the order of shard and row; also by key."""

    def __init__(self, index: Index, clips: npt.NDArray[np.int64] | None = None) -> None:
        """Takes an open index, and the numbers of the clips in it that are the samples, ascending; all by default."""
        self.index = index
        self.clips = clips
        """Numbers of the samples in the index; None if they are its own."""
        self._keys: pa.ChunkedArray | None = None

    @cached_property
    def classes(self) -> dict[str, tuple[str, ...]]:
        """Names by index of every numbering that the dataset has: `label`, and as it may be `box`, `frame` and `tag`.

        Raises:
            CorruptShardError: classes.json is damaged.
        """
        return read_classes(self.index.folder)

    def __len__(self) -> int:
        """The number of samples."""
        return len(self.index) if self.clips is None else len(self.clips)

    def __iter__(self) -> Iterator[Sample]:
        """Every sample."""
        return (self[i] for i in range(len(self)))

    def __getitem__(self, which: int | str) -> Sample:
        """The sample of a number (negative ones count from the end) or of a key.

        Raises:
            IndexError: no sample has that number.
            KeyError: no sample has that key.
        """
        if isinstance(which, str):
            return self._sample(self._find(which))
        number = operator.index(which)
        if not -len(self) <= number < len(self):
            msg = f"sample {number} of {len(self)} in '{self.index.folder}'"
            raise IndexError(msg)
        return self._sample(number % len(self))

    def __contains__(self, key: object) -> bool:
        """Whether a sample has that key."""
        return isinstance(key, str) and self._position(key) >= 0

    def __repr__(self) -> str:
        """The folder and the number of samples."""
        return f"<Shards '{self.index.folder}': {len(self)} samples>"

    def _find(self, key: str) -> int:
        position = self._position(key)
        if position < 0:
            raise KeyError(key)
        return position

    def _position(self, key: str) -> int:
        # A scan of the text column: a dict of ten million keys would take over a gigabyte.
        if self._keys is None:
            keys = self.index.arrow_column("key")
            self._keys = keys if self.clips is None else keys.take(self.clips)
        position: int = pc.index(self._keys, key).as_py()
        return position

    def _sample(self, number: int) -> Sample:
        return Sample(self.index.folder, self.index.row(number if self.clips is None else int(self.clips[number])))


class Sample:
    """One row and the bytes that it names. Nothing is read before it is asked for."""

    def __init__(self, folder: Folder, row: Mapping[str, Any]) -> None:
        """Takes a whole row of a row file in `folder`."""
        self.row = dict(row)
        """The row as plain values, by column."""
        self._folder = folder
        self._members = {member["name"]: member for member in row["members"]}

    @property
    def key(self) -> str:
        """The sample's name, in a tar too."""
        key: str = self.row["key"]
        return key

    @property
    def exts(self) -> tuple[str, ...]:
        """The extensions of its members, in the order of the file that holds them."""
        return tuple(self._members)

    def __contains__(self, ext: object) -> bool:
        """Whether it has a member of that extension."""
        return ext in self._members

    def __getitem__(self, ext: str) -> bytes:
        """A member's bytes, by its extension.

        Raises:
            KeyError: the sample has no such member.
            CorruptShardError: the file ends before them.
        """
        if ext not in self._members:
            msg = f"sample '{self.key}' has no member '{ext}'; it has {', '.join(self._members)}"
            raise KeyError(msg)
        return self._read(ext, 0, self._members[ext]["size"])

    def __repr__(self) -> str:
        """Key, frames and members."""
        return f"<Sample '{self.key}': {self.row['num_frames']} frames; {', '.join(self._members)}>"

    def frames(self, start: int = 0, stop: int | None = None, step: int = 1) -> npt.NDArray[np.uint8]:
        """Frames range(start, stop, step), uint8 (T, H, W, 3) rgb24 of the picture rectangle; `stop` defaults to the end.

        Reads the init and the fragments that hold those frames. Pixels equal PyAV's rgb24 of the whole clip.

        Raises:
            ConfigError: a frame outside the clip.
            SchemaMismatchError: the row has no pictures: it is a document, or features.
            CorruptShardError: the bytes do not decode.
        """
        self._check_pictures()
        num_frames = self.row["num_frames"]
        stop = num_frames if stop is None else stop
        check(0 <= start <= stop <= num_frames, "frames", (start, stop), f"must lie in [0, {num_frames}] of clip '{self.key}'")
        check(step >= 1, "step", step, "must be at least 1")
        wanted = range(start, stop, step)
        parts = [self._read("mp4", 0, self.row["init_size"])] if wanted else []
        for fragment, end in zip(self.row["fragments"], self._fragment_ends(), strict=True):
            first = fragment["first_frame"]
            if any(number in wanted for number in range(first, end)):
                parts.append(self._read("mp4", fragment["offset"], fragment["size"]))
        pixels: npt.NDArray[np.uint8] = self._decoded(decode_frames, b"".join(parts), wanted)
        return pixels

    def keyframe(self, k: int) -> npt.NDArray[np.uint8]:
        """Keyframe k, uint8 (H, W, 3) rgb24 of the picture rectangle: the first frame of fragment k.

        With the field `keyframes` it reads the init and one packet; without it, the init and fragment k.

        Raises:
            ConfigError: the clip has no keyframe k.
            SchemaMismatchError: the row has no pictures, as with `frames`.
            CorruptShardError: the bytes do not decode.
        """
        self._check_pictures()
        count = len(self.row["fragments"])
        check(0 <= k < count, "keyframe", k, f"must lie in [0, {count}) of clip '{self.key}'")
        keyframes = self.row.get("keyframes")
        pixels: npt.NDArray[np.uint8]
        if not keyframes:
            first = self.row["fragments"][k]["first_frame"]
            pixels = self.frames(first, first + 1)[0]
            return pixels
        init = self._read("mp4", 0, self.row["init_size"])
        packet = self._read("mp4", keyframes[k]["offset"], keyframes[k]["size"])
        return self._decoded(decode_keyframe, init, packet)

    def keyframe_jpeg(self, k: int) -> bytes:
        """Keyframe k as a JPEG of the picture rectangle, as the field `keyframes` of form `jpeg` stored it: one small read.

        Raises:
            ConfigError: the clip has no keyframe k.
            SchemaMismatchError: the shards hold no JPEGs.
        """
        ranges = self.row.get("keyframe_jpegs")
        if ranges is None:
            raise self._lacks("keyframes.mjpeg", "keyframes --set keyframes.form=jpeg")
        check(0 <= k < len(ranges), "keyframe", k, f"must lie in [0, {len(ranges)}) of clip '{self.key}'")
        return self._read("keyframes.mjpeg", ranges[k]["offset"], ranges[k]["size"])

    def motion(self) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8]]:
        """The motion grid and each cell's kind, as vdata.media.motion_codec.load_grid says.

        Raises:
            SchemaMismatchError: the shards hold no motion grid.
        """
        return load_grid(self._field("motion.npz", "motion"))

    def motion_vectors(self) -> list[npt.NDArray[np.int32]]:
        """The motion vectors of each frame, int32 (N, 10), as vdata.media.motion_codec.load_vectors says.

        Raises:
            SchemaMismatchError: the shards hold no motion vectors.
        """
        return load_vectors(self._field("vectors.npz", "motion --set motion.form=vectors"))

    def boxes(self, *sources: str) -> Boxes:
        """The boxes of these sources, or of all, a structured array (N,), dtype vdata.media.box_codec.BOX.

        Corners are in pixels of the coded frame. A source is an extractor's name; the column `source` counts them by
        vdata.media.box_codec.BOX_SOURCES.

        Raises:
            SchemaMismatchError: the shards hold no boxes of such a source, or none at all.
        """
        exts = [f"{name}.boxes.npy" for name in sources] or [ext for ext in self.exts if ext.endswith("boxes.npy")]
        if not exts:
            raise self._lacks("boxes.npy", "slic", " (or `person`, `detector`); a dataset's own are there if it has any")
        for ext in exts:
            if ext not in self:
                raise self._lacks(ext, ext.partition(".")[0])
        return np.concatenate([load_boxes(self[ext]) for ext in exts])

    def tracklets(self) -> Tracklets:
        """Persons over time, a structured array (N,), dtype vdata.media.tracklet_codec.TRACKLET: a row a track and frame.

        Raises:
            SchemaMismatchError: the shards hold no tracklets.
        """
        return load_tracklets(self._field("tracklets.npy", "tracklets"))

    def audio(self) -> tuple[npt.NDArray[np.int16], int]:
        """The sound of the clip from its first frame to its end, int16 (N,) mono, and its rate; N is 0 where there is none.

        Raises:
            SchemaMismatchError: the shards hold no audio.
        """
        if self.row.get("audio_samples") == 0:
            return np.empty(0, np.int16), self.row["audio_rate"]
        return load_flac(self._field("flac", "audio"))

    def text(self) -> Text:
        """Label, caption, tags, subtitles and questions; empty where nothing is known. Times are seconds of the clip.

        Raises:
            SchemaMismatchError: the shards hold no text.
        """
        if "text.json" not in self and "text" in self.row["fields"]:
            return Text()
        return load_text(self._field("text.json", "text"))

    def frame_labels(self) -> FrameLabels:
        """The class of each frame, int32 (T,), -1 for none; names are in the shards' `classes["frame"]`, if the dataset has them.

        Raises:
            SchemaMismatchError: the shards hold no labels of frames.
        """
        return load_labels(self._field("labels.npy", "frame_labels"))

    def features(self) -> npt.NDArray[np.float16]:
        """What a network made of the frames, float16 (T', D): row i is centred on frame i * row["feature_stride"].

        Published features are read alike; of a row without pictures they stand for themselves.

        Raises:
            SchemaMismatchError: the shards hold no features.
        """
        return load_features(self._field("features.npy", "features --checkpoint RUN/checkpoint.pt"))

    def _check_pictures(self) -> None:
        if not self.row["codec"]:
            members = ", ".join(self._members)
            raise SchemaMismatchError(
                f"sample '{self.key}' has no pictures, only {members}: `where=\"num_frames > 0\"` chooses clips"
            )

    def _field(self, ext: str, field: str) -> bytes:
        if ext not in self._members:
            raise self._lacks(ext, field)
        return self[ext]

    def _lacks(self, ext: str, field: str, more: str = "") -> SchemaMismatchError:
        """The error of a member that is not there, with what there is to be done: nothing, where no command can make it."""
        if field in _GIVEN:
            way = f"only a dataset gives `{field}`, and '{self.row['dataset']}' gave none for it"
        elif not self.row["codec"] and field != "text":
            way = 'it has no pictures, of which that is made: `where="num_frames > 0"` chooses clips'
        else:
            way = f"make it with `vdata add {field} --shards {self._folder}`{more}"
        return SchemaMismatchError(f"sample '{self.key}' has no '{ext}', only {', '.join(self._members)}: {way}")

    def _fragment_ends(self) -> list[int]:
        """The frame after the last one of each fragment."""
        return [fragment["first_frame"] for fragment in self.row["fragments"][1:]] + [self.row["num_frames"]]

    def _read(self, ext: str, offset: int, size: int) -> bytes:
        """Part of a member."""
        member = self._members[ext]
        data = read_range(self._folder / member["file"], member["offset"] + offset, size)
        if len(data) != size:
            raise CorruptShardError(f"{member['file']} ends within '{self.key}.{ext}': check with `vdata verify {self._folder}`")
        return data

    def _decoded(self, decode: Callable[..., npt.NDArray[np.uint8]], *arguments: object) -> npt.NDArray[np.uint8]:
        try:
            return decode(*arguments, Picture(**self.row["picture"]))
        except MediaError as error:
            file = self._members["mp4"]["file"]
            raise CorruptShardError(f"'{self.key}.mp4' in {file} does not decode ({error}): check with `vdata verify`") from error


def read_range(path: Path | RemoteFile, offset: int, size: int) -> bytes:
    """Bytes of a file; fewer than `size` only where the file ends.

    The file is opened for each read: 10 microseconds, and no descriptor that a fork or a thread could share.

    Raises:
        CorruptShardError: the file is not there; a remote one ends before.
        ShardError: a remote one cannot be read.
    """
    if isinstance(path, RemoteFile):
        return _read_remote(path, offset, size)
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError as error:
        raise CorruptShardError(
            f"the file '{path}' that the rows name is not there: restore it, or build its shard anew"
        ) from error
    try:
        data = os.pread(descriptor, size, offset)
        # One call returns at most 2 GiB, and less when a signal comes.
        while len(data) < size and (more := os.pread(descriptor, size - len(data), offset + len(data))):
            data += more
        return data
    finally:
        os.close(descriptor)


def _read_remote(file: RemoteFile, offset: int, size: int) -> bytes:
    try:
        return file.read_ranges([(offset, offset + size)])[0] if size else b""
    except OSError as error:
        raise CorruptShardError(f"'{file}', which the rows name, cannot be read: {error}; copy it there again") from error
