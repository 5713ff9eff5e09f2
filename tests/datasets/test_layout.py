"""What the readers of dataset folders share: one way to list a folder, and names that stay below the root."""

from __future__ import annotations

import ast
import errno
import os
from pathlib import Path

import pytest

from vdata.config import from_mapping
from vdata.datasets import DATASETS, _layout
from vdata.datasets._layout import entries_in, fail_layout, index_videos, is_file, is_folder, names_by_index, names_in, path_below
from vdata.errors import ConfigError

LISTING = {"scandir", "listdir", "iterdir"}


@pytest.fixture
def locked(monkeypatch) -> str:
    """The name of folders that may not be listed, as lost+found for all but root; the tests may run as root."""
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "lost+found":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    return "lost+found"


def test_only_the_shared_function_lists_folders():
    """A folder that cannot be read, or a link to itself, then hides nothing in any dataset."""
    for path in Path(_layout.__file__).parent.glob("*.py"):
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        for function in (call.func for call in calls if isinstance(call.func, ast.Attribute)):
            assert path.stem == "_layout" or function.attr not in LISTING, f"{path}:{function.lineno}"
        # entry.is_dir() follows links, and raises ELOOP for one that leads to itself; is_folder does not.
        for call in calls:
            asked = ast.unparse(call)
            assert path.stem == "_layout" or asked not in {"entry.is_dir()", "entry.is_file()"}, f"{path}:{call.lineno}"


def test_what_cannot_be_listed_is_empty_and_told(tmp_path, locked):
    (tmp_path / "a.txt").touch()
    (tmp_path / locked).mkdir()
    assert names_in(tmp_path) == {"a.txt", locked}
    for folder, reason in (
        (tmp_path / "absent", "No such file or directory"),
        (tmp_path / "a.txt", "Not a directory"),
        (tmp_path / locked, "Permission denied"),
        (f"{tmp_path}/a\0b", "embedded null byte"),
    ):
        told: list[OSError] = []
        assert list(entries_in(folder, on_error=told.append)) == []
        assert [error.strerror for error in told] == [reason]
        assert names_in(folder) == frozenset()


def test_an_error_of_the_caller_is_not_taken_for_one_of_the_folder(tmp_path):
    (tmp_path / "a").touch()

    def failing():
        for _ in entries_in(tmp_path):
            raise OSError("mine")

    with pytest.raises(OSError, match="mine"):
        failing()


def test_a_link_to_itself_is_neither_folder_nor_file(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("folder")
    found = {entry.name: (is_folder(entry), is_file(entry)) for entry in entries_in(tmp_path)}
    assert found == {"loop": (False, False), "folder": (True, False), "file": (False, True), "link": (True, False)}


def test_one_bad_folder_hides_no_video(plant, locked):
    root = plant("train/a.mp4", "train/lost+found/b.mp4", "train/class/c.MKV", "train/class/deeper/d.mp4", "val/a.avi")
    (root / "train" / "loop").symlink_to("loop")
    found = index_videos(root, ["val", "train", "absent", locked])
    assert found == {"a": ["train/a.mp4", "val/a.avi"], "c": ["train/class/c.MKV"]}


@pytest.mark.parametrize(("name", "split"), [("webdataset", "train"), ("webdataset", "")])
def test_webdataset_passes_over_links_to_themselves(plant, name, split):
    root = plant(f"{split or '.'}/a.tar")
    (root / "loop").symlink_to("loop")
    dataset = DATASETS[name](from_mapping(DATASETS[name].Config, {}))
    assert dataset.splits_in(root) == ((split,) if split else ())


def test_sdu_vid_passes_over_links_to_themselves(plant):
    root = plant(*(f"000{person}/{camera}/1.jpg" for person in range(4) for camera in "12"))
    (root / "0009").symlink_to("0009")
    dataset = DATASETS["sdu_vid"](DATASETS["sdu_vid"].Config())
    assert {name for names in dataset.classes(root).values() for name in names} == {f"000{person}" for person in range(4)}


def test_a_link_to_itself_beside_text_hides_no_document(plant):
    root = plant(texts={"a.txt": "words", "b.txt": "more"})
    (root / "loop.txt").symlink_to("loop.txt")
    dataset = DATASETS["documents"](DATASETS["documents"].Config())
    entries = list(dataset.videos(root, ""))
    assert {entry.source: getattr(entry, "reason", "") for entry in entries} == {
        "a.txt": "",
        "b.txt": "",
        "loop.txt": "not_regular",
    }


@pytest.mark.parametrize(("name", "good"), [("folder", "a.mp4"), ("documents", "a.txt")])
def test_a_folder_that_may_not_be_read_is_counted_where_folders_are(plant, locked, name, good):
    root = plant(f"{locked}/b.mp4", texts={good: "words enough for a document " * 20})
    found = {entry.source: getattr(entry, "reason", "") for entry in DATASETS[name](DATASETS[name].Config()).videos(root, "")}
    assert found == {good: "", locked: "unreadable"}


def test_a_root_that_may_not_be_read_says_so(tmp_path, locked, monkeypatch):
    (tmp_path / locked).mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != locked)
    with pytest.raises(ConfigError, match=r"looked for x in '.*', found a folder that may not be read; --root must hold y"):
        fail_layout("d", "x", tmp_path / locked, "y")
    with pytest.raises(ConfigError, match=r"looked for x in '.*', found lost\+found; --root must hold y"):
        fail_layout("d", "x", tmp_path, "y")


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("a/b.jpg", "a/b.jpg"),
        ("a//./b.jpg", "a/b.jpg"),
        ("a/../b.jpg", "b.jpg"),
        ("/data/root/a.jpg", "a.jpg"),
        ("..", ""),
        ("../a.jpg", ""),
        ("a/../../b.jpg", ""),
        ("/etc/passwd", ""),
        ("/data/root/../a.jpg", ""),
    ],
)
def test_a_listed_path_stays_below_the_root(path, place):
    assert path_below(Path("/data/root"), path) == place


def test_an_index_that_would_fill_the_memory_is_refused():
    assert names_by_index({"a": 2, "": -1, "b": 0}) == ("b", "", "a")
    assert names_by_index({}) == ()
    assert len(names_by_index({"a": 1_000_000})) == 1_000_001
    with pytest.raises(ConfigError, match=r"the index of class 'a' \(900000000\) must be at most 1000000"):
        names_by_index({"a": 900_000_000})
