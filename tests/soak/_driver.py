"""`vdata build` as a process of its own, in private folders, so that all it leaves can be found and all it starts be ended."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from _watch import Process, eventually, processes

__all__ = ["Running", "Site", "errors", "rows", "site", "tars", "wait"]

CLI = (sys.executable, "-m", "vdata.cli")
LONGEST_BUILD = 300
"""Seconds after which a build hangs."""


@dataclass(frozen=True, slots=True)
class Site:
    """The folders of one build."""

    base: Path
    root: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def out(self) -> Path:
        return self.base / "out"

    @property
    def private(self) -> tuple[Path, Path, Path]:
        """Home, temporary and working folder of all its processes."""
        return self.base / "home", self.base / "tmp", self.base / "cwd"

    @property
    def ffmpegs(self) -> list[Process]:
        return [process for process in processes(self.base) if process.is_ffmpeg]

    def workers(self, driver: int) -> set[int]:
        """The processes that run an ffmpeg, but for the driver, which may look into a film before it plans."""
        return {process.parent for process in self.ffmpegs} - {driver}

    def start(self, *arguments: str, log: str = "log") -> Running:
        """A build in a session of its own; what it prints goes to files."""
        return self._started(["build", "--dataset", "folder", "--root", str(self.root), "--out", str(self.out), *arguments], log)

    def add(self, *arguments: str, log: str = "log") -> Running:
        """A `vdata add` to its output, as `start`."""
        return self._started(["add", *arguments, "--shards", str(self.out)], log)

    def _started(self, words: Sequence[str], log: str) -> Running:
        command = [*CLI, *words]
        with (self.base / f"{log}.out").open("wb") as out, (self.base / f"{log}.err").open("wb") as err:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True, **self.surroundings()
            )
        self.started.append(process)
        return Running(self, process, self.base / log)

    def surroundings(self) -> dict[str, Any]:
        """Environment and working folder, as subprocess takes them."""
        home, temporary, cwd = self.private
        return {"env": {**os.environ, "HOME": str(home), "TMPDIR": str(temporary), "COLUMNS": "200"}, "cwd": cwd}

    def build(self, *arguments: str) -> Running:
        """A build that has ended well."""
        running = self.start(*arguments)
        assert running.status() == 0, running.errors()
        return running

    def verify(self) -> dict[str, Any]:
        """What `vdata verify --decode --json` says of a sound output."""
        command = [*CLI, "verify", str(self.out), "--decode", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST_BUILD, **self.surroundings())
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def info(self) -> dict[str, Any]:
        """What dataset.json says."""
        return json.loads((self.out / "dataset.json").read_text())

    def end_all(self) -> None:
        """Kills every process that works in its folders."""
        for process in processes(self.base):
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        for child in self.started:
            child.wait()
        eventually(lambda: not processes(self.base), 10)


@dataclass(frozen=True, slots=True)
class Running:
    """A build that was started."""

    site: Site
    process: subprocess.Popen[bytes]
    log: Path

    def status(self, seconds: float = LONGEST_BUILD) -> int:
        """Its exit status; a build that does not end in time is killed and fails the test."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.site.end_all()
            raise

    def output(self) -> str:
        return self.log.with_name(f"{self.log.name}.out").read_text(errors="replace")

    def errors(self) -> str:
        return self.log.with_name(f"{self.log.name}.err").read_text(errors="replace")

    def reach(self, seconds: float, *, cutting: bool = False) -> bool:
        """Waits so long after its start, or after a worker has begun to cut; False when it has ended before."""
        ended = self.process.poll
        if cutting and not eventually(lambda: ended() is not None or self.site.workers(self.process.pid), LONGEST_BUILD):
            return False
        eventually(lambda: ended() is not None, seconds)
        return ended() is None

    def kill(self) -> None:
        """kill -9 of the driver alone."""
        self.process.kill()
        self.process.wait()


@contextmanager
def site(root: Path) -> Iterator[Site]:
    """Private folders for one build; when the block is left its processes have ended and its folders are gone."""
    # Below /tmp, not pytest's folder: Ray's sockets need a short path.
    base = Path(tempfile.mkdtemp(prefix="vd", dir="/tmp"))
    here = Site(base, root)
    for folder in here.private:
        folder.mkdir()
    try:
        yield here
    finally:
        here.end_all()
        shutil.rmtree(base)


def wait(seconds: float) -> None:
    """Time passes; a test of what is left after a while cannot do without."""
    time.sleep(seconds)


def tars(out: Path) -> dict[str, str]:
    """The hash of every tar by its name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(out.glob("*.tar"))}


def rows(out: Path) -> list[dict[str, Any]]:
    """The clip rows of all shards, in order."""
    paths = [path for path in sorted(out.glob("clips-*.parquet")) if not path.name.endswith(".errors.parquet")]
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def errors(out: Path, without: Sequence[str] = ("tail",)) -> list[dict[str, Any]]:
    """The rows of errors.parquet, sorted; ffmpeg's last words are left out, for they tell addresses in memory."""
    found = [{name: value for name, value in row.items() if name not in without} for row in _table(out / "errors.parquet")]
    return sorted(found, key=lambda row: (row["source"], row["key"] or "", row["reason"]))


def _table(path: Path) -> list[dict[str, Any]]:
    return pq.read_table(path).to_pylist()
