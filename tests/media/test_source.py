"""A source is an open file from one place on, wherever it lies; one remote source is fetched ahead."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing, suppress
from fractions import Fraction
from pathlib import Path

import pytest

from vdata.errors import MediaError, OpenError
from vdata.media.config import LimitConfig
from vdata.media.source import UNKNOWN_BYTES, is_gone, is_remote, open_source, open_video, prefetched, source_bytes
from vdata.media.url import RemoteRoot
from vdata.records import Video

LIMITS = LimitConfig(answer_seconds=5.0)


pytestmark = pytest.mark.usefixtures("temporary")


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("vdata-download")]


def test_a_file_is_open_and_named(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/v.mp4").write_bytes(b"1234")
    with open_source(tmp_path, "a/v.mp4") as source:
        assert (source.name, source.num_bytes, source.file.read()) == ("v.mp4", 4, b"1234")
    assert source.file.closed


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path, make):
    make(tmp_path / "odd.mp4")
    with pytest.raises(OpenError, match="not_regular"), open_source(tmp_path, "odd.mp4"):
        pass


@pytest.mark.parametrize("name", ["none.mp4", "a\0b.mp4", "x" * 300])
def test_a_missing_file_is_an_open_error(tmp_path, name):
    with pytest.raises(OpenError, match="missing"), open_source(tmp_path, name):
        pass


def test_a_name_of_any_bytes_is_opened_and_shown_on_one_line(tmp_path):
    for raw in (b"caf\xe9.mp4", b"new\nline.mp4", b"\x1b[2J.mp4", b"zip::a.mp4", b"-i"):
        name = os.fsdecode(raw)
        (tmp_path / name).write_bytes(raw)
        with open_source(tmp_path, name) as source:
            assert source.file.read() == raw
            assert source.name.isprintable()
            source.name.encode()


def test_a_list_names_files_beside_it_and_urls(tmp_path, web):
    (tmp_path / "list.txt").write_text("")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a b.mp4").write_bytes(b"local")
    web.pages["/x/a.mp4"] = web.Page(b"remote")
    absolute = str(tmp_path / "sub/a b.mp4")
    for source in ("sub/a b.mp4", absolute, Path(absolute).as_uri()):
        with open_source(tmp_path / "list.txt", source) as file:
            assert (file.name, file.file.read()) == ("a b.mp4", b"local")
        assert not is_remote(tmp_path / "list.txt", source)
    with open_source(tmp_path / "list.txt", web.url("/x/a.mp4?token=abc", "me:word@")) as file:
        assert (file.name, file.file.read(), file.num_bytes) == ("a.mp4", b"remote", 6)
    # Below a folder nothing is taken for a list.
    with pytest.raises(OpenError, match="missing"), open_source(tmp_path / "sub", "list.txt"):
        pass


def test_sizes_come_from_the_listing_or_the_disk_and_no_server_is_asked(tmp_path, web):
    (tmp_path / "a.mp4").write_bytes(b"12345")
    (tmp_path / "list.txt").touch()
    assert source_bytes(tmp_path, Video("a", "a.mp4")) == 5
    assert source_bytes(tmp_path / "list.txt", Video("a", "a.mp4")) == 5
    assert source_bytes(tmp_path, Video("b", "gone.mp4")) == source_bytes(tmp_path, Video("b", "a\0b")) == 0
    assert source_bytes(tmp_path, Video("c", web.url("/a"))) == UNKNOWN_BYTES
    assert source_bytes(RemoteRoot("s3://nowhere"), Video("d", "d.mp4", num_bytes=7)) == 7
    assert not web.asked


def videos(web, names, **pages):
    for name in names:
        web.pages[f"/{name}"] = web.Page(name.encode(), **pages)
    return [Video(name, web.url(f"/{name}")) for name in names]


def test_a_secret_part_of_a_url_is_used_and_not_shown(web, tmp_path):
    web.pages["/a"] = web.Page(b"data")
    with open_video(tmp_path, Video("a", web.url("/a?sig=..."), location=web.url("/a?sig=abc")), LIMITS) as file:
        assert file.file.read() == b"data"
    assert web.asked[0][1] == "/a?sig=abc"


def test_one_is_fetched_ahead_and_no_more(web, tmp_path):
    wanted = videos(web, "abcd")
    with closing(prefetched(tmp_path, wanted, LIMITS)) as files:
        for number, opened in enumerate(files):
            with opened as file:
                assert file.file.read() == b"abcd"[number : number + 1]
                expected = [f"/{name}" for name in "abcd"[: number + 2]]
                until(lambda number=number: len(web.asked) >= min(number + 2, 4))
                time.sleep(0.05)
                assert [path for _, path, _ in web.asked] == expected
                assert len(threads()) == 1
                until(lambda number=number: len(held()) == min(2, 4 - number))
    assert not threads()


def until(done, seconds=10.0):
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_failure_is_raised_in_its_own_block_and_the_next_comes(web, tmp_path):
    wanted = [*videos(web, "a"), Video("gone", web.url("/gone")), Video("bad", "htps://h/x"), *videos(web, "z")]
    outcomes = []
    with closing(prefetched(tmp_path, wanted, LIMITS)) as files:
        for opened in files:
            try:
                with opened as file:
                    outcomes.append(file.file.read())
            except MediaError as error:
                outcomes.append(error.reason)
    assert outcomes == [b"a", "missing", "bad_url", b"z"]


def test_local_files_between_remote_ones_keep_their_turn(web, tmp_path):
    (tmp_path / "l.mp4").write_bytes(b"l")
    first, second = videos(web, "ab")
    wanted = [Video("l", "l.mp4"), first, Video("l", "l.mp4"), second]
    found = []
    with closing(prefetched(tmp_path, wanted, LIMITS)) as files:
        for opened in files:
            with opened as file:
                found.append(file.file.read())
    assert found == [b"l", b"a", b"l", b"b"]


def held():
    """The unlinked temporary files that this process has open."""
    links = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            links.append(str(entry.readlink()))
    return [link for link in links if link.startswith(tempfile.gettempdir()) and link.endswith("(deleted)")]


def test_blocks_that_are_not_entered_leave_nothing_open(web, tmp_path):
    with closing(prefetched(tmp_path, videos(web, "abc"), LIMITS)) as files:
        assert len(list(files)) == 3
    for number in range(1, 4):
        with closing(prefetched(tmp_path, videos(web, "abc"), LIMITS)) as files:
            for _ in range(number):
                opened = next(files)
                until(lambda: web.asked)
        del opened
    assert not threads()
    assert not held()


def test_a_task_that_ends_early_ends_its_thread(web, tmp_path):
    wanted = videos(web, "ab")
    web.pages["/b"].release = threading.Event()
    files = prefetched(tmp_path, wanted, LimitConfig(answer_seconds=0.3))
    with next(files) as file:
        assert file.file.read() == b"a"
        until(lambda: len(web.asked) == 2)
    files.close()
    web.pages["/b"].release.set()
    assert not threads()
    assert len(web.asked) == 2


def test_local_files_cost_no_thread_and_load_no_fsspec(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"data")
    program = f"""
