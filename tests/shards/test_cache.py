"""Entries appear whole and once, whoever asks and whatever dies meanwhile."""

import errno
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from vdata.errors import ConfigError
from vdata.shards.cache import cache_root, discard_entry, entry


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("VDATA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_of_many_that_ask_at_once_one_fills(root):
    filled, begin = [], threading.Barrier(8)

    def fill(work):
        filled.append(work)
        (work / "a").write_text("1")
        time.sleep(0.05)
        (work / "b").write_text("2")

    def ask(_):
        begin.wait()
        place = entry("name", fill)
        return sorted(path.name for path in place.iterdir())

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [["a", "b"]] * 8
    assert len(filled) == 1
    assert sorted(path.name for path in root.iterdir()) == ["name", "name.lock"]


def test_what_a_killed_process_left_goes_and_what_fails_leaves_nothing(root):
    (root / "name.0123.tmp").mkdir(parents=True)
    (root / "name.0123.tmp/half").write_text("x")
    with pytest.raises(ZeroDivisionError):
        entry("name", lambda work: 1 / 0)
    assert [path.name for path in root.iterdir()] == ["name.lock"]
    assert entry("name", lambda work: (work / "a").write_text("1")) == root / "name"


def test_a_discarded_entry_is_filled_again():
    place = entry("name", lambda work: (work / "a").write_text("1"))
    discard_entry(place)
    discard_entry(place)
    assert (entry("name", lambda work: (work / "a").write_text("2")) / "a").read_text() == "2"


def test_where_there_are_no_locks_the_second_takes_what_the_first_made(root, monkeypatch):
    def refuse(*args):
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr("fcntl.flock", refuse)

    def fill(work):
        (work / "a").write_text("mine")
        (root / "name").mkdir()
        (root / "name/a").write_text("other's")

    assert (entry("name", fill) / "a").read_text() == "other's"
    assert sorted(path.name for path in root.iterdir()) == ["name", "name.lock"]


def test_a_full_disk_and_a_root_that_cannot_be_used_say_what_to_do(root, tmp_path, monkeypatch):
    def fill(work):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(ConfigError, match=r"no room in the cache .*VDATA_CACHE"):
        entry("name", fill)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VDATA_CACHE", str(tmp_path / "file"))
    with pytest.raises(ConfigError, match=r"cannot be made: .*VDATA_CACHE"):
        cache_root()


def test_without_the_variable_it_is_the_user_s_own_folder_below_tmpdir(tmp_path, monkeypatch):
    monkeypatch.delenv("VDATA_CACHE")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    root = cache_root()
    assert root == tmp_path / f"vdata-cache-{os.getuid()}"
    assert root.stat().st_mode & 0o777 == 0o700
    user = os.getuid()
    root.rename(tmp_path / f"vdata-cache-{user + 1}")
    monkeypatch.setattr(os, "getuid", lambda: user + 1)
    with pytest.raises(ConfigError, match=f"belongs to user {user}: name a folder of your own by VDATA_CACHE"):
        cache_root()
