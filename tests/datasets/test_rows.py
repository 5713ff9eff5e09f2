"""Cells of users' tables: what becomes text, a list, a time, a class number."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest

from vdata.datasets._rows import Numbering, WordColumns, Words, cell_items, cell_seconds, cell_text, numbered, take


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (" a b ", "a b"),
        (None, ""),
        (math.nan, ""),
        (3.0, "3"),
        (0.25, "0.25"),
        (7, "7"),
        (True, "true"),
        (["a", 1], '["a", 1]'),
        ({"k": "é"}, '{"k": "é"}'),
        (b"\x00", ""),
        ("half \ud83d", "half ?"),
        (Decimal("1.5"), "1.5"),
    ],
)
def test_text(value, text):
    assert cell_text(value) == text


def test_items():
    assert cell_items("a| b ||c", "|") == ("a", "b", "c")
    assert cell_items("a|b", "") == ("a|b",)
    assert cell_items(["a|b", 2.0, None, ""], "|") == ("a|b", "2")
    assert cell_items(None, "|") == cell_items("", "|") == cell_items(math.nan, "|") == ()


def test_seconds():
    assert cell_seconds("12.5") == cell_seconds(12.5) == cell_seconds(Decimal("12.5")) == 12.5
    assert cell_seconds(0) == 0.0
    for nothing in (None, "", " ", "NaN", "none", "NULL", math.nan, "N/A"):
        assert cell_seconds(nothing) is None
    for bad in ("x", "-1", -0.5, "inf", True, [1], "00:01:30", 10**400):
        with pytest.raises(ValueError):  # noqa: PT011 - the caller words it
            cell_seconds(bad)


def test_the_first_name_with_a_value_is_taken_and_the_others_stay():
    values = {"a": "", "b": None, "c": "x", "d": "y"}
    assert take(values, ("a", "b", "c", "d")) == "x"
    assert values == {"a": "", "b": None, "d": "y"}
    assert take(values, ("z",)) is None


def test_words():
    words = Words.of({"label": "x", "tags": "p|q", "caption": "c", "mood": "good", "empty": "", "n": 4.0}, WordColumns(), "|")
    assert words == Words(("x",), "c", ("p", "q"), {"mood": "good", "n": "4"})
    assert words.text == {"caption": "c", "tags": ["p", "q"], "other": {"mood": "good", "n": "4"}}
    assert Words.of({}, WordColumns(), "|").text == {}


def test_names_are_numbered_by_their_bytes():
    numbering = numbered([("b",), (), ("B",), ("é",)])
    assert numbering.names == ("B", "b", "é")
    assert numbering.columns(("b",)) == {"label": 1, "label_name": "b"}
    assert numbering.columns(()) == {}


def test_numbers_are_indices_as_they_stand():
    numbering = numbered([("7",), ("3.0",), ("-1",)])
    assert numbering.names == ()
    assert numbering.columns(("7",)) == {"label": 7, "label_name": ""}
    assert numbering.columns(("3.0",)) == {"label": 3, "label_name": ""}
    assert numbering.columns(("-1",)) == {}
    # One that is no number makes all of them names.
    assert numbered([("7",), ("run",)]).names == ("7", "run")


def test_several_in_one_row_make_all_rows_several():
    numbering = numbered([("a", "b"), ("a",)])
    assert numbering.columns(("b", "a", "b")) == {"labels": (1, 0)}
    assert numbering.columns(("a",)) == {"labels": (0,)}
    assert numbering.columns(()) == {"labels": ()}


def test_a_class_list_fixes_the_numbers():
    listed = ("run", "jump", "swim")
    assert numbered([("jump",)], listed).columns(("jump",)) == {"label": 1, "label_name": "jump"}
    assert numbered([("2",)], listed).columns(("2",)) == {"label": 2, "label_name": "swim"}
    assert numbered([("jump",), ("fly",)], listed).fault(("fly",)) == "label 'fly' is not one of the 3 classes, by name or number"
    assert "'3' is not one of the 3" in numbered([("3",)], listed).fault(("3",))
    assert numbered([("1",)], listed).fault(("1",)) == ""


def test_numbers_that_are_no_indices_are_named():
    endless = "9" * 5000
    numbering: Numbering = numbered([("-2",), ("3000000000",), ("1",), (endless,)])
    assert endless in numbering.fault((endless,))
    assert numbering.fault(("-2",)) == "label '-2' is not a number from 0, or -1 for none"
    assert "3000000000" in numbering.fault(("3000000000",))
    assert numbering.fault(("1",)) == ""
