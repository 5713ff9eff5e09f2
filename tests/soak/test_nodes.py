"""A cluster of two nodes on this machine, of which one dies in the middle of a build."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from _driver import Site, site
from _watch import Process, eventually, processes

pytestmark = pytest.mark.ray

RAY = Path(sys.executable).with_name("ray")
STORE_BYTES = 80 * 2**20
"""Of each node's object store; Ray's smallest is 75 MiB."""
QUICK_TO_NOTICE = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""Of the head, which takes 15 s and more to call a node dead otherwise."""


@dataclass(frozen=True, slots=True)
class Node:
    """One `ray start --block`, and all that runs below it."""

    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def processes(self) -> list[Process]:
        return processes(self.folder)

    @property
    def is_cutting(self) -> bool:
        return any(process.is_ffmpeg for process in self.processes)

    def kill(self) -> None:
        """Ends all of it at once, as a machine that loses its power."""
        while self.processes:
            for process in self.processes:
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
            eventually(lambda: not self.processes, 1)
        self.process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextmanager
def node(place: Site, name: str, *arguments: str) -> Iterator[Node]:
    """A node of one CPU; its processes work in a folder of their own."""
    folder = place.base / name
    folder.mkdir()
    surroundings = place.surroundings()
    command = [
        RAY,
        "start",
        "--block",
        "--num-cpus=1",
        f"--object-store-memory={STORE_BYTES}",
        "--disable-usage-stats",
        *arguments,
    ]
    with (place.base / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=surroundings["env"] | QUICK_TO_NOTICE,
            start_new_session=True,
        )
    started = Node(folder, process)
    try:
        yield started
    finally:
        started.kill()


@contextmanager
def cluster(place: Site) -> Iterator[tuple[str, Node]]:
    """The address of a head with a second node, and that node."""
    address = f"127.0.0.1:{free_port()}"
    port = address.rpartition(":")[2]
    ports = ("--ray-client-server-port", str(free_port()), "--dashboard-agent-listen-port", str(free_port()))
    head = ("--head", "--node-ip-address=127.0.0.1", f"--port={port}", "--include-dashboard=false", *ports)
    with node(place, "head", *head, f"--temp-dir={place.base}/r"):
        log = place.base / "head.log"
        assert eventually(lambda: b"Ray runtime started" in log.read_bytes(), 60), log.read_text()
        second_ports = ("--dashboard-agent-listen-port", str(free_port()))
        with node(place, "second", f"--address={address}", "--node-ip-address=127.0.0.1", *second_ports) as second:
            log = place.base / "second.log"
            assert eventually(lambda: b"Ray runtime started" in log.read_bytes(), 60), log.read_text()
            yield address, second


def assert_survives(undisturbed, seconds: float) -> None:
    """A node dies so long after it has begun to cut."""
    with site(undisturbed.root) as place, cluster(place) as (address, second):
        running = place.start(*undisturbed.arguments, "--address", address)
        assert eventually(lambda: second.is_cutting or running.process.poll() is not None, 60)
        assert running.reach(seconds), f"the build ended before its node was killed: {running.errors()}"
        second.kill()
        assert running.status() == 0, running.errors()
        undisturbed.assert_equals(place)
        assert second.processes == []


def test_a_node_that_dies_loses_nothing(undisturbed):
    assert_survives(undisturbed, seconds=0.2)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(6))
def test_a_node_may_die_at_any_moment(undisturbed, seed):
    assert_survives(undisturbed, random.Random(seed).uniform(0, 0.3 * undisturbed.seconds_cutting))
