import hashlib

import pytest

from vdata.errors import CorruptShardError
from vdata.shards.sums import file_sha256, read_sums, write_folder_sums, write_sums


@pytest.fixture
def sums(tmp_path):
    (tmp_path / "b c.tar").write_bytes(b"second")
    (tmp_path / "first").write_bytes(b"")
    write_sums(tmp_path / "x.sha256", {"a.tar": tmp_path / "b c.tar", "z": tmp_path / "first"})
    return tmp_path / "x.sha256"


def test_names_are_those_that_files_will_have(sums):
    assert read_sums(sums) == {"a.tar": hashlib.sha256(b"second").hexdigest(), "z": hashlib.sha256(b"").hexdigest()}
    assert file_sha256(sums) == hashlib.sha256(sums.read_bytes()).hexdigest()


def test_any_flipped_byte_or_lost_end_of_it_is_found(sums):
    content = sums.read_bytes()
    for position in range(len(content)):
        flipped = bytearray(content)
        flipped[position] ^= 4
        sums.write_bytes(flipped)
        with pytest.raises(CorruptShardError, match=r"x\.sha256"):
            read_sums(sums)
    for end in range(len(content)):
        sums.write_bytes(content[:end])
        with pytest.raises(CorruptShardError, match=r"x\.sha256"):
            read_sums(sums)


def test_one_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_sums(tmp_path / "none")


def test_the_folders_own_names_the_files_that_are_there(tmp_path):
    (tmp_path / "dataset.json").write_text("{}")
    (tmp_path / "clips-000000.tar").touch()
    write_folder_sums(tmp_path)
    assert list(read_sums(tmp_path / "SHA256SUMS")) == ["dataset.json"]
