"""The few boxes of a fragmented MP4 that vdata reads: where the fragments lie, and where the pictures lie in them.

Written by hand because no library gives byte ranges of samples without opening a container; everything that is parsed
here comes from our own encoder, never from a user's file.

Source: ISO/IEC 14496-12 (boxes), 14496-15 (avcC), ITU-T H.264 7.3.1-7.3.3 (NAL units and slice headers).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import accumulate
from typing import NamedTuple

from vdata.errors import ContractError

__all__ = [
    "Box",
    "Packet",
    "TrackRun",
    "avc_config",
    "boxes",
    "child",
    "decode_time",
    "edit_start",
    "is_reference",
    "nal_units",
    "num_references",
    "packets",
    "rebase",
    "slice_type",
    "track_run",
]

_SLICE, _IDR = 1, 5
"""nal_unit_type of a slice: of an IDR picture, and of any other."""
_SAMPLE_IS_NON_SYNC = 0x00010000
_HAS_OFFSET, _HAS_FIRST_FLAGS = 0x1, 0x4
_PER_PICTURE = (0x100, 0x200, 0x400, 0x800)
"""Flags of a track run: each picture has its own duration, size, flags, shift."""
_U32, _I32, _U32_PAIR = struct.Struct(">I"), struct.Struct(">i"), struct.Struct(">II")
_SLICE_TYPES = ("P", "B", "I", "SP", "SI")


class Box(NamedTuple):
    """One box: `data[start:end]` with its header, `data[body:end]` without."""

    kind: bytes
    start: int
    body: int
    end: int


class Packet(NamedTuple):
    """One coded picture of a fragment, in decoding order. A tuple, since the loader makes one for every picture that it reads."""

    offset: int
    """First byte, counted from the start of the fragment."""
    size: int
    duration: int
    """Ticks of the track's timescale."""
    shift: int
    """Composition time minus decoding time, ticks."""
    is_key: bool


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes of `data[start:end]`, one level deep.

    Raises:
        ContractError: a box that reaches over the end.
    """
    end = len(data) if end is None else end
    while start < end:
        if end - start < 8:  # noqa: PLR2004 - size and kind
            raise ContractError("box", f"{end - start} bytes at {start} are too few for an MP4 box")
        size, kind = struct.unpack_from(">I4s", data, start)
        body = start + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, body)
            body += 8
        if size < body - start or start + size > end:
            raise ContractError("box", f"MP4 box {kind!r} at {start} claims {size} bytes of {end - start}")
        yield Box(kind, start, body, start + size)
        start += size


def child(data: bytes, path: bytes, start: int = 0, end: int | None = None) -> Box:
    """The first box at a path such as b"moof/traf/trun".

    Raises:
        ContractError: there is none.
    """
    head, _, rest = path.partition(b"/")
    for box in boxes(data, start, end):
        if box.kind == head:
            return child(data, rest, box.body, box.end) if rest else box
    raise ContractError("box", f"the MP4 has no {path.decode()} box")


class TrackRun(NamedTuple):
    """A fragment's table of pictures, in decoding order, with the track's defaults filled in."""

    box: Box
    """The trun box."""
    version: int
    """Of the box: 0 has no negative shifts."""
    offset: int
    """First byte of the first picture, counted from the start of the fragment."""
    durations: Sequence[int]
    """Ticks."""
    sizes: Sequence[int]
    """Bytes."""
    flags: Sequence[int]
    """As ISO/IEC 14496-12 8.8.3.1 has them."""
    shifts: Sequence[int]
    """Composition time minus decoding time, ticks."""

    def packets(self) -> list[Packet]:
        """The pictures, in decoding order."""
        keys = [not flags & _SAMPLE_IS_NON_SYNC for flags in self.flags]
        offsets = accumulate(self.sizes[:-1], initial=self.offset)
        return list(map(Packet._make, zip(offsets, self.sizes, self.durations, self.shifts, keys, strict=True)))

    def display_order(self) -> list[int]:
        """Each picture's place in display order, from 0."""
        shown = [time + shift for time, shift in zip(accumulate(self.durations, initial=0), self.shifts, strict=False)]
        places = {time: place for place, time in enumerate(sorted(shown))}
        return [places[time] for time in shown]


