"""The witnesses see what they are there to see."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
from _watch import Listener, OpenWatch, eventually, processes, snapshot


@pytest.mark.parametrize("touch", [["cat"], ["dd", "of=/dev/null", "status=none"], ["sh", "-c", 'exec 3<>"$0"', "--"]])
def test_an_opened_file_is_told(tmp_path, touch):
    seen, unseen = tmp_path / "seen", tmp_path / "unseen"
    for path in (seen, unseen):
        path.write_text("x")
    command = {"cat": ["cat", seen], "dd": [*touch, f"if={seen}"], "sh": ["sh", "-c", 'exec 3<>"$0"', seen]}[touch[0]]
    with OpenWatch([seen, unseen]) as watch:
        os.stat(seen)  # noqa: PTH116 - a look is no touch
        assert watch.touched() == set()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        assert watch.touched() == {seen}
        assert watch.touched() == set()


def test_a_knock_is_counted():
    with Listener() as listener:
        assert listener.knocks == 0
        socket.create_connection(("127.0.0.1", listener.port)).close()
        assert eventually(lambda: listener.knocks == 1, 5)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"x", ("127.0.0.1", listener.port))
        assert eventually(lambda: listener.knocks == 2, 5)


def change_nothing(folder):
    (folder / "file").read_bytes()


def change_content(folder):
    status = (folder / "file").stat()
    (folder / "file").write_text("b")
    os.utime(folder / "file", ns=(status.st_atime_ns, status.st_mtime_ns))


def change_and_change_back(folder):
    (folder / "new").touch()
    (folder / "new").unlink()


def change_link(folder):
    (folder / "sub" / "link").unlink()
    (folder / "sub" / "link").symlink_to("elsewhere")


def change_mode(folder):
    (folder / "file").chmod(0o600)


@pytest.mark.parametrize("change", [change_nothing, change_content, change_and_change_back, change_link, change_mode])
def test_a_snapshot_differs_after_any_change(tmp_path, change):
    (tmp_path / "it" / "sub").mkdir(parents=True)
    (tmp_path / "it" / "file").write_text("a")
    (tmp_path / "it" / "file").chmod(0o644)
    (tmp_path / "it" / "sub" / "link").symlink_to("file")
    os.mkfifo(tmp_path / "it" / "fifo")
    before = snapshot(tmp_path)
    change(tmp_path / "it")
    assert (snapshot(tmp_path) == before) == (change is change_nothing)


def test_processes_are_found_by_their_folder(tmp_path):
    (tmp_path / "a b").mkdir()
    with subprocess.Popen([sys.executable, "-c", "input()"], cwd=tmp_path / "a b", stdin=subprocess.PIPE) as process:
        (found,) = processes(tmp_path)
        assert (found.pid, found.parent, found.is_ffmpeg) == (process.pid, os.getpid(), False)
    assert processes(tmp_path) == []
