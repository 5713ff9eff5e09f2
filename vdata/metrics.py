"""What a run writes down as it goes: RUN/metrics.jsonl, one line a record, and the same as TensorBoard curves."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from torch.utils.tensorboard import SummaryWriter

__all__ = ["MetricsLog", "Stopwatch", "read_metrics"]


class MetricsLog:
    """The two records of one run, open for appending; a context manager."""

    def __init__(self, run: Path, step: int) -> None:
        """Opens them in the folder `run` at `step` steps done; what an interrupted run wrote beyond that is dropped."""
        run.mkdir(parents=True, exist_ok=True)
        path = run / "metrics.jsonl"
        kept = [record for record in read_metrics(path) if record["step"] <= step]
        # By rename: a crash here must not cost the records of the run so far.
        unfinished = path.with_suffix(".tmp")
        unfinished.write_text("".join(json.dumps(record) + "\n" for record in kept), encoding="utf-8")
        unfinished.replace(path)
        self._file = path.open("a", encoding="utf-8")
        self._curves = SummaryWriter(str(run / "tensorboard"), purge_step=step + 1)

    def write(self, record: Mapping[str, float]) -> None:
        """Appends a record, which has a `step`."""
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()
        for name, value in record.items():
            if name != "step":
                self._curves.add_scalar(name, value, int(record["step"]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()
        self._curves.close()


def read_metrics(path: Path) -> list[dict[str, float]]:
    """The records of a metrics.jsonl, none where it is absent; a last line that a crash cut short is left out."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]


class Stopwatch:
    """How fast the steps since the last reading were, and how much of that time went into waiting for the loader."""

    def __init__(self) -> None:
        """Starts at once."""
        self._start, self._waited, self._batches = time.perf_counter(), 0.0, 0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Counts the time inside as waiting, and one batch."""
        begin = time.perf_counter()
        yield
        self._waited += time.perf_counter() - begin
        self._batches += 1

    def read(self, batch_size: int) -> dict[str, float]:
        """`samples_per_second` and `wait_share` since the last reading, which starts the next."""
        seconds = time.perf_counter() - self._start
        reading = {"samples_per_second": self._batches * batch_size / seconds, "wait_share": self._waited / seconds}
        self._start, self._waited, self._batches = time.perf_counter(), 0.0, 0
        return reading
