"""One clip as it leaves the encoder: the MP4 bytes and what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
import numpy.typing as npt

from vdata.errors import DecodeError
from vdata.media.config import ClipConfig
from vdata.media.decode import decode_frames, decode_keyframe
from vdata.media.encoder import encode_p_only
from vdata.media.origin import Origin
from vdata.media.structure import structure_named
from vdata.media.vectors import MotionPass, read_motion
from vdata.records import Fragment, Keyframe, Picture

__all__ = ["EncodedClip"]


@dataclass(frozen=True)
class EncodedClip:
    """A clip in memory: fragmented MP4, exactly init + fragments, first pts 0."""

    mp4: bytes
    init_size: int
    """Bytes before the first fragment (ftyp + moov)."""
    fragments: tuple[Fragment, ...]
    keyframes: tuple[Keyframe, ...]
    num_frames: int
    fps: Fraction
    width: int
    """Coded width: the canvas. Pixels."""
    height: int
    picture: Picture
    structure: str
    """The frame structure's name, as in vdata/media/structure.py."""
    gop: int
    """Frames from one keyframe to the next."""
    clip_in_video: int
    start_seconds: float
    """Where the clip starts in the source."""
    end_seconds: float
    source_width: int
    source_height: int
    has_audio: bool
    origin: Origin
    """The video that it was cut from."""
    codec: str = "h264"
    p_only: bytes = b""
    """Another encode of the same frames, I P P P, for `motion` alone; empty where the clip is one itself or nobody asked."""

    @classmethod
    def without_pictures(cls, origin: Origin) -> EncodedClip:
        """What stands for a document, or for features alone: a clip without an MP4, of no frames and no length."""
        return cls(
            mp4=b"",
            init_size=0,
            fragments=(),
            keyframes=(),
            num_frames=0,
            fps=Fraction(0),
            width=0,
            height=0,
            picture=Picture(0, 0, 0, 0),
            structure="",
            gop=0,
            clip_in_video=0,
            start_seconds=0.0,
            end_seconds=0.0,
            source_width=0,
            source_height=0,
            has_audio=False,
            origin=origin,
            codec="",
        )

    @property
    def has_pictures(self) -> bool:
        """Whether there is an MP4."""
        return bool(self.mp4)

    @cached_property
    def decoded(self) -> MotionPass:
        """What a decoder says of the clip's own pictures, by one cheap pass; one with `motion` where they are P-only."""
        return read_motion(self.mp4, skips=False) if structure_named(self.structure).num_b else self.motion

    @cached_property
    def motion(self) -> MotionPass:
        """Motion from frame to frame, of a P-only stream: one cheap decoding pass that contract check and extractors share.

        The stream is the clip itself; where it has B pictures, `p_only`; without that, one that is made of the clip's pictures.

        Raises:
            DecodeError: the stream does not decode, or to another number of frames.
        """
        if not structure_named(self.structure).num_b:
            return read_motion(self.mp4)
        found = read_motion(self.p_only or encode_p_only(self.mp4, ClipConfig(gop=self.gop), self.fps, self.origin.limits))
        if len(found.types) != self.num_frames:
            raise DecodeError("frames", f"the P-only encode has {len(found.types)} frames, the clip {self.num_frames}")
        return found

    def pictures(self, frames: Sequence[int]) -> npt.NDArray[np.uint8]:
        """Frames by their numbers, uint8 (N, H, W, 3) rgb24 of the picture rectangle; read-only, and shared by all who ask.

        The rectangle starts at (0, 0), so its pixels have the coordinates of the coded frame. Keyframes alone cost a packet each.

        Raises:
            DecodeError: the clip does not decode, or has no such frame.
        """
        wanted = tuple(frames)
        if wanted not in self._pictures:
            found = self._keyframes(wanted) if self._keyframe_numbers.issuperset(wanted) else self._frames(wanted)
            found.flags.writeable = False
            self._pictures[wanted] = found
        return self._pictures[wanted]

    @cached_property
    def _pictures(self) -> dict[tuple[int, ...], npt.NDArray[np.uint8]]:
        return {}

    @cached_property
    def _keyframe_numbers(self) -> frozenset[int]:
        return frozenset(keyframe.frame for keyframe in self.keyframes)

    def _keyframes(self, wanted: tuple[int, ...]) -> npt.NDArray[np.uint8]:
        init, packets = (
            self.mp4[: self.init_size],
            {item.frame: (item.offset, item.offset + item.size) for item in self.keyframes},
        )
        pictures = [decode_keyframe(init, self.mp4[slice(*packets[number])], self.picture) for number in wanted]
        return np.stack(pictures) if pictures else np.empty((0, self.picture.height, self.picture.width, 3), np.uint8)

    def _frames(self, wanted: tuple[int, ...]) -> npt.NDArray[np.uint8]:
        return decode_frames(self.mp4, wanted, self.picture)
