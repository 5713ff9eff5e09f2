"""Whole builds on a local Ray, and single tasks without one."""

import hashlib
import itertools
import json
import shutil
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from vdata import open_shards
from vdata.builder import RunConfig, build, resolve
from vdata.builder.build import missing_orders, plan_splits
from vdata.builder.lock import sole_build
from vdata.builder.plan import make_plan
from vdata.builder.plan_file import write_plan
from vdata.builder.report import report_split
from vdata.builder.task import Order, build_shard
from vdata.datasets import DATASETS
from vdata.errors import BuildFailedError, ConfigError
from vdata.extract import EXTRACTORS
from vdata.media.ffmpeg import binary
from vdata.shards.verify import verify


class Seen:
    """A Watch that keeps what it is told."""

    def __init__(self):
        self.orders, self.done, self.retries = [], [], []

    def on_plan(self, plans, orders):
        self.orders = orders

    def on_shard(self, order, tally):
        self.done.append((order, tally))

    def on_retry(self, order, why):
        self.retries.append((order.shard, why))


SMALL = {"clip": {"short_side": 96, "seconds": 1.0}, "plan": {"shard_mb": 0.02}}


@pytest.fixture
def root(tmp_path, make_video):
    """Six videos of two classes, one damaged, one that is none."""
    folder = tmp_path / "root"
    for number in range(6):
        name = f"{'ab'[number % 2]}/{number}.mp4"
        source = make_video(num_frames=20 + 15 * number, seed=number, velocity=(number - 2, 1))
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(source, folder / name)
    (folder / "a/empty.mp4").touch()
    (folder / "notes.txt").write_text("not a video")
    return folder


def tars(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(Path(folder).glob("*.tar"))}


@pytest.mark.ray
@pytest.mark.usefixtures("own_ray")
def test_two_worker_counts_give_the_same_bytes_and_the_sums_hold(root, tmp_path):
    config = resolve("folder", settings=SMALL)
    seen = Seen()
    one = build(config, root, tmp_path / "one", run=RunConfig(workers=1))
    two = build(config, root, tmp_path / "two", run=RunConfig(workers=2), watches=[seen])
    assert tars(tmp_path / "one") == tars(tmp_path / "two") != {}
    assert len(seen.done) == two.splits[""].num_shards > 2
    for report in (one, two):
        assert report.reconciles
        counts = report.splits[""].counts()
        wanted = {"videos_listed": 8, "videos_built": 6, "videos_failed": 1, "videos_skipped": 1, "videos_partial": 0}
        assert {key: counts[key] for key in wanted} == wanted
        assert counts["reasons"] == {"empty": 1, "not_media": 1}
    assert verify(tmp_path / "two", decode=True).ok
    errors = pq.read_table(tmp_path / "two/errors.parquet").to_pylist()
    assert {(row["source"], row["stage"], row["reason"], row["key"]) for row in errors} == {
        ("a/empty.mp4", "cut", "empty", None),
        ("notes.txt", "list", "not_media", None),
    }


def wrapped_ffmpeg(tmp_path, monkeypatch, size, deed):
    """Has every ffmpeg that is handed a file of `size` bytes do a deed in shell first; returns a file that counts its tries."""
    tries, wrapper = tmp_path / "tries", tmp_path / "ffmpeg"
    wrapper.write_text(
        f"""#!/bin/sh
        case "$*" in *-version*) exec {binary()} "$@";; esac
        if [ "$(stat -L -c %s /proc/self/fd/0)" = {size} ]; then echo try >> {tries}; {deed}; fi
        exec {binary()} "$@"
        """
    )
    wrapper.chmod(0o755)
    monkeypatch.setenv("VDATA_FFMPEG", str(wrapper))
    return tries


@pytest.mark.ray
@pytest.mark.usefixtures("own_ray")
def test_a_video_that_kills_its_workers_costs_a_row(root, tmp_path, monkeypatch):
    """A deed that kills the worker stands for a fault in a native library, or for the kernel when memory is short."""
    tries = wrapped_ffmpeg(tmp_path, monkeypatch, (root / "b/3.mp4").stat().st_size, "kill -9 $PPID")
    seen = Seen()
    report = build(resolve("folder", settings=SMALL), root, tmp_path / "out", run=RunConfig(workers=2), watches=[seen])
    assert tries.read_text().count("try") == 3
    assert len(seen.retries) == 3
    assert seen.retries[-1][1].endswith("the video is given up")
    counts = report.splits[""].counts()
    assert (counts["videos_built"], counts["reasons"]["worker_died"]) == (5, 1)
    assert report.reconciles
    assert verify(tmp_path / "out", decode=True).ok


