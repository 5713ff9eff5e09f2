"""Streams that one writer fills in any order come out in step, and nobody waits for ever."""

from __future__ import annotations

import os
import struct
import threading

import pytest

from vdata.errors import ContractError
from vdata.media.fragments import fragments_in_step


def box(kind: bytes, size: int) -> bytes:
    return struct.pack(">I4s", size, kind) + bytes(size - 8)


def stream(*sizes: int) -> list[bytes]:
    """An init, and fragments whose pictures take so many bytes."""
    return [box(b"ftyp", 16) + box(b"moov", 40)] + [box(b"moof", 24) + box(b"mdat", size) for size in sizes]


class Pipes:
    """Pipes that a thread fills in a given order, as a child process would."""

    def __init__(self, num: int) -> None:
        ends = [os.pipe() for _ in range(num)]
        self.readers = [os.fdopen(reader, "rb", buffering=0) for reader, _ in ends]
        self._writers = [writer for _, writer in ends]

    def write(self, *parts: tuple[int, bytes]) -> None:
        def run() -> None:
            for which, data in parts:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(self._writers[which], rest) :]
            for writer in self._writers:
                os.close(writer)

        threading.Thread(target=run, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for reader in self.readers:
            reader.close()


def test_one_stream_comes_out_as_it_is():
    parts = stream(100, 8, 300_000)
    with Pipes(1) as pipes:
        pipes.write(*((0, part) for part in parts))
        assert [group for (group,) in fragments_in_step(pipes.readers)] == parts


def test_bytes_that_come_one_by_one_are_the_same_fragments():
    parts = stream(30, 9)
    with Pipes(1) as pipes:
        pipes.write(*((0, bytes([byte])) for part in parts for byte in part))
        assert [group for (group,) in fragments_in_step(pipes.readers)] == parts


@pytest.mark.parametrize("ahead", [0, 1])
def test_a_writer_that_is_ahead_in_one_stream_is_not_left_waiting(ahead):
    """A megabyte of the one, more than any pipe holds, before the first byte of the other; each way round."""
    parts = stream(*[200_000] * 5), stream(*[500] * 5)
    order = sorted(range(2), key=lambda which: which != ahead)
    with Pipes(2) as pipes:
        pipes.write(*((which, part) for which in order for part in parts[which]))
        assert list(fragments_in_step(pipes.readers)) == list(zip(*parts, strict=True))


def test_what_is_half_written_at_the_end_is_left_out():
    parts, beside = stream(100, 100, 100), stream(10, 10, 10)
    with Pipes(2) as pipes:
        pipes.write((0, b"".join(parts)[:-1]), (1, b"".join(beside)))
        assert list(fragments_in_step(pipes.readers)) == list(zip(parts[:-1], beside[:-1], strict=True))


def test_what_is_no_mp4_is_told():
    with Pipes(1) as pipes:
        pipes.write((0, bytes(64)))
        with pytest.raises(ContractError, match="a box of 0 bytes"):
            list(fragments_in_step(pipes.readers))
