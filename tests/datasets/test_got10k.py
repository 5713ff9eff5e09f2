"""GOT-10k, of whose files nobody here has seen one: folders as the owners' toolkit reads them."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import pytest

import vdata
from vdata.datasets import DATASETS, splits_of
from vdata.errors import ConfigError
from vdata.media.box_codec import load_boxes
from vdata.records import Skipped, Video

META = """[METAINFO]
url: https://youtu.be/P-fKM-2DHoM
begin: 00:00:01
end: 00:00:10
anno_fps: {rate}
object_class: {label}
motion_class: swimming
major_class: invertebrate
root_class: animal
motion_adverb: slowly
resolution: (1920, 1080)
"""
TRUTH = "347.0000,443.0000,429.0000,272.0000\n348.5,444,430,273\n-1,-1,-1,-1\n"
ONE, TWO, VAL, TEST = "GOT-10k_Train_000001", "GOT-10k_Train_000002", "GOT-10k_Val_000001", "GOT-10k_Test_000001"


def sequence(split: str, name: str, label: str = "ctenophore", rate: str = "10Hz", **changed: str) -> dict[str, str]:
    files = {
        "groundtruth.txt": TRUTH,
        "meta_info.ini": META.format(label=label, rate=rate),
        "absence.label": "0\n0\n1\n",
        "cover.label": "8\n4\n0\n",
        "cut_by_image.label": "0\n0\n1\n",
        **{f"{number:08d}.jpg": "" for number in (1, 2, 3)},
    }
    return {
        f"{split}/{name}/{file}": text
        for file, text in (files | {key.replace("_label", ".label"): text for key, text in changed.items()}).items()
    }


@pytest.fixture
def root(plant) -> Path:
    test = {f"test/{TEST}/{number:08d}.jpg": "" for number in (1, 2)} | {f"test/{TEST}/groundtruth.txt": "2,3,10,20\n"}
    lists = {"train/list.txt": f"{ONE}\n{TWO}\n", "val/list.txt": f"{VAL}\n", "test/list.txt": f"{TEST}\n"}
    parts = sequence("train", ONE), sequence("train", TWO, "JetLev-Flyer", "30fps"), sequence("val", VAL, "bear")
    return plant(texts={**lists, **test, **{path: text for part in parts for path, text in part.items()}})


def listed(root: Path, split: str) -> list[Video | Skipped]:
    dataset = DATASETS["got10k"](DATASETS["got10k"].Config())
    dataset.prepare(root)
    return list(dataset.videos(root, split))


def test_boxes_scores_and_words(root):
    video, other = listed(root, "train")
    assert (video.video_id, video.source, video.splits) == (ONE, f"train/{ONE}", ("train",))
    assert video.frames == tuple(f"train/{ONE}/0000000{number}.jpg" for number in (1, 2, 3))
    table = video.boxes.table
    # Rows count pixels from 1; the third is neither seen nor a box.
    assert table[["x0", "y0", "x1", "y1"]].tolist() == [(346, 442, 775, 714), (347.5, 443, 777.5, 716)]
    assert (table["seconds"].tolist(), table["score"].tolist(), table["class"].tolist()) == ([0, 0.1], [1, 0.5], [0, 0])
    words = {"motion_class": "swimming", "major_class": "invertebrate", "root_class": "animal", "motion_adverb": "slowly"}
    assert video.facts == {**words, "num_invalid": 1, "num_absent": 0}
    assert [one.frame_rate for one in (video, other)] == [Fraction(10), Fraction(30)]


def test_labels_are_those_of_train_and_val_together(root):
    assert [(video.label, video.label_name) for video in listed(root, "train")] == [(2, "ctenophore"), (0, "JetLev-Flyer")]
    assert [(video.label, video.label_name) for video in listed(root, "val")] == [(1, "bear")]
    dataset = DATASETS["got10k"](DATASETS["got10k"].Config())
    assert dataset.classes(root) == {"label": ("JetLev-Flyer", "bear", "ctenophore"), "box": ("target",)}


def test_of_test_the_first_box_is_all(root):
    (video,) = listed(root, "test")
    assert (len(video.frames), video.boxes.table[["seconds", "x0", "y0", "x1", "y1", "score"]].tolist()) == (
        2,
        [(0, 1, 2, 11, 22, 1)],
    )
    assert (video.label, video.label_name, video.frame_rate) == (-1, "", Fraction(10))
    assert video.facts == dict.fromkeys(("motion_class", "major_class", "root_class", "motion_adverb"), "") | {
        "num_invalid": 0,
        "num_absent": 0,
    }


def test_splits_are_those_that_have_a_list(root):
    dataset = DATASETS["got10k"](DATASETS["got10k"].Config())
    assert splits_of(dataset, root) == ("train", "val", "test")
    shutil.rmtree(root / "val")
    assert splits_of(dataset, root) == ("train", "test")
    with pytest.raises(ConfigError, match=r"looked for val/list\.txt .*; `--split train --split test` builds what has a list"):
        listed(root, "val")


def test_absent_frames_that_have_a_rectangle(root, plant):
    plant(texts={f"train/{ONE}/absence.label": "0\r\n1\r\n1\r\n"})
    video = listed(root, "train")[0]
    assert (len(video.boxes.table), video.facts["num_invalid"], video.facts["num_absent"]) == (1, 1, 1)


def test_a_cover_of_nothing_drops_no_box(root, plant):
    """As in GOT-10k_Train_000385, whose target is seen."""
    plant(texts={f"train/{ONE}/cover.label": "0\n0\n0\n"})
    assert listed(root, "train")[0].boxes.table["score"].tolist() == [0, 0]


@pytest.mark.parametrize(("said", "rate"), [("", 10), ("fast", 10), ("0Hz", 10), ("12.5Hz", Fraction(25, 2)), ("999Hz", 10)])
def test_frame_rates(root, plant, said, rate):
    plant(texts={f"val/{VAL}/meta_info.ini": META.format(label="bear", rate=said)})
    assert listed(root, "val")[0].frame_rate == rate


def test_without_meta_a_sequence_has_no_class(root):
    (root / "train" / ONE / "meta_info.ini").unlink()
    video = listed(root, "train")[0]
    assert (video.label, video.label_name, video.facts["motion_class"], video.frame_rate) == (-1, "", "", 10)


@pytest.mark.parametrize(
    ("file", "text", "reason", "told"),
    [
        ("groundtruth.txt", "1,2,3,4\n", "lengths_differ", "3 images, 1 rows in groundtruth.txt"),
        ("groundtruth.txt", "1,2,3,4\n1,2\n1,2,3,4\n", "unreadable", "line 2: found '1,2', a line must be x, y, width, height"),
        (
            "absence.label",
            "0\n0\n",
            "unreadable",
            "absence.label': found 2 lines, it must have 3, as groundtruth.txt, each from 0 to 1",
        ),
        ("absence.label", "0\n0\n2\n", "unreadable", "each from 0 to 1"),
        ("cover.label", "8\n9\n8\n", "unreadable", "each from 0 to 8"),
        ("cover.label", "8\nx\n8\n", "unreadable", "each from 0 to 8"),
        ("cover.label", f"8\n{'1' * 5000}\n8\n", "unreadable", "each from 0 to 8"),
        ("groundtruth.txt", None, "missing", "train/list.txt names the sequence, the file is not there"),
        ("cover.label", None, "missing", "train/list.txt names the sequence, the file is not there"),
    ],
)
def test_a_sequence_that_is_not_whole_is_skipped(root, plant, file, text, reason, told):
    (root / "train" / TWO / file).unlink()
    if text is not None:
        plant(texts={f"train/{TWO}/{file}": text})
    good, bad = listed(root, "train")
    assert isinstance(good, Video)
    assert (bad.reason, bad.video_id) == (reason, TWO)
    assert told in bad.message


def test_missing_and_repeated_sequences(root):
    (root / "train" / "list.txt").write_text(f"{ONE}\n{TWO}\n{ONE}\nGOT-10k_Train_000003\n\n")
    for image in (root / "train" / TWO).glob("*.jpg"):
        image.unlink()
    found = listed(root, "train")
    assert [(entry.video_id, getattr(entry, "reason", "")) for entry in found] == [
        (ONE, ""),
        (TWO, "missing"),
        ("GOT-10k_Train_000003", "missing"),
        (ONE, "listed_twice"),
    ]
    assert [entry.source for entry in found[1:3]] == [f"train/{TWO}/00000001.jpg", "train/GOT-10k_Train_000003/groundtruth.txt"]


def test_wrong_roots(plant, root, tmp_path):
    with pytest.raises(ConfigError, match="got10k: looked for a folder"):
        listed(tmp_path / "absent", "train")
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "full_data.zip").touch()
    with pytest.raises(
        ConfigError, match=r"looked for train/list.txt, .* found full_data.zip; .*; unpack 'full_data.zip' first$"
    ):
        listed(empty, "train")
    (root / "val" / "list.txt").unlink()
    with pytest.raises(ConfigError, match=r"looked for val/list.txt in"):
        listed(root, "val")
    (root / "train" / "list.txt").write_text("1\n")
    with pytest.raises(ConfigError, match=r"list.txt' line 1: found '1', a line must be a sequence's name"):
        listed(root, "train")
    (root / "train" / "list.txt").write_text("../../etc\n")
    with pytest.raises(ConfigError, match=r"list.txt' line 1: found '../../etc'"):
        listed(root, "train")
    shutil.rmtree(root / "test" / TEST)
    plant(texts={"test/GOT-10k_Test_split.zip": ""})
    with pytest.raises(ConfigError, match=r"of the 1 sequences of list.txt in .*; unpack 'GOT-10k_Test_split.zip' first$"):
        listed(root, "test")


def test_build(root, plant, make_image, build_dataset):
    plant(texts={f"train/{ONE}/groundtruth.txt": "1,1,64,48\n17,13,32,24\n-1,-1,-1,-1\n"})
    for seed, path in enumerate(sorted(root.rglob("*.jpg"))):
        make_image(path, seed=seed)
    folders = build_dataset("got10k", root)
    samples = {sample.row["video_id"]: sample for folder in folders.values() for sample in vdata.open_shards(folder)}
    assert {name: sample.row["num_frames"] for name, sample in samples.items()} == {ONE: 3, TWO: 3, VAL: 3, TEST: 2}
    row = samples[ONE].row
    assert (row["label"], row["label_name"], row["motion_class"], row["num_invalid"], row["fps_num"]) == (
        2,
        "ctenophore",
        "swimming",
        1,
        10,
    )
    boxes = load_boxes(samples[ONE]["dataset.boxes.npy"])
    assert boxes[["frame", "x0", "y0", "x1", "y1", "score"]].tolist() == [(0, 0, 0, 64, 48, 1), (1, 16, 12, 48, 36, 0.5)]
    first = load_boxes(samples[TEST]["dataset.boxes.npy"])
    assert first[["frame", "x0", "y0", "x1", "y1"]].tolist() == [(0, 1, 2, 11, 22)]
    assert vdata.open_shards(folders["test"]).classes["box"] == ("target",)
