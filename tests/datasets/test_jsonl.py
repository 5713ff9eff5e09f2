"""Tables as JSON lines: what differs from CSV is how a row is read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import vdata
from vdata.config import from_mapping
from vdata.datasets import DATASETS
from vdata.errors import ConfigError
from vdata.records import Skipped, Video


def listed(root: Path, split: str = "", **settings: object) -> list[Video | Skipped]:
    jsonl = DATASETS["jsonl"](from_mapping(DATASETS["jsonl"].Config, settings))
    jsonl.prepare(root)
    assert split in (jsonl.splits_in(root) or ("",))
    return list(jsonl.videos(root, split))


def test_rows_need_not_have_the_same_keys(plant):
    rows = [
        {"path": "a.mp4", "label": ["run", "outdoors"], "caption": "café", "tags": ["x", "y"], "split": "train"},
        {"url": "https://example.org/b.mp4", "start": 1, "end": None, "label": "run", "split": "train", "meta": {"n": [1, 2]}},
        {"path": "c.mp4", "start": float("nan"), "label": [], "split": "val", "score": 0.5, "ok": True},
    ]
    lines = "".join(f"{json.dumps(row)}\n\n" for row in rows)
    root = plant("a.mp4", "c.mp4", texts={"t.jsonl": lines})
    first, second = listed(root / "t.jsonl", "train")
    assert (first.video_id, first.label, first.labels) == ("a.mp4", -1, (1, 0))
    assert first.text == {"caption": "café", "tags": ["x", "y"]}
    assert (second.video_id, second.start_seconds, second.end_seconds) == ("https://example.org/b.mp4#t=1", 1.0, None)
    assert (second.labels, second.text) == ((1,), {"other": {"meta": '{"n": [1, 2]}'}})
    (third,) = listed(root, "val")
    assert (third.start_seconds, third.labels, third.text) == (0.0, (), {"other": {"score": "0.5", "ok": "true"}})


def test_odd_lines_are_skipped(plant):
    lines = [
        '{"path": "a.mp4"}',
        '{"path": ',
        "[1]",
        "[" * 100_000,
        '{"path": "\\ud83d.mp4"}',
        '{"path": "b.mp4", "end": "soon"}',
    ]
    entries = listed(plant("a.mp4", "b.mp4", texts={"t.ndjson": "\n".join(lines)}))
    assert [getattr(entry, "reason", "") for entry in entries] == ["", "bad_row", "bad_row", "bad_row", "missing", "bad_time"]
    assert entries[1].message.startswith("line 2: the line is no JSON: ")
    assert entries[2].message == "line 3: the line is no JSON object"


def test_lists_and_other_files_are_refused(plant):
    with pytest.raises(ConfigError, match=r"line 1: found a JSON list, it must have one object a line, as `jq -c"):
        listed(plant(texts={"t.jsonl": '[\n{"path": "a.mp4"}]'}) / "t.jsonl")
    with pytest.raises(ConfigError, match="found the line is no JSON"):
        listed(plant(texts={"u.jsonl": "path,label\na.mp4,run\n"}) / "u.jsonl")
    with pytest.raises(ConfigError, match="must have the column 'path'"):
        listed(plant(texts={"v.jsonl": '{"video": "a.mp4"}'}) / "v.jsonl")
    with pytest.raises(ConfigError, match="looked for one table"):
        listed(plant())


def test_words_that_no_file_holds_are_mended(plant):
    (entry,) = listed(plant("a.mp4", texts={"t.jsonl": '{"path": "a.mp4", "\\ud800": {"k": "\\udfff"}}'}))
    assert entry.text == {"other": {"\ufffd": '{"k": "\ufffd"}'}}


def test_a_build(make_video, build_dataset, tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    for name, count in (("a", 12), ("b", 18)):
        shutil.copy(make_video(f"{name}.mp4", num_frames=count, fps=25, size=(64, 48)), root)
    rows = [
        {"path": "a.mp4", "label": ["run", "outdoors"], "caption": "on foot", "split": "train", "mood": {"calm": 0.5}},
        {"path": "b.mp4", "label": "run", "split": "train", "start": 0.24},
        {"path": "gone.mp4", "label": "swim", "split": "train"},
    ]
    (root / "t.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    folder = build_dataset("jsonl", root)["train"]
    shards = vdata.open_shards(folder)
    samples = {sample.row["video_id"]: sample for sample in shards}
    assert {name: (sample.row["num_frames"], sample.row["labels"]) for name, sample in samples.items()} == {
        "a.mp4": (12, [1, 0]),
        "b.mp4#t=0.24": (12, [1]),
    }
    assert (samples["a.mp4"].text().caption, samples["a.mp4"].text().other) == ("on foot", {"mood": '{"calm": 0.5}'})
    assert shards.classes == {"label": ("outdoors", "run", "swim")}
    assert pq.read_table(folder / "errors.parquet")["reason"].to_pylist() == ["missing"]
