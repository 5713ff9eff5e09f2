"""One clip as it leaves the encoder: the MP4 bytes and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

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
    codec: str = "h264"

    @cached_property
    def motion(self) -> MotionPass:
        """Frame types and motion vectors of every frame: one cheap decoding pass that contract check and extractors share."""
        return read_motion(self.mp4)