def track_run(fragment: bytes) -> TrackRun:
    """The one track run of a fragment (moof + mdat).

    Raises:
        ContractError: the fragment is not as our muxer writes it (one track run, default-base-is-moof).
    """
    traf = child(fragment, b"moof/traf")
    parts = {box.kind: box for box in boxes(fragment, traf.body, traf.end)}
    for kind in (b"tfhd", b"trun"):
        if kind not in parts:
            raise ContractError("box", f"the MP4 has no moof/traf/{kind.decode()} box")
    box, defaults = parts[b"trun"], _track_defaults(fragment, parts[b"tfhd"])
    said, count = _U32_PAIR.unpack_from(fragment, box.body)
    if not said & _HAS_OFFSET:
        raise ContractError("box", "the track run has no data offset")
    (offset,) = _I32.unpack_from(fragment, box.body + 8)
    start, code = box.body + (16 if said & _HAS_FIRST_FLAGS else 12), _entry_code(said)
    # Where the table says nothing of each picture, a damaged count is still less than the bytes that there are.
    if not count or start + count * code.size > box.end or count > len(fragment):
        raise ContractError("box", f"a track run of {box.end - start} bytes claims {count} pictures")
    # What the run does not say of each picture is the track's default.
    columns = iter(zip(*code.iter_unpack(fragment[start : start + count * code.size]), strict=True) if code.size else ())
    pairs = zip(_PER_PICTURE, (*defaults, 0), strict=True)
    durations, sizes, flags, shifts = (next(columns) if said & bit else (default,) * count for bit, default in pairs)
    if said & _HAS_FIRST_FLAGS:
        flags = (_U32.unpack_from(fragment, box.body + 12)[0], *flags[1:])
    # Also false when a second track run follows.
    if offset + sum(sizes) != len(fragment):
        raise ContractError("box", f"the first track run ends at byte {offset + sum(sizes)} of a fragment of {len(fragment)}")
    return TrackRun(box, said >> 24, offset, durations, sizes, flags, shifts)


def packets(fragment: bytes) -> list[Packet]:
    """The pictures of one fragment (moof + mdat), in decoding order.

    Raises:
        ContractError: the fragment is not as our muxer writes it (one track run, default-base-is-moof).
    """
    return track_run(fragment).packets()


@cache
def _entry_code(said: int) -> struct.Struct:
    """How one picture stands in a track run of those flags."""
    return struct.Struct(">" + "".join(letter for letter, bit in zip("IIIi", _PER_PICTURE, strict=True) if said & bit))


def decode_time(fragment: bytes) -> int:
    """The decode time of the fragment's first picture, in ticks."""
    tfdt = child(fragment, b"moof/traf/tfdt")
    (ticks,) = struct.unpack_from(_time_code(fragment, tfdt), fragment, tfdt.body + 4)
    return int(ticks)


def edit_start(init: bytes) -> int:
    """The composition time that is shown at time 0, in ticks: what B pictures delay a stream; 0 without an edit list."""
    trak = child(init, b"moov/trak")
    if not any(box.kind == b"edts" for box in boxes(init, trak.body, trak.end)):
        return 0
    elst = child(init, b"edts/elst", trak.body, trak.end)
    # After the number of edits: the first one's length, then its start, both of 64 bits in version 1.
    code, place = (">q", elst.body + 16) if init[elst.body] == 1 else (">i", elst.body + 12)
    (ticks,) = struct.unpack_from(code, init, place)
    return int(ticks)


def rebase(fragment: bytes, ticks: int) -> bytes:
    """The fragment with its decode time lowered by `ticks`. Sizes stay as they are.

    A clip is cut from a longer stream at a fragment's start; its own first fragment must begin at time 0.
    """
    tfdt = child(fragment, b"moof/traf/tfdt")
    changed = bytearray(fragment)
    struct.pack_into(_time_code(fragment, tfdt), changed, tfdt.body + 4, decode_time(fragment) - ticks)
    return bytes(changed)


def _time_code(fragment: bytes, tfdt: Box) -> str:
    return ">Q" if fragment[tfdt.body] == 1 else ">I"


def avc_config(init: bytes) -> bytes:
    """The avcC box's body of an init segment: what a bare codec context wants as extradata.

    Raises:
        ContractError: the init has no H.264 sample entry.
    """
    stsd = child(init, b"moov/trak/mdia/minf/stbl/stsd")
    entry = next(boxes(init, stsd.body + 8, stsd.end))
    if entry.kind != b"avc1":
        raise ContractError("codec", f"the sample entry is {entry.kind!r}, not avc1")
    # A VisualSampleEntry has 78 bytes of fixed fields before its own boxes.
    avcc = child(init, b"avcC", entry.body + 78, entry.end)
    return init[avcc.body : avcc.end]


