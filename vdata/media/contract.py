"""The encode contract, asserted on every clip before it is written.

The encoder is asked for exactly this and has always given it; the check is there because months of training rest on it, and
because another ffmpeg (VDATA_FFMPEG) may not.
"""

from __future__ import annotations

import struct
from fractions import Fraction

from vdata.errors import ContractError
from vdata.media.clip import EncodedClip
from vdata.media.mp4 import Packet, avc_config, boxes, child, decode_time, num_references, packets, slice_type
from vdata.media.structure import STRUCTURES

__all__ = ["check_clip"]

HIGH_PROFILE = 100
"""profile_idc of High: 8 bit, 4:2:0."""
_MPEG_RANGE, _SMPTE170M = 1, 6


def check_clip(clip: EncodedClip) -> None:
    """Nothing, or the first rule that the clip breaks.

    Raises:
        ContractError: `count_mismatch`, `frame_types`, `times`, `layout` or `picture_format`.
        DecodeError: a frame does not decode.
    """
    _check_layout(clip)
    _check_pictures(clip)
    _check_stream(clip)
    _check_decoded(clip)


def _check_layout(clip: EncodedClip) -> None:
    """One track, and nothing but init and fragments: they follow each other without a gap, each starts on a GOP."""
    moov = child(clip.mp4[: clip.init_size], b"moov")
    num_tracks = sum(box.kind == b"trak" for box in boxes(clip.mp4, moov.body, moov.end))
    if num_tracks != 1:
        raise ContractError("layout", f"the clip has {num_tracks} tracks, not the one of its video")
    position = clip.init_size
    for number, fragment in enumerate(clip.fragments):
        if fragment.offset != position:
            raise ContractError("layout", f"fragment {number} starts at byte {fragment.offset}, not {position}")
        if fragment.first_frame != number * clip.gop:
            raise ContractError("layout", f"fragment {number} starts at frame {fragment.first_frame}, not {number * clip.gop}")
        position += fragment.size
    if position != len(clip.mp4):
        raise ContractError("layout", f"the fragments end at byte {position} of {len(clip.mp4)}")


def _check_pictures(clip: EncodedClip) -> None:
    """Picture types by their slice headers, and times by the track runs."""
    types, ticks = "", _ticks_per_frame(clip)
    for number, fragment in enumerate(clip.fragments):
        data = clip.mp4[fragment.offset : fragment.offset + fragment.size]
        if decode_time(data) != fragment.first_frame * ticks:
            at = f"{decode_time(data)} ticks, not at {fragment.first_frame * ticks}"
            raise ContractError("times", f"fragment {number} of frame {fragment.first_frame} starts at {at}")
        for packet in packets(data):
            types += _type(data, packet)
            if packet.shift or packet.duration != ticks:
                took = f"lasts {packet.duration} ticks and is shown {packet.shift} late"
                raise ContractError("times", f"frame {len(types) - 1} {took}, not {ticks} and 0, at {clip.fps} frames/s")
    wanted = _structure_types(clip)
    if types != wanted:
        raise ContractError("frame_types", f"the pictures are {_differing(types, wanted)} in a clip of GOP {clip.gop}")


def _ticks_per_frame(clip: EncodedClip) -> Fraction:
    """What a frame must last, in ticks of the track's timescale."""
    mdhd = child(clip.mp4[: clip.init_size], b"moov/trak/mdia/mdhd")
    # Version 1 has 64-bit times before the timescale, version 0 32-bit ones.
    place = mdhd.body + (20 if clip.mp4[mdhd.body] == 1 else 12)
    (timescale,) = struct.unpack_from(">I", clip.mp4, place)
    return int(timescale) / clip.fps


def _check_stream(clip: EncodedClip) -> None:
    """What the parameter sets say: profile, format, size, colour tags, square pixels, one reference."""
    config, stream = avc_config(clip.mp4[: clip.init_size]), clip.motion.stream
    if stream is None:
        raise ContractError("picture_format", "no decoder has said what the stream is")
    colours = (stream.color_range, stream.colorspace)
    size = (stream.width, stream.height)
    found = (config[1], stream.pix_fmt, size, colours, stream.pixel_aspect, num_references(config))
    wanted = (HIGH_PROFILE, "yuv420p", (clip.width, clip.height), (_MPEG_RANGE, _SMPTE170M), Fraction(1), 1)
    if found != wanted:
        names = "(profile, format, size, (range, matrix), pixel aspect, references)"
        raise ContractError("picture_format", f"{names} is {found}, not {wanted}")


def _check_decoded(clip: EncodedClip) -> None:
    """What a decoder counts and calls the pictures."""
    types, wanted = clip.motion.types, _structure_types(clip)
    if len(types) != clip.num_frames:
        raise ContractError("count_mismatch", f"{len(types)} frames decode from a clip of {clip.num_frames}")
    if types != wanted:
        raise ContractError("frame_types", f"decoded pictures are {_differing(types, wanted)}")


def _structure_types(clip: EncodedClip) -> str:
    structure = next(structure for structure in STRUCTURES.values() if structure.name == clip.structure)
    return structure.types(clip.num_frames, clip.gop)


def _type(fragment: bytes, packet: Packet) -> str:
    kind = slice_type(fragment[packet.offset : packet.offset + packet.size])
    if packet.is_key != (kind == "I"):
        raise ContractError("frame_types", f"a picture of type {kind} is marked {'sync' if packet.is_key else 'non-sync'}")
    return kind


def _differing(types: str, wanted: str) -> str:
    """Where two strings of picture types part, in words."""
    if len(types) != len(wanted):
        return f"{len(types)} in place of {len(wanted)}"
    first = next((i for i, (a, b) in enumerate(zip(types, wanted, strict=True)) if a != b), 0)
    return f"{types[first]} in place of {wanted[first]} at frame {first}"
