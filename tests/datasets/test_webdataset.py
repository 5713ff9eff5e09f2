"""Tars as input: written by the `webdataset` package and by hand, listed by their headers."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from fractions import Fraction
from pathlib import Path

import pytest
import webdataset
from webdataset.tariterators import group_by_keys, tar_file_iterator

import vdata
from vdata.config import from_mapping
from vdata.datasets import DATASETS, splits_of
from vdata.errors import ConfigError
from vdata.records import Skipped, Video


def dataset(**settings: object):
    return DATASETS["webdataset"](from_mapping(DATASETS["webdataset"].Config, settings))


def listed(root: Path, split: str = "", **settings: object) -> list[Video | Skipped]:
    tars = dataset(**settings)
    tars.prepare(root)
    return list(tars.videos(root, split))


def written(path: Path, *members: tuple[str, bytes]) -> Path:
    """A tar with these members, in this order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def video(*keys: str) -> list[tuple[str, bytes]]:
    return [(f"{key}.mp4", f"bytes of {key}".encode()) for key in keys]


def read_back(root: Path, entry: Video) -> bytes:
    offset, size = entry.byte_range
    return (root / entry.source).read_bytes()[offset : offset + size]


def test_what_the_package_writes(tmp_path):
    with webdataset.TarWriter(str(tmp_path / "00000.tar")) as sink:
        sink.write(
            {"__key__": "a/0001", "mp4": b"first", "json": {"label": "run", "url": "u", "meta": {"n": 1}}, "txt": "on foot"}
        )
        sink.write({"__key__": "a/0002", "MP4": b"second", "cls": 7, "json": {"caption": "c", "tags": ["x", "y"], "n": 2}})
    first, second = listed(tmp_path)
    assert (first.video_id, first.source, read_back(tmp_path, first)) == ("00000/a/0001", "00000.tar", b"first")
    assert first.text == {"caption": "on foot", "other": {"url": "u"}}
    assert (first.label, first.label_name) == (1, "run")
    assert (second.video_id, read_back(tmp_path, second), second.label_name) == ("00000/a/0002", b"second", "7")
    assert second.text == {"caption": "c", "tags": ["x", "y"], "other": {"n": "2"}}
    assert dataset().classes(tmp_path) == {"label": ("7", "run")}
    # The package's own reader finds the same samples.
    with (tmp_path / "00000.tar").open("rb") as file:
        samples = list(group_by_keys({**found, "__url__": ""} for found in tar_file_iterator(file)))
    assert [sample["__key__"] for sample in samples] == ["a/0001", "a/0002"]
    assert [sample["mp4"] for sample in samples] == [b"first", b"second"]


def test_roots(tmp_path):
    for name in ("train-000", "train-001", "val-000"):
        written(tmp_path / f"{name}.tar", *video("k"))
    written(tmp_path / "other/x.tar", *video("k"))
    ids = ["train-000/k", "train-001/k", "val-000/k"]
    assert [entry.video_id for entry in listed(tmp_path)] == ids
    assert splits_of(dataset(), tmp_path) == ()
    assert [entry.source for entry in listed(tmp_path / "val-000.tar")] == ["val-000.tar"]
    assert [entry.video_id for entry in listed(tmp_path, tars="train-{000..001}.tar")] == ids[:2]
    assert [entry.video_id for entry in listed(tmp_path, tars="{val-*,other/*}.tar")] == [ids[2], "other/x/k"]
    *found, missing = listed(tmp_path, tars="train-{000..002}.tar")
    assert [entry.video_id for entry in found] == ids[:2]
    assert (missing.source, missing.reason) == ("train-002.tar", "missing")


def test_folders_of_tars_are_splits(tmp_path):
    written(tmp_path / "val/0.tar", ("k.mp4", b""), ("k.cls", b"b"))
    written(tmp_path / "train/0.tar", ("k.mp4", b""), ("k.cls", b"a"))
    (tmp_path / "docs").mkdir()
    assert splits_of(dataset(), tmp_path) == ("train", "val")
    (entry,) = listed(tmp_path, "val")
    assert (entry.video_id, entry.split, entry.splits, entry.label) == ("val/0/k", "val", ("val",), 1)
    with pytest.raises(ConfigError, match="must be one of train, val"):
        listed(tmp_path, "test")


def test_what_is_skipped(tmp_path):
    members = [("._a.mp4", b""), ("a.mp4", b"x"), ("README", b""), ("a.json", b'{"label": 3}'), ("__meta__", b"{}")]
    members += [("b.left.mp4", b""), ("b.json", b"{}"), ("c.mp4", b""), ("c.json", b"{"), ("d.mp4", b""), ("d.json", b"[1]")]
    members += [
        ("a.mp4", b""),
        ("e.mp4", b""),
        ("e.mp4", b""),
        ("f.mp4", b""),
        ("f.cls", b"-3"),
        ("g.mp4", b""),
        ("g.txt", b"x" * 2**21),
    ]
    path = written(tmp_path / "t.tar", *members)
    with tarfile.open(path, "a") as tar:
        link = tarfile.TarInfo("h.mp4")
        link.type, link.linkname = tarfile.SYMTYPE, "a.mp4"
        tar.addfile(link)
    entries = listed(tmp_path)
    assert [(entry.video_id, read_back(tmp_path, entry)) for entry in entries if isinstance(entry, Video)] == [
        ("t/a", b"x"),
        ("t/e", b""),
    ]
    skipped = [(entry.source, entry.reason) for entry in entries if isinstance(entry, Skipped)]
    assert skipped == [
        ("t.tar/b", "no_video"),
        ("t.tar/c", "bad_text"),
        ("t.tar/d", "bad_text"),
        ("t.tar/a", "listed_twice"),
        ("t.tar/e.mp4", "listed_twice"),
        ("t.tar/f", "bad_label"),
        ("t.tar/g", "bad_text"),
        ("t.tar/h", "not_regular"),
        ("t.tar/._a.mp4", "not_media"),
        ("t.tar/README", "not_media"),
    ]
    left = [entry for entry in listed(tmp_path, video=["left.mp4"], sidecars=[]) if isinstance(entry, Video)]
    assert [entry.video_id for entry in left] == ["t/b"]


