import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from vdata.errors import MediaError
from vdata.media.config import LimitConfig
from vdata.media.ffmpeg import binary, running, tail, version

ENDLESS = ["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=64x64", "-f", "null", "-"]


def test_a_child_gives_output_words_and_status():
    arguments = ["-f", "lavfi", "-i", "testsrc2=size=64x64", "-frames:v", "2", "-f", "framemd5", "-"]
    with running(arguments, LimitConfig()) as child:
        lines = child.stdout.read().decode().splitlines()
    assert len([line for line in lines if not line.startswith("#")]) == 2
    assert child.status == 0
    assert "testsrc2" in child.words


def test_the_clock_ends_a_child():
    with (
        pytest.raises(MediaError, match=r"timeout: ffmpeg was ended after 1 s on the clock") as caught,
        running(ENDLESS, LimitConfig(wall_seconds=1)),
    ):
        pass
    assert caught.value.retryable


def test_cpu_time_ends_a_child():
    with (
        pytest.raises(MediaError, match=r"timeout: ffmpeg was ended after 1 s of CPU time") as caught,
        running(ENDLESS, LimitConfig(cpu_seconds=1)),
    ):
        pass
    assert caught.value.retryable


def test_memory_ends_a_child():
    arguments = [
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=8192x8192",
        "-frames:v",
        "50",
        "-vf",
        "tile=5x5",
        "-f",
        "null",
        "-",
    ]
    with pytest.raises(MediaError, match="memory") as caught, running(arguments, LimitConfig(memory_gib=0.8)) as child:
        child.stdout.read()
    assert caught.value.retryable


def test_leaving_the_block_ends_the_child():
    started = time.monotonic()
    pids = []

    def leave(child):
        pids.append(child._process.pid)
        raise KeyError

    with pytest.raises(KeyError), running(ENDLESS, LimitConfig(wall_seconds=60)) as child:
        leave(child)
    assert time.monotonic() - started < 30
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_a_child_dies_with_its_parent():
    program = textwrap.dedent(f"""
        from vdata.media.ffmpeg import running
        from vdata.media.config import LimitConfig
        with running({ENDLESS!r}, LimitConfig()) as child:
            print(child._process.pid, flush=True)
            child.stdout.read()
    """)
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(pid)


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_version_and_tail():
    assert binary()
    assert any(letter.isdigit() for letter in version())
    assert tail("x" * 10_000 + "end\n").endswith("xend")
    assert len(tail("x" * 10_000)) <= 2000
