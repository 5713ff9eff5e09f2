"""Which class lists a build keeps."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import vdata
from vdata.builder import RunConfig, build, resolve
from vdata.builder.build import plan_splits
from vdata.builder.classes import classes_of, own_classes
from vdata.datasets import DATASETS, About
from vdata.errors import ConfigError

SMALL = {"clip": {"short_side": 64, "seconds": 0.5, "gop": 6, "min_seconds": 0.1}, "plan": {"shard_mb": 0.03}}


def test_names_follow_from_the_videos_where_a_dataset_has_no_list(small_root):
    config = resolve("folder")
    (plan,) = plan_splits(config, small_root).values()
    assert classes_of(own_classes(config, small_root), plan) == {"label": ("a", "b")}


def test_a_list_of_its_own_is_kept_whole(small_root, monkeypatch):
    """Also classes of which no video is there."""
    monkeypatch.setattr(DATASETS["folder"], "classes", lambda self, root: {"label": ("a", "b", "never"), "box": ("x",)})
    config = resolve("folder")
    (plan,) = plan_splits(config, small_root).values()
    assert classes_of(own_classes(config, small_root), plan) == {"label": ("a", "b", "never"), "box": ("x",)}


@pytest.mark.parametrize("names", [("b", "a"), ("a",), ("a", "c")])
def test_rows_that_contradict_the_list_are_refused(small_root, monkeypatch, names):
    monkeypatch.setattr(DATASETS["folder"], "classes", lambda self, root: {"label": names})
    config = resolve("folder")
    (plan,) = plan_splits(config, small_root).values()
    with pytest.raises(ConfigError, match=r"label \([01]\) must stand for '[ab]', but is '[abc]?' in the class list"):
        classes_of(own_classes(config, small_root), plan)


def test_every_dataset_says_what_it_is():
    for name in DATASETS:
        about = DATASETS[name].about
        assert isinstance(about, About)
        assert "ROOT" in about.layout
        assert about.layout.endswith("\n")
        assert max(map(len, about.layout.splitlines())) <= 130
        assert Path(about.layout.split()[0])


def table_of(root: Path, *rows: str) -> Path:
    """A table of pictures and their classes."""
    root.mkdir(exist_ok=True)
    for row in rows:
        assert cv2.imwrite(str(root / row.partition(",")[0]), np.full((48, 64, 3), 99, np.uint8))
    (root / "all.csv").write_text("\n".join(["path,label", *rows, ""]))
    return root / "all.csv"


@pytest.mark.usefixtures("orders_run_here")
@pytest.mark.parametrize("append", [True, False])
def test_a_class_that_comes_later_never_contradicts_the_rows(tmp_path, append):
    """It renumbers those that are there: refused, in one line that says which, and nothing is changed."""
    config, out = resolve("csv", (), {"clip": {"short_side": 48}}), tmp_path / "out"
    build(config, table_of(tmp_path / "root", "b.jpg,bowling", "c.jpg,cycling"), out)
    before = (out / "classes.json").read_bytes()
    table = table_of(tmp_path / "root", "a.jpg,archery", "b.jpg,bowling", "c.jpg,cycling")
    with pytest.raises(ConfigError, match="class 'bowling' is 1 now and was 0: bring the class list back, or build into a new"):
        build(config, table, out, run=RunConfig(append=append))
    assert (out / "classes.json").read_bytes() == before
    shards = vdata.open_shards(out)
    assert {sample.row["label_name"]: shards.classes["label"][sample.row["label"]] for sample in shards} == {
        "bowling": "bowling",
        "cycling": "cycling",
    }


@pytest.mark.usefixtures("orders_run_here")
def test_folders_may_gain_a_class(small_root, tmp_path):
    config, out = resolve("folder", (), SMALL), tmp_path / "out"
    build(config, small_root, out)
    (small_root / "0new").mkdir()
    (small_root / "0new/v9.mp4").write_bytes((small_root / "a/v0.mp4").read_bytes())
    build(config, small_root, out, run=RunConfig(append=True))
    shards = vdata.open_shards(out)
    assert shards.classes == {"label": ("a", "b", "0new")}
    assert all(shards.classes["label"][sample.row["label"]] == sample.row["label_name"] for sample in shards)