def test_a_tar_that_was_cut_off_gives_what_lies_before(tmp_path):
    path = written(tmp_path / "t.tar", *video("a", "b", "c"))
    whole = path.read_bytes()
    path.write_bytes(whole[: 512 * 5 + 3])
    *found, fault = listed(tmp_path)
    assert [entry.video_id for entry in found] == ["t/a", "t/b"]
    assert (fault.source, fault.reason) == ("t.tar", "broken_tar")
    (tmp_path / "u.tar.gz").write_bytes(gzip.compress(whole))
    assert [entry.reason for entry in listed(tmp_path) if isinstance(entry, Skipped)] == ["broken_tar", "compressed_tar"]


def test_tars_that_change_are_read_again(tmp_path):
    path = written(tmp_path / "t.tar", *video("a"))
    tars = dataset()
    assert len(list(tars.videos(tmp_path, ""))) == 1
    written(path, *video("a", "b"))
    assert len(list(tars.videos(tmp_path, ""))) == 2


def test_wrong_roots(tmp_path, plant):
    with pytest.raises(ConfigError, match=r"found nothing; --root must hold \*\.tar"):
        listed(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"found nothing; write --root '.*' --set webdataset\.tars='x-\{000\.\.146\}\.tar'"):
        listed(tmp_path / "x-{000..146}.tar")
    with pytest.raises(ConfigError, match=r"looked for \*\.tar .* found nothing; --root must hold"):
        listed(plant())
    with pytest.raises(
        ConfigError, match=r"looked for \*\.tar \(a compressed tar must be unpacked to \.tar\) in .*, found 0\.tar\.gz"
    ):
        listed(plant("0.tar.gz"))
    (tmp_path / "0.tar.gz").unlink()
    written(tmp_path / "t.tar", ("README", b""))
    with pytest.raises(ConfigError, match=r"found 1 samples and tars of which none can be built; the first, 't\.tar/README'"):
        listed(tmp_path)
    written(tmp_path / "t.tar")
    with pytest.raises(ConfigError, match="found 0 samples"):
        listed(tmp_path)
    with pytest.raises(ConfigError, match=r"looked for '\*\.zip' in"):
        listed(tmp_path, tars="*.zip")


def test_a_build(tmp_path, make_video, make_image, build_dataset):
    first, second = (make_video(num_frames=count, fps=25, size=(64, 48), seed=count).read_bytes() for count in (12, 30))
    still = make_image(tmp_path / "still.jpg").read_bytes()
    words = json.dumps({"caption": "on foot", "label": "run", "score": 0.5}).encode()
    root = tmp_path / "tars"
    written(root / "0.tar", ("a.mp4", first), ("a.json", words), ("b.jpg", still))
    written(root / "1.tar", ("c.mp4", second), ("d.mp4", b"no video"))
    folder = build_dataset("webdataset", root)[""]
    samples = {sample.row["video_id"]: sample for sample in vdata.open_shards(folder)}
    assert {name: sample.row["num_frames"] for name, sample in samples.items()} == {"0/a": 12, "0/b": 1, "1/c": 30}
    assert samples["0/a"].row["label_name"] == "run"
    assert samples["0/a"].text().caption == "on foot"
    assert samples["0/a"].text().other == {"score": "0.5"}
    assert samples["0/b"].row["fps_num"] == 1
    assert Fraction(samples["0/b"].row["source_width"], samples["0/b"].row["source_height"]) == Fraction(64, 48)
    assert vdata.open_shards(folder).classes == {"label": ("run",)}


def test_what_is_no_tar_to_open_is_skipped(tmp_path):
    written(tmp_path / "0.tar", *video("k"))
    os.mkfifo(tmp_path / "1.tar")
    (tmp_path / "2.tar").mkdir()
    (tmp_path / "3.tar").symlink_to("3.tar")
    found, *others = listed(tmp_path)
    assert found.video_id == "0/k"
    assert [(entry.source, entry.reason) for entry in others] == [
        ("1.tar", "not_regular"),
        ("2.tar", "not_regular"),
        ("3.tar", "missing"),
    ]
    (skipped,) = (entry for entry in listed(tmp_path, tars=f"{{0,{'x' * 300}}}.tar") if isinstance(entry, Skipped))
    assert skipped.reason == "missing"


def test_a_folder_of_any_bytes_is_a_split_that_can_be_typed(tmp_path):
    name = os.fsdecode(b"tr\xff")
    written(tmp_path / name / "0.tar", *video("k"))
    (split,) = splits_of(dataset(), tmp_path)
    assert split.startswith("tr\\xff-")
    (entry,) = listed(tmp_path, split)
    assert (entry.source, entry.split, entry.splits) == (f"{name}/0.tar", split, (split,))
    json.dumps([entry.video_id, entry.split], ensure_ascii=False).encode()


def test_words_that_no_file_holds_are_mended(tmp_path):
    written(tmp_path / "0.tar", *video("k"), ("k.json", b'{"\\ud800": "\\udc00", "caption": "\\ud83d\\ude00\\ud83d"}'))
    (entry,) = listed(tmp_path)
    assert entry.text == {"caption": "\U0001f600\ufffd", "other": {"\ufffd": "\ufffd"}}
