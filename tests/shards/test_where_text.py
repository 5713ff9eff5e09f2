"""The filter language against Python's own meaning of the same text, and what it refuses."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from vdata.errors import ConfigError, UnknownNameError
from vdata.shards.where_text import parse_where

RNG = np.random.default_rng(0)
NUM_ROWS = 400
TABLE = pa.table(
    {
        "label": pa.array(RNG.integers(-2, 5, NUM_ROWS), pa.int32()),
        "width": pa.array(RNG.choice([2**30, 640, 320, 1], NUM_ROWS), pa.int32()),
        "motion_score": pa.array(RNG.choice([0.0, 0.1, 0.2, 0.5, 3.0], NUM_ROWS), pa.float32()),
        "seconds": pa.array(RNG.choice([0.0, 0.5, 1.0, 10.0], NUM_ROWS), pa.float64()),
        "has_audio": pa.array(RNG.integers(0, 2, NUM_ROWS).astype(bool)),
        "label_name": pa.array(RNG.choice(["dog", "cat", "Änne's", ""], NUM_ROWS)),
        "picture": pa.array([{"x": 0, "width": int(w)} for w in RNG.integers(1, 9, NUM_ROWS)]),
        "splits": pa.array([[["train1"], ["train1", "test2"], ["train12"], []][n] for n in RNG.integers(0, 4, NUM_ROWS)]),
        "labels": pa.array([[[3], [-1, 12], [1, 2, 3], []][n] for n in RNG.integers(0, 4, NUM_ROWS)], pa.list_(pa.int32())),
        "corners": pa.array([[0.5]] * NUM_ROWS),
    }
)


class Row(dict):
    """A row whose struct has its parts as attributes, for Python's own reading of the text."""

    __getattr__ = dict.__getitem__


def found(text: str, table: pa.Table = TABLE) -> list[bool | None]:
    expression, names = parse_where(text, table.schema)
    # By Arrow's scanner, which is another way to a value than vdata's.
    scanned = ds.dataset(table.select(names)).scanner(columns={"chosen": expression}, use_threads=False)
    return scanned.to_table()["chosen"].to_pylist()


@pytest.mark.parametrize(
    "text",
    [
        "motion_score > 0.2",
        "motion_score >= 0.2 and label in (1, 2)",
        "label == 1 or label == 2 or has_audio",
        "not has_audio",
        "not (has_audio and motion_score > 0.1) or label < 0",
        "has_audio == (label > 2)",
        "has_audio != True",
        "0 <= label < 3",
        "-1 < label != 2 <= 4",
        "label not in [-1, 0, 3]",
        "label in {1.0, 2.5}",
        "label in (1.5, 2)",
        "label in ()",
        "motion_score in (0, 0.5, 3)",
        "has_audio in (True,)",
        "label_name == 'dog'",
        "label_name in ('dog', \"Änne's\")",
        "label_name > 'cat' and label_name != ''",
        "'cat' <= label_name",
        "picture.width * 2 >= picture.x + 8",
        "width * width * width > 1208925819614629174706176.0",  # 2 ** 80, which no integer of Arrow's reaches
        "width / 3 - 100 < 7 * label",
        "label / 2 == 0.5",
        "1 / (label + 10) > 0.09",
        "-label > 1",
        "- (label + 1) * -2 > seconds",
        "label - 1 - 1 == label - 2",
        "2 > label",
        "1 < 2 and label == 1",
        "label == 9223372036854775807 or label == -9223372036854775808 or label == 4",
        "seconds < 1e400",
        "'train1' in splits",
        "'train1' not in splits and 'test2' not in splits",
        "'train1' in splits and 'test2' in splits",
        "2 in labels",
        "-1 in labels or not (3 in labels)",
        "  label ==\n 1 ",
    ],
)
def test_a_filter_means_what_python_means(text):
    code = compile(text.strip().replace("\n", " "), "filter", "eval")
    rows = [Row(row, picture=Row(row["picture"])) for row in TABLE.to_pylist()]
    expected = [bool(eval(code, {}, row)) for row in rows]
    assert found(text) == expected
    assert 0 < sum(expected) < NUM_ROWS or text in ("label in ()", "label - 1 - 1 == label - 2", "seconds < 1e400")


NULLS = pa.table(
    {
        "a": pa.array([1, None, 3, None], pa.int32()),
        "b": pa.array([True, True, False, None]),
        "t": pa.array(["x", None, "y", "x"]),
        "s": pa.array([{"w": 1}, {"w": None}, None, {"w": 4}], pa.struct([("w", pa.int32())])),
        "l": pa.array([[1], [], None, [2]]),
    }
)


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("a > 1", [False, None, True, None]),
        ("not a > 1", [True, None, False, None]),
        ("a != 1", [False, None, True, None]),
        ("a in (1, 2)", [True, None, False, None]),
        ("a not in (1, 2)", [False, None, True, None]),
        ("t not in ('x',)", [False, None, True, False]),
        ("b not in (True,)", [False, False, True, None]),
        ("a > 1 or b", [True, True, True, None]),
        ("a > 1 and b", [False, None, False, None]),
        ("not b", [False, False, True, None]),
        ("a + 1 > 0", [True, None, True, None]),
        ("not a / (a - 1) > 9", [None, None, True, None]),
        ("s.w > 1", [False, None, None, True]),
        ("a is None", [False, True, False, True]),
        ("a is not None and not b", [False, False, True, False]),
        ("s.w is None", [False, True, True, False]),
        ("1 in l", [True, False, None, False]),
        ("1 not in l", [False, True, None, True]),
        ("l is None", [False, False, True, False]),
        ("not t is None", [True, False, True, True]),
    ],
)
def test_a_null_is_neither_true_nor_false(text, chosen):
    assert found(text, NULLS) == chosen


