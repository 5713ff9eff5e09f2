"""AudioSet: the published lists against files as different downloaders name them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import vdata
from vdata.config import from_mapping
from vdata.datasets import DATASETS, _layout
from vdata.errors import ConfigError
from vdata.records import Skipped, Video

A, B, C, D = "--4gqARaEJE", "-0DLPzsiXXE", "abcdefghijk", "_bcdefghijk"
CLASSES = 'index,mid,display_name\n0,/m/09x0r,"Speech"\n1,/m/05zppz,"Male speech, man speaking"\n2,/t/dd00088,Gargling\n'
LIST = (
    "# Segments csv created Sun Mar  5 10:54:25 2017\n# num_ytids=4\n# YTID, start_seconds, end_seconds, positive_labels\n"
    f'{A}, 30.000, 40.000, "/t/dd00088,/m/09x0r"\n{B}, 0.000, 7.500, "/m/09x0r"\n{C}, 10.000, 20.000, "/m/05zppz"\n'
    f'{D}, 1.000, 2.000, "/m/09x0r"\n'
)


def listed(root: Path, split: str = "eval", **settings: object) -> list[Video | Skipped]:
    dataset = DATASETS["audioset"](from_mapping(DATASETS["audioset"].Config, settings))
    dataset.prepare(root)
    return list(dataset.videos(root, split))


def planted(plant, *files: str, text: str = LIST, folder: str = "") -> Path:
    return plant(*files, texts={f"{folder}eval_segments.csv": text, f"{folder}class_labels_indices.csv": CLASSES})


def test_rows_and_names_of_downloaders(plant):
    names = (f"eval/{A}_30000_40000.mp4", f"eval/video/{B}_0.0-7.5.webm", f"videos/{C}.mkv", f"eval/{D}_9_10.mp4")
    root = planted(plant, *names)
    first, second, whole, missing = listed(root)
    assert (first.video_id, first.source, first.label, first.labels) == (A, names[0], -1, (2, 0))
    assert (first.start_seconds, first.end_seconds) == (0.0, None)
    assert first.facts == {"youtube_id": A, "time_start": 30.0, "time_end": 40.0}
    assert (second.source, second.labels, second.end_seconds, second.splits) == (names[1], (0,), None, ("eval",))
    # The whole video, of which the span is wanted.
    assert (whole.source, whole.start_seconds, whole.end_seconds) == (names[2], 10.0, 20.0)
    # A file of another span of that video is not this row's.
    assert (missing.reason, missing.video_id) == ("missing", D)
    assert listed(root, id_files="span")[2].start_seconds == 0.0
    assert DATASETS["audioset"](None).classes(root) == {"label": ("Speech", "Male speech, man speaking", "Gargling")}


@pytest.mark.parametrize(
    "name", ["{}_30_40.mp4", "{}_30.000_40.000.mp4", "{}_30.0_40.0.AVI", "{}_000030_000040.mp4", "{}_30000.mp4", "{}_30.mp4"]
)
def test_a_name_with_the_span_wins_over_the_id_alone(plant, name):
    root = planted(plant, f"eval/{A}.mp4", f"videos/{name.format(A)}", folder="csv/")
    assert (listed(root)[0].source, listed(root)[0].start_seconds) == (f"videos/{name.format(A)}", 0.0)


def test_a_copy_that_was_saved_anew_is_read(plant):
    text = f'YTID,start_seconds,end_seconds,positive_labels\r\n{A},30,40,"/t/dd00088,/m/09x0r"\r\n'
    (video,) = listed(planted(plant, f"{A}.mp4", text=text))
    assert (video.labels, video.start_seconds, video.end_seconds) == ((2, 0), 30.0, 40.0)


def test_a_copy_that_a_spreadsheet_has_spoiled_is_refused(plant):
    with pytest.raises(ConfigError, match=r"line 2: found #NAME\?, which a spreadsheet has put in place of ids"):
        listed(planted(plant, f"{B}.mp4", text=f'{B},0,10,"/m/09x0r"\n#NAME?,30,40,"/m/09x0r"\n'))


def test_odd_rows(plant):
    text = f'{A}, 30.000, 40.000, "/m/09x0r"\n' * 2 + f'short, 0, 1, "/m/09x0r"\n{B}, 5, 5, "/m/09x0r"\n{B}, x, 5\n\n'
    entries = listed(planted(plant, f"{A}.mp4", text=text))
    assert [getattr(entry, "reason", "") for entry in entries] == ["", "listed_twice", "bad_row", "bad_row", "bad_row"]
    assert entries[2].message == "line 3 is not 'ID, START, END, \"CLASS,...\"' with START < END"


def test_a_cell_that_no_csv_reader_takes_is_an_odd_row(plant):
    text = f'{A}, 30.000, 40.000, "/m/09x0r"\n{B}, 0, 1, "{"x" * 200_000}\n'
    first, second = listed(planted(plant, f"{A}.mp4", f"{B}.mp4", text=text))
    assert isinstance(first, Video)
    assert second.reason == "bad_row"


@pytest.mark.parametrize("index", ["9" * 5000, "900000000", "1000001", "-1", "x", "\u0661"])
def test_an_index_that_is_none_is_refused(plant, index):
    root = planted(plant, f"{A}.mp4")
    (root / "class_labels_indices.csv").write_text(CLASSES + f"{index},/m/x,x\n")
    with pytest.raises(ConfigError, match=r"line 5: found the index '.*, it must be a number from 0 to 1000000"):
        listed(root)
    with pytest.raises(ConfigError, match="it must be a number from 0 to 1000000"):
        DATASETS["audioset"](None).classes(root)


@pytest.mark.parametrize("backwards", [False, True])
def test_of_files_that_say_the_same_the_disk_does_not_choose(plant, monkeypatch, backwards):
    names = (f"eval/{A}_30000_40000.mp4", f"eval/{A}_30_40.mp4", f"eval/{A}_30.0_40.0.mp4")
    root = planted(plant, *names)
    listing = _layout.entries_in
    monkeypatch.setattr(
        _layout, "entries_in", lambda *args: iter(sorted(listing(*args), key=lambda one: one.name, reverse=backwards))
    )
    assert listed(root)[0].source == f"eval/{A}_30.0_40.0.mp4"


def test_published_lists(annotations_root, plant):
    source = annotations_root / "audioset"
    rows = [line.split(", ", 3) for line in (source / "eval_segments.csv").read_text().splitlines() if not line.startswith("#")]
    mids = sorted({mid for row in rows for mid in row[3].strip('"').split(",")})
    root = plant(*(f"eval_segments/{row[0]}_{int(float(row[1]) * 1000)}_{int(float(row[2]) * 1000)}.mp4" for row in rows))
    shutil.copy(source / "eval_segments.csv", root)
    # The piece of the class list has 60 of 527: the rest is made up here.
    piece = (source / "class_labels_indices.csv").read_text()
    missing = [mid for mid in mids if f",{mid}," not in piece]
    (root / "class_labels_indices.csv").write_text(piece + "".join(f"{60 + n},{mid},x{n}\n" for n, mid in enumerate(missing)))
    videos = listed(root)
    assert [video.video_id for video in videos] == [row[0] for row in rows]
    assert (len(videos), videos[0].video_id, videos[0].facts["time_end"]) == (40 - 3, "--4gqARaEJE", 10.0)
    index = {
        line.split(",")[1]: int(line.split(",")[0]) for line in (root / "class_labels_indices.csv").read_text().splitlines()[1:]
    }
    assert [video.labels for video in videos] == [tuple(index[mid] for mid in row[3].strip('"').split(",")) for row in rows]
    names = DATASETS["audioset"](None).classes(root)["label"]
    assert names[:2] == ("Speech", "Male speech, man speaking")


def test_published_rewritten_list(annotations_root, plant):
    source = annotations_root / "audioset" / "rewritten" / "balanced_train_segments.csv"
    lines = source.read_text().splitlines()[1:]
    mids = sorted({mid for line in lines for mid in line.split(",", 3)[3].strip('"').split(",")})
    root = plant(*(f"balanced_train/{line[:11]}.mp4" for line in lines))
    shutil.copy(source, root)
    (root / "class_labels_indices.csv").write_text(
        "index,mid,display_name\n" + "".join(f"{n},{m},x\n" for n, m in enumerate(mids))
    )
    videos = listed(root, "balanced_train")
    assert [video.video_id for video in videos] == [line[:11] for line in lines]
    assert (videos[0].video_id, videos[0].start_seconds, videos[0].end_seconds) == ("--PJHxphWEs", 30.0, 40.0)
    assert videos[0].labels == (mids.index("/m/09x0r"), mids.index("/t/dd00088"))


def test_wrong_roots(plant, tmp_path):
    with pytest.raises(ConfigError, match=r"looked for a folder at '.*none', found nothing; --root must hold"):
        listed(tmp_path / "none")
    with pytest.raises(ConfigError, match=r"looked for balanced_train_segments\.csv, .* found nothing"):
        listed(tmp_path)
    with pytest.raises(ConfigError, match=r"looked for class_labels_indices\.csv"):
        listed(plant(texts={"eval_segments.csv": LIST}))
    root = planted(plant)
    with pytest.raises(
        ConfigError, match=r"looked for the videos of eval_segments\.csv, as ID\.mp4 .* found class_labels_indices\.csv"
    ):
        listed(root)
    with pytest.raises(ConfigError, match=r"looked for balanced_train_segments\.csv in"):
        listed(root, "balanced_train")
    with pytest.raises(ConfigError, match="must be one of balanced_train, unbalanced_train, eval"):
        listed(root, "train")
    with pytest.raises(
        ConfigError,
        match=r"line 1: found the class '/m/none', which is none of the 3 classes of '.*csv': take both files from one source",
    ):
        listed(planted(plant, f"{A}.mp4", text=f'{A}, 0, 1, "/m/none"\n'))
    (root / "class_labels_indices.csv").write_text("mid,name\n")
    with pytest.raises(ConfigError, match="the first line must name the columns index, mid, display_name"):
        listed(root)


def test_a_build(plant, make_video, build_dataset, tmp_path):
    root = planted(plant)
    shutil.copy(make_video(num_frames=75, fps=25, size=(64, 48)), tmp_path / f"{D}.mp4")
    shutil.copy(make_video(num_frames=25, fps=25, size=(64, 48)), tmp_path / f"{B}_0_7500.mp4")
    folder = build_dataset("audioset", root, splits=("eval",))["eval"]
    rows = {sample.row["video_id"]: sample.row for sample in vdata.open_shards(folder)}
    assert {name: (row["num_frames"], row["start_seconds"], row["labels"]) for name, row in rows.items()} == {
        D: (25, 1.0, [0]),
        B: (25, 0.0, [0]),
    }
    assert (rows[B]["time_start"], rows[B]["time_end"], rows[B]["label"], rows[B]["splits"]) == (0.0, 7.5, -1, ["eval"])
    assert vdata.open_shards(folder).classes["label"][2] == "Gargling"
