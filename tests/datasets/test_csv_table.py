"""Tables as CSV: what a row becomes, what is skipped, and what is refused. `jsonl` and `parquet` share all but the reading."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import pytest

import vdata
from vdata.config import assign, from_mapping
from vdata.datasets import DATASETS, splits_of
from vdata.errors import ConfigError
from vdata.records import Skipped, Video

HEADER = "path,start,end,label,caption,split"


def dataset(*settings: str):
    return DATASETS["csv"](from_mapping(DATASETS["csv"].Config, assign([f"csv.{item}" for item in settings]).get("csv", {})))


def listed(root: Path, split: str = "", *settings: str) -> list[Video | Skipped]:
    csv = dataset(*settings)
    csv.prepare(root)
    return list(csv.videos(root, split))


def planted(plant, *lines: str, name: str = "t.csv", videos: tuple[str, ...] = ("a.mp4", "sub/b.mkv")) -> Path:
    return plant(*videos, texts={name: "\n".join(lines) + "\n"}) / name


def test_every_column_becomes_what_it_means(plant):
    rows = [
        "a.mp4,,,run,,train",
        'sub/b.mkv,12.5,20,jump,"A man, ""jumping""",val',
        "a.mp4,0,3,run,,train",
        "sub/b.mkv,,7.5,run,,val",
    ]
    table = planted(plant, HEADER, *rows)
    assert splits_of(dataset(), table) == ("train", "val")
    whole, part = listed(table, "train")
    assert whole == Video("a.mp4", "a.mp4", "train", ("train",), 1, label_name="run")
    assert (part.video_id, part.start_seconds, part.end_seconds) == ("a.mp4#t=0,3", 0.0, 3.0)
    span, begin = listed(table, "val")
    assert (span.video_id, span.source, span.splits) == ("sub/b.mkv#t=12.5,20", "sub/b.mkv", ("val",))
    assert (span.start_seconds, span.end_seconds, span.label, span.label_name) == (12.5, 20.0, 0, "jump")
    assert span.text == {"caption": 'A man, "jumping"'}
    assert (begin.video_id, begin.end_seconds) == ("sub/b.mkv#t=0,7.5", 7.5)
    # The numbering is the whole table's, though val alone has jump.
    assert dataset().classes(table) == {"label": ("jump", "run")}


def test_other_columns_are_text_and_an_id_of_its_own_wins(plant):
    table = planted(plant, "path,id,tags,mood,camera", "a.mp4,x1,red|blue,good,7", "sub/b.mkv,x2,,,")
    first, second = listed(table)
    assert (first.video_id, first.split, first.splits, first.label) == ("x1", "", (), -1)
    assert first.text == {"tags": ["red", "blue"], "other": {"mood": "good", "camera": "7"}}
    assert second.text == {}
    assert dataset().classes(table) == {}


def test_columns_of_other_names(plant):
    table = planted(plant, "filename,begin,name,fold", "a.mp4,1.5,run,1", "sub/b.mkv,,jump,2")
    settings = ("columns.path=filename", "columns.start=begin", "columns.label=class,name", "columns.split=fold")
    (video,) = listed(table, "1", *settings)
    assert (video.source, video.start_seconds, video.label_name) == ("a.mp4", 1.5, "run")
    # No column of splits: what it says is text like any other.
    assert [video.text for video in listed(table, "", "columns.path=filename", "columns.label=name", "columns.split=[]")] == [
        {"other": {"begin": "1.5", "fold": "1"}},
        {"other": {"fold": "2"}},
    ]


@pytest.mark.parametrize(
    ("name", "delimiter", "settings"),
    [("t.csv", ";", ()), ("t.csv", "\t", ()), ("t.txt", "|", ()), ("t.TSV", "\t", ()), ("t.csv", ":", ("delimiter=:",))],
)
def test_delimiters(plant, name, delimiter, settings):
    lines = [delimiter.join(cells) for cells in (("path", "caption"), ("a.mp4", "one, two, three"))]
    (video,) = listed(planted(plant, *lines, name=name), "", *settings)
    assert video.text == {"caption": "one, two, three"}


def test_spreadsheets_and_windows(plant):
    text = "\ufeffpath , caption\r\n a.mp4 ,café\r\n\r\n"
    plant("a.mp4", texts={"t.csv": text})
    root = plant("a.mp4")
    assert [(video.source, video.text) for video in listed(root / "t.csv")] == [("a.mp4", {"caption": "café"})]
    (root / "latin.csv").write_bytes(text.lstrip("\ufeff").encode("latin-1"))
    with pytest.raises(ConfigError, match=r"latin\.csv': found a byte that is no utf-8"):
        listed(root / "latin.csv")
    assert listed(root / "latin.csv", "", "encoding=latin-1")[0].text == {"caption": "café"}


