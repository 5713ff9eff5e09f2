"""Kinds of x86 CPU in one cluster: a shard has the same bytes whichever vector instructions ffmpeg and x264 may use."""

from __future__ import annotations

import hashlib
import shlex
import subprocess
from pathlib import Path

import pytest
from _videos import video

from vdata.builder import resolve
from vdata.builder.plan import make_plan
from vdata.builder.task import Order, build_shard
from vdata.datasets import DATASETS
from vdata.media import ffmpeg

KINDS = {"SSE4.2": "sse4.2", "SSE2": "sse2", "AVX2": "avx2", "SSE42": "0"}
"""What x264's `asm` and ffmpeg's `-cpuflags` call a kind of CPU. x264 does not know the name SSE42, and uses plain C for it."""
IN_CI = ("SSE4.2", "SSE42")

PRETENDER = """#!/bin/sh
# Runs ffmpeg as on another kind of CPU: every x264-params gets asm=KIND, and the first argument is -cpuflags.
for argument do
    shift
    [ "$previous" = -x264-params ] && argument="$argument:asm={asm}" && echo encoded >> {log}
    previous=$argument
    set -- "$@" "$argument"
done
exec {binary} -cpuflags {flags} "$@"
"""


@pytest.fixture
def root(tmp_path):
    """A source to be scaled down by `area`, one to be scaled up by `bicubic`, one of odd size and full range."""
    folder = tmp_path / "root"
    folder.mkdir()
    (folder / "down.mp4").write_bytes(video(".mp4", num_frames=30, size=(426, 240), seed=1))
    (folder / "up.webm").write_bytes(video(".webm", num_frames=30, size=(88, 72), seed=2))
    (folder / "odd.nut").write_bytes(video(".nut", num_frames=30, size=(331, 187), seed=3))
    return folder


def shard(root: Path, out: Path) -> str:
    """The hash of the one tar that `root` gives."""
    out.mkdir()
    config = resolve("folder", settings={"clip": {"short_side": 112}, "plan": {"shard_mb": 64}})
    dataset = DATASETS["folder"](config.own["folder"])
    plan = make_plan(root, dataset.videos(root, ""), config.plan)
    for number, videos in plan.by_shard().items():
        tally = build_shard(Order(out, root, number, videos, config))
        assert (tally.built, tally.failed) == (3, 0)
    (tar,) = out.glob("*.tar")
    return hashlib.sha256(tar.read_bytes()).hexdigest()


@pytest.fixture
def pretend(tmp_path, monkeypatch):
    """A function that makes ffmpeg believe in another CPU from now on, and returns the log of its encodes."""
    true_binary = ffmpeg.binary()
    ffmpeg.version()  # asked before: it is noted with the shards and is the same

    def become(asm: str) -> Path:
        log, script = tmp_path / f"{asm}.log", tmp_path / f"ffmpeg-{asm}"
        words = {"asm": asm, "flags": KINDS[asm], "log": shlex.quote(str(log)), "binary": shlex.quote(true_binary)}
        script.write_text(PRETENDER.format(**words))
        script.chmod(0o755)
        monkeypatch.setattr(ffmpeg, "binary", lambda: str(script))
        return log

    return become


def capabilities(binary: str) -> str:
    """The CPU that x264 says it uses."""
    source = ("-f", "lavfi", "-i", "testsrc=duration=0.1:size=64x64", "-c:v", "libx264", "-x264-params", "threads=1")
    done = subprocess.run([binary, "-hide_banner", *source, "-f", "null", "-"], capture_output=True, text=True, check=True)
    return next(line.rpartition(": ")[2] for line in done.stderr.splitlines() if "using cpu capabilities" in line)


@pytest.mark.parametrize(("asm", "wanted"), [("SSE2", "MMX2 SSE2"), ("SSE42", "none!")])
def test_the_pretence_reaches_x264(pretend, asm, wanted):
    if not {"AVX", "AVX2", "AVX512"} & set(capabilities(ffmpeg.binary()).split()):
        pytest.skip("this CPU is itself of an older kind")
    pretend(asm)
    assert capabilities(ffmpeg.binary()) == wanted


@pytest.mark.parametrize("asm", [pytest.param(asm, marks=[] if asm in IN_CI else pytest.mark.soak) for asm in KINDS])
def test_a_shard_has_the_same_bytes_on_an_older_cpu(asm, root, tmp_path, pretend):
    auto = shard(root, tmp_path / "auto")
    log = pretend(asm)
    assert shard(root, tmp_path / "older") == auto
    assert len(log.read_text().splitlines()) >= 3
