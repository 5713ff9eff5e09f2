"""The subtitles of TVQA's clips: three published forms, and what is not as published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vdata.datasets._tv_subtitles import Subtitles
from vdata.errors import ConfigError

CASTLE = "castle_s02e24_seg02_clip_26"
SRT = "1\n00:00:01,000 --> 00:00:02,500\n(Castle:)Caf\xe9\n\n2\n00:00:03,000 --> 00:00:04,000\n<i>No.</i>\n"


def cues(root: Path) -> tuple[list[tuple[float, float, str]], str]:
    found, form = Subtitles("tvqa", root).of(CASTLE)
    return [(cue["start"], cue["end"], cue["text"]) for cue in found], form


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_srt(plant, encoding):
    root = plant(f"tvqa_subtitles/{CASTLE}.srt")
    (root / f"tvqa_subtitles/{CASTLE}.srt").write_bytes(SRT.encode(encoding))
    assert cues(root) == ([(1.0, 2.5, "(Castle:)Café"), (3.0, 4.0, "No.")], "srt")


def test_lines_of_subtitles_where_the_srt_is_absent_or_unreadable(plant):
    said = [
        {"text": "Castle : No .", "start": 1, "end": 2.5},
        {"text": "Oh", "start": 3.0, "end": 2.0},
        {"text": "", "start": 4, "end": 5},
    ]
    odd = [
        {"text": "x", "start": "soon", "end": 1},
        {"text": "y", "start": float("nan"), "end": 1},
        7,
        {"text": "z", "start": 10**400, "end": 1},
    ]
    lines = json.dumps({"vid_name": CASTLE, "sub": said + odd}) + "\n"
    root = plant(texts={"tvqa_preprocessed_subtitles.jsonl": lines})
    known = [(1.0, 2.5, "Castle : No ."), (3.0, 3.0, "Oh")], "jsonl"
    assert cues(root) == known
    plant(texts={f"tvqa_subtitles/{CASTLE}.srt": "no times at all"})
    assert cues(root) == known


def test_subtitles_of_tvqa_plus_have_starts_alone(plant):
    told = {CASTLE: {"sub_text": "castle : no . <eos> beckett : yes .", "sub_time": [1.5, 4.25]}}
    root = plant(texts={"tvqa_plus_subtitles.json": json.dumps(told)})
    assert cues(root) == ([(1.5, 1.5, "castle : no ."), (4.25, 4.25, "beckett : yes .")], "json")


def test_no_subtitles(plant):
    assert cues(plant()) == ([], "")


@pytest.mark.parametrize("text", ["{\n", "[1]\n", '{"vid_name": "a"}\n', "[" * 100_000])
def test_a_spoiled_file_of_subtitles_is_named(plant, text):
    root = plant(texts={"tvqa_preprocessed_subtitles.jsonl": text})
    with pytest.raises(ConfigError, match=r"tvqa_preprocessed_subtitles\.jsonl.*vid_name and sub"):
        cues(root)
