"""The encode contract, asserted on every clip before it is written.

The encoder is asked for exactly this and has always given it; the check is there because months of training rest on it, and
because another ffmpeg (VDATA_FFMPEG) may not.
"""

from __future__ import annotations

import struct
from fractions import Fraction

from vdata.errors import ContractError
from vdata.media.clip import EncodedClip
from vdata.media.encoder import P_ONLY
from vdata.media.mp4 import (
    avc_config,
    boxes,
    child,
    decode_time,
    edit_start,
    is_reference,
    num_references,
    packets,
    slice_type,
)
from vdata.media.structure import Structure, structure_named

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
    """Every fragment's pictures, by their slice headers and by its track run."""
    ticks, delay = _ticks_per_frame(clip), edit_start(clip.mp4[: clip.init_size])
    types = ""
    for number, fragment in enumerate(clip.fragments):
        data = clip.mp4[fragment.offset : fragment.offset + fragment.size]
        if decode_time(data) != fragment.first_frame * ticks:
            at = f"{decode_time(data)} ticks, not at {fragment.first_frame * ticks}"
            raise ContractError("times", f"fragment {number} of frame {fragment.first_frame} starts at {at}")
        types += _gop_types(clip, data, fragment.first_frame, (ticks, delay))
    _check_types(clip, types, "the pictures are")


def _gop_types(clip: EncodedClip, fragment: bytes, first_frame: int, times: tuple[Fraction, int]) -> str:
    """The picture types of one fragment in display order; each picture is decoded and shown when the structure says."""
    (ticks, delay), found = times, packets(fragment)
    order = _structure(clip).decode_order(len(found))
    types = dict[int, str]()
    for at, (place, packet) in enumerate(zip(order, found, strict=True)):
        # The edit list takes off what every picture is shown too late so that none is shown before it is decoded.
        late = (place - at) * ticks + delay
        if packet.shift != late or packet.duration != ticks:
            took = f"lasts {packet.duration} ticks and is shown {packet.shift} late"
            raise ContractError("times", f"frame {first_frame + place} {took}, not {ticks} and {late}, at {clip.fps} frames/s")
        types[place] = _type(fragment[packet.offset : packet.offset + packet.size], is_key=packet.is_key)
    return "".join(types[place] for place in range(len(found)))


def _ticks_per_frame(clip: EncodedClip) -> Fraction:
    """What a frame must last, in ticks of the track's timescale."""
    mdhd = child(clip.mp4[: clip.init_size], b"moov/trak/mdia/mdhd")
    # Version 1 has 64-bit times before the timescale, version 0 32-bit ones.
    place = mdhd.body + (20 if clip.mp4[mdhd.body] == 1 else 12)
    (timescale,) = struct.unpack_from(">I", clip.mp4, place)
    return int(timescale) / clip.fps


def _check_stream(clip: EncodedClip) -> None:
    """What the parameter sets say: profile, format, size, colour tags, square pixels, one reference."""
    num = _structure(clip).num_references
    config, stream = avc_config(clip.mp4[: clip.init_size]), clip.decoded.stream
    if stream is None:
        raise ContractError("picture_format", "no decoder has said what the stream is")
    colours = (stream.color_range, stream.colorspace)
    size = (stream.width, stream.height)
    found = (config[1], stream.pix_fmt, size, colours, stream.pixel_aspect, num_references(config))
    wanted = (HIGH_PROFILE, "yuv420p", (clip.width, clip.height), (_MPEG_RANGE, _SMPTE170M), Fraction(1), num)
    if found != wanted:
        names = "(profile, format, size, (range, matrix), pixel aspect, references)"
        raise ContractError("picture_format", f"{names} is {found}, not {wanted}")


def _check_decoded(clip: EncodedClip) -> None:
    """What a decoder counts and calls the pictures, and when it shows them; the same of the P-only stream, where there is one."""
    found, ticks = clip.decoded, _ticks_per_frame(clip)
    if len(found.types) != clip.num_frames:
        raise ContractError("count_mismatch", f"{len(found.types)} frames decode from a clip of {clip.num_frames}")
    _check_types(clip, found.types, "decoded pictures are")
    for frame, time in enumerate(found.times):
        if time != frame * ticks:
            raise ContractError("times", f"a decoder shows frame {frame} at {time} ticks, not at {frame * ticks}")
    if clip.p_only and clip.motion.types != P_ONLY.types(clip.num_frames, clip.gop):
        raise ContractError("frame_types", f"the stream for motion is {clip.motion.types}, not P-only in GOPs of {clip.gop}")


def _structure(clip: EncodedClip) -> Structure:
    return structure_named(clip.structure)


def _type(picture: bytes, *, is_key: bool) -> str:
    """The type of one picture, whose marks agree with it."""
    kind = slice_type(picture)
    if is_key != (kind == "I"):
        raise ContractError("frame_types", f"a picture of type {kind} is marked {'sync' if is_key else 'non-sync'}")
    if kind == "B" and is_reference(picture):
        raise ContractError("frame_types", "a B picture may be a reference of others: it could not be left out")
    return kind


def _check_types(clip: EncodedClip, types: str, words: str) -> None:
    """Nothing, or where the types in display order part from the structure's."""
    wanted = _structure(clip).types(clip.num_frames, clip.gop)
    if len(types) != len(wanted):
        raise ContractError("frame_types", f"{words} {len(types)} in place of {len(wanted)}, in GOPs of {clip.gop}")
    for frame, (found, should) in enumerate(zip(types, wanted, strict=True)):
        if found != should:
            raise ContractError("frame_types", f"{words} {found} in place of {should} at frame {frame}, in GOPs of {clip.gop}")
