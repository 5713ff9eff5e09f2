"""Whole files out of servers that cut, stall, lie and redirect; nothing stays in the temporary folder."""

import contextlib
import gzip
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import fsspec
import pytest

import vdata.media.download
from vdata.errors import MediaError
from vdata.media.config import LimitConfig
from vdata.media.download import download
from vdata.media.remote import RemoteObject
from vdata.media.url import RemoteRoot

DATA = os.urandom(3_000_000)


pytestmark = pytest.mark.usefixtures("temporary")


def fetch(source, root=None, num_bytes=-1, stopped=None, **limits):
    limits = LimitConfig(**{"answer_seconds": 5.0} | limits)
    with download(RemoteObject.of(root or Path(), source, limits), limits, num_bytes, stopped) as file:
        assert file.tell() == 0
        assert os.fstat(file.fileno()).st_nlink == 0
        return file.read()


def refusal(*args, **kwargs):
    with pytest.raises(MediaError) as caught:
        fetch(*args, **kwargs)
    assert "\n" not in caught.value.message
    return caught.value


def ranges(web):
    return [wanted for _, _, wanted in web.asked]


def test_a_page_is_downloaded_whole(web):
    web.pages["/a.mp4"] = web.Page(DATA)
    assert fetch(web.url("/a.mp4"), num_bytes=len(DATA)) == DATA
    web.pages["/sizeless"] = web.Page(DATA, headers={"Content-Length": ""})
    assert fetch(web.url("/sizeless")) == DATA
    web.pages["/empty"] = web.Page(b"")
    assert fetch(web.url("/empty")) == b""


def test_a_connection_that_is_cut_is_resumed_where_it_ended(web):
    web.pages["/a"] = web.Page(DATA, headers={"ETag": '"1"'}, cuts=[1_000_000, 500_000])
    assert fetch(web.url("/a")) == DATA
    first, *later = ranges(web)
    places = [int(wanted.removeprefix("bytes=").removesuffix("-")) for wanted in later]
    assert first == ""
    # aiohttp drops what it has read ahead when a connection breaks, so the places are a little before the cuts.
    assert 0 < places[0] <= 1_000_000
    assert places[0] <= places[1] <= places[0] + 500_000


@pytest.mark.parametrize("page", [{"takes_ranges": False, "headers": {"ETag": '"1"'}}, {"headers": {}}])
def test_without_ranges_or_a_tag_it_begins_anew(web, page):
    web.pages["/a"] = web.Page(DATA, cuts=[1_000_000, 500_000], **page)
    assert fetch(web.url("/a")) == DATA
    assert len(web.asked) == 3


@pytest.mark.parametrize(("tag", "other"), [('"2"', DATA[::-1]), ('"1"', DATA[::-1] + b"x")])
def test_a_file_that_changes_between_two_tries_is_never_mixed(web, tag, other):
    """Whether the server tells by its tag, or only by the size."""
    web.pages["/a"] = page = web.Page(DATA, headers={"ETag": '"1"'})

    class ChangesOnCut(list):
        def pop(self, place):
            page.data, page.headers = other, {"ETag": tag}
            return super().pop(place)

    page.cuts = ChangesOnCut([1_000_000])
    assert fetch(web.url("/a")) == other
    assert len(web.asked) == (2 if tag == '"2"' else 3)


def test_the_third_cut_is_the_last(web):
    web.pages["/a"] = web.Page(DATA, headers={"ETag": '"1"'}, cuts=[1000] * 3)
    error = refusal(web.url("/a", "me:word@") + "?sig=abc")
    assert (error.reason, error.retryable, len(web.asked)) == ("download", True, 3)
    assert web.url("/a?sig=...") in error.message
    assert "word" not in str(error)


@pytest.mark.parametrize(
    ("status", "reason", "retryable", "num_tries"),
    [
        (404, "missing", False, 1),
        (410, "missing", False, 1),
        (403, "download", True, 1),
        (429, "download", True, 3),
        (500, "download", True, 3),
    ],
)
def test_a_status_is_tried_again_where_that_may_help(web, status, reason, retryable, num_tries):
    web.pages["/a"] = web.Page(b"words", status=status)
    error = refusal(web.url("/a?token=abc"))
    assert (error.reason, error.retryable, len(web.asked)) == (reason, retryable, num_tries)
    assert "abc" not in str(error)


def test_a_server_that_never_answers_is_given_up(web):
    web.pages["/a"] = web.Page(DATA, release=threading.Event())
    error = refusal(web.url("/a"), answer_seconds=0.2)
    web.pages["/a"].release.set()
    assert (error.reason, len(web.asked)) == ("download", 3)


def test_nobody_listens(web):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    error = refusal(f"http://127.0.0.1:{port}/a.mp4")
    assert (error.reason, error.retryable) == ("download", True)


def test_a_redirect_is_followed_on_the_web_only(web, tmp_path):
    (tmp_path / "secret").write_text("of this machine")
    web.pages["/data"] = web.Page(DATA)
    web.pages["/good"] = web.Page(status=302, headers={"Location": web.url("/data")})
    web.pages["/local"] = web.Page(status=302, headers={"Location": (tmp_path / "secret").as_uri()})
    web.pages["/ftp"] = web.Page(status=302, headers={"Location": "ftp://127.0.0.1/x"})
    web.pages["/loop"] = web.Page(status=302, headers={"Location": web.url("/loop")})
    assert fetch(web.url("/good")) == DATA
    for path in ("/local", "/ftp", "/loop"):
        assert refusal(web.url(path)).reason == "download"
    asked = [path for _, path, _ in web.asked]
    assert (asked.count("/local"), asked.count("/ftp"), asked.count("/loop")) == (1, 1, 10)


