"""What this machine has of what vdata needs, each with its remedy. A check tries the thing itself where that takes no time."""

from __future__ import annotations

import ctypes
import importlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from vdata.builder.lock import sole_build
from vdata.errors import ConfigError
from vdata.media.ffmpeg import binary
from vdata.media.ffmpeg import version as ffmpeg_version

__all__ = ["Finding", "examine"]

_GIB = 2**30
_FEW_BYTES = 10 * _GIB
_SMALL_STORE = 100 * 2**20
_INSTALL = "in vdata's checkout: pip install '.[{}]'"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's."""

    name: str
    state: Literal["ok", "absent", "broken"]
    """`absent` is what only some uses need; `broken` is what must be mended."""
    found: str
    remedy: str = ""


def examine(out: Path) -> list[Finding]:
    """What is there, what is not, and what to do about it; `out` is the folder whose disk is looked at."""
    checks: tuple[Callable[[], Finding], ...] = (
        _machine,
        _ffmpeg,
        lambda: _package("av", "build", needed=True),
        lambda: _package("ray", "build"),
        lambda: _package("torch", "train"),
        lambda: _package("nvidia.dali", "train", "nvidia-dali-cuda130"),
        _nvdec,
        lambda: _package("mvextractor", "", "motion-vector-extractor"),
        lambda: _package("fsspec", "remote"),
        lambda: _disk(out),
        lambda: _locks(out),
        _temporary,
        _shared_memory,
    )
    return [check() for check in checks]


def _machine() -> Finding:
    cores, memory = len(os.sched_getaffinity(0)), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    found = f"{cores} of {os.cpu_count()} cores, {memory / _GIB:.0f} GiB of memory, Python {platform.python_version()}"
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return Finding("machine", "broken", f"{found}, {platform.system()} {platform.machine()}", "use Linux on x86-64")
    return Finding("machine", "ok", found)


def _ffmpeg() -> Finding:
    """Tries the encoder and the protocol that a build asks for."""
    remedy = "unset VDATA_FFMPEG to use the one that pip brings, or point it to an ffmpeg 6 or newer with libx264"
    arguments = ["-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc=size=64x64:duration=0.1", "-c:v", "libx264"]
    try:
        found = f"{ffmpeg_version()} ({binary()})"
        made = subprocess.run([binary(), *arguments, "-f", "null", "-"], capture_output=True, check=False, timeout=60)
        protocols = subprocess.run([binary(), "-v", "error", "-protocols"], capture_output=True, check=False, timeout=60).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("ffmpeg", "broken", f"'{binary()}' does not run: {error}", remedy)
    if made.returncode:
        return Finding("ffmpeg", "broken", f"{found} does not encode: {made.stderr.decode(errors='replace').strip()}", remedy)
    if b"fd" not in protocols.split():
        return Finding("ffmpeg", "broken", f"{found} cannot read from a descriptor (protocol fd)", remedy)
    return Finding("ffmpeg", "ok", found)


def _package(module: str, extra: str, distribution: str = "", *, needed: bool = False) -> Finding:
    """Whether a package imports. A heavy one takes a second or two."""
    name = distribution or module
    try:
        found = version(name)
        importlib.import_module(module)
    except PackageNotFoundError:
        remedy = _INSTALL.format(extra) if extra else f"pip install --no-deps {name} (an optional second motion engine)"
        return Finding(name, "broken" if needed else "absent", "not installed", remedy)
    except ImportError as error:
        return Finding(name, "broken", f"{found} does not import: {error}", f"pip install --force-reinstall {name}=={found}")
    return Finding(name, "ok", found)


def _nvdec() -> Finding:
    """Whether the driver and its video decoder can be loaded; a decode is what `vdata bench --device cuda` tries."""
    for library, remedy in (
        ("libcuda.so.1", "needed for device='cuda' only: install the NVIDIA driver"),
        ("libnvcuvid.so.1", "give the container NVIDIA_DRIVER_CAPABILITIES=compute,utility,video, or install libnvidia-decode"),
    ):
        try:
            ctypes.CDLL(library)
        except OSError:
            return Finding("NVDEC", "absent", f"{library} cannot be loaded", remedy)
    return Finding("NVDEC", "ok", "libcuda and libnvcuvid load")


def _disk(out: Path) -> Finding:
    place = _existing(out)
    free = shutil.disk_usage(place).free
    found = f"{free / _GIB:.1f} GiB free at '{place}'"
    if free < _FEW_BYTES:
        remedy = "make room, or give another --out; `vdata build --dry-run` estimates what a build needs"
        return Finding("disk", "broken", found, remedy)
    return Finding("disk", "ok", found)


def _locks(out: Path) -> Finding:
    place = _existing(out)
    try:
        with tempfile.TemporaryDirectory(prefix=".vdata-doctor-", dir=place) as scratch, sole_build(Path(scratch)):
            return Finding("locks", "ok", f"'{place}' can be written and has locks")
    except ConfigError as error:
        return Finding("locks", "broken", str(error), "give an --out on another file system")
    except OSError as error:
        return Finding("locks", "broken", f"'{place}' cannot be written: {error.strerror}", "give another --out")


def _temporary() -> Finding:
    place = tempfile.gettempdir()
    free = shutil.disk_usage(place).free
    state: Literal["ok", "broken"] = "ok" if free > _GIB else "broken"
    remedy = "" if state == "ok" else "set TMPDIR to a folder with room: Ray and remote sources use it"
    return Finding("temporary files", state, f"{free / _GIB:.1f} GiB free at '{place}'", remedy)


def _shared_memory() -> Finding:
    place = Path("/dev/shm")  # noqa: S108 - where Ray keeps its object store
    free = shutil.disk_usage(place).free if place.is_dir() else 0
    state: Literal["ok", "absent"] = "ok" if free >= _SMALL_STORE else "absent"
    remedy = "" if state == "ok" else "give the container --shm-size=1g; without it Ray's store lies on the disk"
    return Finding("shared memory", state, f"{free / 2**20:.0f} MiB free at '{place}'", remedy)


def _existing(path: Path) -> Path:
    """The folder itself, or the nearest one above that is there."""
    return next(place for place in (path.absolute(), *path.absolute().parents) if place.is_dir())
