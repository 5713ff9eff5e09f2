"""Which class lists a build keeps."""

from __future__ import annotations

from pathlib import Path

from vdata.builder import resolve
from vdata.builder.build import plan_splits
from vdata.builder.classes import classes_of
from vdata.datasets import DATASETS, About


def test_names_follow_from_the_videos_where_a_dataset_has_no_list(small_root):
    config = resolve("folder")
    (plan,) = plan_splits(config, small_root).values()
    assert classes_of(config, small_root, plan) == {"label": ("a", "b")}


def test_a_list_of_its_own_is_kept_whole(small_root, monkeypatch):
    """Also classes of which no video is there."""
    monkeypatch.setattr(DATASETS["folder"], "classes", lambda self, root: {"label": ("a", "b", "never"), "box": ("x",)})
    config = resolve("folder")
    (plan,) = plan_splits(config, small_root).values()
    assert classes_of(config, small_root, plan) == {"label": ("a", "b", "never"), "box": ("x",)}


def test_every_dataset_says_what_it_is():
    for name in DATASETS:
        about = DATASETS[name].about
        assert isinstance(about, About)
        assert "ROOT" in about.layout
        assert about.layout.endswith("\n")
        assert max(map(len, about.layout.splitlines())) <= 130
        assert Path(about.layout.split()[0])