@pytest.mark.ray
@pytest.mark.usefixtures("own_ray")
def test_a_timeout_is_tried_again_alone_then_recorded_and_mended_later(root, tmp_path, monkeypatch):
    """An ffmpeg that hangs on one file while a marker is there stands for a machine in trouble."""
    marker = tmp_path / "trouble"
    marker.touch()
    deed = f"if [ -e {marker} ]; then exec sleep 60; fi"
    tries = wrapped_ffmpeg(tmp_path, monkeypatch, (root / "b/3.mp4").stat().st_size, deed)
    config = resolve("folder", settings={**SMALL, "limit": {"wall_seconds": 2}})
    seen, out = Seen(), tmp_path / "out"
    report = build(config, root, out, run=RunConfig(workers=2), watches=[seen])
    assert tries.read_text().count("try") == 3
    assert [why for _, why in seen.retries] == ["timeout of 'b/3.mp4': tried again alone, after the rest"] * 2
    assert report.splits[""].counts()["reasons"]["timeout"] == 1
    assert report.reconciles
    marker.unlink()
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("clips-??????.parquet")}
    assert build(config, root, out, run=RunConfig(workers=1)).splits[""].counts()["reasons"]["timeout"] == 1  # not asked for
    mended = build(config, root, out, run=RunConfig(workers=1, retry_failed=True)).splits[""].counts()
    assert "timeout" not in mended["reasons"]
    assert mended["videos_built"] == 6
    assert len([name for name, time in before.items() if (out / name).stat().st_mtime_ns != time]) == 1
    assert verify(out, decode=True).ok


@pytest.mark.ray
@pytest.mark.usefixtures("shared_ray")
@pytest.mark.parametrize("form", ["tar", "parquet"])
def test_three_layers_give_the_same_bytes_with_two_worker_counts(root, tmp_path, form):
    config = resolve("folder", settings=SMALL | {"clip": SMALL["clip"] | {"layers": 3}, "format": form})
    for workers in (1, 2):
        report = build(config, root, tmp_path / str(workers), run=RunConfig(workers=workers))
        assert report.reconciles
        assert report.splits[""].counts()["videos_built"] == 6
    one, two = (open_shards(tmp_path / str(workers)) for workers in (1, 2))
    assert tars(tmp_path / "1") == tars(tmp_path / "2")
    assert [sample["mp4"] for sample in one] == [sample["mp4"] for sample in two]
    assert [sample["motion.npz"] for sample in one] == [sample["motion.npz"] for sample in two]
    assert {(sample.row["structure"], sample.row["gop"]) for sample in one} == {("ibbbp", 16)}
    assert verify(tmp_path / "2", decode=True).ok


@pytest.mark.ray
@pytest.mark.usefixtures("shared_ray")
def test_a_second_run_builds_only_what_is_missing(root, tmp_path):
    config = resolve("folder", settings=SMALL)
    out = tmp_path / "out"
    build(config, root, out, run=RunConfig(workers=1))
    whole = tars(out)
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("*.tar")}
    lost = sorted(out.glob("clips-??????.parquet"))[1]  # without its row file a shard does not count
    lost.unlink()
    (out / ".tmp/clips-000000.dead").mkdir(parents=True)
    seen = Seen()
    report = build(config, root, out, run=RunConfig(workers=1), watches=[seen])
    assert [f"clips-{order.shard:06d}.parquet" for order, _ in seen.done] == [lost.name]
    assert tars(out) == whole
    touched = {path.name for path in out.glob("*.tar") if path.stat().st_mtime_ns != before[path.name]}
    assert touched == {lost.with_suffix(".tar").name}
    assert not (out / ".tmp").exists()
    assert report.reconciles
    assert verify(out).ok