def test_sizes_are_held_against_the_limit_and_the_listing(web):
    web.pages["/a"] = web.Page(DATA)
    assert refusal(web.url("/a"), num_bytes=1001, max_bytes=1000).reason == "too_large"
    assert not web.asked
    assert refusal(web.url("/a"), max_bytes=1000).reason == "too_large"
    web.pages["/sizeless"] = web.Page(DATA, headers={"Content-Length": ""})
    assert refusal(web.url("/sizeless"), max_bytes=1000).reason == "too_large"
    for path in ("/a", "/sizeless"):
        error = refusal(web.url(path), num_bytes=len(DATA) + 1)
        assert (error.reason, error.retryable) == ("changed", False)
        assert f"{len(DATA)} bytes" in error.message


def test_a_packed_answer_is_unpacked_and_not_counted(web):
    web.pages["/a"] = web.Page(gzip.compress(DATA), headers={"Content-Encoding": "gzip"})
    assert fetch(web.url("/a"), num_bytes=len(DATA)) == DATA


def test_a_disk_without_room_is_told_from_a_bad_server(web, monkeypatch):
    web.pages["/a"] = web.Page(DATA)
    monkeypatch.setattr(os, "fstatvfs", lambda _: os.statvfs_result((1, 1, 1, 1, 1, 1, 1, 1, 1, 1)))
    error = refusal(web.url("/a"))
    assert (error.reason, error.retryable, len(web.asked)) == ("disk", True, 1)
    assert "set TMPDIR" in error.message


@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="no /dev/full")
def test_a_disk_that_fills_up_is_told_from_a_bad_server(web, monkeypatch):
    web.pages["/a"] = web.Page(DATA, headers={"Content-Length": ""})
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: _Full())
    assert refusal(web.url("/a")).reason == "disk"


class _Full:
    """A file that seeks and truncates, and has room for nothing."""

    def __init__(self):
        self._file = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115 - closed by __exit__

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def __getattr__(self, name):
        return getattr(self._file, name)

    def tell(self):
        return 0

    def seek(self, place):
        return place

    def truncate(self):
        return 0


def test_no_temporary_folder_at_all(web, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    assert refusal(web.url("/a")).reason == "disk"


def test_a_download_that_is_no_longer_wanted_or_too_slow_ends(web):
    web.pages["/a"] = web.Page(DATA)
    stopped = threading.Event()
    stopped.set()
    assert "no longer wanted" in refusal(web.url("/a"), stopped=stopped).message
    assert "limit.wall_seconds" in refusal(web.url("/a"), wall_seconds=1e-9).message
    assert not web.asked


def test_an_object_comes_in_pieces_and_is_resumed_after_a_cut(s3, wire, monkeypatch):
    monkeypatch.setattr(vdata.media.download, "PIECE_BYTES", 1_000_000)
    bucket = s3({"pre/a.mp4": DATA})
    wire.cut_after = 2_300_000
    assert fetch("a.mp4", RemoteRoot(f"{bucket}/pre"), num_bytes=len(DATA)) == DATA
    assert wire.num_cut == 1
    # Two whole pieces came before the cut; the third is the only one that is asked for twice.
    assert wire.upstream.count(b"range: bytes=") == 4
    assert wire.upstream.count(b"range: bytes=2000000-2999999") == 2


def test_an_object_store_that_is_silent_or_busy_is_given_up_after_three_tries(s3, web, monkeypatch):
    s3({})
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert refusal("a.mp4", RemoteRoot("s3://bucket"), answer_seconds=0.2).reason == "download"
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    monkeypatch.setenv("AWS_ENDPOINT_URL", web.url(""))
    web.pages["/bucket/a.mp4"] = web.Page(b"", status=503)
    assert refusal("a.mp4", RemoteRoot("s3://bucket")).reason == "download"
    assert len(web.asked) == 3


def test_kill_9_in_the_middle_leaves_nothing(web, temporary):
    web.pages["/a"] = web.Page(DATA, headers={"Content-Length": str(2 * len(DATA))}, hold=threading.Event())
    program = f"""
from vdata.media.config import LimitConfig
from vdata.media.source import open_source
from pathlib import Path
with open_source(Path(), {web.url("/a")!r}, LimitConfig()):
    pass
"""
    with subprocess.Popen([sys.executable, "-c", program], env={**os.environ, "TMPDIR": str(temporary)}) as child:
        while not held_bytes(child.pid):
            assert child.poll() is None
            time.sleep(0.01)
        child.kill()
    web.pages["/a"].hold.set()
    assert child.returncode == -signal.SIGKILL


def held_bytes(pid):
    """Bytes in the unlinked files that a process has open."""
    sizes = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            if "(deleted)" in str(entry.readlink()) or "vdata-" in str(entry.readlink()):
                sizes.append(entry.stat().st_size)
    return sum(sizes)


def test_an_object_that_is_not_there_or_not_allowed(s3, monkeypatch):
    bucket = s3({"a.mp4": DATA})
    assert refusal("b.mp4", RemoteRoot(bucket)).reason == "missing"
    assert refusal("b.mp4", RemoteRoot("s3://nobody-has-this")).reason == "missing"
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.delenv(f"AWS_{name}")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    error = refusal("a.mp4", RemoteRoot(bucket))
    assert (error.reason, error.retryable) == ("download", True)
    assert "redential" in error.message


def test_a_bug_is_not_a_failed_download(s3, monkeypatch):
    monkeypatch.setattr(RemoteObject, "open", lambda *_: undefined)  # noqa: F821 - the bug
    with pytest.raises(NameError):
        fetch("a.mp4", RemoteRoot(s3({})))
