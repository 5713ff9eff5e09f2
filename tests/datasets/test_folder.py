"""The folder dataset: every entry of a tree is a video or a Skipped, in a fixed order."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from vdata import open_shards
from vdata.builder import RunConfig, build, resolve
from vdata.builder.build import plan_splits
from vdata.builder.plan_file import read_plan, write_plan
from vdata.builder.task import Order, build_shard
from vdata.datasets import DATASETS, list_videos
from vdata.errors import ConfigError
from vdata.media.url import RemoteRoot, Root
from vdata.records import Skipped, Video
from vdata.shards.write import merge_errors


def listed(root: Root) -> list[Video | Skipped]:
    dataset = DATASETS["folder"](DATASETS["folder"].Config())
    if isinstance(root, Path):
        dataset.prepare(root)
    return list(list_videos("folder", dataset, root, ""))


def reasons(root: Path) -> dict[str, str]:
    return {entry.source: entry.reason for entry in listed(root) if isinstance(entry, Skipped)}


def sources(root: Path) -> list[str]:
    return [entry.source for entry in listed(root) if isinstance(entry, Video)]


def build_without_ray(config, root, out):
    """All shards of a root, and their plan."""
    out.mkdir()
    (plan,) = plan_splits(config, root).values()
    for shard, videos in plan.by_shard().items():
        build_shard(Order(out, root, shard, videos, config))
    return plan


def test_last_folder_is_the_class_and_indices_follow_its_bytes(plant):
    root = plant("top.mp4", "run/1.mp4", "a/walk/2.mp4", "b/walk/3.mp4", "Zoo/4.mp4", "\u00e9t\u00e9/5.mp4", "empty/readme.txt")
    labels = {entry.source: (entry.label, entry.label_name) for entry in listed(root) if isinstance(entry, Video)}
    # Upper case sorts before lower case, and UTF-8's two-byte letters after both.
    assert labels == {
        "top.mp4": (-1, ""),
        "Zoo/4.mp4": (0, "Zoo"),
        "run/1.mp4": (1, "run"),
        "a/walk/2.mp4": (2, "walk"),
        "b/walk/3.mp4": (2, "walk"),
        "\u00e9t\u00e9/5.mp4": (3, "\u00e9t\u00e9"),
    }


def test_order_is_the_paths_bytes_and_ids_are_unique(plant):
    root = plant("b.mp4", "a/z.mp4", "a.mp4", "a/B.mp4", "a b/c.mp4", "a.avi")
    found = listed(root)
    assert [entry.source for entry in found] == sorted((entry.source for entry in found), key=os.fsencode)
    assert len({entry.video_id for entry in found}) == len(found) == 6


def test_extensions_in_any_case_others_are_skipped(plant):
    root = plant("a.MP4", "b.Mov", "c.tar.webm", "d.txt", "mp4", ".mp4", "e.mp4.part", "f.jpg")
    assert sources(root) == ["a.MP4", "b.Mov", "c.tar.webm"]
    assert reasons(root) == dict.fromkeys(("d.txt", "mp4", ".mp4", "e.mp4.part", "f.jpg"), "not_media")


def test_real_tree_lists_every_file(videos_root):
    on_disk = {path.relative_to(videos_root).as_posix() for path in videos_root.rglob("*") if path.is_file()}
    found = listed(videos_root)
    assert {entry.source for entry in found} == on_disk
    assert len(found) == len(on_disk)
    assert reasons(videos_root) == {source: "not_media" for source in on_disk if source.endswith(".md")}


def test_fifo_socket_and_dead_link_are_not_regular(plant):
    root = plant("a.mp4")
    os.mkfifo(root / "fifo.mp4")
    (root / "dead.mp4").symlink_to(root / "nowhere")
    (root / "self.mp4").symlink_to(root / "self.mp4")
    (root / "device.mp4").symlink_to("/dev/null")
    (root / "file.mp4").symlink_to(root / "a.mp4")
    with socket.socket(socket.AF_UNIX) as server:
        # A socket's path may have 107 bytes only: bind by a relative one.
        here = Path.cwd()
        try:
            os.chdir(root)
            server.bind("sock.mp4")
        finally:
            os.chdir(here)
        assert reasons(root) == dict.fromkeys(("fifo.mp4", "dead.mp4", "self.mp4", "device.mp4", "sock.mp4"), "not_regular")
    assert sources(root) == ["a.mp4", "file.mp4"]


def test_links_to_folders_are_followed_once_and_never_loop(plant, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "far.mp4").touch()
    (outside / "back").symlink_to(outside)
    root = plant("real/1.mp4")
    (root / "another").symlink_to(root / "real")
    (root / "real" / "up").symlink_to(root)
    (root / "disk2").symlink_to(outside)
    (root / "disk3").symlink_to(outside)
    # A real folder keeps its own place although "another" sorts before it.
    assert sources(root) == ["disk2/far.mp4", "real/1.mp4"]
    assert reasons(root) == dict.fromkeys(("another", "real/up", "disk2/back", "disk3"), "linked_twice")


def test_names_of_any_bytes_are_listed_with_ids_that_can_be_stored(plant):
    root = plant("good.mp4", "caf\\xe9.mp4", "new\nline.mp4", "-i.mp4")
    names = (b"caf\xe9.mp4", b"dir\xff/a.mp4", b"dir\xfe/b.mp4", b"dir\xff/c\xe9.txt")
    for name in names:
        path = Path(os.fsdecode(os.fsencode(root) + b"/" + name))
        path.parent.mkdir(exist_ok=True)
        path.touch()
    found = listed(root)
    videos = [entry for entry in found if isinstance(entry, Video)]
    on_disk = {path.relative_to(root).as_posix() for path in root.rglob("*.mp4")}
    assert {video.source for video in videos} == on_disk
    assert {os.fsencode(video.source) for video in videos} >= set(names[:3])
    assert [os.fsencode(video.source) for video in videos] == sorted(os.fsencode(video.source) for video in videos)
    assert len({video.video_id for video in videos}) == len(videos) == 7
    for video in videos:
        video.video_id.encode()
        video.label_name.encode()
    assert {video.source: video.video_id for video in videos}["caf\\xe9.mp4"] == "caf\\xe9.mp4"
    assert len({video.label for video in videos if video.label_name.startswith("dir")}) == 2
    assert reasons(root) == {"dir\\xff/c\\xe9.txt": "not_media"}


def test_a_bucket_is_listed_as_the_same_folder_is(plant, s3):
    names = ("top.mp4", "run/1.MP4", "a/walk/2.mp4", "b/walk/3.mkv", "\u00e9t\u00e9/-5%41?#.mp4", "notes.txt", "run/.mp4")
    root = plant(texts=dict.fromkeys(names, "data"))
    remote = RemoteRoot(s3({f"pre/{name}": b"data" for name in names} | {"prefix/other.mp4": b"", "pre/marker/": b""}) + "/pre")
    found = listed(remote)
    assert found == listed(root)
    assert {entry.num_bytes for entry in found if isinstance(entry, Video)} == {4}


def test_a_bucket_without_videos_says_what_it_holds(s3):
    bucket = s3({"pre/notes.txt": b"data", "a.mp4": b"data"})
    with pytest.raises(ConfigError, match="found 1 objects, none of them a video"):
        listed(RemoteRoot(f"{bucket}/pre"))
    with pytest.raises(ConfigError, match="found nothing"):
        listed(RemoteRoot(f"{bucket}/pr"))
    with pytest.raises(ConfigError, match="found nothing"):
        listed(RemoteRoot(f"{bucket}/a.mp4"))


@pytest.mark.parametrize("name", ["kinetics400", "ucf101", "sample", "urls"])
def test_other_datasets_refuse_a_url(name):
    dataset = DATASETS[name](DATASETS[name].Config())
    with pytest.raises(
        ConfigError, match=rf"{name}: --root \('s3://bucket'\) must be a path of this machine; the dataset `folder`"
    ):
        list_videos(name, dataset, RemoteRoot("s3://bucket"), "")


def test_shards_of_a_bucket_and_of_a_folder_are_the_same_bytes(make_video, s3, tmp_path, temporary_folder):
    """Every object is read as the file of its name: sizes, order, labels and rows alike."""
    config = resolve("folder", settings={"clip": {"short_side": 96}, "plan": {"shard_mb": 0.05}})
    names = [os.fsdecode(name) for name in (b"a/0.mp4", b"b/-q'\" %41?#.mp4", b"b/\xc3\xa9.mp4", b"a/empty.mp4")]
    for number, name in enumerate(names[:3]):
        make_video(f"root/{name}", num_frames=20 + number, seed=number)
    (tmp_path / "root" / names[3]).touch()
    bucket = s3({name: (tmp_path / "root" / name).read_bytes() for name in names})
    build_without_ray(config, tmp_path / "root", tmp_path / "local")
    build_without_ray(config, RemoteRoot(bucket), tmp_path / "remote")
    files = sorted(path.name for path in (tmp_path / "local").glob("clips-*"))
    assert len(files) > 4
    for name in files:
        assert (tmp_path / "local" / name).read_bytes() == (tmp_path / "remote" / name).read_bytes(), name
    assert not list(temporary_folder.iterdir())


@pytest.mark.ray
def test_a_bucket_is_built_by_ray(make_video, s3, tmp_path):
    config = resolve("folder", settings={"clip": {"short_side": 96}})
    for number in range(2):
        make_video(f"root/{number}.mp4", num_frames=20, seed=number)
    bucket = s3(
        {f"{number}.mp4": (tmp_path / f"root/{number}.mp4").read_bytes() for number in range(2)} | {"cut.mp4": b"no video"}
    )
    report = build(config, RemoteRoot(bucket), tmp_path / "remote", run=RunConfig(workers=1))
    counts = report.splits[""].counts()
    assert report.reconciles
    assert (counts["videos_built"], counts["reasons"]) == (2, {"not_video": 1})
    (tmp_path / "root/cut.mp4").write_bytes(b"no video")
    build_without_ray(config, tmp_path / "root", tmp_path / "local")
    tars = [sorted((path.name, path.read_bytes()) for path in (tmp_path / out).glob("*.tar")) for out in ("local", "remote")]
    assert tars[0] == tars[1] != []
    # An object that changed is not built under another's name.
    s3({"0.mp4": b"other"})
    with pytest.raises(ConfigError, match=r"changed \('0.mp4'"):
        build(config, RemoteRoot(bucket), tmp_path / "remote", run=RunConfig(workers=1))


def test_a_file_of_any_name_is_built_and_its_rows_can_be_read(make_video, tmp_path):
    config = resolve("folder", settings={"clip": {"short_side": 96}})
    names = [b"caf\xe9\n.mp4", b"cls\xff/\xf0\x9f\x8e\xac 'x\".mp4", b"bad\xfe.mp4"]
    for number, name in enumerate(names[:2]):
        make_video(f"root/{os.fsdecode(name)}", num_frames=20, seed=number)
    (tmp_path / "root" / os.fsdecode(names[2])).write_bytes(b"no video")
    out = tmp_path / "out"
    plan = build_without_ray(config, tmp_path / "root", out)
    write_plan(out, plan)
    assert read_plan(out) == plan
    assert {os.fsencode(item.video.source) for item in read_plan(out).videos} == set(names)
    merge_errors(out)
    rows = [sample.row for sample in open_shards(out)]
    assert {row["source"] for row in rows} == {"caf\\xe9\n.mp4", "cls\\xff/\U0001f3ac 'x\".mp4"}
    assert {row["label_name"] for row in rows} == {"", "cls\\xff"}
    (error,) = pq.read_table(out / "errors.parquet").to_pylist()
    assert (error["source"], error["reason"]) == ("bad\\xfe.mp4", "not_video")
    assert error["message"].isprintable()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list any folder")
def test_folder_that_cannot_be_listed_is_skipped(plant):
    root = plant("a.mp4", "locked/b.mp4")
    (root / "locked").chmod(0)
    try:
        assert reasons(root) == {"locked": "unreadable"}
    finally:
        (root / "locked").chmod(0o755)


def test_wrong_roots_say_what_was_found(plant, tmp_path):
    with pytest.raises(ConfigError, match="found nothing; --root must hold"):
        listed(tmp_path / "absent")
    root = plant(*(f"{i}.txt" for i in range(7)))
    with pytest.raises(ConfigError, match=r"found 0\.txt, 1\.txt, 2\.txt, 3\.txt, 4\.txt and 2 more"):
        listed(root)
    with pytest.raises(ConfigError, match="found a file"):
        listed(root / "0.txt")


def test_a_split_is_refused(plant):
    root = plant("a.mp4")
    with pytest.raises(ConfigError, match="must be empty"):
        list(DATASETS["folder"](DATASETS["folder"].Config()).videos(root, "train"))
