"""Ranges of remote files against the bytes that were put there, by an S3 server on localhost and fsspec's memory."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import fsspec
import numpy as np
import pytest

from vdata.errors import ConfigError, MissingExtraError, ShardError
from vdata.shards.remote import RemoteFile, RemoteFolder, folder_of

DATA = np.random.default_rng(0).bytes(300_000)
RANGES = [(0, 10), (299_990, 300_000), (1000, 270_000), (5, 6)]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr("vdata.shards.remote.PAUSES", (0.0, 0.0))


def test_a_folder_is_a_path_or_a_url(tmp_path):
    assert folder_of("shards/train") == folder_of(Path("shards/train")) == Path("shards/train")
    assert folder_of(f"file://{tmp_path}") == tmp_path
    assert folder_of("s3://bucket/a b/train/") == RemoteFolder("s3://bucket/a b/train")
    with pytest.raises(ConfigError, match=r"\('s3:/bucket/train'\) looks like a URL that was made a Path: give it as text"):
        folder_of(Path("s3://bucket/train"))
    (tmp_path / "s3:").mkdir()
    assert folder_of(tmp_path / "s3:") == tmp_path / "s3:"
    with pytest.raises(ConfigError, match=r"\('https://host/train'\): a web server has no listing"):
        folder_of("https://me:secret@host/train")


def test_it_prints_no_secrets():
    file = RemoteFolder("s3://key:secret@bucket/train?token=abc") / "clips-000000.tar"
    for text in (str(file), repr(file), str(file.folder), repr(file.folder)):
        assert "secret" not in text
        assert "abc" not in text
    assert str(file.folder) == "s3://bucket/train?token=..."


def test_ranges_are_the_file_s_bytes_one_request_each(s3, wire):
    file = RemoteFolder(s3({"a/x.tar": DATA}) + "/a") / "x.tar"
    assert file.read_ranges(RANGES) == [DATA[begin:end] for begin, end in RANGES]
    assert wire.num_requests == len(RANGES)
    assert wire.upstream.count(b"range: bytes=1000-269999\r\n") == 1


def test_memory_and_listings(s3):
    files = fsspec.filesystem("memory")
    files.pipe({"/deep/train/x.tar": DATA, "/deep/train/index/index.json": b"{}"})
    for folder in (RemoteFolder("memory://deep/train"), RemoteFolder(s3({"train/x.tar": DATA, "train/index/a": b""}) + "/train")):
        assert folder.entries() == {"x.tar": 300_000, "index": None}
        assert (folder / "x.tar").read_ranges(RANGES) == [DATA[begin:end] for begin, end in RANGES]
        assert folder.read_bytes("x.tar") == DATA
        assert folder.read_bytes("y.tar") is None
        assert folder.use("x.tar", lambda file: (file.seek(7), file.read(3))[1]) == DATA[7:10]
        assert RemoteFolder(folder.url + "/none").entries() == {}
    files.rm("/deep", recursive=True)


@pytest.mark.parametrize("spans", [[(299_000, 300_001)], [(400_000, 400_010)], [(0, 10), (300_000, 300_001)]])
def test_a_file_that_ends_before_says_where(s3, spans):
    folder = RemoteFolder(s3({"x.tar": DATA}))
    with pytest.raises(OSError, match=rf"it ends at byte 300000, before byte {spans[-1][1]}"):
        (folder / "x.tar").read_ranges(spans)


def test_a_file_that_is_gone_is_not_asked_for_again(s3, wire):
    folder = RemoteFolder(s3({"x.tar": DATA}))
    with pytest.raises(FileNotFoundError, match="it is not there"):
        (folder / "y.tar").read_ranges([(0, 10)])
    assert wire.num_requests == 1


def test_a_connection_that_breaks_is_made_again(s3, wire):
    folder = RemoteFolder(s3({"x.tar": DATA}))
    wire.cut_after = 100_000
    assert (folder / "x.tar").read_ranges([(0, 300_000)]) == [DATA]
    assert wire.num_cut == 1
    assert wire.num_requests == 2


def test_a_server_that_is_away_is_an_error_after_the_last_try(s3, monkeypatch):
    folder = RemoteFolder(s3({"x.tar": DATA}))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    with pytest.raises(
        ShardError, match=r"^'s3://bucket-\w+' cannot be read: .*, 3 times in a row; see to the network$"
    ) as error:
        (folder / "x.tar").read_ranges([(0, 10)])
    assert "\n" not in str(error.value)
    assert type(error.value) is ShardError


def test_without_credentials_the_way_out_is_named(s3, monkeypatch, tmp_path):
    folder = RemoteFolder(s3({"x.tar": DATA}))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(ShardError, match=r"cannot be read: NoCredentialsError: .*; see that the address and the credentials"):
        (folder / "x.tar").read_ranges([(0, 10)])


def test_unknown_schemes_and_missing_packages(monkeypatch):
    with pytest.raises(ConfigError, match=r"path \('nope://x'\) cannot be used: .*nope"):
        RemoteFolder("nope://x").entries()
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(MissingExtraError, match="gcsfs"):
        RemoteFolder("gs://bucket/x").entries()


FORKED = """
import os, sys
from vdata.shards.remote import RemoteFolder
file = RemoteFolder(sys.argv[1]) / "x.tar"
first = file.read_ranges([(0, 10)])
child = os.fork()
if not child:
    os._exit(file.read_ranges([(0, 10)]) != first)
assert os.waitpid(child, 0)[1] == 0
assert file.read_ranges([(0, 10)]) == first
print(first[0].hex())
"""


def test_a_forked_process_makes_connections_of_its_own(s3):
    url = s3({"x.tar": DATA})
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKED, url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=os.environ)
    assert done.stdout.strip() == DATA[:10].hex(), done.stderr


def test_it_travels_between_processes():
    import pickle  # noqa: PLC0415

    file = RemoteFile(RemoteFolder("s3://bucket/x"), "clips-000000.tar")
    assert pickle.loads(pickle.dumps(file)) == file
    assert hash(pickle.loads(pickle.dumps(file))) == hash(file)
