"""Where members lie in a tar, and what is told of tars that are no whole ones."""

from __future__ import annotations

import gzip
import io
import itertools
import tarfile
from pathlib import Path

import pytest

from vdata.datasets._tars import Member, TarFault, expand_braces, read_members
from vdata.errors import ConfigError

CONTENT = {"a.mp4": b"video" * 200, "d" * 180 + ".json": b"{}", "é/b.txt": b"words"}


def written(path: Path, form: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, "w", format=form) as tar:
        for name, data in CONTENT.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def read(path: Path) -> list[Member | TarFault]:
    with path.open("rb", buffering=0) as file:
        return list(read_members(file))


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_bytes_are_where_they_are_said_to_be(tmp_path, form):
    path = written(tmp_path / "t.tar", form)
    whole = path.read_bytes()
    assert {item.name: whole[item.offset : item.offset + item.size] for item in read(path)} == CONTENT


def test_links_folders_and_sparse_files_are_named(tmp_path):
    path = tmp_path / "t.tar"
    with tarfile.open(path, "w") as tar:
        for name, kind in (("f", tarfile.DIRTYPE), ("s", tarfile.SYMTYPE), ("h", tarfile.LNKTYPE), ("p", tarfile.FIFOTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "a.mp4" if name in "sh" else ""
            tar.addfile(info)
    assert [item.kind for item in read(path)] == ["a folder", "a link", "a link", "no regular file"]
    assert [item.is_folder for item in read(path)] == [True, False, False, False]


def test_every_cut_is_told(tmp_path):
    whole = written(tmp_path / "t.tar").read_bytes()
    members = read(tmp_path / "t.tar")
    end = members[-1].offset + 512
    for size in (1, 511, 700, members[0].offset + 5, members[1].offset - 100, members[2].offset + 3, end, end + 100):
        (tmp_path / "cut.tar").write_bytes(whole[:size])
        *before, last = read(tmp_path / "cut.tar")
        assert isinstance(last, TarFault), size
        assert last.reason == "broken_tar", size
        assert before == members[: len(before)], size
    (tmp_path / "cut.tar").write_bytes(whole[: end + 512])
    assert read(tmp_path / "cut.tar") == members


def test_a_damaged_header_is_told(tmp_path):
    path = written(tmp_path / "t.tar", tarfile.GNU_FORMAT)
    whole = bytearray(path.read_bytes())
    whole[1536 + 40] ^= 0xFF
    path.write_bytes(whole)
    first, fault = read(path)
    assert first.name == "a.mp4"
    assert fault == TarFault(
        "broken_tar", f"at byte 1536 of {len(whole)} is neither a member nor the tar's end: it is damaged or cut off"
    )


def test_what_is_no_tar(tmp_path):
    whole = written(tmp_path / "t.tar").read_bytes()
    for data, reason in ((gzip.compress(whole), "compressed_tar"), (b"", "broken_tar"), (b"no tar" * 500, "broken_tar")):
        (tmp_path / "x.tar").write_bytes(data)
        (fault,) = read(tmp_path / "x.tar")
        assert fault.reason == reason


def test_braces():
    assert expand_braces("a.tar") == ["a.tar"]
    assert expand_braces("{x,y}-{008..010}.tar") == [f"{a}-{n}.tar" for a in "xy" for n in ("008", "009", "010")]
    assert expand_braces("{9..11}") == ["9", "10", "11"]
    with pytest.raises(ConfigError, match="more than 1000000 names"):
        expand_braces("{0..99999999}")
    # No range: Python converts no number of that length.
    far = "9" * 5000
    assert expand_braces(f"{{0..{far}}}") == [f"0..{far}"]


def header(name: str, kind: bytes = b"0", size: int = 0, **fields: bytes) -> bytes:
    """A header as no program writes it; `at_124` is what stands at that byte. Sizes beyond octal are in GNU's base 256."""
    block = bytearray(tarfile.TarInfo(name).tobuf(tarfile.GNU_FORMAT))
    base256 = (b"\xff" if size < 0 else b"\x80") + (size & (2**88 - 1)).to_bytes(11, "big")
    fields = {"at_156": kind, "at_124": b"%011o\0" % size if 0 <= size < 8**11 else base256} | fields
    for place, value in fields.items():
        start = int(place.removeprefix("at_"))
        block[start : start + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def pax(**records: str) -> bytes:
    """An extended header."""
    lines = b""
    for name, value in records.items():
        line = f" {name.replace('__', '.')}={value}\n".encode()
        lines += next(b"%d%s" % (size, line) for size in range(len(line), 2000) if len(b"%d%s" % (size, line)) == size)
    return header("p", b"x", len(lines)) + lines.ljust(-len(lines) % 512 + len(lines), b"\0")


GOOD = header("a.mp4", size=512) + b"x" * 512
END = bytes(1024)


@pytest.mark.parametrize(
    "bad",
    [
        # tarfile goes back by the size, to read the same header again, or the one before.
        *(header("b.mp4", size=size) for size in (-512, -1024, -1536, -2048)),
        header("b.mp4", b"Z", -1024),
        pax(size="-1024") + header("b.mp4"),
        header("b.mp4", b"S", -1536, at_483=b"00000001000"),
        # As many bytes are asked for as a name is said to have.
        *(header("b.mp4", kind, size) for kind in (b"L", b"K", b"x", b"g") for size in (2**36, 2**62, 2**80, -512)),
        *(header("b.mp4", kind, size) for kind in (b"0", b"Z") for size in (2**36, 2**62, 2**80)),
        header("b", b"L", 512) * 3000,
    ],
)
def test_headers_that_lie_end_the_tar(tmp_path, bad):
    (tmp_path / "t.tar").write_bytes(GOOD + bad + END)
    with (tmp_path / "t.tar").open("rb", buffering=0) as file:
        first, fault = itertools.islice(read_members(file), 5)
    assert (first.name, first.size) == ("a.mp4", 512)
    assert fault.reason == "broken_tar"


def test_the_table_of_a_sparse_file_that_is_cut_off(tmp_path):
    (tmp_path / "t.tar").write_bytes(GOOD + header("b.mp4", b"S", 512, at_482=b"\1"))
    assert [getattr(item, "reason", "") for item in read(tmp_path / "t.tar")] == ["", "broken_tar"]


def test_a_sparse_file_that_unpacks_to_more_than_the_tar_is_passed_over(tmp_path):
    sparse = header("s.mp4", b"S", 512, at_483=b"\x80" + (10 * 2**40).to_bytes(11, "big")) + b"y" * 512
    (tmp_path / "t.tar").write_bytes(sparse + GOOD + END)
    first, second = read(tmp_path / "t.tar")
    assert (first.kind, second) == ("a sparse file", Member("a.mp4", 1536, 512))
