import json

import pytest

from vdata.errors import ConfigError, CorruptShardError, SchemaMismatchError
from vdata.shards.dataset_json import DatasetJson, count_problems, read_dataset_json, write_dataset_json

CONTENT = DatasetJson("ucf101", "train", "complete", {"clip": {"gop": 12}}, {"av": "18.0"}, {"clips_written": 3})


def test_it_comes_back_as_it_was(tmp_path):
    assert read_dataset_json(tmp_path) is None
    write_dataset_json(tmp_path, CONTENT)
    assert read_dataset_json(tmp_path) == CONTENT
    assert json.loads((tmp_path / "dataset.json").read_text())["format_version"] == 1


def test_another_version_is_refused(tmp_path):
    (tmp_path / "dataset.json").write_text('{"format_version": 2, "shape": "new"}')
    with pytest.raises(SchemaMismatchError, match="version 2"):
        read_dataset_json(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format_version": 1, "dataset": "a"}', '{"format_version": 1, "more": 0}'])
def test_a_file_that_is_not_ours_is_refused(tmp_path, text):
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(CorruptShardError, match=r"dataset\.json"):
        read_dataset_json(tmp_path)


def test_states_are_two():
    with pytest.raises(ConfigError, match="state"):
        DatasetJson("a", "", "done", {}, {})


def test_sums_that_do_not_hold_are_spelt_out():
    counts = {"videos_listed": 5, "videos_built": 2, "videos_partial": 1, "videos_skipped": 1, "videos_failed": 1}
    counts |= {"clips_planned": 4, "clips_written": 3, "clips_failed": 1, "clips_removed": 0}
    assert count_problems(counts) == []
    assert count_problems(counts | {"clips_failed": 0}) == [
        "4 clips_planned are not 3 clips_written + 0 clips_failed + 0 clips_removed"
    ]
    assert count_problems({**counts, "videos_listed": 6})[0].startswith("6 videos_listed are not 2 videos_built + 1")
    assert count_problems({}) == ["videos_listed is not counted", "clips_planned is not counted"]
