import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from vdata.errors import MediaError
from vdata.media import ffmpeg
from vdata.media.config import LimitConfig
from vdata.media.ffmpeg import SidePipe, binary, running, tail, version

ENDLESS = ["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=64x64", "-f", "null", "-"]


@pytest.fixture(params=["wrapped", "forked"], autouse=True)
def start(request, monkeypatch):
    """Both ways to start a child: behind setpriv, and where that is missing."""
    if request.param == "wrapped" and ffmpeg._wrapper() is None:
        pytest.skip("no setpriv with --pdeathsig")
    if request.param == "forked":
        monkeypatch.setattr(ffmpeg, "_wrapper", lambda: None)
    return request.param


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


def test_a_child_dies_with_its_parent(start):
    program = textwrap.dedent(f"""
        from vdata.media import ffmpeg
        from vdata.media.ffmpeg import running
        from vdata.media.config import LimitConfig
        if {start == "forked"}:
            ffmpeg._wrapper = lambda: None
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


def test_a_child_has_its_limits_before_it_reads():
    limits = LimitConfig(memory_gib=2.5, cpu_seconds=77)
    with running([*ENDLESS[:-3], "-frames:v", "2000", *ENDLESS[-3:]], limits) as child:
        process = Path(f"/proc/{child._process.pid}")
        while (process / "exe").readlink().name != Path(binary()).name:
            time.sleep(0.001)
        found = (process / "limits").read_text()
    assert re.search(rf"Max address space +{int(2.5 * 2**30)} +{int(2.5 * 2**30)} ", found)
    assert re.search(r"Max cpu time +77 +77 ", found)
    assert re.search(r"Max core file size +0 +0 ", found)


def test_a_child_whose_parent_died_early_never_starts(tmp_path, start, monkeypatch):
    """Its parent is another process by the time that it asks for the signal."""
    monkeypatch.setattr(os, "getpid", lambda: 2**22 + 1)
    path = tmp_path / "written"
    with running(["-f", "lavfi", "-i", "testsrc2=d=1", "-f", "rawvideo", str(path)], LimitConfig()) as child:
        pass
    assert child.status
    assert not path.exists()


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def both_outputs(side, num_frames):
    """Arguments for two raw outputs of one process."""
    raw = ["-f", "rawvideo", "-pix_fmt", "gray"]
    source = ["-v", "error", "-f", "lavfi", "-i", f"color=s=64x64:r=25:d={num_frames / 25}", "-filter_complex", "split[a][b]"]
    return [*source, "-map", "[a]", *raw, "pipe:", "-map", "[b]", *raw, side.url]


def test_a_side_pipe_is_a_second_output():
    before = set(Path("/proc/self/fd").iterdir())
    with SidePipe() as side, running(both_outputs(side, 10), LimitConfig(), side=side) as child:
        beside = []
        reader = threading.Thread(target=lambda: beside.append(side.stream.readall()))
        reader.start()
        whole = child.stdout.read()
        reader.join()
    assert (child.status, len(whole)) == (0, 10 * 64 * 64)
    assert beside == [whole]
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_leaving_the_block_ends_a_child_that_waits_for_its_side_pipe():
    before = set(Path("/proc/self/fd").iterdir())

    def leave(child):
        assert child.stdout.read(100)
        raise KeyError

    with (
        pytest.raises(KeyError),
        SidePipe() as side,
        running(both_outputs(side, 10_000), LimitConfig(), side=side) as child,
    ):
        leave(child)
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_version_and_tail():
    assert binary()
    assert any(letter.isdigit() for letter in version())
    assert tail("x" * 10_000 + "end\n").endswith("xend")
    assert len(tail("x" * 10_000)) <= 2000
    assert tail("[mov,mp4 @ 0x55b92c212ec0] moov atom not found") == "[mov,mp4] moov atom not found"
