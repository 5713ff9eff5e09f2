"""The case that lists and plans: its tree is the published layout, and each step runs in a process of its own."""

from __future__ import annotations

import pytest

from vdata.bench.run import _load, case_files
from vdata.datasets import DATASETS
from vdata.records import Video


@pytest.fixture(scope="module")
def case():
    return _load(case_files()["listing"])


def test_the_tree_lists_whole_and_every_step_counts_its_rows(case, tmp_path):
    case.make_tree(tmp_path / "root", 50)
    dataset = DATASETS["kinetics400"](DATASETS["kinetics400"].Config())
    dataset.prepare(tmp_path / "root")
    videos = list(dataset.videos(tmp_path / "root", "train"))
    assert len(videos) == 50
    assert all(isinstance(video, Video) for video in videos)
    for step in ("write", "read"):
        timed = case._measured(step, tmp_path, 50)
        assert timed.work == 50
        assert timed.detail["peak_mb"] > 50
    with pytest.raises(ValueError, match="not about 51 rows"):
        case._measured("plan", tmp_path, 51)
