"""Annotation files as they come: other line ends, marks of byte order, quotes, damage."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.io

from vdata.datasets._files import image_names, parse_lines, read_csv, read_json, read_lines, read_mat
from vdata.errors import ConfigError


def test_lines_have_any_end_and_no_mark(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\n\r\ntwo\nthree \xe2\x80\xa8 still three\r\n\r\n")
    assert read_lines("d", path) == ["one", "", "two", "three \u2028 still three"]
    assert parse_lines("d", path, str.upper, "must be a word")[:2] == ["ONE", "TWO"]


def test_a_line_that_cannot_be_parsed_is_named(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("1\n\nx\u001b[31m\n")
    with pytest.raises(ConfigError, match=r"^d: '.*a\.txt' line 3: found 'x\\x1b\[31m', must be a number$"):
        parse_lines("d", path, int, "must be a number")


def test_csv_columns_go_by_name_and_fields_may_hold_lines(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b'b, a\r\n"x, y", 1\r\n"two\nlines", 2\r\n"mark \xe2\x80\xa8", 3\r\nshort\r\n')
    rows = list(read_csv("d", path, ["a", "b"]))
    assert rows == [
        {"b": "x, y", "a": "1"},
        {"b": "two\nlines", "a": "2"},
        {"b": "mark \u2028", "a": "3"},
        {"b": "short", "a": ""},
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,c\n1,2\n", r"line 1: found a,c, the first line must name the columns a, b"),
        (b"", "an empty file"),
        (b"a,b\n1," + b"x" * 200_000 + b"\n", "field larger than field limit"),
        (b"\xff\xfea\x00", "no utf-8-sig"),
    ],
)
def test_what_is_no_such_csv_is_one_line(tmp_path, content, message):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as error:
        list(read_csv("d", path, ["a", "b"]))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", ["", "[1,", "[" * 100_000, '{"a": 1}'])
def test_what_is_no_such_json_is_one_line(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"it must (be JSON|hold a JSON list)"):
        read_json("d", path, list)


def test_half_a_surrogate_pair_is_mended_and_a_number_without_measure_named(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(r'{"\ud800": "\ud83d\ude00"}')
    assert read_json("d", path, dict) == {"\ufffd": "\U0001f600"}
    path.write_text("1\ninf\n")
    with pytest.raises(ConfigError, match="line 2: found 'inf', must be a number"):
        parse_lines("d", path, lambda line: int(float(line)), "must be a number")


def test_matlab_files(tmp_path):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"x": np.arange(6).reshape(2, 3)})
    assert read_mat("d", path, "x").tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(ConfigError, match=r"found \['x'\], it must hold the variable y"):
        read_mat("d", path, "y")
    path.write_bytes(b"no matlab at all")
    with pytest.raises(ConfigError, match="MATLAB file"):
        read_mat("d", path, "x")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_mat("d", tmp_path / "none.mat", "x")
    scipy.io.savemat(path, {"x": np.array([["a", "b"]], object)})
    with pytest.raises(ConfigError, match="MATLAB file"):
        read_mat("d", path, "x")


def test_a_reader_that_dies_takes_nobody_along(tmp_path, monkeypatch):
    (tmp_path / "a.mat").touch()
    monkeypatch.setattr("vdata.datasets._files._READ_MAT", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(ConfigError, match=r"found bytes at which the reader died \(status -11\)"):
        read_mat("d", tmp_path / "a.mat", "x")


@pytest.mark.parametrize(
    "names",
    [
        ["1.jpg", "2.jpg", "3.jpg", "10.jpg"],
        ["001.jpg", "002.jpg", "010.jpg"],
        ["0001C1T0001F001.jpg", "0001C1T0001F099.jpg", "0001C1T0001F100.jpg", "0001C1T0002F0100.jpg"],
        # Of one length, but not of one width; one number in two forms.
        ["frame9_10.jpg", "frame10_9.jpg"],
        ["01.jpg", "1.jpg", "2.jpg"],
        ["9" * 100 + ".png", "1" + "0" * 100 + ".png"],
    ],
)
def test_numbers_in_the_names_of_images_are_in_their_order(tmp_path, names):
    for name in reversed(names):
        (tmp_path / name).touch()
    assert image_names(tmp_path) == names


def test_images_are_sorted_by_their_bytes_and_nothing_else_is_one(tmp_path):
    for name in ("b.JPG", "a.png", "Z.jpeg", "c.txt", "d.gif"):
        (tmp_path / name).touch()
    assert image_names(tmp_path) == ["Z.jpeg", "a.png", "b.JPG"]
    assert image_names(tmp_path / "none") == []
