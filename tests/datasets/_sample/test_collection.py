from __future__ import annotations

import json
import subprocess

import pyarrow.parquet as pq
import pytest

from vdata.datasets._sample import collection, part, world
from vdata.errors import ConfigError


@pytest.fixture
def written(monkeypatch):
    """The seeds of the collections that were written, in order; in place of videos they hold one small file."""
    seeds = []

    def write(root, seed, scale, workers, lock):
        for name in collection._CONTENTS:
            (root / name).mkdir()
        (root / "train" / f"seed-{seed}").touch()
        seeds.append(seed)

    monkeypatch.setattr(collection, "_write", write)
    return seeds


def test_a_finished_collection_is_left_alone(tmp_path, written):
    for _ in range(2):
        collection.make(tmp_path / "new" / "root", 3, "tiny")
    assert written == [3]


def test_other_settings_replace_the_collection(tmp_path, written):
    collection.make(tmp_path, 3, "tiny")
    (tmp_path / "notes.txt").write_text("mine")
    collection.make(tmp_path, 4, "tiny")
    assert written == [3, 4]
    assert [path.name for path in (tmp_path / "train").iterdir()] == ["seed-4"]
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_an_interrupted_collection_is_made_anew(tmp_path, written, monkeypatch):
    def interrupted(root, *rest):
        (root / "train").mkdir()
        (root / "train" / "half").touch()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(collection, "_write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            collection.make(tmp_path, 3, "tiny")
    with pytest.raises(ConfigError, match="no finished sample dataset"):
        collection.rows(tmp_path, "train")
    collection.make(tmp_path, 3, "tiny")
    assert written == [3]
    assert not (tmp_path / "train" / "half").exists()


def test_somebody_else_s_files_are_never_touched(tmp_path, written):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "mine.mp4").write_bytes(b"mine")
    with pytest.raises(ConfigError, match=r"holds train, which the sample dataset did not make"):
        collection.make(tmp_path, 0, "tiny")
    assert written == []
    assert (tmp_path / "train" / "mine.mp4").read_bytes() == b"mine"


def test_a_part_that_fails_leaves_no_finished_collection(tmp_path, monkeypatch):
    def broken(command, **options):
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(subprocess, "run", broken)
    with pytest.raises(subprocess.CalledProcessError):
        collection.make(tmp_path, 0, "tiny", workers=2)
    assert json.loads((tmp_path / "sample.json").read_text())["whole"] is False


def test_the_parts_are_every_nth_video(tmp_path, monkeypatch):
    plans = world.draw(0, "tiny")[:5]
    monkeypatch.setattr(part, "draw", lambda seed, scale: plans)
    sources = []
    monkeypatch.setattr(part, "write", lambda root, plan: sources.append(plan.source))
    part._main(str(tmp_path), "0", "tiny", "1", "2")
    assert sources == ["train/000001.mp4", "train/000003.mp4"]
    part._main(str(tmp_path), "0", "tiny", "0", "2")
    assert sorted(sources) == [plan.source for plan in plans]


def test_bytes_depend_on_the_plan_alone(tmp_path):
    plans = world.draw(0, "tiny")[:3]
    for name, order in (("one", plans), ("two", plans[::-1])):
        for folder in ("train", "truth"):
            (tmp_path / name / folder).mkdir(parents=True)
        for plan in order:
            part.write(tmp_path / name, plan)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert len(files) == 6
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file


def test_rows_have_the_schema(tmp_path):
    plans = world.draw(0, "tiny")
    table = collection.pa.Table.from_pylist([collection._row(plan) for plan in plans], collection.SCHEMA)
    pq.write_table(table, tmp_path / "videos.parquet")
    collection._mark(tmp_path, {"whole": True})
    found = [row for split in ("train", "val", "test") for row in collection.rows(tmp_path, split)]
    assert [row["video_id"] for row in found] == [plan.video_id for plan in plans]
    for row, plan in zip(found, plans, strict=True):
        assert row["label"] == (-1 if plan.edge else plan.motion)
        assert row["labels"] == ([] if plan.edge else [plan.scene, 12 + plan.sprite.texture])
        assert (row["timbre"] == -1) == (plan.sound is None)