REFUSED = [
    ("label >> 1 == 0", "`label >> 1` at character 1 is no part of a filter: allowed are column names"),
    ("label ** 2 > 1", "`label ** 2` at character 1"),
    ("label % 2 == 1", "`label % 2` at character 1"),
    ("label_name == 'Ä' and len(splits)", "`len(splits)` at character 23"),
    ("__import__('os').system('true')", "is no part of a filter"),
    ("label.__class__ == 1", "`label` at character 1 holds int32, which has no parts"),
    ("(lambda: 1)() == label", "is no part of a filter"),
    ("[label for label in splits]", "is no part of a filter"),
    ("label if has_audio else label", "is no part of a filter"),
    ("f'{label}' == label_name", "is no part of a filter"),
    ("label == b'1'", "`b'1'` at character 10"),
    ("label == 1j", "`1j` at character 10"),
    ("label == ...", "`...` at character 10"),
    ("(label := 3) == 3", "is no part of a filter"),
    ("~has_audio", "`~has_audio` at character 1"),
    ("+label > 1", "`+label` at character 1"),
    ("label", "`label` at character 1 is a number, no truth: compare it with something"),
    ("has_audio and label", "`label` at character 15 is a number, no truth"),
    ("not label_name", "`label_name` at character 5 is text, no truth"),
    ("label == None", "`None` at character 10 is no part of a filter: ask with `is None`"),
    ("label is 1", "`1` at character 10 cannot stand behind `is`"),
    ("label + 1 is None", "`label + 1` at character 1 is no column"),
    ("label in 3", "`3` at character 10 cannot stand behind `in`: write the values in brackets"),
    ("1 in splits", "`1` at character 1 is not text, written out"),
    ("'train1' in labels", "`'train1'` at character 1 is not a number, written out"),
    ("label in labels", "`label` at character 1 is not a number, written out"),
    ("1.5 in labels", "`1.5` at character 1 is no whole number, as labels holds"),
    ("0.5 in corners", "`corners` at character 8 holds list<item: double>, no list of text or of whole numbers"),
    ("'a' in label_name", "`label_name` at character 8 holds string, no list of text or of whole numbers"),
    ("label in (1, 'a')", "`'a'` at character 14 is not a number, written out"),
    ("label in (1, width)", "`width` at character 14 is not a number, written out"),
    ("label in (True,)", "`True` at character 11 is not a number"),
    ("label_name in (-'a',)", "is not text, written out"),
    ("label_name == 1", "`1` at character 15 is a number, which cannot be compared with text"),
    ("has_audio == 1", "`1` at character 14 is a number, which cannot be compared with a truth"),
    ("has_audio > False", "`False` at character 13 is a truth, which can only be compared by == and !="),
    ("label_name + 1 > 2", "`label_name` at character 1 is text, no number"),
    ("-has_audio > 1", "`has_audio` at character 2 is a truth, no number"),
    ("-True > label", "`-True` at character 1"),
    ("splits == 'train1'", "`splits` at character 1 holds list"),
    ("picture > 3", "name one of its parts, as picture.x"),
    ("label == 99999999999999999999", "`99999999999999999999` at character 10 does not fit into 64 bits"),
    ("label in (1, -99999999999999999999)", "does not fit into 64 bits"),
    ("1 == 1", "names no column"),
    ("True", "names no column"),
    ("", "cannot be read"),
    ("label =", "cannot be read at character 7"),
    ("label = 1", "cannot be read at character 7"),
    ("label == 1 && has_audio", "cannot be read at character 13"),
    ("label == 1; has_audio", "cannot be read at character 11"),
    ("0.2and has_audio", "cannot be read at character 3: invalid decimal literal"),
    ("label_name == '\\d'", "cannot be read"),
    ("label == 1\0", "cannot be read"),
    ("not " * 5000 + "has_audio", "nested too deep"),
    ("(" * 300 + "label" + ")" * 300, "too many nested parentheses"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=[text[:40] for text, _ in REFUSED])
def test_anything_else_is_refused_in_one_line_that_shows_the_place(text, message):
    with pytest.raises(ConfigError) as caught:
        parse_where(text, TABLE.schema)
    assert message in str(caught.value)
    assert str(caught.value).startswith("where (")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["label[0]", "await x", "yield", "(yield from x)", "*x", "x[1:2]", "{**x}", "{x}", "(x,)", "x(y)(z)", "lambda *x: x"]
)
def test_other_expressions_of_python_are_refused_and_not_run(text):
    with pytest.raises(ConfigError):
        parse_where(text, TABLE.schema)


def test_an_unknown_column_answers_with_the_nearest_and_all():
    with pytest.raises(UnknownNameError, match=r"no column is named 'motion_scor'\. Did you mean 'motion_score'.*label_name"):
        parse_where("motion_scor > 1", TABLE.schema)
    with pytest.raises(UnknownNameError, match=r"no part of the column 'picture' is named 'widht'. Did you mean 'width'"):
        parse_where("picture.widht > 1", TABLE.schema)


def test_a_column_whose_types_do_not_agree_is_refused():
    with pytest.raises(ConfigError, match="holds values of several types"):
        parse_where("pid == 1", pa.schema([("pid", pa.null())]))


def test_the_columns_it_names_are_those_to_read():
    assert parse_where("label > 1 and picture.x < label or label_name in ('a',)", TABLE.schema)[1] == [
        "label",
        "picture",
        "label_name",
    ]
