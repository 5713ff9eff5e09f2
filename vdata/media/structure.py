"""Frame structures: which picture types stand where in a GOP, and how x264 and the muxer are told so."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["STRUCTURES", "Structure"]


@dataclass(frozen=True, slots=True)
class Structure:
    """One frame structure."""

    name: str
    """What the index's `structure` column holds."""
    num_b: int
    """B pictures between two references."""
    movflags: str
    """Flags of the MP4 muxer: one fragment a GOP, no index at the end, first pts 0."""

    def types(self, num_frames: int, gop: int) -> str:
        """The picture types of a clip in display order, one letter a frame."""
        return "".join("I" if frame % gop == 0 else "P" for frame in range(num_frames))


STRUCTURES = {
    1: Structure("ip", num_b=0, movflags="frag_keyframe+empty_moov+default_base_moof+skip_trailer"),
}
"""By the number of layers. A three-layer structure (I BBBP ...) has its place here, in `types` and in the contract check."""
