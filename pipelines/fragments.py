"""Which pictures of a fragment the wanted ones need. No structure is asked for: the packets say themselves what they are."""

from __future__ import annotations

from collections.abc import Collection
from itertools import accumulate
from typing import NamedTuple

from vdata.media.mp4 import is_reference, track_run

__all__ = ["Coded", "needed"]

_NON_IDR_SLICE = 1
"""nal_unit_type."""


class Coded(NamedTuple):
    """One coded picture of a fragment."""

    place: int
    """In display order, from 0."""
    offset: int
    """First byte within the fragment."""
    size: int


def needed(fragment: bytes, wanted: Collection[int]) -> list[Coded]:
    """The pictures that must be decoded so that those at the places `wanted` come out, in decoding order.

    A fragment is a closed GOP: it begins with an IDR picture and nothing of it is needed by another one. Within it a picture
    needs the reference pictures coded before it, for there is one reference each way; a picture that is no reference (a B of
    layered clips) is needed by nobody else. Places that the fragment does not have are passed over.

    Raises:
        ContractError: the fragment is not as our muxer writes it.
    """
    run = track_run(fragment)
    places = run.display_order()
    last = max((number for number, place in enumerate(places) if place in wanted), default=-1)
    # Where every picture is shown as it comes there is no B, and each needs all before it.
    layered = any(shift != run.shifts[0] for shift in run.shifts)
    coded = [*map(Coded, places[: last + 1], accumulate(run.sizes, initial=run.offset), run.sizes)]
    return [one for one in coded if one.place in wanted or _is_reference(fragment, one)] if layered else coded


def _is_reference(fragment: bytes, coded: Coded) -> bool:
    """Whether it is one; for most pictures the header of their first NAL unit says so."""
    header = fragment[coded.offset + 4] if coded.size > 4 else 0  # noqa: PLR2004 - the NAL unit's size comes first
    if header & 0x1F == _NON_IDR_SLICE:
        return bool(header & 0x60)
    return is_reference(fragment[coded.offset : coded.offset + coded.size])
