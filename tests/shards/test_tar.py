import tarfile

import pytest

from vdata.shards.tar import TarWriter, read_members

CONTENT = {"a.mp4": b"x" * 511, "a.json": b"", "b.mp4": b"y" * 512, "b.motion.npz": b"z" * 513}


def write(path):
    with TarWriter(path) as tar:
        return [tar.add(name, content) for name, content in CONTENT.items()]


def test_stdlib_reads_it_back(tmp_path):
    write(tmp_path / "a.tar")
    with tarfile.open(tmp_path / "a.tar") as archive:
        members = archive.getmembers()
        assert {info.name: archive.extractfile(info).read() for info in members} == CONTENT
    assert {(info.mode, info.mtime, info.uid, info.gid, info.uname, info.gname) for info in members} == {(0o644, 0, 0, 0, "", "")}
    assert (tmp_path / "a.tar").stat().st_size % tarfile.RECORDSIZE == 0


def test_offsets_are_where_the_bytes_are(tmp_path):
    members = write(tmp_path / "a.tar")
    data = (tmp_path / "a.tar").read_bytes()
    assert {m.name: data[m.offset : m.offset + m.size] for m in members} == CONTENT
    assert read_members(tmp_path / "a.tar") == members


def test_equal_bytes_as_tarfile_writes(tmp_path):
    write(tmp_path / "a.tar")
    with tarfile.open(tmp_path / "b.tar", "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in CONTENT.items():
            (tmp_path / "member").write_bytes(content)
            info = tarfile.TarInfo(name)
            info.size = len(content)
            with (tmp_path / "member").open("rb") as file:
                archive.addfile(info, file)
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_a_name_that_a_header_cannot_hold_is_refused(tmp_path):
    with TarWriter(tmp_path / "a.tar") as tar:
        tar.add("k" * 96 + ".mp4", b"")
        with pytest.raises(ValueError, match="too long"):
            tar.add("k" * 97 + ".mp4", b"")
