"""The encode contract, asserted on every clip before it is written.

The encoder is asked for exactly this and has always given it; the check is there because months of training rest on it, and
because another ffmpeg (VDATA_FFMPEG) may not.
"""

from __future__ import annotations

import io

import av
import av.error

from vdata.errors import ContractError
from vdata.media.clip import EncodedClip
from vdata.media.mp4 import Packet, child, packets, slice_type
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
    """Init and fragments follow each other without a gap and are the whole file; every fragment starts on a GOP."""
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
    types, shifts, durations = "", set[int](), set[int]()
    for fragment in clip.fragments:
        data = clip.mp4[fragment.offset : fragment.offset + fragment.size]
        for packet in packets(data):
            types += _type(data, packet)
            shifts.add(packet.shift)
            durations.add(packet.duration)
    wanted = _structure_types(clip)
    if types != wanted:
        raise ContractError("frame_types", f"the pictures are {_differing(types, wanted)} in a clip of GOP {clip.gop}")
    if shifts != {0} or len(durations) != 1:
        raise ContractError("times", f"composition shifts {sorted(shifts)}, durations {sorted(durations)}: not constant")
    first = clip.mp4[clip.init_size : clip.init_size + clip.fragments[0].size]
    tfdt = child(first, b"moof/traf/tfdt")
    if any(first[tfdt.body + 4 : tfdt.end]):
        raise ContractError("times", "the first fragment does not start at time 0")


def _check_stream(clip: EncodedClip) -> None:
    """Format, size and colour tags that the decoder reads from the parameter sets."""
    with av.open(io.BytesIO(clip.mp4)) as container:
        context = container.streams.video[0].codec_context
        profile = (context.extradata or b"\0\0")[1]
        found = (profile, context.pix_fmt, context.width, context.height, int(context.color_range), int(context.colorspace))
    wanted = (HIGH_PROFILE, "yuv420p", clip.width, clip.height, _MPEG_RANGE, _SMPTE170M)
    if found != wanted:
        raise ContractError("picture_format", f"(profile, format, width, height, range, matrix) is {found}, not {wanted}")


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
