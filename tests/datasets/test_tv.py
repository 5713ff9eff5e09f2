"""What TVQA and TVQA+ share: clips wherever they lie, and three forms of subtitles."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest

from vdata.datasets._tv import Clip, Clips, read_clips, splits_naming
from vdata.errors import ConfigError
from vdata.records import Skipped, Video

CASTLE, SHELDON = "castle_s02e24_seg02_clip_26", "s03e21_seg02_clip_08"
ROW = {"qid": 1, "q": "Who?", "a0": "He", "a1": "She", "answer_idx": 1, "ts": "1.5-2.5", "vid_name": CASTLE}
SRT = "1\n00:00:01,000 --> 00:00:02,500\n(Castle:)Caf\xe9\n\n2\n00:00:03,000 --> 00:00:04,000\n<i>No.</i>\n"
ON_FRAMES = f"frames_hq/castle_frames/{CASTLE}/00001.jpg"


def entries(root: Path, *names: str) -> list[Video | Skipped]:
    asked = {name: Clip() for name in names or (CASTLE,)}
    return [entry for _, entry in Clips("tvqa", root, "the layout").entries(asked, "val")]


def cues(root: Path) -> tuple[list[tuple[float, float, str]], str]:
    (video,) = entries(root)
    found = [(cue["start"], cue["end"], cue["text"]) for cue in video.text.get("subtitles", ())]
    return found, video.facts["subtitles_from"]


def test_frames_at_any_depth_in_order(plant):
    folder = f"tvqa_frames/frames_hq/castle_frames/{CASTLE}"
    root = plant(*(f"{folder}/{number:05d}.jpg" for number in (10, 2, 1)), f"{folder}/notes.txt")
    (video,) = entries(root)
    assert (video.video_id, video.source, video.frame_rate) == (CASTLE, folder, Fraction(3))
    assert video.frames == tuple(f"{folder}/{number:05d}.jpg" for number in (1, 2, 10))


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


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_srt(plant, encoding):
    root = plant(ON_FRAMES, f"tvqa_subtitles/{CASTLE}.srt")
    (root / f"tvqa_subtitles/{CASTLE}.srt").write_bytes(SRT.encode(encoding))
    assert cues(root) == ([(1.0, 2.5, "(Castle:)Café"), (3.0, 4.0, "No.")], "srt")


def test_lines_of_subtitles_where_the_srt_is_absent_or_unreadable(plant):
    said = [
        {"text": "Castle : No .", "start": 1, "end": 2.5},
        {"text": "Oh", "start": 3.0, "end": 2.0},
        {"text": "", "start": 4, "end": 5},
    ]
    odd = [{"text": "x", "start": "soon", "end": 1}, {"text": "y", "start": float("nan"), "end": 1}]
    lines = json.dumps({"vid_name": CASTLE, "sub": said + odd}) + "\n"
    root = plant(ON_FRAMES, texts={"tvqa_preprocessed_subtitles.jsonl": lines})
    known = [(1.0, 2.5, "Castle : No ."), (3.0, 3.0, "Oh")], "jsonl"
    assert cues(root) == known
    plant(texts={f"tvqa_subtitles/{CASTLE}.srt": "no times at all"})
    assert cues(root) == known


def test_subtitles_of_tvqa_plus_have_starts_alone(plant):
    told = {CASTLE: {"sub_text": "castle : no . <eos> beckett : yes .", "sub_time": [1.5, 4.25]}}
    root = plant(ON_FRAMES, texts={"tvqa_plus_subtitles.json": json.dumps(told)})
    assert cues(root) == ([(1.5, 1.5, "castle : no ."), (4.25, 4.25, "beckett : yes .")], "json")


def test_no_subtitles(plant):
    assert cues(plant(ON_FRAMES)) == ([], "")


@pytest.mark.parametrize("text", ["{\n", "[1]\n", '{"vid_name": "a"}\n'])
def test_a_spoiled_file_of_subtitles_is_named(plant, text):
    root = plant(ON_FRAMES, texts={"tvqa_preprocessed_subtitles.jsonl": text})
    with pytest.raises(ConfigError, match=r"tvqa_preprocessed_subtitles\.jsonl.*vid_name and sub"):
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
