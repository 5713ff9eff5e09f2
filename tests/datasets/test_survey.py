"""What a root would give, as it is printed."""

from __future__ import annotations

import json

from vdata.datasets import DATASETS
from vdata.datasets._survey import survey


def test_names_of_files_cannot_write_on_the_terminal(plant):
    root = plant("a.mp4", "line\nbreak.txt", "red\x1b[31m.txt")
    found = survey("folder", root, DATASETS["folder"].Config())[""]
    assert found.videos == 1
    shown = [example for examples in found.examples.values() for example in examples]
    assert len(shown) == 2
    assert all(example.isprintable() for example in shown)
    assert any(example.startswith("line\\nbreak.txt: ") for example in shown)


def test_a_split_that_cannot_be_listed_is_told_on_one_line(plant):
    texts = {"Diving48_V2_test.json": "[]", "Diving48_vocab.json": '[["Back"]]', "Diving48_V2_train.json": "[]"}
    root = plant("rgb/a\x1bb\n.mp4", texts=texts | {"Diving48_V2_train.json": json.dumps([{"vid_name": "x", "label": 0}])})
    found = survey("diving48", root, DATASETS["diving48"].Config())
    assert "found a\\x1bb\\n.mp4; --root must hold" in found["train"].problem
    assert all(split.problem.isprintable() for split in found.values())
