"""A stored clip as the extractors met it when it was cut, so that a field can be added without cutting again."""

from __future__ import annotations

from fractions import Fraction

from vdata.media.clip import EncodedClip
from vdata.media.mp4 import packets
from vdata.media.origin import Origin
from vdata.records import Fragment, Keyframe, Picture
from vdata.shards.amend import sound_member
from vdata.shards.read import Sample

__all__ = ["encoded_clip"]


def encoded_clip(sample: Sample, origin: Origin) -> EncodedClip:
    """The clip of a sample, equal to the one that the cut gave.

    Raises:
        CorruptShardError: the bytes are not those that were stored.
    """
    if not sample.row["codec"]:
        return EncodedClip.without_pictures(origin)
    row, mp4 = sample.row, sound_member(sample, "mp4")
    fragments = tuple(Fragment(**fragment) for fragment in row["fragments"])
    return EncodedClip(
        mp4=mp4,
        init_size=row["init_size"],
        fragments=fragments,
        keyframes=tuple(_keyframe(mp4, fragment) for fragment in fragments),
        num_frames=row["num_frames"],
        fps=Fraction(row["fps_num"], row["fps_den"]),
        width=row["width"],
        height=row["height"],
        picture=Picture(**row["picture"]),
        structure=row["structure"],
        gop=row["gop"],
        clip_in_video=row["clip_in_video"],
        start_seconds=row["start_seconds"],
        end_seconds=row["end_seconds"],
        source_width=row["source_width"],
        source_height=row["source_height"],
        has_audio=row["has_audio"],
        origin=origin,
        codec=row["codec"],
    )


def _keyframe(mp4: bytes, fragment: Fragment) -> Keyframe:
    first = packets(mp4[fragment.offset : fragment.offset + fragment.size])[0]
    return Keyframe(fragment.first_frame, fragment.offset + first.offset, first.size)
