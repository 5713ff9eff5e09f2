"""The picture's size, pixel aspect and transfer by the parameter sets of H.264 and MPEG-4 Part 2.

Source: ITU-T H.264 7.3.2.1.1 and E.1.1 (sequence parameter set, VUI), 7.3.2.3 (SEI); ISO/IEC 14496-15 (avcC);
ISO/IEC 14496-2 6.2.3 (video object layer).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from vdata.media.container.described import CodedPicture, UnclearError, require

__all__ = ["mpeg4_picture", "only_sps", "sps_picture", "units_before_slice"]

_MPEG4_ASPECTS = ((1, 1), (12, 11), (10, 11), (16, 11), (40, 33))
"""aspect_ratio_info 1 to 5. Source: ISO/IEC 14496-2 table 6-12."""
_H264_ASPECTS = (
    *_MPEG4_ASPECTS,
    *((24, 11), (20, 11), (32, 11), (80, 33), (18, 11), (15, 11), (64, 33), (160, 99), (4, 3), (3, 2), (2, 1)),
)
"""aspect_ratio_idc 1 to 16. Source: ITU-T H.264 table E-1."""
_PROFILES_WITH_CHROMA = (100, 110, 122, 244)
_PROFILES = (66, 77, 88, *_PROFILES_WITH_CHROMA)
_HDR_TRANSFERS = (16, 18)
"""PQ and HLG. Source: ITU-T H.273 table 3."""
_SLICES, _SEI, _SPS = (1, 2, 3, 4, 5), 6, 7
_ALTERNATIVE_TRANSFER = 147
_MOST_ZEROS = 32


class _Bits:
    """Bits of a byte string from the first on."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def take(self, count: int) -> int:
        """An unsigned number of so many bits."""
        self._left -= count
        require(self._left >= 0)
        return self._value >> self._left & ((1 << count) - 1)

    def golomb(self) -> int:
        """An unsigned Exp-Golomb code."""
        for zeros in range(_MOST_ZEROS):
            if self.take(1):
                return (1 << zeros | self.take(zeros)) - 1
        raise UnclearError


def only_sps(avcc: bytes) -> bytes:
    """The one sequence parameter set of an avcC box's body.

    Raises:
        UnclearError: there are more, or none.
    """
    require(len(avcc) > 8 and avcc[0] == 1 and avcc[5] & 0x1F == 1)  # noqa: PLR2004 - its fixed fields
    size = int.from_bytes(avcc[6:8], "big")
    sps = avcc[8 : 8 + size]
    require(len(sps) == size > 4)  # noqa: PLR2004 - NAL header, profile, constraints, level
    return sps


def sps_picture(sps: bytes) -> CodedPicture:
    """The picture of an H.264 sequence parameter set.

    Raises:
        UnclearError: rare profiles, scaling matrices and picture orders, and damage.
    """
    profile = sps[1]
    require(profile in _PROFILES)
    # The bytes that keep a start code from arising inside are no part of the numbers.
    bits = _Bits(sps[4:].replace(b"\0\0\3", b"\0\0"))
    bits.golomb()  # seq_parameter_set_id
    chroma = _chroma_format(bits) if profile in _PROFILES_WITH_CHROMA else 1
    bits.golomb()  # log2_max_frame_num
    order = bits.golomb()
    require(order in (0, 2))
    if order == 0:
        bits.golomb()  # log2_max_pic_order_cnt_lsb
    bits.golomb()  # max_num_ref_frames
    bits.take(1)
    width, height = 16 * (bits.golomb() + 1), 16 * (bits.golomb() + 1)
    frames_only = bits.take(1)
    if not frames_only:
        height *= 2
        bits.take(1)  # mb_adaptive_frame_field_flag
    bits.take(1)  # direct_8x8_inference_flag
    cropped_x, cropped_y = _cropping(bits, chroma, frames_only)
    require(width > cropped_x and height > cropped_y)
    aspect, transfer = _vui(bits) if bits.take(1) else (Fraction(1), 0)
    return CodedPicture(width - cropped_x, height - cropped_y, aspect, transfer in _HDR_TRANSFERS)


def _chroma_format(bits: _Bits) -> int:
    """chroma_format_idc, and past what follows it in the higher profiles."""
    chroma = bits.golomb()
    if chroma == 3:  # noqa: PLR2004 - 4:4:4
        require(not bits.take(1))  # separate_colour_plane_flag
    bits.golomb(), bits.golomb(), bits.take(1)  # both bit depths, lossless
    require(not bits.take(1))  # seq_scaling_matrix_present_flag
    return chroma


