"""Files of questions in the published forms of TVQA and TVQA+, true pieces of which are read where they are at hand."""

import json
from pathlib import Path

import pytest

from vdata.errors import ConfigError
from vdata.media.questions import read_questions
from vdata.media.text_codec import Question

ANNOTATIONS = Path(__file__).parents[3] / "shared" / "annotations"
ROW = {
    "a0": "A martini glass",
    "a1": "Nachos",
    "a2": "Her purse",
    "a3": "Marshall's book",
    "a4": "A beer bottle",
    "answer_idx": 4,
    "q": "What is Robin holding?",
    "qid": 7,
    "show_name": "How I Met You Mother",
    "ts": "1.21-8.49",
    "vid_name": "met_s06e22_seg01_clip_02",
}
ANSWERS = tuple(ROW[f"a{i}"] for i in range(5))


def write(path: Path, *rows: dict, as_list: bool = False) -> Path:
    path.write_text(json.dumps(rows) if as_list else "".join(json.dumps(row) + "\n" for row in rows))
    return path


def questions(path: Path) -> list[Question]:
    return [question for _, question in read_questions("reader", path)]


def test_a_line_of_tvqa(tmp_path):
    ((row, question),) = read_questions("reader", write(tmp_path / "train.jsonl", ROW))
    assert question == Question("7", "What is Robin holding?", ANSWERS, 4, 1.21, 8.49)
    assert row == ROW


def test_the_test_set_has_no_answers(tmp_path):
    row = {key: value for key, value in ROW.items() if key != "answer_idx"}
    assert [one.answer for one in questions(write(tmp_path / "test.jsonl", row))] == [None]


@pytest.mark.parametrize(
    ("ts", "span"),
    [
        ("NaN-NaN", (None, None)),
        ("0-5.4", (0.0, 5.4)),
        ([12.3, 20.11], (12.3, 20.11)),
        ([20.0, 12.3], (None, None)),
        ([20.0, 20.0], (None, None)),
        ("", (None, None)),
        (None, (None, None)),
    ],
)
def test_spans(tmp_path, ts, span):
    (question,) = questions(write(tmp_path / "a.jsonl", ROW | {"ts": ts}))
    assert (question.start, question.end) == span


def test_a_list_of_tvqa_plus(tmp_path):
    rows = [ROW | {"answer_idx": "3", "ts": [0.0, 5.4], "bbox": {"1": []}}, ROW | {"qid": 8}]
    path = write(tmp_path / "plus.json", *rows, as_list=True)
    assert [(one.id, one.answer) for one in questions(path)] == [("7", 3), ("8", 4)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "neither JSON Lines nor a JSON list"),
        ('{"qid": 1}', "row 1 of .* is no question of TVQA's .*needs qid"),
        (json.dumps(ROW) + "\n\n[1]", "row 3"),
        (json.dumps(ROW | {"ts": "later"}), "row 1"),
        (json.dumps(ROW | {"answer_idx": 5}), "row 1"),
        (json.dumps(ROW | {"answer_idx": float("inf")}), r"row 1 .*OverflowError"),
        (json.dumps(ROW | {"ts": [1, 10**400]}), r"row 1 .*OverflowError"),
        ("[" + json.dumps(ROW).replace("7", "7" * 5000) + "]", "neither JSON Lines nor a JSON list: Exceeds the limit"),
        ("[" * 100_000, "neither"),
        ("\xff", "neither"),
    ],
)
def test_another_file_is_refused_with_its_row(tmp_path, text, message):
    (tmp_path / "a.jsonl").write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=f"^reader: .*{message}"):
        questions(tmp_path / "a.jsonl")


def test_half_a_surrogate_pair_is_mended(tmp_path):
    (question,) = questions(write(tmp_path / "a.jsonl", ROW | {"q": "\ud83d?", "vid_name": "\udc00"}))
    assert question.question == "\ufffd?"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"reader: '.*nowhere\.jsonl' cannot be read"):
        questions(tmp_path / "nowhere.jsonl")


@pytest.mark.skipif(not ANNOTATIONS.is_dir(), reason=f"no published annotations at {ANNOTATIONS}")
def test_true_pieces_of_the_published_files():
    tvqa = questions(ANNOTATIONS / "tvqa" / "tvqa_qa_release" / "tvqa_test_public.jsonl")
    assert len(tvqa) == 28
    assert sum(question.start is None for question in tvqa) == 3
    assert all(len(question.answers) == 5 and question.answer is None for question in tvqa)
    assert (tvqa[0].id, tvqa[0].start, tvqa[0].end) == ("137292", 48.62, 60.02)
    labelled = questions(ANNOTATIONS / "tvqa_plus" / "tvqa_plus_val.json")
    assert len(labelled) == 12
    assert all(question.answer in range(5) and question.start < question.end for question in labelled)
