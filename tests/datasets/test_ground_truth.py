"""Ground truths: a line a frame, or spans; numberings with many names of one index, and with a negative one."""

from __future__ import annotations

from pathlib import Path

import pytest

from vdata.datasets._ground_truth import names_of_frames, read_bundle, read_mapping, read_truth
from vdata.errors import ConfigError
from vdata.records import Segment

MAPPING = {"bg": -1, "jack_up": 0, "undo_bolts": 1}


@pytest.fixture
def file(tmp_path):
    def write(text: str) -> Path:
        (tmp_path / "file").write_bytes(text.encode())
        return tmp_path / "file"

    return write


def frames(segments: tuple[Segment, ...]) -> list[int]:
    return [segment.label for segment in segments for _ in range(segment.start, segment.end)]


def test_a_line_is_a_frame(file):
    truth = read_truth("d", file("bg\r\nbg\r\njack_up \r\nbg\r\n"), MAPPING)
    assert truth == (Segment(0, 2, -1), Segment(2, 3, 0), Segment(3, 4, -1))


@pytest.mark.parametrize("first", [0, 1])
def test_spans_hold_both_ends(file, first):
    text = f"{first}-{first + 9} bg\n{first + 10}-{first + 10} jack_up\n{first + 11}-{first + 19}   undo_bolts  \n"
    # As CTE's own reader makes lines of them: each class end - start + 1 times.
    assert frames(read_truth("d", file(text), MAPPING)) == [-1] * 10 + [0] + [1] * 9


def test_frames_between_spans_have_no_class(file):
    assert read_truth("d", file("1-2 jack_up\n5-6 undo_bolts\n"), MAPPING) == (Segment(0, 2, 0), Segment(4, 6, 1))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1-5 bg\n6-9 hammer\n", "line 2: found 'hammer|line 2: found '6-9 hammer', must be one of the 3"),
        ("1-5 bg\n4-9 jack_up\n", "line 2: found '4-9 jack_up', must end behind its start"),
        ("5-1 bg\n", "line 1: found '5-1 bg', must end behind"),
        ("1-5 bg\njack_up\n", "line 2: found 'jack_up', must be 'START-END CLASS'"),
        ("bg\n1-5 bg\n", "line 2: found '1-5 bg', must be one of the 3"),
        # A label for each frame of it would be 400 GB; int() takes 4,300 digits.
        ("1-5 bg\n6-99999999999 bg\n", "line 2: found '6-99999999999 bg', must be 'START-END CLASS'"),
        (f"1-{'9' * 5000} bg\n", "line 1: found '1-9999.*, must be one of the 3"),
    ],
)
def test_lines_that_are_none(file, text, message):
    with pytest.raises(ConfigError, match=message):
        read_truth("d", file(text), MAPPING)


def test_many_names_of_one_index_and_none_of_a_negative_one(file):
    mapping = read_mapping("d", file("0 cut_tomato\n0 cut_cheese\n2 mix\n-1 bg\n"))
    assert mapping == {"cut_tomato": 0, "cut_cheese": 0, "mix": 2, "bg": -1}
    assert names_of_frames(mapping) == ("cut_tomato|cut_cheese", "", "mix")


@pytest.mark.parametrize("index", ["1000001", "-1000001", "1" + "0" * 30, "9" * 5000, "1e3"])
def test_an_index_without_measure_is_refused(file, index):
    with pytest.raises(ConfigError, match=rf"line 2: found '{index[:20]}.*, must be 'INDEX CLASS', the index at most 1000000"):
        read_mapping("d", file(f"0 cut\n{index} mix\n"))


def test_files_that_are_none(file):
    with pytest.raises(ConfigError, match="found 0 and 1 as the index of 'mix', each class must have one"):
        read_mapping("d", file("0 mix\n1 mix\n"))
    with pytest.raises(ConfigError, match="an empty file, it must have lines 'INDEX CLASS'"):
        read_mapping("d", file("\n"))
    with pytest.raises(ConfigError, match="an empty file, it must name the ground truth"):
        read_bundle("d", file(""))
    assert read_bundle("d", file("a.txt\r\nb\r\n")) == ("a", "b")
