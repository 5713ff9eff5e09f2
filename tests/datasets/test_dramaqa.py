"""DramaQA: shots and scenes of one series as images whose numbers tell their times."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from vdata import open_shards
from vdata.datasets import DATASETS
from vdata.datasets._dramaqa import Images, read_asked, read_boxes, read_script
from vdata.errors import ConfigError
from vdata.records import Skipped, Video

SCENE, SHOT, NEXT = "AnotherMissOh01_001_0000", "AnotherMissOh01_001_0078", "AnotherMissOh01_001_0079"
FOLDER = "AnotherMissOh_images/AnotherMissOh01/001"
QA = "AnotherMissOh_QA/AnotherMissOhQA_{}_set.json"


def question(qid: int, vid: str, logic: int, **more: object) -> dict[str, object]:
    kind = "scene" if vid.endswith("0000") else "shot"
    answers = [f"answer {i}" for i in range(5)]
    levels = {"q_level_logic": logic, "q_level_mem": 2 + (kind == "scene"), "shot_contained": [78]}
    return {"qid": qid, "vid": vid, "videoType": kind, "que": "Why?", "answers": answers} | levels | more


TRAIN = [question(1, SHOT, 1, correct_idx=2), question(2, SCENE, 4, correct_idx=0), question(3, SHOT, 2, correct_idx=4)]
SCRIPT = {
    # Shot 78 has the frames 1000 to 1023 of its episode at 25 a second, 40 to 40.96 s; 79 follows.
    SHOT: {
        "st": "40.0",
        "et": "40.96",
        "contained_subs": [{"speaker": "Deogi", "utter": "No.", "st": "40.8", "et": "41.28"}],
    },
    NEXT: {
        "st": "40.96",
        "et": "41.6",
        "contained_subs": [
            {"speaker": "None", "utter": " Oh ", "st": "41.28", "et": "41.0"},
            {"speaker": "Deogi", "utter": "No.", "st": "40.8", "et": "41.28"},
        ],
    },
}
NO_RECT = {"min_x": "", "min_y": "", "max_x": "", "max_y": ""}
FACE, BODY = ({"min_x": 4, "min_y": 6, "max_x": 20, "max_y": 30}, {"min_x": 0, "min_y": 3, "max_x": 32, "max_y": 48})


def person(name: str, face: dict, body: dict) -> dict[str, object]:
    return {"person_id": name, "person_info": {"behavior": "cook", "emotion": "", "face_rect": face, "full_rect": body}}


VISUAL = {
    SHOT: [{"frame_id": f"{SHOT}_IMAGE_0000001008", "persons": [person("Deogi", FACE, BODY), person("anna", NO_RECT, BODY)]}],
    NEXT: [{"frame_id": f"{NEXT}_IMAGE_0000001024", "persons": [person("Somebody", FACE, NO_RECT)]}],
}


def images() -> list[str]:
    shots = {"0078": (1000, 1008, 1016), "0079": (1024, 1032)}
    return [f"{FOLDER}/{shot}/IMAGE_{number:010d}.jpg" for shot, numbers in shots.items() for number in numbers]


def planted(plant, **files: object) -> Path:
    texts = {QA.format("train"): TRAIN, "AnotherMissOh_script.json": SCRIPT, "AnotherMissOh_visual.json": VISUAL} | files
    return plant(*images(), texts={name: json.dumps(content) for name, content in texts.items()})


def dataset():
    return DATASETS["dramaqa"](DATASETS["dramaqa"].Config())


def listed(root: Path, split: str = "train") -> list[Video | Skipped]:
    made = dataset()
    made.prepare(root)
    return list(made.videos(root, split))


def test_a_shot_and_its_scene(plant):
    shot, scene = listed(planted(plant))
    assert (shot.video_id, shot.source, shot.frames) == (SHOT, f"{FOLDER}/0078", tuple(images()[:3]))
    assert (scene.video_id, scene.source, scene.frames) == (SCENE, FOLDER, tuple(images()))
    assert (shot.frame_rate, shot.splits) == (Fraction(25, 8), ("train",))
    assert (shot.facts["episode"], shot.facts["video_type"], scene.facts["video_type"]) == (1, "shot", "scene")


def test_questions_and_their_levels(plant):
    shot, scene = listed(planted(plant))
    assert [(one["id"], one["question"], one["answer"]) for one in shot.text["questions"]] == [("1", "Why?", 2), ("3", "Why?", 4)]
    assert json.loads(shot.facts["question_levels"]) == {"1": [1, 2], "3": [2, 2]}
    assert json.loads(scene.facts["question_levels"]) == {"2": [4, 3]}


def test_times_follow_from_the_numbers_of_the_frames():
    found = Images("", ("a", "b", "c"), np.array([1000, 1008, 1056]))
    # An image lasts 8/25 s. Between images in proportion, also where a gap takes longer; outside by the step.
    assert found.seconds([1000, 1004, 1008, 1032, 1056, 1060, 992]).tolist() == pytest.approx(
        [0, 0.16, 0.32, 0.48, 0.64, 0.80, -0.32]
    )


def test_lines_of_the_script_in_the_time_of_the_images(plant):
    shot, scene = listed(planted(plant))
    assert shot.text["subtitles"] == [{"start": 0.8, "end": 1.28, "text": "Deogi: No."}]
    # The line that both shots have is there once; one that ends before it starts is a moment; nobody speaks it.
    assert scene.text["subtitles"] == [
        {"start": 0.8, "end": 1.28, "text": "Deogi: No."},
        {"start": 1.28, "end": 1.28, "text": "Oh"},
    ]


def test_bodies_and_faces_of_characters(plant):
    shot, scene = listed(planted(plant))
    names = dataset().classes(Path())["box"]
    assert (len(names), names[0], names[19], names[20]) == (40, "Anna", "Yijoon", "Anna face")
    found = [(names[row["class"]], row["seconds"], row["x0"], row["y0"], row["x1"], row["y1"]) for row in shot.boxes.table]
    second = 8 / 25
    assert found == [
        ("Anna", second, 0, 3, 32, 48),
        ("Deogi", second, 0, 3, 32, 48),
        ("Deogi face", second, 4, 6, 20, 30),
    ]
    assert (shot.boxes.width, shot.boxes.height) == (0, 0)
    # Somebody is none of the 20.
    assert scene.boxes.table["class"].tolist() == [names.index("Anna"), names.index("Deogi"), names.index("Deogi face"), -1]
    assert scene.boxes.table["seconds"][-1] == pytest.approx(3 * second)


def test_the_test_set_has_no_answers_and_script_and_metadata_may_be_absent(plant):
    root = plant(*images(), texts={"AnotherMissOhQA_test_set.json": json.dumps([question(5, SHOT, 1)])})
    assert dataset().splits_in(root) == ("test",)
    (shot,) = listed(root, "test")
    assert ("answer" in shot.text["questions"][0], "subtitles" in shot.text, shot.boxes) == (False, False, None)


def test_numbers_without_measure_are_none_and_half_a_surrogate_pair_is_mended(plant):
    wide, none = (BODY | {"max_x": side} for side in (10**400, float("nan")))
    frames = [
        {"frame_id": f"{SHOT}_IMAGE_0000001008", "persons": [person("Anna", FACE, rectangle) for rectangle in (wide, none)]},
        {"frame_id": f"{SHOT}_IMAGE_" + "9" * 400, "persons": [person("Deogi", FACE, BODY)]},
    ]
    rows = [question(1, SHOT, 1, que="\ud83d?")]
    root = planted(plant, **{"AnotherMissOh_visual.json": {SHOT: frames}, QA.format("train"): rows})
    plant(f"{FOLDER}/0078/IMAGE_{'9' * 30}.jpg")
    (shot,) = listed(root)
    assert shot.frames == tuple(images()[:3])
    assert shot.text["questions"][0]["question"] == "\ufffd?"
    # Of three people the one face whose frame and sides are numbers; it is there once.
    assert [dataset().classes(root)["box"][index] for index in shot.boxes.table["class"]] == ["Anna face"]


def test_missing_and_repeated(plant):
    rows = [*TRAIN, question(1, SHOT, 1, correct_idx=2), question(9, "AnotherMissOh02_001_0001", 1, correct_idx=0)]
    shot, twice, scene, missing = listed(planted(plant, **{QA.format("train"): rows, QA.format("val"): TRAIN[:1]}))
    assert (shot.splits, scene.splits) == (("train", "val"), ("train",))
    assert (twice.reason, twice.video_id) == ("listed_twice", SHOT)
    assert (missing.reason, missing.source) == ("missing", "AnotherMissOh_images/AnotherMissOh02/001/0001")


def test_a_scene_whose_images_lie_in_its_own_folder(plant):
    texts = {QA.format("val"): json.dumps([question(2, SCENE, 3, correct_idx=0)])}
    root = plant("AnotherMissOh01/001/IMAGE_0000000008.jpg", "AnotherMissOh01/001/IMAGE_0000000000.jpg", texts=texts)
    (scene,) = listed(root, "val")
    assert scene.frames == ("AnotherMissOh01/001/IMAGE_0000000000.jpg", "AnotherMissOh01/001/IMAGE_0000000008.jpg")


def test_published_pieces(annotations_root, tmp_path):
    pieces = annotations_root / "dramaqa"
    ((vid, asked),) = read_asked(pieces / "AnotherMissOhQA_val_set.json").items()
    assert (vid, asked.video_type, asked.levels) == ("AnotherMissOh16_002_0000", "scene", {"3707": [3, 3]})
    assert (asked.questions[0]["answer"], asked.questions[0]["answers"][3]) == (3, "Dokyung texted the message to sister.")
    lines = read_script(pieces / "AnotherMissOh_script.json")
    assert set(lines) == {"AnotherMissOh01_001_0109", "AnotherMissOh01_001_0000"}
    assert lines["AnotherMissOh01_001_0109"][1][:2] == (290.376, 292.426)
    assert lines["AnotherMissOh01_001_0109"][1][2].startswith("Deogi: Just what in the world")
    # The page's example of a frame lacks a brace and has a comma too many; the code of its owners reads lists of them by shot.
    printed = (pieces / "visual_example_as_printed.txt").read_text()
    with pytest.raises(json.JSONDecodeError):
        json.loads(printed)
    mended = printed.replace('"person_info"', '{"person_info"', 1).replace('"Sadness",', '"Sadness"', 1)
    vid = "AnotherMissOh17_013_0261"
    (tmp_path / "visual.json").write_text(json.dumps({vid: [json.loads(mended)]}))
    boxes = read_boxes(tmp_path / "visual.json")
    names = dataset().classes(tmp_path)["box"]
    assert boxes[vid] == [
        (21778, names.index("Jiya"), 330, 74, 569, 617),
        (21778, names.index("Jiya face"), 427, 124, 498, 234),
    ]
    elements = dict(line.split(" = ") for line in (pieces / "list_of_elements.txt").read_text().splitlines())
    assert list(names[:20]) == json.loads(elements["person_ids"].replace("'", '"'))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (QA.format("train"), {}, "must hold a JSON list"),
        (QA.format("train"), [], "no row"),
        (QA.format("train"), [question(1, "S01E01", 1)], r"found row 1: ValueError: S01E01, it must have vid"),
        (QA.format("train"), [question(1, SHOT, 1, correct_idx=5)], "row 1: ConfigError: .*must be an index into its 5 answers"),
        (QA.format("train"), [7], "row 1: TypeError"),
        ("AnotherMissOh_script.json", {SHOT: {"st": "1"}}, "found KeyError: 'contained_subs', it must hold contained_subs"),
        (
            "AnotherMissOh_script.json",
            {SHOT: {"contained_subs": [{"st": "soon", "et": "1", "utter": ""}]}},
            "must hold contained_subs",
        ),
        (QA.format("train"), [question(1, SHOT, 1, correct_idx=float("inf"))], "row 1: OverflowError"),
        *(
            (
                "AnotherMissOh_script.json",
                {SHOT: {"contained_subs": [{"st": time, "et": "1", "utter": ""}]}},
                "must hold contained_subs",
            )
            for time in ("nan", "inf", "1e300", 10**400)
        ),
        ("AnotherMissOh_visual.json", {SHOT: 3}, "it must hold lists of frames"),
        ("AnotherMissOh_visual.json", {SHOT: [{"image": 3}]}, "it must hold lists of frames"),
    ],
)
def test_another_file_is_refused(plant, name, content, message):
    with pytest.raises(ConfigError, match=message):
        listed(planted(plant, **{name: content}))


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ("nowhere", "dramaqa: looked for a folder"),
        ("a.txt", "found a file"),
        (".", r"looked for AnotherMissOh_QA/AnotherMissOhQA_train_set\.json .*unpack 'AnotherMissOh_QA\.zip' first"),
        (
            "bare",
            r"looked for images of the 2 vids of .*AnotherMissOh01/001/0078/IMAGE_\*\.jpg, .*unpack 'AnotherMissOh_images\.zip'",
        ),
    ],
)
def test_wrong_roots(plant, root, message):
    bare = {"bare/AnotherMissOhQA_train_set.json": json.dumps(TRAIN)}
    place = plant("a.txt", "AnotherMissOh_QA.zip", "bare/AnotherMissOh_images.zip", texts=bare)
    with pytest.raises(ConfigError, match=message):
        listed(place / root)


def test_a_split_that_is_not_there(plant):
    with pytest.raises(ConfigError, match=r"dramaqa: looked for AnotherMissOhQA_val_set\.json"):
        listed(planted(plant), "val")


def test_a_build_keeps_questions_lines_and_boxes(plant, make_image, build_dataset):
    root = planted(plant)
    for seed, name in enumerate(images()):
        make_image(root / name, size=(64, 48), seed=seed)
    shards = open_shards(build_dataset("dramaqa", root)["train"])
    found = {sample.row["video_id"]: sample for sample in shards}
    shot, scene = found[SHOT], found[SCENE]
    assert (shot.row["num_frames"], scene.row["num_frames"], shot.row["fps_num"], shot.row["fps_den"]) == (3, 5, 25, 8)
    assert json.loads(shot.row["question_levels"]) == {"1": [1, 2], "3": [2, 2]}
    assert [(one.id, one.answer, one.start) for one in shot.text().questions] == [("1", 2, None), ("3", 4, None)]
    assert [(cue.start, cue.text) for cue in scene.text().subtitles] == [(0.8, "Deogi: No."), (1.28, "Oh")]
    boxes = scene.boxes("dataset")
    names = shards.classes["box"]
    assert [(row["frame"], names[row["class"]] if row["class"] >= 0 else "") for row in boxes] == [
        (1, "Anna"),
        (1, "Deogi"),
        (1, "Deogi face"),
        (3, ""),
    ]
    assert (boxes["x1"][0], boxes["y1"][0]) == (32, 48)
