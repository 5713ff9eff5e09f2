"""What the re-identification datasets share: numbering of people, folders by camera."""

from __future__ import annotations

from fractions import Fraction

import pytest

from vdata.datasets._tracklets import CameraFolders, Fold, one_clip, person_labels, person_number
from vdata.errors import ConfigError

FOLDS = [Fold(("p2", "p10"), ("p1",)), Fold(("p1",), ("p10", "p2"))]


def folders(root, **changed):
    return CameraFolders(**({"dataset": "x", "root": root, "base": "s/", "cameras": ("a", "b"), "expected": "s"} | changed))


def test_train_people_come_first_and_each_part_is_sorted_by_bytes():
    assert person_labels(["p2", "p10", "p2"], ["p1", "P3"]) == {"p10": 0, "p2": 1, "P3": 2, "p1": 3}


@pytest.mark.parametrize(
    ("folder", "number"), [("person_0198", 198), ("0001", 1), ("p", -1), ("person7x", -1), ("p12345678901", 345678901)]
)
def test_a_person_is_the_number_at_the_end(folder, number):
    assert person_number(folder) == number


def test_a_tracklet_of_each_camera(plant):
    root = plant("s/a/p1/2.png", "s/a/p1/10.png", "s/b/p1/1.jpg", "s/b/p1/notes.txt")
    query, gallery = folders(root).videos(FOLDS, 0, "test")
    assert (query.video_id, query.source, query.label, query.label_name) == ("a/p1", "s/a/p1", 2, "p1")
    # Owners pad their numbers with zeros, but not all who copy.
    assert query.frames == ("s/a/p1/2.png", "s/a/p1/10.png")
    assert gallery.frames == ("s/b/p1/1.jpg",)
    assert query.frame_rate == Fraction(25)
    assert [video.facts for video in (query, gallery)] == [{"pid": 1, "camid": 0}, {"pid": 1, "camid": 1}]
    assert [video.splits for video in (query, gallery)] == [("test0", "train1", "query"), ("test0", "train1", "gallery")]


def test_cameras_within_people_and_a_missing_folder(plant):
    root = plant("p2/a/1.png", "p2/b/1.png", "p10/b/1.png")
    found = folders(root, base="", person_first=True).videos(FOLDS, 0, "train")
    assert [entry.video_id for entry in found] == ["p2/a", "p2/b", "p10/a", "p10/b"]
    assert (found[2].source, found[2].reason) == ("p10/a", "missing")
    assert found[3].splits == ("train0", "test1")
    assert [found[0].label, found[3].label] == [1, 0]


def test_no_image_at_all_is_one_error(plant):
    root = plant("s/a/p3/1.png")
    with pytest.raises(ConfigError, match=r"x: looked for images of the 1 people of test in '.*s', found a; --root must hold s$"):
        folders(root).videos(FOLDS, 0, "test")
    assert CameraFolders.find("x", root, ("t/", "s/"), ("a", "b"), "s").base == "s/"
    with pytest.raises(ConfigError, match=r"x: looked for t/a in"):
        CameraFolders.find("x", root, ("t/",), ("a", "b"), "s")


def test_one_clip_is_a_setting_that_the_builder_takes():
    from vdata.builder import resolve  # noqa: PLC0415 - the only test that needs it

    config = resolve("prid2011")
    assert (config.clip.seconds, config.clip.short_side) == (1e9, 64)
    assert one_clip(128)["clip"]["short_side"] == resolve("mars").clip.short_side