def test_odd_rows_are_skipped_with_their_reason(plant):
    rows = ["x,,,run,,train", "a.mp4,x,,run,,train", "a.mp4,5,5,run,,train", "a.mp4,-1,,run,,train", ",,,run,,train"]
    rows += ["a.mp4,,,run,,train,7", "a.mp4,nan,NaN,run,,train", "a.mp4,0.0,,jump,,train", "ftp9://h/v.mp4,,,run,,train"]
    rows += ["https://h/v.jpg,,,run,,train", "a.mp4,,,run,,"]
    entries = listed(planted(plant, HEADER, *rows), "train")
    assert [getattr(entry, "reason", "") for entry in entries] == [
        "missing",
        "bad_time",
        "bad_time",
        "bad_time",
        "no_path",
        "bad_row",
        "",
        "listed_twice",
        "bad_url",
        "remote_image",
        "no_split",
    ]
    assert entries[0].message == "line 2: no such file"
    assert entries[1].message == "line 3: start and end must be seconds from 0 or empty, found 'x' and None"
    assert "line 9: an earlier row has the same id ('a.mp4')" in entries[7].message


def test_urls_keep_their_secrets_to_themselves(plant):
    url = "https://example.org/clips/1.mp4?X-Amz-Signature=abcdef&v=1"
    table = planted(plant, "url,label", f'"{url}",run', f'"{url.replace("abcdef", "123456")}",run')
    first, second = listed(table)
    assert (first.source, first.location) == ("https://example.org/clips/1.mp4?X-Amz-Signature=...&v=1", url)
    assert (second.reason, second.source) == ("listed_twice", first.source)
    assert "abcdef" not in repr((first, second))


def test_paths_anywhere_and_pictures(plant, tmp_path):
    elsewhere = tmp_path / "elsewhere" / "c.PNG"
    lines = ("path", str(elsewhere), "../up.mp4", elsewhere.as_uri())
    table = planted(plant, *lines, name="tables/t.csv", videos=("up.mp4", str(elsewhere)))
    still, above, same = listed(table)
    assert (still.frames, still.frame_rate) == ((str(elsewhere),), Fraction(1))
    assert (above.source, above.frames) == ("../up.mp4", ())
    assert same.source == elsewhere.as_uri()


def test_several_labels_and_numbers(plant):
    table = planted(plant, "path,labels", "a.mp4,run|outdoors", "sub/b.mkv,run")
    assert [(video.label, video.labels, video.label_name) for video in listed(table)] == [(-1, (1, 0), ""), (-1, (1,), "")]
    table = planted(plant, "path,label", "a.mp4,4.0", "sub/b.mkv,-1")
    assert [(video.label, video.label_name) for video in listed(table)] == [(4, ""), (-1, "")]
    assert dataset().classes(table) == {}


def test_a_class_list_beside_the_table(plant):
    table = planted(plant, "path,label", "a.mp4,jump", "sub/b.mkv,fly")
    (table.parent / "classes.txt").write_text("swim\r\njump\r\nrun\r\n")
    jump, fly = listed(table, "", "classes=classes.txt")
    assert (jump.label, jump.label_name) == (1, "jump")
    assert (fly.reason, fly.message) == ("bad_label", "line 3: label 'fly' is not one of the 3 classes, by name or number")
    assert dataset("classes=classes.txt").classes(table) == {"label": ("swim", "jump", "run")}
    with pytest.raises(ConfigError, match=r"none\.txt' cannot be read"):
        listed(table, "", "classes=none.txt")


def test_a_table_within_the_root(plant):
    root = planted(plant, "path", "a.mp4").parent
    assert [video.source for video in listed(root)] == ["a.mp4"]
    plant(texts={"lists/u.csv": "path\nsub/b.mkv\n", "second.tsv": "path\n"})
    # Its paths are below the root, not below the folder of the lists.
    assert [video.source for video in listed(root, "", "table=lists/u.csv")] == ["sub/b.mkv"]
    with pytest.raises(ConfigError, match=r"found second\.tsv, t\.csv; --set csv\.table=NAME names one"):
        listed(root)


def test_a_table_that_has_changed_is_read_again(plant):
    table = planted(plant, "path", "a.mp4")
    csv = dataset()
    assert len(list(csv.videos(table, ""))) == 1
    table.write_text("path\na.mp4\nsub/b.mkv\n")
    assert len(list(csv.videos(table, ""))) == 2


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([""], "found no row, it must be as `vdata datasets csv` shows"),
        ([HEADER], "found no row"),
        (
            ["name,label", "a.mp4,run"],
            r"found the columns name, label, it must have the column 'path' \(path\)",
        ),
        (["path,path", "a.mp4,b"], "line 1: found the column 'path' twice"),
        (["path,label", "x.mp4,run"], r"found 1 rows of which none can be built; the first, 'x\.mp4': line 2: no such file"),
        (["path,split", "a.mp4,a/b"], "found the split 'a/b', which names a folder"),
        (["path,split", *(f"a.mp4,s{i}" for i in range(101))], "found 101 splits, at most 100"),
        (["path,caption", 'a.mp4,"never closed', "sub/b.mkv,x"], r"mend its quotes, or --set csv\.quotes=false"),
        ([f"path,{'x' * 140_000}", "a.mp4,1"], r"line 1: found field larger .*more than 131072 characters are read from jsonl"),
        (["path,caption", f"a.mp4,{'x' * 140_000}"], r"line 2: found field larger .*more than 131072 characters are read from"),
    ],
)
def test_tables_that_are_refused(plant, lines, message):
    with pytest.raises(ConfigError, match=message):
        listed(planted(plant, *lines), "a/b" if "a/b" in message else "")


