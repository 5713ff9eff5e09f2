"""TVQA: questions and subtitles of clips of six shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vdata import open_shards
from vdata.datasets import DATASETS
from vdata.errors import ConfigError
from vdata.records import Skipped, Video

MET, BBT, HOUSE = "met_s06e22_seg01_clip_02", "s03e21_seg02_clip_08", "house_s07e19_seg02_clip_12"
ANSWERS = {f"a{i}": f"answer {i}" for i in range(5)}


def question(qid: int, name: str, show: str, ts: str = "0.5-1.5", **more: object) -> str:
    return json.dumps(ANSWERS | {"q": "Why?", "qid": qid, "show_name": show, "ts": ts, "vid_name": name} | more) + "\n"


TRAIN = (
    question(7, MET, "How I Met You Mother", answer_idx=4)
    + question(8, MET, "How I Met You Mother", "NaN-NaN", answer_idx=0)
    + question(9, BBT, "The Big Bang Theory", answer_idx=1)
)
TEST = question(11, HOUSE, "House M.D.")
FILES = {"tvqa_qa_release/tvqa_train.jsonl": TRAIN, "tvqa_qa_release/tvqa_test_public.jsonl": TEST}


def dataset():
    return DATASETS["tvqa"](DATASETS["tvqa"].Config())


def listed(root: Path, split: str) -> list[Video | Skipped]:
    made = dataset()
    made.prepare(root)
    return list(made.videos(root, split))


def planted(plant, *names: str) -> Path:
    shows = {MET: "met", BBT: "bbt", HOUSE: "house"}
    frames = [f"frames_hq/{shows[name]}_frames/{name}/{number:05d}.jpg" for name in names for number in (1, 2)]
    return plant(*frames, texts=FILES)


def test_shows_are_classes_and_questions_have_times(plant):
    met, bbt = listed(planted(plant, MET, BBT, HOUSE), "train")
    assert (met.video_id, met.label, met.label_name, met.splits) == (MET, 4, "How I Met You Mother", ("train",))
    assert met.facts == {"show_name": "How I Met You Mother", "num_untimed": 1, "subtitles_from": "", "num_absent": 0}
    assert [(one["id"], one.get("start"), one.get("end"), one["answer"]) for one in met.text["questions"]] == [
        ("7", 0.5, 1.5, 4),
        ("8", None, None, 0),
    ]
    assert (bbt.label, bbt.label_name) == (5, "The Big Bang Theory")
    assert dataset().classes(Path())["label"][4:] == ("How I Met You Mother", "The Big Bang Theory")


def test_the_public_test_has_no_answers(plant):
    (house,) = listed(planted(plant, HOUSE), "test_public")
    assert "answer" not in house.text["questions"][0]
    assert (house.split, house.splits) == ("test_public", ("test_public",))


def test_splits_are_those_whose_questions_are_there(plant):
    root = planted(plant, HOUSE)
    assert dataset().splits_in(root) == ("train", "test_public")
    with pytest.raises(ConfigError, match=r"tvqa: looked for tvqa_val\.jsonl"):
        listed(root, "val")


def test_a_clip_of_two_splits_names_both(plant):
    root = plant(f"{BBT}.mp4", texts={"tvqa_train.jsonl": TRAIN, "tvqa_val.jsonl": question(1, BBT, "Friends")})
    assert [one.splits for one in listed(root, "val")] == [("train", "val")]


def test_the_show_of_a_row_without_one_is_that_of_its_name(plant):
    # The owners' printed sample leaves it out.
    rows = [{**json.loads(question(1, name, "")), "answer_idx": 0} for name in (MET, BBT)]
    for row in rows:
        del row["show_name"]
    root = plant(f"{MET}.mp4", f"{BBT}.mp4", texts={"tvqa_train.jsonl": "\n".join(map(json.dumps, rows))})
    assert [one.label_name for one in listed(root, "train")] == ["How I Met You Mother", "The Big Bang Theory"]


def test_published_questions(annotations_root, plant):
    lines = (annotations_root / "tvqa" / "tvqa_qa_release" / "tvqa_test_public.jsonl").read_text()
    names = [json.loads(line)["vid_name"] for line in lines.splitlines()]
    root = plant(*(f"frames_hq/x_frames/{name}/00001.jpg" for name in names), texts={"tvqa_test_public.jsonl": lines})
    videos = listed(root, "test_public")
    assert [video.video_id for video in videos] == list(dict.fromkeys(names))
    assert len(videos) == 28
    assert {video.facts["show_name"] for video in videos} == {video.label_name for video in videos}
    assert sum(video.facts["num_untimed"] for video in videos) == 3
    first = videos[0].text["questions"][0]
    assert (videos[0].video_id, videos[0].label, first["id"], first["start"], first["end"]) == (BBT, 5, "137292", 48.62, 60.02)


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ("nowhere", r"tvqa: looked for a folder at '.*nowhere', found nothing; --root must hold tvqa_qa_release"),
        ("a.txt", r"found a file"),
        ("empty", r"looked for tvqa_train\.jsonl or tvqa_val\.jsonl .* found nothing"),
        ("packed", r"unpack 'tvqa_qa_release\.tar\.gz' first"),
        ("no_frames", r"looked for the 2 clips of the train questions"),
    ],
)
def test_wrong_roots(plant, root, message):
    place = plant("a.txt", "packed/tvqa_qa_release.tar.gz", texts={"no_frames/tvqa_train.jsonl": TRAIN})
    (place / "empty").mkdir()
    with pytest.raises(ConfigError, match=message):
        listed(place / root, "train")


def test_a_build_keeps_questions_and_subtitles_in_the_time_of_the_clip(plant, make_image, build_dataset):
    srt = "1\n00:00:00,500 --> 00:00:01,000\n(Ted:)Caf\xe9?\n"
    root = plant(texts=FILES)
    for name in (MET, HOUSE):
        for number in range(1, 8):
            make_image(root / f"frames_hq/x_frames/{name}/{number:05d}.jpg", seed=number)
    (root / "tvqa_subtitles").mkdir()
    (root / f"tvqa_subtitles/{MET}.srt").write_bytes(srt.encode("latin-1"))
    folders = build_dataset("tvqa", root)
    assert list(folders) == ["train", "test_public"]
    shards = open_shards(folders["train"])
    (sample,) = shards
    row = sample.row
    assert (row["num_frames"], row["fps_num"], row["fps_den"]) == (7, 3, 1)
    assert (row["label"], row["show_name"], row["splits"]) == (4, "How I Met You Mother", ["train"])
    assert (row["num_questions"], row["num_subtitles"], row["num_untimed"], row["subtitles_from"]) == (2, 1, 1, "srt")
    text = sample.text()
    assert [(cue.start, cue.end, cue.text) for cue in text.subtitles] == [(0.5, 1.0, "(Ted:)Café?")]
    assert [(one.id, one.answer, one.start, one.end) for one in text.questions] == [("7", 4, 0.5, 1.5), ("8", 0, None, None)]
    assert shards.classes["label"][0] == "Castle"
    (house,) = open_shards(folders["test_public"])
    assert (house.row["label_name"], house.text().questions[0].answer) == ("House M.D.", None)