def nal_units(picture: bytes) -> Iterator[bytes]:
    """The NAL units of one packet with 4-byte lengths, as our muxer writes it."""
    position = 0
    while position + 4 <= len(picture):
        (size,) = struct.unpack_from(">I", picture, position)
        yield picture[position + 4 : position + 4 + size]
        position += 4 + size


def slice_type(picture: bytes) -> str:
    """The picture's type from its first slice header: "I" only for an IDR picture, "i" for another intra picture, "P" or "B".

    Raises:
        ContractError: the packet holds no slice.
    """
    unit = _first_slice(picture)
    # first_mb_in_slice is 0 in a picture's first slice: one bit. The type's code fits into the seven after it.
    value = _TYPE_CODES.get(unit[1])
    if value is None:
        value, _ = _exp_golomb(unit, _exp_golomb(unit, 8)[1])
    letter = _SLICE_TYPES[value % 5]
    return letter.lower() if letter == "I" and unit[0] & 0x1F != _IDR else letter


def is_reference(picture: bytes) -> bool:
    """Whether other pictures may be predicted from this one: its nal_ref_idc is not 0.

    Raises:
        ContractError: the packet holds no slice.
    """
    return bool(_first_slice(picture)[0] & 0x60)


def _first_slice(picture: bytes) -> bytes:
    """The NAL unit of a picture's first slice."""
    for unit in nal_units(picture):
        if unit and unit[0] & 0x1F in (_SLICE, _IDR):
            return unit
    raise ContractError("slice", f"a packet of {len(picture)} bytes holds no slice")


def num_references(config: bytes) -> int:
    """The most reference frames that an avcC's first sequence parameter set allows (max_num_ref_frames).

    Raises:
        ContractError: a scaling matrix, or a picture order that our encoder never writes.
    """
    (size,) = struct.unpack_from(">H", config, 6)
    # Emulation prevention bytes could only stand where two zero bytes do; the fields below are not yet that far.
    sps = config[8 : 8 + size]
    position = 4 * 8
    for _ in range(4):  # seq_parameter_set_id, chroma_format_idc, both bit depths
        _, position = _exp_golomb(sps, position)
    if _bit(sps, position + 1):
        raise ContractError("picture_format", "the stream has a scaling matrix")
    _, position = _exp_golomb(sps, position + 2)  # log2_max_frame_num
    order, position = _exp_golomb(sps, position)
    if order == 1:
        raise ContractError("picture_format", "the stream has picture order count type 1")
    if order == 0:
        _, position = _exp_golomb(sps, position)  # log2_max_pic_order_cnt_lsb
    return _exp_golomb(sps, position)[0]


def _track_defaults(fragment: bytes, tfhd: Box) -> tuple[int, int, int]:
    """Default duration, size and flags of a tfhd box; 0 where it says none."""
    flags, _ = _U32_PAIR.unpack_from(fragment, tfhd.body)
    position = tfhd.body + 8
    for bit, width in ((0x1, 8), (0x2, 4)):  # base data offset, sample description index
        position += width if flags & bit else 0
    values = []
    for bit in (0x8, 0x10, 0x20):
        values.append(_U32.unpack_from(fragment, position)[0] if flags & bit else 0)
        position += 4 if flags & bit else 0
    duration, size, sample_flags = values
    return duration, size, sample_flags


def _exp_golomb(data: bytes, position: int) -> tuple[int, int]:
    """An unsigned Exp-Golomb code at a bit position, and the position after it.

    A slice header holds no emulation prevention bytes this early.
    """
    zeros = 0
    while not _bit(data, position):
        zeros, position = zeros + 1, position + 1
    value = 0
    for _ in range(zeros + 1):
        value = value << 1 | _bit(data, position)
        position += 1
    return value - 1, position


def _bit(data: bytes, position: int) -> int:
    return data[position >> 3] >> (7 - (position & 7)) & 1


_TYPE_CODES = {byte: code for byte in range(0x88, 0x100) if (code := _exp_golomb(bytes([byte]), 1)[0]) < 2 * len(_SLICE_TYPES)}
"""slice_type by the first byte of a slice header whose first_mb_in_slice is 0."""
