"""Kinetics-400: the published CSV files against the layouts in which people hold the videos; what the family shares."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from vdata import open_shards
from vdata.datasets import DATASETS, _layout
from vdata.errors import ConfigError
from vdata.records import Skipped, Video

HEADER = "label,youtube_id,time_start,time_end,split,is_cc\n"
TRAIN = f"""{HEADER}"petting animal (not cat)",-aaaaaaaaaa,7,17,train,0
Zumba,bbbbbbbbbbb,1989,1999,train,0
abseiling,ccccccccccc,0,10,train,1
"""
A, B, C = "-aaaaaaaaaa_000007_000017", "bbbbbbbbbbb_001989_001999", "ccccccccccc_000000_000010"


def listed(root: Path, split: str = "train", **settings: object) -> list[Video | Skipped]:
    dataset = DATASETS["kinetics400"](DATASETS["kinetics400"].Config(**settings))
    dataset.prepare(root)
    return list(dataset.videos(root, split))


def outcome(entries: list[Video | Skipped]) -> list[str]:
    """Reason or path of each."""
    return [getattr(entry, "reason", entry.source) for entry in entries]


def test_flat_layout_of_the_mirror(plant):
    root = plant(*(f"train/{stem}.mp4" for stem in (A, B, C)), texts={"annotations/train.csv": TRAIN})
    videos = listed(root)
    assert [video.source for video in videos] == [f"train/{stem}.mp4" for stem in (A, B, C)]
    # Byte order: capitals come first.
    assert [(video.label, video.label_name) for video in videos] == [
        (2, "petting animal (not cat)"),
        (0, "Zumba"),
        (1, "abseiling"),
    ]
    assert videos[0].facts == {"youtube_id": "-aaaaaaaaaa", "time_start": 7, "time_end": 17, "is_cc": 0}
    assert (videos[0].video_id, videos[0].split, videos[0].splits) == (A, "train", ("train",))
    assert DATASETS["kinetics400"](None).classes(root) == {"label": ("Zumba", "abseiling", "petting animal (not cat)")}


@pytest.mark.parametrize(
    "folder",
    [
        *("train/petting animal (not cat)", "videos_train/petting_animal_(not_cat)", "petting animal (not cat)"),
        *("videos/train/petting animal (not cat)", "train_256/petting_animal_(not_cat)", "videos"),
    ],
)
@pytest.mark.parametrize("name", ["kinetics-400_train.csv", "annotations/kinetics_train.csv", "kinetics400/train.csv"])
def test_class_folders_and_names_of_lists(plant, folder, name):
    root = plant(f"{folder}/{A}.mp4", texts={name: TRAIN})
    assert outcome(listed(root)) == [f"{folder}/{A}.mp4", "missing", "missing"]


def test_of_two_files_the_labels_own_folder_wins(plant):
    root = plant(f"train/Zumba/{A}.mp4", f"train/petting_animal_(not_cat)/{A}.mp4", texts={"train.csv": TRAIN})
    assert listed(root)[0].source == f"train/petting_animal_(not_cat)/{A}.mp4"


@pytest.mark.parametrize("name", ["-aaaaaaaaaa.mp4", f"{A}.mp4"])
def test_replacement_wins_by_id(plant, name):
    replacement = f"replacement/replacement_for_corrupted_k400/{name}"
    root = plant(*(f"train/{stem}.mp4" for stem in (A, B)), replacement, texts={"train.csv": TRAIN})
    assert outcome(listed(root)) == [replacement, f"train/{B}.mp4", "missing"]


def test_a_name_without_times_serves_where_one_row_has_its_id(plant):
    again = "Zumba,-aaaaaaaaaa,100,110,train,0\n"
    root = plant("train/-aaaaaaaaaa.mp4", "train/bbbbbbbbbbb.webm", texts={"train.csv": TRAIN + again})
    entries = listed(root)
    assert outcome(entries) == ["ambiguous", "train/bbbbbbbbbbb.webm", "missing", "ambiguous"]
    assert f"name it {A}.*, or set whole_videos" in entries[0].message
    assert (entries[1].start_seconds, entries[1].end_seconds) == (0, None)
    # With times in its name the file is that row's alone.
    (root / f"train/{A}.mp4").touch()
    assert outcome(listed(root))[::3] == [f"train/{A}.mp4", "ambiguous"]


def test_whole_videos_are_cut_by_the_csv(plant):
    again = "Zumba,-aaaaaaaaaa,100,110,train,0\n"
    root = plant("train/-aaaaaaaaaa.mp4", f"train/{B}.mp4", texts={"train.csv": TRAIN + again})
    first, cut, _, second = listed(root, whole_videos=True)
    assert [(video.source, video.start_seconds, video.end_seconds) for video in (first, cut, second)] == [
        ("train/-aaaaaaaaaa.mp4", 7, 17),
        (f"train/{B}.mp4", 0, None),
        ("train/-aaaaaaaaaa.mp4", 100, 110),
    ]


def test_class_indices_come_from_the_train_csv(plant):
    val = "youtube_id,label,split,time_start,time_end\nddddddddddd,abseiling,validate,3.0,13.0\n"
    root = plant("val/ddddddddddd_000003_000013.mp4", texts={"train.csv": TRAIN, "validate.csv": val})
    assert listed(root, "val")[0].label == 1
    assert listed(root, "val")[0].facts == {"youtube_id": "ddddddddddd", "time_start": 3, "time_end": 13}
    (root / "train.csv").unlink()
    assert listed(root, "val")[0].label == 0
    assert DATASETS["kinetics400"](None).classes(root) == {}
    (root / "train.csv").write_text(TRAIN.replace("abseiling", "archery"))
    with pytest.raises(ConfigError, match=r"label 'abseiling' of .* is none of the 3"):
        listed(root, "val")


def test_rows_that_are_not_built_are_told(plant):
    rows = [TRAIN.splitlines()[1], "Zumba,eeeeeeeeeee,soon,later,train,0", "Zumba,,1,2,train,0", "Zumba,fffffffffff,9,1,train,0"]
    rows += ["Zumba,ggggggggggg,0,inf,train,0", "short,hhhhhhhhhhh", ""]
    root = plant(f"train/{A}.mp4", texts={"train.csv": TRAIN + "\n".join(rows)})
    skipped = [(entry.reason, entry.video_id) for entry in listed(root) if isinstance(entry, Skipped)]
    assert skipped == [("missing", B), ("missing", C), ("listed_twice", A), *[("bad_row", "")] * 5]
    assert "line 6 has no id, or no times in seconds: eeeeeeeeeee,soon,later" in listed(root)[4].message


def test_published_val_csv(annotations_root, plant):
    source = annotations_root / "kinetics400" / "kinetics-400_val.csv"
    with source.open() as file:
        rows = list(csv.reader(file))[1:]
    names = [f"{row[1]}_{int(row[2]):06d}_{int(row[3]):06d}.mp4" for row in rows]
    root = plant(*(f"val/{name}" for name in names))
    shutil.copy(source, root)
    videos = listed(root, "val")
    assert len(videos) == 44
    assert (videos[0].video_id, videos[0].label, videos[0].facts["is_cc"]) == ("0wR5jVB-WPk_000417_000427", 0, 0)
    assert [Path(video.source).name for video in videos] == names
    assert [video.label_name for video in videos] == [row[0] for row in rows]
    assert "massaging person's head" in {video.label_name for video in videos}
    ordered = sorted({row[0].encode() for row in rows})
    assert all(ordered[video.label] == video.label_name.encode() for video in videos)
    assert sum(video.facts["is_cc"] for video in videos) == sum(int(row[5]) for row in rows) > 0


def test_published_test_csv_has_no_labels(annotations_root, plant):
    root = plant("test/--6bJUbfpnQ_000017_000027.mp4")
    shutil.copy(annotations_root / "kinetics400" / "kinetics-400_test.csv", root)
    first, *others = listed(root, "test")
    assert (first.source, first.label, first.label_name) == ("test/--6bJUbfpnQ_000017_000027.mp4", -1, "")
    assert "is_cc" not in first.facts
    assert [entry.reason for entry in others] == ["missing"] * 13


def test_a_list_of_paths_and_numbers_takes_the_place_of_a_csv(plant):
    gone = "train/Zumba/gone.mp4 0\n"
    lines = f"train/air drumming/{A}.mp4 1\n/elsewhere/train/Zumba/{B}.mp4 0\n{gone}\nno path\n{gone}"
    root = plant(f"train/air drumming/{A}.mp4", f"train/Zumba/{B}.mp4", texts={"train.csv": lines})
    first, second, *others = listed(root)
    assert (first.video_id, first.label, first.label_name, first.splits) == (A, 1, "air drumming", ("train",))
    assert first.facts == {"youtube_id": "-aaaaaaaaaa", "time_start": 7, "time_end": 17}
    # Another machine's path: the file of that name.
    assert (second.source, second.label, second.label_name) == (f"train/Zumba/{B}.mp4", 0, "Zumba")
    assert [entry.reason for entry in others] == ["missing", "bad_row", "listed_twice"]
    assert DATASETS["kinetics400"](None).classes(root) == {"label": ("Zumba", "air drumming")}
    (root / "train.csv").rename(root / "kinetics400_train_list_videos.txt")
    assert listed(root)[0].source == first.source
    (root / "kinetics400_train_list_videos.txt").write_text(f"train/Zumba/{B}.mp4 0\nother/{B}.mp4 0\n")
    assert outcome(listed(root)) == [f"train/Zumba/{B}.mp4", "listed_twice"]
    # Where all lie in one folder, nothing tells the classes' names.
    (root / "kinetics400_train_list_videos.txt").write_text(f"train/air drumming/{A}.mp4 1\ntrain/air drumming/{B}.mp4 0\n")
    assert [entry.label_name for entry in listed(root)] == ["", ""]
    assert DATASETS["kinetics400"](None).classes(root) == {"label": ()}


ARCHERY, ZUMBA = "aaaaaaaaaaa_000000_000010", "zzzzzzzzzzz_000000_000010"
NUMBERED = f"{{0}}/Zumba/{ZUMBA}.mp4 {{1}}\n{{0}}/air_archery/{ARCHERY}.mp4 {{2}}\n"
NAMED = f"{HEADER}Zumba,zzzzzzzzzzz,0,10,{{0}},0\nair archery,aaaaaaaaaaa,0,10,{{0}},0\n"


@pytest.fixture
def two_forms(plant):
    """A function that plants two classes in train and in val, whose lists are of either form; it lists both splits."""

    def plant_both(train: str, val: str, folders: tuple[str, str] = ("Zumba", "air_archery")) -> dict[str, list[Video]]:
        names = [
            f"{split}/{folder}/{stem}.mp4"
            for split in ("train", "val")
            for folder, stem in zip(folders, (ZUMBA, ARCHERY), strict=True)
        ]
        root = plant(*names, texts={"train.csv": train.replace("{0}", "train"), "val.csv": val.replace("{0}", "val")})
        found = {split: listed(root, split) for split in ("train", "val")}
        names = DATASETS["kinetics400"](None).classes(root)["label"]
        assert all(names[video.label] == video.label_name for videos in found.values() for video in videos)
        return found

    return plant_both


def numbers(found: dict[str, list[Video]]) -> dict[str, set[tuple[str, int]]]:
    return {split: {(video.video_id, video.label) for video in videos} for split, videos in found.items()}


def test_lists_of_two_forms_have_one_numbering(two_forms):
    """Where the numbers of a list of paths are not the places of the names, train and val must not differ in silence."""
    train = NUMBERED.format("{0}", 1, 0)
    both = {(ZUMBA, 1), (ARCHERY, 0)}
    assert numbers(two_forms(train, NAMED)) == {"train": both, "val": both}
    assert numbers(two_forms(train, train)) == {"train": both, "val": both}
    byte_order = {(ZUMBA, 0), (ARCHERY, 1)}
    assert numbers(two_forms(NAMED, NUMBERED.format("{0}", 0, 1))) == {"train": byte_order, "val": byte_order}
    for first in (NAMED, NUMBERED.format("{0}", 0, 1)):
        with pytest.raises(ConfigError, match=r"val\.csv' gives the class 'Zumba' the number 1, by '.*train\.csv' it must be 0"):
            two_forms(first, train)
    with pytest.raises(ConfigError, match=r"gives the class 'Zumba' the number 0, by '.*train\.csv' which it does not have"):
        two_forms(NAMED.replace("Zumba", "zumba"), NUMBERED.format("{0}", 0, 1))


def test_numbers_that_cannot_be_compared_are_refused(two_forms):
    flat = f"{{0}}/all/{ZUMBA}.mp4 1\n{{0}}/all/{ARCHERY}.mp4 0\n"
    with pytest.raises(ConfigError, match=r"train\.csv' has numbers, and no folders that tell their classes, but .*val\.csv'"):
        two_forms(flat, NAMED, ("all", "all"))
    with pytest.raises(ConfigError, match=r"val\.csv' has numbers, and no folders that tell their classes, but .*train\.csv'"):
        two_forms(NAMED, flat, ("all", "all"))


def test_a_list_without_classes_has_none_that_could_differ(plant):
    root = plant(f"val/{ZUMBA}.mp4", texts={"train.csv": NAMED, "val.csv": f"val/{ZUMBA}.mp4 -1\n"})
    assert [(video.label, video.label_name) for video in listed(root, "val")] == [(-1, "")]


def test_two_flat_lists_of_paths_are_taken_as_they_are(plant):
    flat = f"{{0}}/all/{ZUMBA}.mp4 1\n{{0}}/all/{ARCHERY}.mp4 0\n"
    root = plant(
        *(f"{split}/all/{stem}.mp4" for split in ("train", "val") for stem in (ZUMBA, ARCHERY)),
        texts={f"{split}.csv": flat.replace("{0}", split) for split in ("train", "val")},
    )
    assert [[(video.label, video.label_name) for video in listed(root, split)] for split in ("train", "val")] == [
        [(1, ""), (0, "")]
    ] * 2


def test_of_two_files_of_a_listed_name_the_one_in_the_listed_folder_is_taken(plant):
    lines = f"/elsewhere/run/{A}.mp4 0\n/elsewhere/trail_run/{B}.mp4 1\n"
    root = plant(f"train/a_run/{A}.mp4", f"train/run/{A}.mp4", f"train/trail_run/{B}.mp4", texts={"train.csv": lines})
    assert [video.source for video in listed(root)] == [f"train/run/{A}.mp4", f"train/trail_run/{B}.mp4"]


@pytest.mark.parametrize("backwards", [False, True])
def test_a_replacement_goes_by_its_id_only_where_it_is_alone(plant, monkeypatch, backwards):
    folder = "replacement/replacement_for_corrupted_k400"
    two = (f"{folder}/-aaaaaaaaaa_000100_000110.mp4", f"{folder}/-aaaaaaaaaa_000200_000210.mp4")
    root = plant(f"train/{A}.mp4", *two, texts={"train.csv": TRAIN})
    turn_folders(monkeypatch, backwards=backwards)
    assert outcome(listed(root)) == [f"train/{A}.mp4", "missing", "missing"]
    (root / folder / f"{A}.mp4").touch()
    assert outcome(listed(root))[0] == f"{folder}/{A}.mp4"


def turn_folders(monkeypatch, *, backwards: bool) -> None:
    """Gives the entries of folders in the order of their names, or the other way round: on a disk it is any."""
    monkeypatch.setattr(
        _layout, "entries_in", lambda *args: iter(sorted(_entries_in(*args), key=lambda one: one.name, reverse=backwards))
    )


_entries_in = _layout.entries_in


def test_no_stat_per_row(plant, monkeypatch):
    """240,000 rows must list in seconds: the calls into the file system grow with folders, not with rows."""
    calls = []
    for name in ("stat", "lstat", "scandir"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, real=real, **kwargs: (calls.append(args), real(*args, **kwargs))[1])
    ids = [f"{i:011d}" for i in range(500)]
    rows = "".join(f"run,{name},0,10,train\n" for name in ids)
    root = plant(*(f"train/{name}_000000_000010.mp4" for name in ids), texts={"train.csv": HEADER.replace(",is_cc", "") + rows})
    calls.clear()
    assert sum(isinstance(entry, Video) for entry in listed(root)) == 500
    assert len(calls) < 120
    (root / "train.csv").write_text("".join(f"train/{name}_000000_000010.mp4 0\n" for name in ids))
    calls.clear()
    assert sum(isinstance(entry, Video) for entry in listed(root)) == 500
    assert len(calls) < 120


def test_wrong_roots(plant, tmp_path):
    with pytest.raises(ConfigError, match="found nothing; --root must hold"):
        listed(tmp_path / "absent")
    with pytest.raises(ConfigError, match=r"looked for train\.csv, val\.csv or test\.csv"):
        listed(tmp_path)
    root = plant("elsewhere/deeper/still/a.mp4", texts={"train.csv": TRAIN})
    with pytest.raises(
        ConfigError, match=r"the 3 rows of train\.csv, such as -aaaaaaaaaa_000007_000017\.mp4,.* found elsewhere, train\.csv"
    ):
        listed(root)
    with pytest.raises(ConfigError, match=r"looked for val\.csv .*; `--split train` builds what has a list"):
        listed(root, "val")
    with pytest.raises(ConfigError, match="a file; --root must hold"):
        listed(root / "train.csv")
    for text, words in (
        ("a,b\n1,2\n", "line 1: found a,b, it must name the columns youtube_id, time_start, time_end"),
        ("", "an empty file"),
        (HEADER, "no rows"),
        (f"{HEADER}Zumba,eeeeeeeeeee,soon,later,train,0\n", "line 2 has no id"),
        (f"youtube_id,{'x' * 200_000}", "field larger than field limit"),
    ):
        (root / "train.csv").write_text(text)
        with pytest.raises(ConfigError, match=words):
            listed(root)
    (root / "train.csv").write_bytes(HEADER.encode() + b"\xff\xfe\n")
    with pytest.raises(ConfigError, match="codec can't decode"):
        listed(root)
    (root / "train.csv").write_text("gone.mp4 0\n")
    with pytest.raises(ConfigError, match=r"looked for the 1 videos of train\.csv, such as gone\.mp4"):
        listed(root)


def test_parts_that_were_not_unpacked_are_named(plant):
    root = plant("train/part_0.tar.gz", "train/part_1.tar.gz", texts={"train.csv": TRAIN})
    with pytest.raises(
        ConfigError, match=r"in '.*/train', found part_0\.tar\.gz, part_1\.tar\.gz; .*; unpack 'part_0\.tar\.gz' and 1"
    ):
        listed(root)


@pytest.mark.ray
def test_the_command_builds_what_is_there_and_lists_what_is_missing(tmp_path, make_video):
    ids = [f"video{i:06d}" for i in range(9)]
    for split, part in (("train", ids[:6]), ("val", ids[6:])):
        rows = "".join(f"{'ab'[i % 2]},{name},0,1,{split},0\n" for i, name in enumerate(part))
        (tmp_path / "root").mkdir(exist_ok=True)
        (tmp_path / f"root/{split}.csv").write_text(HEADER + rows)
        # A third is missing.
        for i, name in enumerate(part[: len(part) * 2 // 3]):
            make_video(f"root/{split}/{name}_000000_000001.mp4", num_frames=12, size=(64, 48), seed=i)
    settings = ("--workers", "1", "--set", "clip.short_side=48", "--set", "clip.gop=6", "--set", "clip.min_seconds=0.1")
    command = ("build", "--dataset", "kinetics400", "--root", "root", "--out", "out")
    done = subprocess.run(
        [sys.executable, "-m", "vdata.cli", *command, *settings, "--json"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for split, missing in (("train", ids[4:6]), ("val", ids[8:])):
        counts = json.loads(done.stdout)["splits"][split]
        assert counts["videos_listed"] == 3 * len(missing)
        assert counts["videos_built"] == 2 * len(missing)
        assert (counts["videos_skipped"], counts["reasons"]) == (len(missing), {"missing": len(missing)})
        errors = pq.read_table(tmp_path / f"out/{split}/errors.parquet").to_pylist()
        assert {(row["source"], row["video_id"], row["stage"], row["reason"]) for row in errors} == {
            (f"{split}/{name}_000000_000001.mp4", f"{name}_000000_000001", "list", "missing") for name in missing
        }
        rows = [sample.row for sample in open_shards(tmp_path / f"out/{split}")]
        assert {(row["youtube_id"], row["label"], row["label_name"], row["is_cc"]) for row in rows} == {
            (name, i % 2, "ab"[i % 2], 0) for i, name in enumerate(ids[6:] if split == "val" else ids) if i < 2 * len(missing)
        }