def _cropping(bits: _Bits, chroma: int, frames_only: int) -> tuple[int, int]:
    """Pixels of the coded macroblocks that are not shown, across and down. Cropping at the left or the top is not known here."""
    if not bits.take(1):
        return 0, 0
    left, right, top, bottom = (bits.golomb() for _ in range(4))
    require(left == top == 0)
    return right << (chroma in (1, 2)), bottom * (2 - frames_only) << (chroma == 1)


def _vui(bits: _Bits) -> tuple[Fraction, int]:
    """Pixel aspect and transfer_characteristics, 0 where it is not said."""
    aspect, transfer = Fraction(1), 0
    if bits.take(1):
        aspect = _aspect(bits, _H264_ASPECTS, bits.take(8), other=255, size=16)
    if bits.take(1):
        bits.take(1)  # overscan
    if bits.take(1):
        bits.take(4)  # video_format, video_full_range_flag
        if bits.take(1):
            _, transfer, _ = bits.take(8), bits.take(8), bits.take(8)
    return aspect, transfer


def _aspect(bits: _Bits, table: tuple[tuple[int, int], ...], code: int, *, other: int, size: int) -> Fraction:
    """The pixel aspect of a code; `other` is the code of one that is written out as two numbers of `size` bits."""
    if code == other:
        width, height = bits.take(size), bits.take(size)
        return Fraction(width, height) if width and height else Fraction(1)
    return Fraction(*table[code - 1]) if 1 <= code <= len(table) else Fraction(1)


def units_before_slice(packet: bytes, length_bytes: int) -> Iterator[bytes]:
    """The NAL units of an H.264 packet's beginning that stand before its first slice.

    Raises:
        UnclearError: another set of parameters, another transfer than they say, or no slice so far.
    """
    at = 0
    while at + length_bytes < len(packet):
        size = int.from_bytes(packet[at : at + length_bytes], "big")
        at += length_bytes
        kind = packet[at] & 0x1F
        if kind in _SLICES:
            return
        unit = packet[at : at + size]
        require(len(unit) == size > 0 and not (kind == _SEI and _ALTERNATIVE_TRANSFER in _sei_types(unit)))
        yield unit
        at += size
    raise UnclearError


def _sei_types(unit: bytes) -> Iterator[int]:
    """The payload types of an SEI unit."""
    data, at = unit.replace(b"\0\0\3", b"\0\0"), 1
    while at + 2 < len(data):
        numbers = []
        for _ in range(2):  # type and size: a 255 says that the number goes on
            number = 0
            while at < len(data) and data[at] == 255:  # noqa: PLR2004
                number, at = number + 255, at + 1
            require(at < len(data))
            numbers.append(number + data[at])
            at += 1
        yield numbers[0]
        at += numbers[1]


def mpeg4_picture(data: bytes) -> CodedPicture:
    """The picture of the first video object layer in an MPEG-4 Part 2 stream's beginning.

    Raises:
        UnclearError: there is none, its shape is no rectangle, or colours are described.
    """
    # A visual object (B5) may describe colours in front of the layer; its first bits say whether it does.
    visual = data.find(b"\0\0\1\xb5")
    require(visual < 0 or not _describes_colours(data[visual + 4 : visual + 8]))
    layer = re.search(rb"\x00\x00\x01[\x20-\x2f](.{16,64})", data, re.DOTALL)
    if layer is None:
        raise UnclearError
    bits = _Bits(layer[1])
    bits.take(9)  # random_accessible_vol, video_object_type_indication
    if bits.take(1):
        bits.take(7)  # verid, priority
    aspect = _aspect(bits, _MPEG4_ASPECTS, bits.take(4), other=15, size=8)
    if bits.take(1):  # vol_control_parameters
        bits.take(3)
        require(not bits.take(1))  # vbv_parameters
    require(bits.take(2) == 0)  # rectangular
    bits.take(1)
    resolution = bits.take(16)
    bits.take(1)
    if bits.take(1):  # fixed_vop_rate
        bits.take(max(1, (resolution - 1).bit_length()))
    bits.take(1)
    width = bits.take(13)
    bits.take(1)
    height = bits.take(13)
    require(width and height)
    return CodedPicture(width, height, aspect)


def _describes_colours(visual: bytes) -> bool:
    """video_signal_type of a visual object's header, whose kind must be video."""
    bits = _Bits(visual)
    if bits.take(1):
        bits.take(7)  # verid, priority
    require(bits.take(4) == 1)
    return bool(bits.take(1))
