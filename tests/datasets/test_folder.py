"""The folder dataset: every entry of a tree is a video or a Skipped, in a fixed order."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from vdata.datasets import DATASETS
from vdata.errors import ConfigError
from vdata.records import Skipped, Video


def listed(root: Path) -> list[Video | Skipped]:
    dataset = DATASETS["folder"](DATASETS["folder"].Config())
    dataset.prepare(root)
    return list(dataset.videos(root, ""))


def reasons(root: Path) -> dict[str, str]:
    return {entry.source: entry.reason for entry in listed(root) if isinstance(entry, Skipped)}


def sources(root: Path) -> list[str]:
    return [entry.source for entry in listed(root) if isinstance(entry, Video)]


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


def test_name_that_is_not_utf8_is_skipped_in_printable_form(plant):
    root = plant("good.mp4")
    for name in (b"caf\xe9.mp4", b"dir\xff"):
        path = os.fsencode(root) + b"/" + name
        if name.endswith(b"4"):
            Path(os.fsdecode(path)).touch()
        else:
            Path(os.fsdecode(path)).mkdir()
    assert reasons(root) == {"caf\\xe9.mp4": "bad_name", "dir\\xff": "bad_name"}
    assert sources(root) == ["good.mp4"]


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