def test_quotes_may_be_plain_text(plant):
    table = planted(plant, "path\tcaption", 'a.mp4\t"hm', name="t.tsv")
    assert listed(table, "", "quotes=false")[0].text == {"caption": '"hm'}


def test_wrong_roots_and_settings(plant, tmp_path):
    with pytest.raises(ConfigError, match=r"looked for a table at '.*nowhere', found nothing; --root must hold a table"):
        listed(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"looked for a file \.csv or \.tsv in '.*', found nothing"):
        listed(plant())
    table = planted(plant, "path,split", "a.mp4,train")
    with pytest.raises(ConfigError, match="must be one of train"):
        listed(table, "test")
    with pytest.raises(ConfigError, match="must have the column 'begin'"):
        listed(table, "train", "columns.start=begin")
    with pytest.raises(ConfigError, match="must be empty where --root"):
        listed(table, "train", "table=x.csv")
    with pytest.raises(ConfigError, match=r"looked for 'x\.csv' in"):
        listed(table.parent, "train", "table=x.csv")
    with pytest.raises(ConfigError, match="this one is read by --dataset jsonl"):
        listed(plant("t.jsonl") / "t.jsonl")
    with pytest.raises(ConfigError, match="must name the column with the paths"):
        listed(table, "train", "columns.path=[]")
    with pytest.raises(ConfigError, match="must be one character"):
        listed(table, "train", "delimiter=::")
    for encoding in ("bogus", "rot13"):
        with pytest.raises(ConfigError, match=rf"csv\.encoding \('{encoding}'\) must be one that Python reads text in"):
            listed(table, "train", f"encoding={encoding}")
    with pytest.raises(ConfigError, match="found embedded null byte, it must name a text file"):
        list(DATASETS["csv"](from_mapping(DATASETS["csv"].Config, {"classes": "a\0"})).videos(table, "train"))


def test_names_that_no_file_holds_are_mended(plant):
    # Half a surrogate pair in UTF-7.
    (entry,) = listed(planted(plant, "path,+2AA-", "a.mp4,+2AA-"), "", "encoding=utf-7")
    assert entry.text == {"other": {"?": "?"}}


def test_a_build(plant, make_video, make_image, build_dataset, tmp_path):
    root = tmp_path / "data"
    make_image(root / "still.png")
    shutil.copy(make_video(num_frames=50, fps=25, size=(64, 48)), root / "a.mp4")
    rows = ["a.mp4,0.4,1.2,run,on foot,train,x", "a.mp4,,,jump,,train,", "still.png,,,run,,val,"]
    (root / "t.csv").write_text("\n".join([f"{HEADER},mood", *rows, "gone.mp4,,,run,,val,"]) + "\n")
    folders = build_dataset("csv", root / "t.csv", splits=("train", "val"))
    train = {sample.row["video_id"]: sample for sample in vdata.open_shards(folders["train"])}
    assert set(train) == {"a.mp4", "a.mp4#t=0.4,1.2"}
    span = train["a.mp4#t=0.4,1.2"]
    assert (span.row["start_seconds"], span.row["end_seconds"], span.row["num_frames"]) == pytest.approx((0.4, 1.2, 20))
    assert (span.row["label"], span.row["label_name"], span.row["splits"]) == (1, "run", ["train"])
    text = span.text()
    assert (text.label, text.caption, text.other) == ("run", "on foot", {"mood": "x"})
    assert (train["a.mp4"].row["num_frames"], train["a.mp4"].text().other) == (50, {})
    val = vdata.open_shards(folders["val"])
    assert [(sample.row["num_frames"], sample.row["source"]) for sample in val] == [(1, "still.png")]
    assert val.classes["label"] == ("jump", "run")


def test_a_header_that_is_spelled_otherwise_is_told(tmp_path, caplog):
    (tmp_path / "a.mp4").touch()
    (tmp_path / "t.csv").write_text("path,Label,Caption,quality\na.mp4,run,a run,3\n")
    dataset = DATASETS["csv"](DATASETS["csv"].Config())
    (video,) = dataset.videos(tmp_path / "t.csv", "")
    assert (video.label, video.text["other"]) == (-1, {"Label": "run", "Caption": "a run", "quality": "3"})
    (record,) = caplog.records
    message = record.getMessage()
    assert message.startswith("csv: 't.csv' has path; kept as text: Label, Caption, quality; no ")
    assert "is 'Label' the label? --set csv.columns.label='Label'; is 'Caption' the caption?" in message


def test_a_table_of_known_columns_alone_says_nothing(tmp_path, caplog):
    (tmp_path / "a.mp4").touch()
    (tmp_path / "t.csv").write_text("path,label\na.mp4,run\n")
    assert len(list(DATASETS["csv"](DATASETS["csv"].Config()).videos(tmp_path / "t.csv", ""))) == 1
    assert not caplog.records
