"""The cases found by path, run one after the other, on a machine that is described."""

from __future__ import annotations

import importlib.util
import logging
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import Any

from vdata.bench.case import Bench, Skip, Variant
from vdata.bench.timing import Figure, measure
from vdata.errors import UnknownNameError
from vdata.media.ffmpeg import version as ffmpeg_version

__all__ = ["case_files", "machine", "run_cases"]

PACKAGES = ("vdata", "av", "numpy", "pyarrow", "torch", "nvidia-dali-cuda130", "ray", "motion-vector-extractor")


def case_files() -> dict[str, Path]:
    """The case files by name: in the wheel beside this file, in a checkout in the top-level bench/."""
    here = Path(__file__).parent
    folder = here / "cases" if (here / "cases").is_dir() else here.parents[1] / "bench"
    return {path.stem: path for path in sorted(folder.glob("*.py")) if not path.stem.startswith("_")}


def run_cases(bench: Bench, only: Sequence[str] = (), on_figure: Callable[[Figure], None] | None = None) -> list[Figure]:
    """The figures of all cases, or of the named ones, in order.

    Raises:
        UnknownNameError: no case has that name.
    """
    files = case_files()
    for name in only:
        if name not in files:
            raise UnknownNameError("bench case", name, files)
    figures = []
    for name in only or files:
        # In a process of its own: what one case has loaded must not weigh on the next. A fork of a process that holds torch and
        # DALI made the transcode case 1.6 times slower.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            found = process.submit(_run_case, name, files[name], bench).result()
        for figure in found:
            figures.append(figure)
            if on_figure:
                on_figure(figure)
    return figures


def machine() -> dict[str, Any]:
    """What the figures were measured on: processor, cores, memory, versions."""
    models = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return {
        "processor": models[0] if models else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 2**20, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "ffmpeg": ffmpeg_version(),
        "commit": _commit(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
    }


def _run_case(name: str, path: Path, bench: Bench) -> list[Figure]:
    """One case. Its `variants(bench)` verifies outputs before it returns; the others are held against the first."""
    # Every opening of the shards would say again which clips are too short for a window.
    logging.getLogger("pipelines").setLevel(logging.ERROR)
    module = _load(path)
    with tempfile.TemporaryDirectory(prefix="vdata-bench-") as scratch:
        offered: Sequence[Variant | Skip] = module.variants(replace(bench, scratch=Path(scratch)))
        # A case whose single round takes minutes says so.
        repeats = bench.repeats if bench.quick else getattr(module, "REPEATS", bench.repeats)
        variants = [one for one in offered if isinstance(one, Variant)]
        figures = measure(name, module.UNIT, variants, repeats, warm_up=getattr(module, "WARM_UP", True))
    skips = [Figure(name, one.name, 0.0, module.UNIT, 0.0, 0.0, {}, 0.0, one.reason) for one in offered if isinstance(one, Skip)]
    return figures + skips


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"vdata_bench_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"bench case '{path}' is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _lines(path: str) -> list[str]:
    file = Path(path)
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def _commit() -> str:
    """The checkout's commit, with "-dirty" if files differ from it; empty outside a checkout."""
    git = shutil.which("git")
    command = [git or "", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() if git else ""


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
