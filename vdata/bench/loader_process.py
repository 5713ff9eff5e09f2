"""The process in which a peer of the loader runs, and what it finds there.

`make bench-peers` puts the peers' packages into a folder that is on the path of this process alone: no second torch, and nothing
of the library's own environment is shadowed. TorchCodec asks for FFmpeg's libraries by their plain names; it is given those of
PyAV's wheel, so that both decode with the very same libavcodec and no FFmpeg must be installed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import weakref
from pathlib import Path
from typing import IO, Any

import av

__all__ = ["PACKAGES", "PeerProcess", "link_libraries"]

PACKAGES = Path(__file__).parents[2] / ".venv-peers-load"
"""The folder of `make bench-peers`, in the checkout."""
SCRIPT = Path(__file__).with_name("_run_loader_peer.py")
WHEEL_NAME = re.compile(r"(lib\w+)-[0-9a-f]+\.so\.(\d+)[.\d]*")
"""A library as auditwheel names it, such as libavcodec-5e6b81c2.so.62.28.102."""


class PeerProcess:
    """A running _run_loader_peer.py; it ends with this object, or when this process does."""

    def __init__(self, folder: Path, packages: Path = PACKAGES) -> None:
        """Starts it; `folder` gets its log and links to libraries."""
        folder.mkdir(parents=True)
        self.folder, self._log = folder, folder / "log.txt"
        command = [sys.executable, "-W", "ignore", str(SCRIPT)]
        with self._log.open("wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=_environment(folder, packages),
            )
        if process.stdin is None or process.stdout is None:
            raise OSError("the pipes to the loader's peer could not be made")
        self._process, self._told, self._answers = process, process.stdin, process.stdout
        self._end = weakref.finalize(self, _end, process, process.stdin, process.stdout)

    def ask(self, **command: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever JSON can hold
        """Its answer to a command.

        Raises:
            ValueError: it has ended; its last words are in the message.
        """
        try:
            self._told.write(json.dumps(command) + "\n")
            self._told.flush()
            line = self._answers.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            words = self._log.read_text(errors="replace")[-1000:]
            raise ValueError(f"the loader's peer ended with status {self._process.wait()}: ...{words}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Ends it."""
        self._end()


def link_libraries(folder: Path, wheel: Path) -> None:
    """Makes links in `folder` to the libraries of a wheel, by the names that they have outside of it, as libavcodec.so.62."""
    folder.mkdir(parents=True)
    for path in sorted(wheel.glob("lib*.so.*")):
        if found := WHEEL_NAME.fullmatch(path.name):
            (folder / f"{found[1]}.so.{found[2]}").symlink_to(path)


def _environment(folder: Path, packages: Path) -> dict[str, str]:
    wheel = Path(av.__file__).parents[1] / "av.libs"
    link_libraries(folder / "lib", wheel)
    # The wheel's own folder too: its libraries name each other with their hashes in it.
    libraries = f"{folder / 'lib'}:{wheel}:{os.environ.get('LD_LIBRARY_PATH', '')}".rstrip(":")
    return {**os.environ, "LD_LIBRARY_PATH": libraries, "PYTHONPATH": str(packages)}


def _end(process: subprocess.Popen[str], told: IO[str], answers: IO[str]) -> None:
    """Its input's end is its own; its workers go with it."""
    answers.close()
    with contextlib.suppress(BrokenPipeError):
        told.close()
    process.wait()
