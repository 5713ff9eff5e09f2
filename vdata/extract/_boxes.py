"""The member of extractors that make boxes."""

from __future__ import annotations

from vdata.records import Field

__all__ = ["member_field"]


def member_field(name: str, doc: str) -> Field:
    """The boxes that the extractor `name` adds, in a member of its own."""
    axes = "N (frame, x0, y0, x1, y1, score, source, class)"
    return Field(name, f"{name}.boxes.npy", "struct", axes, "pixels of the coded frame", doc)
