"""Where members lie in a tar, and what is told of tars that are no whole ones."""

from __future__ import annotations

import gzip
import io
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
