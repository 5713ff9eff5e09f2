"""Orders on Ray: a Ray of our own on this machine, or a cluster that is joined; a bounded number of tasks in flight.

Ray's own retries are off: a worker that died is replaced here, where it can be told whether a machine went down or a video
kills every worker that touches it.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from vdata.builder.config import RunConfig
from vdata.builder.connect import connected
from vdata.builder.journal import last_video
from vdata.builder.tally import Tally
from vdata.builder.task import TRIES, Postponed
from vdata.errors import BuildFailedError, MissingExtraError, VdataError
from vdata.media.ffmpeg import PR_SET_PDEATHSIG
from vdata.shards.layout import shard_name

__all__ = ["ShardOrder", "Tasks", "Workers", "die_with_ray", "order_name", "run_orders"]

TASK_BYTES = 512 * 2**20
"""What a task declares to Ray, so that a machine of many cores and little memory takes fewer. Resident, seen: a worker of 216 MB,
with an ffmpeg of 50 MB on 480p, 97 MB on 2160p and 299 MB on 4320p sources."""


class ShardOrder(Protocol):
    """A task for one shard, as Order and AddOrder: a frozen dataclass that travels to a worker."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def folder(self) -> Path:
        """The folder that is written to."""

    @property
    def shard(self) -> int:
        """The shard's number."""

    @property
    def attempt(self) -> int:
        """Which try this is."""

    @property
    def deadly(self) -> frozenset[int]:
        """Videos that are given up."""

    def execute(self) -> Tally | Postponed:
        """Does the work, in the worker."""


class Workers(Protocol):
    """What carries orders out, made once Ray is connected."""

    def capacity(self) -> int:
        """How many orders to keep in flight."""

    def launch(self, order: Any) -> Any:  # noqa: ANN401 - any ShardOrder; Ray's references carry no types
        """Ray's reference of what the order's `execute` returns."""


T = TypeVar("T", bound=ShardOrder)


class Tasks:
    """A Ray task an order."""

    def __init__(self, _run: RunConfig, capacity: Callable[[], int]) -> None:
        """Takes how many tasks Ray has room for."""
        import ray  # noqa: PLC0415 - see run_orders

        self.capacity = capacity
        self._remote = ray.remote(num_cpus=1, memory=TASK_BYTES, max_retries=0)(_build_on_worker)

    def launch(self, order: ShardOrder) -> Any:  # noqa: ANN401 - see Workers
        """As Workers."""
        return self._remote.options(name=order_name(order)).remote(order)


def order_name(order: ShardOrder) -> str:
    """What Ray's dashboard calls the order's work."""
    return f"{order.folder.name}/{shard_name(order.shard)}"


def run_orders(
    orders: Sequence[T],
    run: RunConfig,
    on_retry: Callable[[T, str], None] = lambda _order, _why: None,
    on_start: Callable[[], None] = lambda: None,
    workers: Callable[[RunConfig, Callable[[], int]], Workers] = Tasks,
) -> Iterator[tuple[T, Tally]]:
    """Each order with its tally, as they are finished. `on_start` is called once Ray has started, then `workers`.

    Raises:
        MissingExtraError: Ray is not installed.
        BuildFailedError: workers die before they begin, or one cannot see the folder.
        DiskFullError: there is no room for a shard.
    """
    if not orders:
        return
    try:
        import ray  # noqa: F401, PLC0415 - an extra, and a second to import
    except ImportError as error:
        raise MissingExtraError("building", "ray", "pip install '.[build]' in vdata's checkout") from error
    with connected(run) as capacity:
        on_start()
        yield from _Queue(orders, workers(run, capacity), on_retry).run()


class _Queue(Generic[T]):
    """The orders that wait, those that fly, and those that must fly alone."""

    def __init__(self, orders: Sequence[T], workers: Workers, on_retry: Callable[[T, str], None]) -> None:
        import ray  # noqa: PLC0415 - see run_orders

        self._ray = ray
        self._workers, self._on_retry = workers, on_retry
        self._waiting, self._alone = deque(replace(order, attempt=1) for order in orders), deque[T]()
        self._flying: dict[Any, T] = {}
        self._deaths: Counter[tuple[Path, int, int | None]] = Counter()

    def run(self) -> Iterator[tuple[T, Tally]]:
        """Each order with its tally, until none is left."""
        while self._waiting or self._alone or self._flying:
            self._start()
            for reference in self._ray.wait(list(self._flying), num_returns=1)[0]:
                order = self._flying.pop(reference)
                tally = self._landed(order, reference)
                if tally is not None:
                    yield order, tally

    def _start(self) -> None:
        while self._waiting and len(self._flying) < self._workers.capacity():
            self._fly(self._waiting.popleft())
        if not self._flying:
            self._fly(self._alone.popleft())

    def _fly(self, order: T) -> None:
        self._flying[self._workers.launch(order)] = order

    def _landed(self, order: T, reference: object) -> Tally | None:
        """The tally of a task that has ended; None when its order goes into the queue again."""
        gone = self._ray.exceptions
        try:
            result: Tally | Postponed = self._ray.get(reference)
        except (
            gone.WorkerCrashedError, gone.RayActorError, gone.NodeDiedError, gone.OutOfMemoryError, gone.ObjectLostError,
        ) as error:  # fmt: skip
            self._died(order, error)
            return None
        except gone.RayTaskError as error:
            # Ray's own error has the worker's traceback for its message; ours are one line.
            if isinstance(error.cause, VdataError):
                raise error.cause from error
            raise
        if isinstance(result, Tally):
            return result
        self._on_retry(order, f"{result.reason} of '{result.source}': tried again alone, after the rest")
        self._alone.append(replace(order, attempt=order.attempt + 1))
        return None

    def _died(self, order: T, error: Exception) -> None:
        """Puts the order of a dead worker back; a video at which workers keep dying is given up."""
        video = last_video(order.folder, order.shard)
        case = (order.folder, order.shard, video)
        self._deaths[case] += 1
        what = f"the worker died ({type(error).__name__})"
        if self._deaths[case] < TRIES:
            self._on_retry(order, f"{what}: tried again{' alone, after the rest' if self._deaths[case] > 1 else ''}")
            (self._alone if self._deaths[case] > 1 else self._waiting).append(order)
        elif video is None or video in order.deadly:
            when = "before they began with" if video is None else "at the end of"
            raise BuildFailedError(f"{TRIES} workers died {when} {shard_name(order.shard)}: {error}") from error
        else:
            self._on_retry(order, f"{what} {TRIES} times at video {video}: the video is given up")
            self._alone.append(replace(order, deadly=order.deadly | {video}))


def _build_on_worker(order: ShardOrder) -> Tally | Postponed:
    die_with_ray()
    return order.execute()


def die_with_ray() -> None:
    """Lets this worker die with its node's Ray; else it would go on for 1 to 3 s after a driver was killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if _has_ended(os.environ.get("RAY_RAYLET_PID", "self")):
        os._exit(1)  # before the call above, which tells of deaths to come


def _has_ended(process: str) -> bool:
    """Whether a process has, be it that nobody has waited for it yet."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] in "ZX"
    except OSError:
        return True
