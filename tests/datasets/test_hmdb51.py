"""HMDB51: flags, folds, names that no shell should see."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from vdata import open_shards
from vdata.config import from_mapping
from vdata.datasets import DATASETS
from vdata.errors import ConfigError
from vdata.records import Skipped, Video

ODD = "#20_(HQ)_[best]_of_Tom&Jerry;_it@home~a+b!_climb_f_cm_np1_ba_med_0"
LISTS = {
    "climb_test_split1": f"{ODD}.avi 1 \nb_climb.avi 2 \nc_climb.avi 0 \n",
    "climb_test_split2": f"{ODD}.avi 2 \nb_climb.avi 1 \nc_climb.avi 1 \n",
    "Zoom_test_split1": "z.avi 1 \n",
    "Zoom_test_split2": "z.avi 0 \n",
}


def listed(root: Path, split: str, fold: int = 1) -> list[Video | Skipped]:
    dataset = DATASETS["hmdb51"](from_mapping(DATASETS["hmdb51"].Config, {"fold": fold}))
    dataset.prepare(root)
    return list(dataset.videos(root, split))


def planted(plant, videos: str = "videos/", lists: str = "testTrainMulti_7030_splits/", **changed: str) -> Path:
    texts = {f"{lists}{name}.txt": text for name, text in (LISTS | changed).items() if text}
    return plant(*(f"{videos}climb/{name}.avi" for name in (ODD, "b_climb", "c_climb")), f"{videos}Zoom/z.avi", texts=texts)


def test_flags_folds_and_memberships(plant):
    root = planted(plant)
    zoom, climb = listed(root, "train")
    # Byte order: capitals come first.
    assert (zoom.source, zoom.label, zoom.label_name, zoom.splits) == ("videos/Zoom/z.avi", 0, "Zoom", ("train1",))
    assert (climb.video_id, climb.source, climb.label) == (ODD, f"videos/climb/{ODD}.avi", 1)
    assert climb.splits == ("train1", "test2")
    assert [video.video_id for video in listed(root, "test")] == ["b_climb"]
    assert [video.video_id for video in listed(root, "train", fold=2)] == ["b_climb", "c_climb"]
    assert [video.video_id for video in listed(root, "test", fold=2)] == [ODD]
    assert DATASETS["hmdb51"](DATASETS["hmdb51"].Config()).classes(root) == {"label": ("Zoom", "climb")}


@pytest.mark.parametrize(("videos", "lists"), [("hmdb51_org/", ""), ("", "annotations/"), ("hmdb51/", "test_train_splits/")])
def test_other_layouts(plant, videos, lists):
    sources = [video.source for video in listed(planted(plant, videos, lists), "train")]
    assert sources == [f"{videos}Zoom/z.avi", f"{videos}climb/{ODD}.avi"]


def test_missing_and_repeated_clips_are_skipped(plant):
    root = planted(plant, Zoom_test_split1="z.avi 1 \nz.avi 1 \ngone.avi 1 \n")
    (root / "videos/climb/z.avi").touch()  # of another class: not the file that is meant
    entries = [(entry.video_id, getattr(entry, "reason", "")) for entry in listed(root, "train")]
    assert entries == [("z", ""), ("z", "listed_twice"), ("gone", "missing"), (ODD, "")]
    (root / "videos/Zoom/z.avi").unlink()
    assert listed(root, "train")[0].reason == "missing"


@pytest.mark.parametrize(
    ("fold", "flags"), [(1, {"0": 27, "1": 161, "2": 52}), (2, {"0": 1, "1": 39, "2": 20}), (3, {"0": 3, "1": 41, "2": 16})]
)
def test_published_lists(annotations_root, plant, fold, flags):
    lists = sorted((annotations_root / "hmdb51/testTrainMulti_7030_splits").glob(f"*_test_split{fold}.txt"))
    lines = [(path.name.rpartition("_test_")[0], *line.split()) for path in lists for line in path.read_text().splitlines()]
    assert Counter(flag for _, _, flag in lines) == flags
    root = plant(*(f"videos/{class_name}/{name}" for class_name, name, _ in lines))
    (root / "testTrainMulti_7030_splits").mkdir()
    for path in lists:
        shutil.copy(path, root / "testTrainMulti_7030_splits")
    classes = sorted({class_name for class_name, *_ in lines})
    for split, flag in (("train", "1"), ("test", "2")):
        videos = listed(root, split, fold)
        assert [video.source for video in videos] == [f"videos/{where}/{name}" for where, name, told in lines if told == flag]
        assert all(classes[video.label] == video.label_name and video.splits == (f"{split}{fold}",) for video in videos)


def test_wrong_roots_and_settings(plant, tmp_path):
    with pytest.raises(ConfigError, match="hmdb51: looked for a folder"):
        listed(tmp_path / "absent", "train")
    with pytest.raises(ConfigError, match="fold"):
        listed(tmp_path, "train", fold=4)
    (tmp_path / "test_train_splits.rar").touch()
    with pytest.raises(ConfigError, match=r"looked for CLASS_test_split1\.txt .* unpack 'test_train_splits\.rar' first"):
        listed(tmp_path, "train")
    root = planted(plant)
    with pytest.raises(ConfigError, match=r"looked for CLASS_test_split3\.txt"):
        listed(root, "train", fold=3)
    (root / "testTrainMulti_7030_splits/Zoom_test_split1.txt").unlink()
    with pytest.raises(ConfigError, match="1 classes have lists, but none of fold 1, the first 'Zoom'"):
        listed(root, "train")


def test_lists_and_folders_that_are_not_as_published(plant):
    root = planted(plant, Zoom_test_split1="z.avi 3 \n")
    with pytest.raises(ConfigError, match=r"line 1: found 'z\.avi 3 ', each line must be 'NAME FLAG '"):
        listed(root, "train")
    root = planted(plant)
    shutil.rmtree(root / "videos")
    (root / "videos").mkdir()
    (root / "videos/climb.rar").touch()
    with pytest.raises(ConfigError, match=r"looked for the 2 videos of the train lists .* unpack 'climb\.rar' first"):
        listed(root, "train")


def test_a_build_has_the_fold_it_was_asked_for(plant, make_video, build_dataset):
    texts = {f"root/testTrainMulti_7030_splits/{name}.txt": text for name, text in LISTS.items()}
    root = plant(texts=texts) / "root"
    for seed, name in enumerate((ODD, "b_climb")):
        make_video(f"root/videos/climb/{name}.avi", num_frames=20, size=(64, 48), seed=seed)
    (folder,) = build_dataset("hmdb51", root, splits=("test",), hmdb51={"fold": 2}).values()
    (sample,) = open_shards(folder)
    wanted = {"video_id": ODD, "source": f"videos/climb/{ODD}.avi", "label": 1, "label_name": "climb", "split": "test"}
    wanted |= {"splits": ["train1", "test2"], "num_frames": 20}
    assert {name: sample.row[name] for name in wanted} == wanted
