"""Containers taken apart and written wrongly: MP4 boxes, Matroska elements, an H.264 parameter set and a PNG of any size."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence

__all__ = ["STBL", "box", "edit", "element", "full", "parameter_set", "png", "put"]

STBL = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


def box(kind: bytes, body: bytes) -> bytes:
    """An MP4 box."""
    return struct.pack(">I4s", len(body) + 8, kind) + body


def full(*numbers: int) -> bytes:
    """The body of a full box (version and flags 0) of 32-bit numbers."""
    return struct.pack(f">{len(numbers) + 1}I", 0, *numbers)


def put(place: int, value: int, form: str = ">I") -> Callable[[bytes], bytes]:
    """A change that overwrites one number of a body; a negative place counts from its end."""
    field = struct.pack(form, value)

    def change(body: bytes) -> bytes:
        start = place % len(body)
        return body[:start] + field + body[start + len(field) :]

    return change


def edit(data: bytes, path: Sequence[bytes], change: Callable[[bytes], bytes]) -> bytes:
    """The MP4 with the body of every box at a path changed, and the sizes around it set right.

    Chunk offsets are kept, so the media must lie before `moov`, where libavformat's muxer puts it.
    """
    parts, place = [], 0
    while place + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        end = place + size if size >= 8 else len(data)
        body = data[place + 8 : end]
        if kind == path[0]:
            body = edit(body, path[1:], change) if path[1:] else change(body)
        parts.append(box(kind, body))
        place = end
    return b"".join(parts)


def element(identity: int, body: bytes | float | str) -> bytes:
    """A Matroska element of bytes, of an unsigned number, of a double or of text."""
    if isinstance(body, int):
        body = body.to_bytes(8, "big")
    elif isinstance(body, float):
        body = struct.pack(">d", body)
    elif isinstance(body, str):
        body = body.encode()
    name = identity.to_bytes((identity.bit_length() + 7) // 8, "big")
    return name + (len(body) | 1 << 56).to_bytes(8, "big") + body


def parameter_set(width: int, height: int) -> bytes:
    """An H.264 sequence parameter set, baseline, that promises pictures of this size in whole macroblocks."""
    ones = [_golomb(0), _golomb(0), _golomb(2), _golomb(1), "0", _golomb(width // 16 - 1), _golomb(height // 16 - 1)]
    bits = "".join([*ones, "1", "1", "0", "0", "1"])
    bits += "0" * (-len(bits) % 8)
    return bytes([0x67, 66, 0, 62]) + int(bits, 2).to_bytes(len(bits) // 8, "big")


def _golomb(value: int) -> str:
    """The bits of an unsigned Exp-Golomb code."""
    bits = f"{value + 1:b}"
    return "0" * (len(bits) - 1) + bits


def png(width: int, height: int) -> bytes:
    """A PNG whose header may promise more than its one row of pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress((b"\0" + b"\x40" * 3 * min(width, 4096)) * min(height, 64))
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    coded = (struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(coded)
