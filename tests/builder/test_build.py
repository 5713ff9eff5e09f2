"""Whole builds on a local Ray, and single tasks without one."""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from vdata import open_shards
from vdata.builder import RunConfig, build, resolve
from vdata.builder.build import plan_splits
from vdata.builder.plan import make_plan
from vdata.builder.state import sole_build
from vdata.builder.task import Order, build_shard
from vdata.datasets import DATASETS
from vdata.errors import ConfigError
from vdata.extract import EXTRACTORS
from vdata.shards.verify import verify

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
def test_two_worker_counts_give_the_same_bytes_and_the_sums_hold(root, tmp_path):
    config = resolve("folder", settings=SMALL)
    seen = []
    one = build(config, root, tmp_path / "one", run=RunConfig(workers=1))
    two = build(config, root, tmp_path / "two", run=RunConfig(workers=2), on_shard=lambda order, tally: seen.append(tally))
    assert tars(tmp_path / "one") == tars(tmp_path / "two") != {}
    assert len(seen) == two.splits[""].num_shards > 2
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


@pytest.mark.ray
def test_a_second_run_builds_only_what_is_missing(root, tmp_path):
    config = resolve("folder", settings=SMALL)
    out = tmp_path / "out"
    build(config, root, out, run=RunConfig(workers=1))
    whole = tars(out)
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("*.tar")}
    lost = sorted(out.glob("*.parquet"))[1]  # without its row file a shard does not count
    lost.unlink()
    (out / ".tmp/clips-000000.dead").mkdir(parents=True)
    done = []
    report = build(config, root, out, run=RunConfig(workers=1), on_shard=lambda order, tally: done.append(order.shard))
    assert [f"clips-{shard:06d}.parquet" for shard in done] == [lost.name]
    assert tars(out) == whole
    touched = {path.name for path in out.glob("*.tar") if path.stat().st_mtime_ns != before[path.name]}
    assert touched == {lost.with_suffix(".tar").name}
    assert not list((out / ".tmp").iterdir())
    assert report.reconciles
    assert verify(out).ok


@pytest.mark.ray
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
    with sole_build(tmp_path / "out"), pytest.raises(ConfigError, match="is being built by another process"):
        build(resolve("folder", settings=SMALL), root, tmp_path / "out")


def test_out_must_be_a_folder(root, tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(ConfigError, match=r"--out .* must be a folder"):
        build(resolve("folder", settings=SMALL), root, tmp_path / "out")


@pytest.mark.ray
def test_another_config_or_other_videos_are_refused(root, tmp_path):
    out = tmp_path / "out"
    build(resolve("folder", settings=SMALL), root, out, run=RunConfig(workers=1))
    with pytest.raises(ConfigError, match=r"was begun with clip.gop 12, not 16"):
        build(resolve("folder", settings={**SMALL, "clip": {**SMALL["clip"], "gop": 16}}), root, out)
    shutil.copy(root / "a/0.mp4", root / "a/new.mp4")
    with pytest.raises(ConfigError, match="no longer those that"):
        build(resolve("folder", settings=SMALL), root, out)


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