import sys, threading
from pathlib import Path
from vdata.media.config import LimitConfig
from vdata.media.source import prefetched, source_bytes
from vdata.datasets import DATASETS
import vdata.builder
root = Path({str(tmp_path)!r})
videos = list(DATASETS["folder"](None).videos(root, ""))
assert [source_bytes(root, video) for video in videos] == [4]
for opened in prefetched(root, videos, LimitConfig()):
    with opened as file:
        assert file.file.read() == b"data"
assert threading.active_count() == 1
assert not {{"fsspec", "aiohttp", "s3fs", "botocore"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_source_is_gone_with_its_file_or_one_image_and_none_is_opened(tmp_path, monkeypatch):
    names = [f"seq/{number}.jpg" for number in range(3)]
    (tmp_path / "seq").mkdir()
    for name in (*names, "v.mp4", "t.tar"):
        (tmp_path / name).touch()
    film, part = Video("v", "v.mp4"), Video("p", "t.tar", byte_range=(0, 10))
    sequence = Video("s", "seq", frames=tuple(names), frame_rate=Fraction(25))
    monkeypatch.setattr("vdata.media.source.open_source", None)
    assert not any(is_gone(tmp_path, video) for video in (film, part, sequence))
    for name in (names[2], "v.mp4", "t.tar"):
        (tmp_path / name).unlink()
    assert all(is_gone(tmp_path, video) for video in (film, part, sequence, Video("n", "a\0b.mp4")))
    assert not is_gone(tmp_path, Video("u", "https://host/none.mp4"))
    assert not is_gone(RemoteRoot("https://host"), film)