@pytest.mark.ray
@pytest.mark.usefixtures("shared_ray")
def test_a_crash_before_the_plan_is_continued(root, tmp_path, monkeypatch):
    out = tmp_path / "out"

    def crash(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(sys.modules["vdata.builder.build"], "write_plan", crash)  # the package's `build` is the function
        with pytest.raises(KeyboardInterrupt):
            build(resolve("folder", settings=SMALL), root, out)
    with pytest.raises(ConfigError, match=r"clip.gop 12, not 16"):
        build(resolve("folder", settings={**SMALL, "clip": {**SMALL["clip"], "gop": 16}}), root, out)
    report = build(resolve("folder", settings={**SMALL, "limit": {"cpu_seconds": 99}}), root, out, run=RunConfig(workers=1))
    assert report.reconciles
    assert verify(out).ok


def test_a_folder_has_one_build_at_a_time(root, tmp_path):
    with sole_build(tmp_path / "out"), pytest.raises(ConfigError, match="is being built by process"):
        build(resolve("folder", settings=SMALL), root, tmp_path / "out")


def test_out_must_be_a_folder(root, tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(ConfigError, match=r"--out .* must be a folder"):
        build(resolve("folder", settings=SMALL), root, tmp_path / "out")


@pytest.mark.ray
@pytest.mark.usefixtures("shared_ray")
def test_another_config_or_other_videos_are_refused(root, tmp_path):
    out = tmp_path / "out"
    build(resolve("folder", settings=SMALL), root, out, run=RunConfig(workers=1))
    with pytest.raises(ConfigError, match=r"was begun with clip.gop 12, not 16"):
        build(resolve("folder", settings={**SMALL, "clip": {**SMALL["clip"], "gop": 16}}), root, out)
    with pytest.raises(ConfigError, match=r"was begun with plan.limit 0, not 3"):
        build(resolve("folder", settings={**SMALL, "plan": {**SMALL["plan"], "limit": 3}}), root, out)
    shutil.copy(root / "a/0.mp4", root / "a/new.mp4")
    with pytest.raises(ConfigError, match=r"no longer those .*: 1 is new \('a/new.mp4'\); --append builds them too"):
        build(resolve("folder", settings=SMALL), root, out)


@pytest.mark.ray
@pytest.mark.usefixtures("shared_ray")
def test_appended_videos_get_shards_of_their_own(root, tmp_path):
    config, out = resolve("folder", settings=SMALL), tmp_path / "out"
    build(config, root, out, run=RunConfig(workers=1))
    before = {path.name: path.read_bytes() for path in out.glob("clips-*")}
    (root / "aa").mkdir()
    shutil.copy(root / "b/1.mp4", root / "aa/new.mp4")
    (root / "b/1.mp4").unlink()  # gone since, which an append does not mind
    report = build(config, root, out, run=RunConfig(workers=1, append=True))
    assert {name: (out / name).read_bytes() for name in before} == before
    assert report.splits[""].num_shards == len([name for name in before if name.endswith(".errors.parquet")]) + 1
    assert verify(out, decode=True).ok
    new = [sample.row for sample in open_shards(out) if sample.row["source"] == "aa/new.mp4"]
    old = [sample.row for sample in open_shards(out) if sample.row["source"] == "b/1.mp4"]
    assert (new[0]["label"], new[0]["label_name"], old[0]["label"]) == (2, "aa", 1)  # b keeps its 1
    assert new[0]["video_index"] == 7
    with pytest.raises(ConfigError, match=r"1 is gone \('b/1.mp4'\); bring them back"):
        build(config, root, out)


def test_an_append_needs_the_whole_listing(root, tmp_path):
    config = resolve("folder", settings={**SMALL, "plan": {"limit": 2}})
    (out := tmp_path / "out").mkdir()
    write_plan(out, plan_splits(config, root)[""])
    with pytest.raises(ConfigError, match=r"--append .*needs the whole listing"):
        build(config, root, out, run=RunConfig(append=True))


@pytest.mark.ray
@pytest.mark.usefixtures("shared_ray")
def test_too_many_failures_stop_the_build_with_their_reasons(root, tmp_path):
    words = r"1 of 7 videos failed, more than --max-failed 0.1 allows: empty 1; such as 'a/empty.mp4' \(empty: "
    with pytest.raises(BuildFailedError, match=words):
        build(resolve("folder", settings=SMALL), root, tmp_path / "out", run=RunConfig(workers=1, max_failed=0.1))
    assert build(resolve("folder", settings=SMALL), root, tmp_path / "out", run=RunConfig(workers=1)).reconciles


def orders(root, folder, config):
    dataset = DATASETS["folder"](config.own["folder"])
    plan = make_plan(root, dataset.videos(root, ""), config.plan)
    return [Order(folder, root, shard, videos, config) for shard, videos in plan.by_shard().items()]


def test_rows_say_where_each_clip_came_from(root, tmp_path):
    config = resolve("folder", ("keyframes", "motion"), {**SMALL, "plan": {"shard_mb": 64}})
    out = tmp_path / "out"
    out.mkdir()
    tallies = [build_shard(order) for order in orders(root, out, config)]
    shards = open_shards(out)
    assert sum(tally.clips_written for tally in tallies) == len(shards)
    by_source = {}
    for sample in shards:
        by_source.setdefault(sample.row["source"], []).append(sample.row)
    assert set(by_source) == {f"{'ab'[n % 2]}/{n}.mp4" for n in range(6)}
    longest = sorted(by_source["b/5.mp4"], key=lambda row: row["clip_in_video"])  # 95 frames in clips of 24
    assert [row["num_frames"] for row in longest] == [24, 24, 24, 23][: len(longest)]
    assert len({row["video_index"] for row in longest}) == 1
    for row in longest:
        assert (row["label"], row["label_name"], row["dataset"]) == (1, "b", "folder")
        assert row["index"] == row["video_index"] << 20 | row["clip_in_video"]
        assert row["start_seconds"] == pytest.approx(row["clip_in_video"] * 24 / 25)
        assert row["fields"] == ["keyframes", "motion"]


def test_a_bug_in_an_extractor_stops_the_task_and_leaves_nothing(root, tmp_path, monkeypatch):
    config = resolve("folder", settings=SMALL)

    def broken(self, clip):
        raise TypeError("a bug")

    monkeypatch.setattr(EXTRACTORS["motion"], "__call__", broken)
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(TypeError, match="a bug"):
        build_shard(orders(root, out, config)[0])
    assert [path for path in out.rglob("*") if path.is_file()] == []


def test_the_dry_run_plans_the_same_and_writes_nothing(root, tmp_path):
    config = resolve("folder", settings=SMALL)
    before = sorted(root.rglob("*"))
    (plan,) = plan_splits(config, root).values()
    assert len(plan.videos) == 7
    assert sorted(root.rglob("*")) == before


def test_no_video_at_all_says_so(tmp_path):
    (tmp_path / "only.txt").write_text("x")
    with pytest.raises(ConfigError, match=r"looked for video files .* found only.txt"):
        build(resolve("folder"), tmp_path, tmp_path / "out")


@pytest.mark.ray
@pytest.mark.usefixtures("shared_ray")
def test_every_real_video_is_built_or_named(videos_root, tmp_path):
    """The issue's own line: every readable video becomes clips, every broken one a row with a reason."""
    report = build(resolve("folder", settings={"clip": {"short_side": 96}}), videos_root, tmp_path / "out")
    counts = report.splits[""].counts()
    assert report.reconciles
    rows = pq.read_table(tmp_path / "out/errors.parquet").to_pylist()
    reasons = {row["source"]: row["reason"] for row in rows}
    on_disk = {path.relative_to(videos_root).as_posix() for path in videos_root.rglob("*") if path.is_file()}
    built = {sample.row["source"] for sample in open_shards(tmp_path / "out")}
    assert {name for name in on_disk if name.startswith("good/")} <= built
    assert not any(name.startswith("good/") for name in reasons)
    assert on_disk == built | set(reasons)
    assert reasons["bad/truncated_faststart_half.mp4"] == "truncated"
    assert counts["videos_partial"] == 2
    json.dumps(report.to_mapping())


def test_a_film_is_one_video_in_several_shards(tmp_path, make_video):
    source = make_video("root/film.mp4", num_frames=288, size=(256, 192), velocity=(5, 3))
    assert source.stat().st_size > 100_000
    make_video("root/short.mp4", num_frames=20)
    # 0.0042 minutes: 2 s of film a task.
    settings = {**SMALL, "plan": {"task_minutes": 2 / 8 / 60}}
    config, out = resolve("folder", settings=settings), tmp_path / "out"
    out.mkdir()
    (plan,) = plan_splits(config, tmp_path / "root").values()
    assert plan.num_videos == 2
    assert max(planned.num_parts for planned in plan.videos) == 6
    tallies = [build_shard(order) for order in missing_orders(out, plan, config, tmp_path / "root", run="")]
    assert len(tallies) >= 6
    report = report_split(out, plan)
    assert report.reconciles
    assert (report.videos_listed, report.tally.built, report.tally.frames) == (2, 2, 308)
    clips = sorted((s.row for s in open_shards(out) if s.row["source"] == "film.mp4"), key=lambda row: row["clip_in_video"])
    assert [row["clip_in_video"] for row in clips] == list(range(len(clips)))
    assert len({row["index"] for row in clips}) == len(clips)
    assert all(a["end_seconds"] == pytest.approx(b["start_seconds"]) for a, b in itertools.pairwise(clips))
    assert sum(row["num_frames"] for row in clips) == 288
