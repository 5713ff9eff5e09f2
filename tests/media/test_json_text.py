"""JSON as others write it: halves of surrogate pairs are mended, all else is as Python reads it."""

from __future__ import annotations

import json

import pytest

from vdata.media.json_text import BAD_VALUE, load_json


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"\ud800x"', "\ufffdx"),
        (r'{"\uDC00": ["\udbff\u0041"]}', {"\ufffd": ["\ufffdA"]}),
        # A whole pair after a half; two wrong way round.
        (r'"\ud83d\ud83d\ude00"', "\ufffd\U0001f600"),
        (r'"\ude00\ud83d"', "\ufffd\ufffd"),
        # The backslash is escaped: text that speaks of escapes.
        (r'"\\ud800 \\\ud800"', "\\ud800 \\\ufffd"),
        (r'"\ud7ff\ue000\n"', "\ud7ff\ue000\n"),
    ],
)
def test_halves_are_mended(text, value):
    found = load_json(text)
    assert found == value
    json.dumps(found, ensure_ascii=False).encode()


def test_everything_else_is_as_python_reads_it():
    text = json.dumps({"a": [1, 2.5, None, True, "\U0001f600 é \\ud800"], "b": {}})
    assert load_json(text) == json.loads(text)
    assert load_json(text, sorted) == ["a", "b"]
    with pytest.raises(ValueError, match="Expecting"):
        load_json("{")


@pytest.mark.parametrize("make", [lambda: int(float("inf")), lambda: float(10**400), lambda: int("9" * 5000)])
def test_numbers_without_measure_are_bad_values(make):
    with pytest.raises(BAD_VALUE):
        make()
