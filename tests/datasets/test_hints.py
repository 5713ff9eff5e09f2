"""What a wrong root is answered with, beside what was looked for."""

from __future__ import annotations

import pytest

from vdata.datasets import DATASETS
from vdata.datasets._hints import hint
from vdata.datasets._survey import survey
from vdata.errors import ConfigError

LISTS = ("classInd.txt", "trainlist01.txt", "testlist01.txt")


def answer(name, root):
    with pytest.raises(ConfigError) as error:
        survey(name, root, DATASETS[name].Config())
    return str(error.value)


def test_the_folder_above_and_the_folder_below(plant):
    root = plant(*(f"ucf/ucfTrainTestlist/{name}" for name in LISTS), "ucf/UCF-101/A/v_A_g01_c01.avi", "other/x.txt")
    assert answer("ucf101", root).endswith("; give 'ucf', which holds ucfTrainTestlist/classInd.txt")
    assert answer("ucf101", root / "ucf/UCF-101").endswith("; give the folder above, which holds ucfTrainTestlist/classInd.txt")


@pytest.mark.parametrize(("name", "beside"), [("ucfTrainTestList", "UCF101TrainTestSplits.zip"), ("ucftraintestlists", "a.txt")])
def test_a_name_that_is_nearly_right(plant, name, beside):
    root = plant(*(f"{name}/{file}" for file in LISTS), "UCF-101/A/v_A_g01_c01.avi", beside)
    assert answer("ucf101", root).endswith(f"; is '{name}' meant? it must be named 'ucfTrainTestlist'")


def test_archives_that_were_not_unpacked(plant):
    root = plant("UCF101.rar", "UCF101TrainTestSplits-RecognitionTask.zip")
    assert answer("ucf101", root).endswith("; unpack 'UCF101.rar' and 1 more first")
    assert answer("ucf101", root / "UCF101.rar").endswith("; unpack it first")


def test_nothing_comes_to_mind(plant):
    root = plant("holiday/a.pdf", "work.docx")
    assert answer("ucf101", root).endswith("directly")
    assert hint("something", root, ["holiday"]) == ""


def test_a_link_to_itself_is_no_answer(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    assert hint("a.csv", tmp_path, ["loop"]) == ""
