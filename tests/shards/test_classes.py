"""classes.json: there, back, and damaged."""

from __future__ import annotations

import pytest

from vdata.errors import CorruptShardError
from vdata.shards.classes import CLASSES_FILE, read_classes, write_classes


def test_there_and_back(tmp_path):
    classes = {"label": ("a", "", "ü"), "box": ()}
    write_classes(tmp_path, classes)
    assert read_classes(tmp_path) == classes


def test_the_order_of_the_kinds_does_not_change_the_file(tmp_path):
    write_classes(tmp_path, {"label": ("a",), "box": ("b",)})
    first = (tmp_path / CLASSES_FILE).read_bytes()
    write_classes(tmp_path, {"box": ("b",), "label": ("a",)})
    assert (tmp_path / CLASSES_FILE).read_bytes() == first


def test_folders_of_earlier_builds_have_none(tmp_path):
    assert read_classes(tmp_path) == {}


@pytest.mark.parametrize("content", ["", "[]", '{"label": 3}', '{"label": [1]}', "\x00"])
def test_damage_is_named(tmp_path, content):
    (tmp_path / CLASSES_FILE).write_text(content)
    with pytest.raises(CorruptShardError, match="run the same `vdata build` again"):
        read_classes(tmp_path)
