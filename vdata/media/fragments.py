"""Fragmented MP4 as it leaves an encoder's pipe: its init, then every whole fragment; of one stream, or of several in step."""

from __future__ import annotations

import os
import selectors
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from typing import IO

from vdata.errors import ContractError

__all__ = ["fragments_in_step"]

_READ_BYTES = 2**18
"""More than a pipe holds, so one read empties it."""


def fragments_in_step(streams: Sequence[IO[bytes]]) -> Iterator[tuple[bytes, ...]]:
    """The init of every stream, then fragment k of every stream for k = 0, 1, ...; ends with the stream that ends first.

    One process writes them all, and waits where a pipe is full. So whichever has bytes is read: to wait for one stream alone
    would never end. What one stream is ahead of the others is kept: of two encodes of one ffmpeg, two fragments at most were.

    A fragment that is only half written at the end is left out. Nobody else may read from the streams.

    Raises:
        ContractError: what a stream holds is no MP4.
    """
    parsers = [_Parser() for _ in streams]
    with selectors.DefaultSelector() as selector:
        for stream, parser in zip(streams, parsers, strict=True):
            selector.register(stream, selectors.EVENT_READ, parser)
        while selector.get_map():
            for key, _ in selector.select():
                data = os.read(key.fd, _READ_BYTES)
                if data:
                    key.data.take(data)
                else:
                    selector.unregister(key.fileobj)
            while all(parser.whole for parser in parsers):
                yield tuple(parser.whole.popleft() for parser in parsers)


class _Parser:
    """One stream's bytes on their way into fragments."""

    def __init__(self) -> None:
        self.whole: deque[bytes] = deque()
        """The init and the fragments that are whole and were not taken yet."""
        self._rest, self._open = bytearray(), b""

    def take(self, data: bytes) -> None:
        """Adds what was read."""
        self._rest += data
        while (box := self._next_box()) is not None:
            # An init is ftyp + moov, a fragment moof + mdat.
            self._open += box
            if box[4:8] in (b"moov", b"mdat"):
                self.whole.append(self._open)
                self._open = b""

    def _next_box(self) -> bytes | None:
        """The next box, if it is whole."""
        if len(self._rest) < 8:  # noqa: PLR2004 - size and kind
            return None
        (size,) = struct.unpack_from(">I", self._rest)
        if size < 8:  # noqa: PLR2004 - as above
            raise ContractError("box", f"the encoder wrote a box of {size} bytes")
        if len(self._rest) < size:
            return None
        box = bytes(self._rest[:size])
        del self._rest[:size]
        return box
