"""Text documents: one a line, one a file, one object a line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from vdata import open_shards
from vdata.config import from_mapping
from vdata.datasets import DATASETS
from vdata.errors import ConfigError
from vdata.records import Skipped, Video

LINES = ["one two three", "", "   ", "one", "\u00fcber one two"]


def listed(root: Path, **settings: object) -> list[Video | Skipped]:
    dataset = DATASETS["documents"](from_mapping(DATASETS["documents"].Config, settings))
    dataset.prepare(root)
    return list(dataset.videos(root, ""))


def texts(root: Path, videos: list[Video]) -> list[str]:
    """What the byte ranges hold."""
    data = (root if root.is_file() else root / videos[0].source).read_bytes()
    return [data[start : start + size].decode() for start, size in (video.byte_range for video in videos)]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_one_document_a_line(plant, end, mark):
    root = plant(texts={"train.txt": mark + end.join(LINES)}) / "train.txt"
    videos = listed(root)
    assert [video.video_id for video in videos] == ["train.txt:1", "train.txt:4", "train.txt:5"]
    assert texts(root, videos) == ["one two three", "one", "\u00fcber one two"]
    assert {(video.source, video.medium, video.label, video.has_pictures) for video in videos} == {
        ("train.txt", "text", -1, False)
    }


def test_short_documents_are_one_skipped_a_file(plant):
    root = plant(texts={"train.txt": "\n".join(LINES)}) / "train.txt"
    *kept, short = listed(root, min_words=3)
    assert texts(root, kept) == ["one two three", "\u00fcber one two"]
    assert (short.source, short.reason) == ("train.txt", "short")
    assert short.message.startswith("1 of 3 documents")


def test_a_folder_has_one_document_a_file(plant):
    texts = {"news/b.TXT": "b", "news/a.txt": "a", "c.txt": "c"}
    root = plant("notes.pdf", "old.txt.gz", texts=texts)
    found = {entry.source: entry for entry in listed(root)}
    a, b, c, pdf, packed = (found[name] for name in ("news/a.txt", "news/b.TXT", "c.txt", "notes.pdf", "old.txt.gz"))
    assert [(one.video_id, one.label, one.label_name, one.byte_range) for one in (a, b, c)] == [
        ("news/a.txt", 0, "news", None),
        ("news/b.TXT", 0, "news", None),
        ("c.txt", -1, "", None),
    ]
    assert [(one.source, one.reason) for one in (pdf, packed)] == [("notes.pdf", "not_text"), ("old.txt.gz", "not_text")]
    assert "unpack" in packed.message


def test_what_is_no_regular_file_is_skipped(plant):
    root = plant(texts={"a.txt": "a"})
    os.mkfifo(root / "fifo.txt")
    (root / "gone.jsonl").symlink_to("nowhere")
    a, fifo, gone = listed(root)
    assert (a.video_id, fifo.reason, gone.reason) == ("a.txt", "not_regular", "not_regular")


def test_a_short_file_is_skipped(plant):
    root = plant(texts={"a.txt": "one two\nthree", "b.txt": "one"})
    kept, short = listed(root, min_words=3)
    assert (kept.video_id, short.source, short.reason) == ("a.txt", "b.txt", "short")


def test_a_folder_of_dumps_has_one_document_a_line_if_told(plant):
    root = plant(texts={"a/train.txt": "one\ntwo\n", "b/val.txt": "three\n"})
    assert [video.video_id for video in listed(root, unit="line")] == ["a/train.txt:1", "a/train.txt:2", "b/val.txt:1"]
    assert [video.video_id for video in listed(root / "a/train.txt", unit="file")] == ["train.txt"]


def test_json_lines(plant):
    rows = [
        json.dumps({"text": "one two"}),
        "not json",
        json.dumps({"title": "no text"}),
        json.dumps({"text": ""}),
        '{"text": "a b c"}',
    ]
    root = plant(texts={"d/train.jsonl": "\n".join(rows)})
    first, bad, untitled, last, short = listed(root)
    assert [video.video_id for video in (first, last)] == ["d/train.jsonl:1", "d/train.jsonl:5"]
    assert texts(root, [first, last]) == [rows[0], rows[4]]
    assert [(one.reason, one.video_id, one.message[:7]) for one in (bad, untitled)] == [
        ("bad_json", "d/train.jsonl:2", "line 2 "),
        ("bad_json", "d/train.jsonl:3", "line 3 "),
    ]
    assert (short.reason, short.message) == ("short", "1 of 5 documents have no word")
    assert len([one for one in listed(root, min_words=3) if isinstance(one, Video)]) == 1


def test_long_lines_are_passed_over(plant):
    long = "x" * (2**20 + 1)
    root = plant(texts={"train.txt": f"one\n{long}\n{long * 3}\ntwo"}) / "train.txt"
    one, large, larger, two = listed(root)
    assert texts(root, [one, two]) == ["one", "two"]
    assert [one.video_id, two.video_id] == ["train.txt:1", "train.txt:4"]
    assert [(skipped.reason, skipped.message.partition(" is ")[0]) for skipped in (large, larger)] == [
        ("too_large", "line 2"),
        ("too_large", "line 3"),
    ]


def test_bad_lines_are_told_one_by_one_until_there_are_too_many(plant):
    rows = ["{}"] * 250 + ['{"text": "one"}', "{}", '{"text": ""}', '{"text": " "}']
    *entries, more, short = listed(plant(texts={"a.jsonl": "\n".join(rows)}))
    assert [entry.video_id for entry in entries] == [f"a.jsonl:{number}" for number in (*range(1, 101), 251)]
    assert {entry.reason for entry in entries[:100]} == {"bad_json"}
    assert more.message == "151 more of 254 documents are no JSON object with the string `text`"
    assert short.message == "2 of 254 documents have no word"


def test_a_file_without_a_word_or_with_too_many_is_no_document(plant):
    blank = " \n" * 4096
    texts = {"a.txt": "", "b.txt": "\ufeff\n", "c.txt": blank, "d.txt": f"{blank}word", "e.txt": "x" * (2**20 + 1)}
    root = plant(texts=texts)
    found = {entry.source: entry for entry in listed(root)}
    assert [found[name].reason for name in ("a.txt", "b.txt", "c.txt", "e.txt")] == ["short"] * 3 + ["too_large"]
    assert found["a.txt"].message == "1 of 1 documents have no word"
    assert found["d.txt"].video_id == "d.txt"
    assert {entry.reason for entry in listed(root, min_words=2)} == {"short", "too_large"}


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ("nowhere", r"documents: looked for text at '.*nowhere', found nothing; --root must be text: a \.txt"),
        ("train.txt.gz", "found a file that is neither .* unpack it"),
        ("films", "looked for files .txt or .jsonl at any depth in '.*films', found a.mp4"),
        ("packed", "unpack 'train.txt.gz' first"),
        ("rows.jsonl", "'.*rows.jsonl' line 1: found no object, each line must be an object"),
        ("wide.txt", "'.*wide.txt': found UTF-16, it must be UTF-8"),
    ],
)
def test_wrong_roots(plant, root, message):
    place = plant("train.txt.gz", "films/a.mp4", "packed/train.txt.gz", texts={"rows.jsonl": "a\nb\n"})
    (place / "wide.txt").write_bytes("one\ntwo".encode("utf-16"))
    with pytest.raises(ConfigError, match=message):
        listed(place / root)


def test_wrong_settings(tmp_path):
    with pytest.raises(ConfigError, match="min_words"):
        listed(tmp_path, min_words=-1)
    with pytest.raises(ConfigError, match="unit"):
        listed(tmp_path, unit="page")
    with pytest.raises(ConfigError, match=r"documents: split \('train'\) must be empty"):
        list(DATASETS["documents"](DATASETS["documents"].Config()).videos(tmp_path, "train"))


def test_a_build_keeps_every_document(plant, build_dataset):
    root = plant(texts={"news/train.jsonl": '{"text": "one\\ntwo"}\n\n{"text": "three"}\n', "essays/a.txt": "four\n\nfive\n"})
    (folder,) = build_dataset("documents", root).values()
    shards = open_shards(folder)
    found = {sample.row["video_id"]: sample for sample in shards}
    assert {name: (sample.text().document, sample.row["num_words"]) for name, sample in found.items()} == {
        "news/train.jsonl:1": ("one\ntwo", 2),
        "news/train.jsonl:3": ("three", 1),
        "essays/a.txt": ("four\n\nfive", 2),
    }
    assert {(sample.row["label"], sample.row["label_name"]) for sample in shards} == {(0, "essays"), (1, "news")}
    assert {(sample.row["num_frames"], sample.row["codec"], sample.row["text_problem"]) for sample in shards} == {(0, "", "")}
    assert shards.classes["label"] == ("essays", "news")
