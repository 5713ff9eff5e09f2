"""Frame structures: which picture types stand where in a GOP, and how x264 and the muxer are told so."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from vdata.errors import SchemaMismatchError

__all__ = ["STRUCTURES", "Structure", "structure_named"]


@dataclass(frozen=True, slots=True)
class Structure:
    """One frame structure. Its GOPs are closed: no picture needs one of another GOP."""

    name: str
    """What the index's `structure` column holds."""
    num_b: int
    """B pictures between two references; none is a reference itself."""
    gop: int
    """Frames from one IDR frame to the next, where nobody asks for another number."""
    movflags: str
    """Flags of the MP4 muxer: one fragment a GOP, no index at the end, first pts 0."""

    @property
    def step(self) -> int:
        """Frames from one reference to the next; 1 where every picture is one."""
        return self.num_b + 1

    @property
    def num_references(self) -> int:
        """The stream's max_num_ref_frames: the picture before and, for a B picture, the one behind."""
        return 2 if self.num_b else 1

    def types(self, num_frames: int, gop: int) -> str:
        """The picture types of a clip in display order, one letter a frame."""
        num_whole, rest = divmod(num_frames, gop)
        return _gop_types(self.step, gop) * num_whole + _gop_types(self.step, rest)

    def decode_order(self, num_frames: int) -> tuple[int, ...]:
        """The frames of one GOP, by their places in display order, in the order in which they are coded."""
        return _decode_order(self.step, num_frames)


@cache
def _gop_types(step: int, num_frames: int) -> str:
    """Types of one GOP. x264 ends a closed GOP, and the stream, with a P where the step would have a B."""
    last = num_frames - 1
    return "".join("I" if place == 0 else "P" if place % step == 0 or place == last else "B" for place in range(num_frames))


@cache
def _decode_order(step: int, num_frames: int) -> tuple[int, ...]:
    """A reference is coded before the B pictures that are shown before it."""
    order, between = list[int](), list[int]()
    for place, kind in enumerate(_gop_types(step, num_frames)):
        between.append(place)
        if kind != "B":
            order += [place, *between[:-1]]
            between = []
    return tuple(order)


STRUCTURES = {
    1: Structure("ip", num_b=0, gop=12, movflags="frag_keyframe+empty_moov+default_base_moof+skip_trailer"),
    # delay_moov: with empty_moov the first pts would be a frame late, since no edit list could say what the B pictures delay.
    3: Structure("ibbbp", num_b=3, gop=16, movflags="frag_keyframe+delay_moov+default_base_moof+skip_trailer"),
}
"""By the number of layers: I P P P ..., every picture the reference of the next; and I BBBP BBBP ..., whose B pictures nothing
needs, so that a window with a stride decodes the others alone."""


def structure_named(name: str) -> Structure:
    """The structure of a row's `structure` column.

    Raises:
        SchemaMismatchError: there is none of that name.
    """
    for structure in STRUCTURES.values():
        if structure.name == name:
            return structure
    known = ", ".join(structure.name for structure in STRUCTURES.values())
    raise SchemaMismatchError(f"a clip has structure '{name}'; this vdata knows {known}")
