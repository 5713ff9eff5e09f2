"""Questions by video from a file that the user names; how its rows are read is tested beside the parser."""

import json
from pathlib import Path

import pytest

from vdata.errors import ConfigError
from vdata.extract._questions import load_questions

ROW = {"qid": 7, "q": "What is Robin holding?", "a0": "A glass", "a1": "Nachos", "answer_idx": 1, "ts": "1.21-8.49"}


def write(path: Path, *names: str) -> str:
    path.write_text("".join(json.dumps(ROW | {"vid_name": name, "qid": i}) + "\n" for i, name in enumerate(names)))
    return str(path)


def test_questions_are_grouped_by_video_in_their_order(tmp_path):
    found = load_questions(write(tmp_path / "a.jsonl", "met", "house", "met"))
    assert {name: [question.id for question in group] for name, group in found.items()} == {"met": ["0", "2"], "house": ["1"]}


def test_errors_name_the_setting(tmp_path):
    with pytest.raises(ConfigError, match=r"text\.questions: '.*nowhere\.jsonl' cannot be read"):
        load_questions(str(tmp_path / "nowhere.jsonl"))
    (tmp_path / "a.jsonl").write_text('{"qid": 1}')
    with pytest.raises(ConfigError, match=r"text\.questions: row 1 of .* is no question of TVQA's"):
        load_questions(str(tmp_path / "a.jsonl"))


def test_a_file_is_read_once_until_it_changes(tmp_path):
    path = write(tmp_path / "a.jsonl", "met")
    first = load_questions(path)
    assert load_questions(path) is first
    write(tmp_path / "a.jsonl", "met", "met")
    assert len(load_questions(path)["met"]) == 2
