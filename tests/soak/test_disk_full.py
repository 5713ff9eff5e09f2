"""A disk that fills up in the middle of a build."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from _driver import site
from _watch import eventually, processes

pytestmark = pytest.mark.ray


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[None]:
    """A disk in memory at `folder`; needs the right to mount."""
    folder.mkdir()
    try:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "vdata-soak", folder], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("a small disk needs `mount`, which is not installed")
    if done.returncode:
        pytest.skip(f"a small disk needs root's right to mount: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def enlarge(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


def assert_no_half_shard(out: Path, tars: dict[str, str]) -> None:
    """Every tar under a final name is whole, and a row file has its tar."""
    for path in out.glob("clips-*.tar"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == tars[path.name]
    committed = {path.name.split(".")[0] for path in out.glob("clips-*.parquet") if ".errors" not in path.name}
    assert {name for name in tars if name.split(".")[0] in committed} <= {path.name for path in out.glob("clips-*.tar")}


def assert_stops_and_goes_on(undisturbed, full: str, roomy: str) -> None:
    with site(undisturbed.root) as place, small_disk(place.out, full):
        running = place.start(*undisturbed.arguments)
        assert running.status() == 2, running.errors()
        said = [line for line in running.errors().splitlines() if "no room left" in line]
        assert len(said) == 1, running.errors()
        assert str(place.out) in said[0]
        assert "make room" in said[0]
        assert "Traceback" not in running.errors()
        assert_no_half_shard(place.out, undisturbed.tars)
        assert eventually(lambda: not processes(place.base), 5)
        enlarge(place.out, roomy)
        place.build(*undisturbed.arguments)
        undisturbed.assert_equals(place)


def test_a_full_disk_is_named_and_the_build_goes_on_when_there_is_room(undisturbed):
    kib = undisturbed.num_bytes * 6 // 10 // 1024
    assert_stops_and_goes_on(undisturbed, f"size={kib}k", "size=100m")


@pytest.mark.soak
@pytest.mark.parametrize("tenths", [0.3, 1, 2, 3, 4, 5, 7, 8, 9, 9.6])
def test_a_disk_may_fill_up_at_any_place(undisturbed, tenths):
    """Also before the plan is written, and where the index would come."""
    kib = int(undisturbed.num_bytes * tenths / 10 / 1024)
    assert_stops_and_goes_on(undisturbed, f"size={kib}k", "size=100m")


@pytest.mark.soak
@pytest.mark.parametrize("files", [6, 12, 24, 40])
def test_a_disk_may_run_out_of_names(undisturbed, files):
    assert_stops_and_goes_on(undisturbed, f"size=100m,nr_inodes={files}", "nr_inodes=10000")
