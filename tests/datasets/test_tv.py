"""What TVQA and TVQA+ share: clips wherever they lie, and the order of their frames."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path

import pytest

from vdata.datasets._tv import Clip, Clips, Frames, read_clips, splits_naming
from vdata.errors import ConfigError
from vdata.records import Skipped, Video

CASTLE, SHELDON = "castle_s02e24_seg02_clip_26", "s03e21_seg02_clip_08"
ROW = {"qid": 1, "q": "Who?", "a0": "He", "a1": "She", "answer_idx": 1, "ts": "1.5-2.5", "vid_name": CASTLE}
ON_FRAMES = f"frames_hq/castle_frames/{CASTLE}/00001.jpg"


def entries(root: Path, *names: str) -> list[Video | Skipped]:
    asked = {name: Clip() for name in names or (CASTLE,)}
    return [entry for _, entry in Clips("tvqa", root, "the layout").entries(asked, "val")]


@pytest.mark.parametrize("form", ["{:05d}.jpg", "{}.jpg", "frame_{}.jpg", "{:02d}.png"])
def test_frames_at_any_depth_in_the_order_of_their_numbers(plant, form):
    folder = f"tvqa_frames/frames_hq/castle_frames/{CASTLE}"
    names = [form.format(number) for number in range(1, 13)]
    root = plant(*(f"{folder}/{name}" for name in reversed(names)), f"{folder}/notes.txt", f"{folder}/poster.jpg")
    (video,) = entries(root)
    assert (video.video_id, video.source, video.frame_rate) == (CASTLE, folder, Fraction(3))
    assert video.frames == tuple(f"{folder}/{name}" for name in names)
    assert video.facts["num_absent"] == 0


def test_a_frame_that_is_not_there_moves_no_other():
    frames = Frames.of(["00002.jpg", "00003.jpg", "00004.jpg", "00007.jpg"])
    assert frames.names == ("00002.jpg", "00002.jpg", "00003.jpg", *["00004.jpg"] * 3, "00007.jpg")
    assert (frames.num_absent, frames.fault) == (3, "")


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        (["00000.jpg", "00001.jpg"], r"count from 1, as 00001\.jpg; there is '00000\.jpg'"),
        (["a.jpg", "b.jpg"], "no image's name ends in a number"),
        (["1" * 30 + ".jpg"], "no image's name ends in a number"),
        (["1.jpg", "00001.jpg"], r"'00001\.jpg' and '1\.jpg' are both frame 1"),
        (["00001.jpg", "00004.jpg", "00999.jpg"], "of its frames 1 to 999 only 3 are there"),
    ],
)
def test_frames_that_cannot_be_told_cost_their_clip(plant, names, fault):
    folder = f"frames_hq/bbt_frames/{SHELDON}"
    root = plant(ON_FRAMES, *(f"{folder}/{name}" for name in names))
    _, odd = entries(root, CASTLE, SHELDON)
    assert (odd.reason, odd.source, odd.video_id) == ("bad_frames", folder, SHELDON)
    assert re.search(fault, odd.message)
    with pytest.raises(ConfigError, match=rf"the 1 clips of the val questions, .*{fault}"):
        entries(root, SHELDON)


def test_a_video_file_goes_before_frames(plant):
    (video,) = entries(plant(ON_FRAMES, f"videos/{CASTLE}.mp4"))
    assert (video.source, video.frames, video.frame_rate) == (f"videos/{CASTLE}.mp4", (), 0)


def test_a_folder_that_is_named_as_a_video_is_none(plant):
    (video,) = entries(plant(f"raw_frames/{CASTLE}.mp4/frame_000001.jpg", ON_FRAMES))
    assert video.frames == (ON_FRAMES,)


def test_missing_and_empty_clips_are_skipped(plant):
    root = plant(ON_FRAMES, f"frames_hq/bbt_frames/{SHELDON}/notes.txt")
    _, empty, missing = entries(root, CASTLE, SHELDON, "met_s06e22_seg01_clip_02")
    assert (empty.reason, empty.video_id, "holds no image" in empty.message) == ("missing", SHELDON, True)
    assert (missing.reason, missing.source) == ("missing", "met_s06e22_seg01_clip_02")


def test_not_one_clip_is_an_error(plant):
    root = plant("frames_hq/castle_frames/other.txt", "tvqa_video_frames_fps3_hq.tar.gz.aa")
    with pytest.raises(
        ConfigError, match=rf"the 1 clips of the val questions, such as the folder {CASTLE}/ .*unpack 'tvqa_video_.*aa'"
    ):
        entries(root)


def test_questions_are_grouped_and_repeated_ones_are_told(plant):
    rows = [ROW, ROW | {"qid": 2, "ts": "NaN-NaN"}, ROW | {"q": "Once more?"}, ROW | {"vid_name": SHELDON}]
    root = plant(ON_FRAMES, texts={"a.jsonl": "".join(json.dumps(row) + "\n" for row in rows)})
    clips = read_clips("tvqa", root / "a.jsonl")
    assert list(clips) == [CASTLE, SHELDON]
    castle = clips[CASTLE]
    assert castle.questions == [
        {"id": "1", "question": "Who?", "answers": ["He", "She"], "answer": 1, "start": 1.5, "end": 2.5},
        {"id": "2", "question": "Who?", "answers": ["He", "She"], "answer": 1},
    ]
    assert (castle.num_untimed, castle.repeated) == (1, ["1"])
    listed = [entry for _, entry in Clips("tvqa", root, "").entries(clips, "val") if isinstance(entry, Skipped)]
    assert [(entry.reason, entry.video_id) for entry in listed] == [("listed_twice", CASTLE), ("missing", SHELDON)]
    with pytest.raises(ConfigError, match="no row"):
        read_clips("tvqa", plant(texts={"empty.jsonl": "\n"}) / "empty.jsonl")


def test_all_splits_that_name_a_clip(plant):
    tricky = ROW | {"vid_name": SHELDON, "q": 'Who says "vid_name": "nobody"?'}
    root = plant(texts={"train": json.dumps(ROW) + json.dumps(tricky), "val": f'[{{"vid_name" :"{CASTLE}"}}]'})
    found = splits_naming({name: root / name for name in ("train", "val")})
    assert found == {CASTLE: ("train", "val"), SHELDON: ("train",)}
