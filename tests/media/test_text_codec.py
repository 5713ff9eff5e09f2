"""text.json: what is written is read back, in bytes that do not change, and nothing else is taken for it."""

import json
import math

import pytest

from vdata.errors import ConfigError, CorruptShardError
from vdata.media.text_codec import Question, Subtitle, Text, dump_text, load_text, text_of

FULL = Text(
    label="opening door",
    caption="a man \u2013 <opens>",
    tags=("b", "a"),
    subtitles=(Subtitle(-0.5, 1.25, "one\ntwo", whole=False), Subtitle(2.0, 2.0, "x")),
    questions=(Question("7", "who?", ("a", "b"), 1, 0.0, 2.5, whole=True), Question("8", "why?", ("a", "b"))),
)


@pytest.mark.parametrize("text", [FULL, Text(), Text(tags=("one",))])
def test_what_is_written_is_read_back(text):
    assert load_text(dump_text(text)) == text


def test_the_bytes_are_plain_json_with_every_key():
    assert dump_text(Text(label="caf\xe9", subtitles=(Subtitle(0.1, 1.0, "x"),))).decode() == (
        '{"caption":"","label":"caf\xe9","questions":[],"subtitles":[{"end":1.0,"start":0.1,"text":"x","whole":true}],"tags":[]}'
    )
    question = json.loads(dump_text(FULL))["questions"][1]
    assert question == {
        "id": "8",
        "question": "why?",
        "answers": ["a", "b"],
        "answer": None,
        "start": None,
        "end": None,
        "whole": None,
    }


def test_words_are_those_of_caption_and_subtitles():
    assert FULL.num_words == 4 + 2 + 1
    assert Text(label="two words", tags=("more",)).num_words == 0


def test_a_lone_surrogate_is_stored_as_a_question_mark():
    assert load_text(dump_text(Text(caption="a\ud800b"))).caption == "a?b"


@pytest.mark.parametrize(
    "member",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"other": 1}',
        b'{"label": 1}',
        b'{"tags": [1]}',
        b'{"subtitles": [{"start": 0, "end": 1}]}'.replace(b'"end"', b'"ende"'),
        b'{"subtitles": [{"start": NaN, "end": 1, "text": ""}]}',
        b'{"subtitles": [{"start": 0, "end": 1e300, "text": ""}]}',
        b'{"subtitles": [{"start": 2, "end": 1, "text": ""}]}',
        b'{"questions": [{"id": "1", "question": "", "answers": ["a"], "answer": 1}]}',
        b'{"questions": [{"id": "1", "question": "", "start": 1}]}',
    ],
)
def test_what_is_no_text_is_refused(member):
    with pytest.raises(CorruptShardError, match=r"is no text\.json"):
        load_text(member)


def test_times_are_checked_where_they_are_made():
    with pytest.raises(ConfigError, match=r"subtitle\.start"):
        Subtitle(math.nan, 1.0, "x")
    with pytest.raises(ConfigError, match="must not be before its start"):
        text_of({"subtitles": [{"start": 2, "end": 1, "text": "x"}]})


def test_a_document_is_there_only_where_there_is_one():
    text = Text(label="a", document="two words")
    assert load_text(dump_text(text)) == text
    assert json.loads(dump_text(text))["document"] == "two words"
    assert "document" not in json.loads(dump_text(Text(label="a")))
    assert text.num_words == 2


def test_what_else_a_dataset_says_is_text_by_name():
    text = Text(caption="a", other={"mood": "good", "camera": "7"})
    assert load_text(dump_text(text)) == text
    assert json.loads(dump_text(text))["other"] == {"camera": "7", "mood": "good"}
    assert "other" not in json.loads(dump_text(Text(caption="a")))
    with pytest.raises(ConfigError, match=r"other\.n \(1\) must be text"):
        text_of({"other": {"n": 1}})
