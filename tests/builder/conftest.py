"""A small finished shard folder, built without Ray, and a Ray that the builds of a file share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from vdata.builder import RunConfig, connect, resolve
from vdata.builder.add import Addition, AddReport, add
from vdata.builder.build import finish, missing_orders, plan_splits
from vdata.builder.lock import sole_build
from vdata.builder.plan_file import write_plan
from vdata.builder.state import open_build
from vdata.builder.task import build_shard

SMALL = {"clip": {"short_side": 64, "seconds": 0.5, "gop": 6, "min_seconds": 0.1}, "plan": {"shard_mb": 0.03}}


@pytest.fixture
def small_root(tmp_path: Path, make_video: Callable[..., Path]) -> Path:
    """Four videos of one to four clips, and one that is none."""
    for number in range(4):
        make_video(f"root/{'ab'[number % 2]}/v{number}.mp4", num_frames=13 * (number + 1), size=(96, 64), seed=number)
    (tmp_path / "root/a/broken.mp4").write_bytes(b"no video at all")
    return tmp_path / "root"


@pytest.fixture
def build_here() -> Callable[..., Path]:
    """A function that builds a root into a folder in this process, by the builder's own parts; it goes on with what is there."""

    def build(root: Path, out: Path, extract: tuple[str, ...] | None = None, **settings: object) -> Path:
        config = resolve("folder", extract, settings=SMALL | settings)
        (plan,) = plan_splits(config, root).values()
        with sole_build(out) as run:
            open_build(out, config, root, "")
            write_plan(out, plan)
            for order in missing_orders(out, plan, config, root, run):
                build_shard(order)
            finish(out, plan)
        return out

    return build


@pytest.fixture
def out(build_here: Callable[..., Path], small_root: Path, tmp_path: Path) -> Path:
    """The finished folder of those videos: several shards, one of them with several clips."""
    return build_here(small_root, tmp_path / "out")


@pytest.fixture
def add_here() -> Callable[..., AddReport]:
    """A function that adds a field to a folder in this process."""

    def run_here(orders, run):
        del run
        return ((order, order.execute()) for order in orders)

    def add_field(folder: Path, name: str, settings: Mapping[str, object] | None = None, **options: object) -> AddReport:
        return add([folder], Addition.of(name, settings or {}), run_orders=run_here, **options)[0]

    return add_field


@pytest.fixture
def contents() -> Callable[[Path], dict[str, bytes]]:
    """A function that reads every file of a shard folder but the index, whose stamp has the row files' times."""

    def read(folder: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")}

    return read


class SharedRay:
    """A Ray of two CPUs, started for the first build that wants it. A start and a stop took 7 s, 2 of them on a CPU."""

    def __init__(self) -> None:
        self._stack, self._runs = ExitStack(), False

    @contextmanager
    def connected(self, run: RunConfig) -> Iterator[Callable[[], int]]:
        """As vdata.builder.connect.connected, but no more tasks fly than there are workers: one worker is one task at a time.

        A build that ends before its tasks do must not meet them later: they die with this Ray, as they would with its own.
        """
        assert not run.address
        if not self._runs:
            self._stack.enter_context(connect.connected(RunConfig(workers=2)))
            self._runs = True
        try:
            yield lambda: run.num_workers
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """Ends it, if it runs; the next build starts another."""
        self._runs = False
        self._stack.close()


@pytest.fixture(scope="module")
def _ray_of_file() -> Iterator[SharedRay]:
    # Not of the session: an idle Ray takes a gigabyte of memory, and 5 % of a core.
    ours = SharedRay()
    yield ours
    ours.end()


@pytest.fixture
def shared_ray(_ray_of_file: SharedRay, monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds run on the Ray of the file. Its workers have the environment of the test that started it."""
    monkeypatch.setattr("vdata.builder.on_ray.connected", _ray_of_file.connected)


@pytest.fixture
def own_ray(_ray_of_file: SharedRay) -> None:
    """Each build starts a Ray of its own, as people's do; that of the file has ended."""
    _ray_of_file.end()
