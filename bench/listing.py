"""Listing and planning: rows a second of a Kinetics-400 train list, 240,000 rows with a file each, and the saved plan.

`plan` is what `vdata build` does before its first task: the CSV, the folder, the size of each file, the order, the shards. The
other two write plan.parquet and read it back. The files are empty and the CSV is synthetic: nothing opens a video here. Each
round is a process of its own, whose peak of memory, `peak_mb`, counts the interpreter and its libraries, 100 MB. By CPU
seconds, since a busy machine's clock says little: `seconds` stands beside them. --quick has a tenth of the rows.

Seen on two busy cores, medians of three rounds: planned in 7.6 s of CPU and 373 MB, written in 3.2 s and 408 MB, read in 4.1 s
and 413 MB. Of the 220 MB that the plan itself takes, the Video objects are 50, the dicts of their facts 48, PlannedVideo 23.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from vdata.bench import Bench, Timed, Variant
from vdata.bench.timing import cpu_seconds

UNIT = "rows/s"
REPEATS = 3
WARM_UP = False
ROWS = 240_000
CLASSES = 400
ID_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def variants(bench: Bench) -> Sequence[Variant]:
    """The plan made, written and read, of one tree."""
    num_rows = ROWS // 10 if bench.quick else ROWS
    make_tree(bench.scratch / "root", num_rows)
    return [Variant(name, partial(_measured, name, bench.scratch, num_rows)) for name in ("plan", "write", "read")]


def make_tree(root: Path, num_rows: int) -> None:
    """A train list in the published form, with its files flat under train/ as the mirror has them."""
    (root / "annotations").mkdir(parents=True)
    (root / "train").mkdir()
    rng = np.random.default_rng(0)
    letters, starts = rng.integers(0, len(ID_CHARACTERS), (num_rows, 11)), rng.integers(0, 600, num_rows)
    with (root / "annotations/train.csv").open("w", encoding="utf-8") as file:
        file.write("label,youtube_id,time_start,time_end,split,is_cc\n")
        for number, (places, start) in enumerate(zip(letters.tolist(), starts.tolist(), strict=True)):
            name = "".join(ID_CHARACTERS[place] for place in places)
            file.write(f'"doing thing {number % CLASSES}",{name},{start},{start + 10},train,0\n')
            (root / f"train/{name}_{start:06d}_{start + 10:06d}.mp4").touch()


def _measured(step: str, folder: Path, num_rows: int) -> Timed:
    done = subprocess.run([sys.executable, __file__, step, str(folder)], capture_output=True, text=True, check=True)
    told: dict[str, float] = json.loads(done.stdout)
    if told.pop("rows") != num_rows:
        raise ValueError(f"listing: {told} is not about {num_rows} rows")
    return Timed(num_rows, told["cpu"], told, told["cpu"])


def _main(step: str, folder: Path) -> None:
    """One step in this process; what it took goes to stdout."""
    from vdata.builder import resolve  # noqa: PLC0415 - only the child builds
    from vdata.builder.build import plan_splits  # noqa: PLC0415 - as above
    from vdata.builder.plan_file import read_plan, write_plan  # noqa: PLC0415 - as above

    config, out = resolve("kinetics400"), folder / "out"
    out.mkdir(exist_ok=True)
    steps: dict[str, Callable[[], object]] = {
        "plan": lambda: plan_splits(config, folder / "root", ("train",)),
        "read": lambda: read_plan(out),
    }
    if step == "write":
        plan = plan_splits(config, folder / "root", ("train",))["train"]
        steps["write"] = lambda: write_plan(out, plan)
    start, cpu = time.perf_counter(), cpu_seconds()
    found = steps[step]()
    took = {"seconds": time.perf_counter() - start, "cpu": cpu_seconds() - cpu}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if step == "write":
        found = read_plan(out)
    plans = list(found.values()) if isinstance(found, dict) else [found]
    print(json.dumps({"rows": len(plans[0].videos), "peak_mb": peak, **took}))  # noqa: T201 - the parent reads it


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]))
