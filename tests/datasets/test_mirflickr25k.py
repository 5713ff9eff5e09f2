"""MIRFlickr-25K: pictures, classes by number, tags by file, in the layout that public readers read."""

from __future__ import annotations

from pathlib import Path

import pytest

import vdata
from vdata.config import from_mapping
from vdata.datasets import DATASETS, mirflickr25k
from vdata.errors import ConfigError
from vdata.records import Skipped, Video

TEXTS = {
    "mirflickr/doc/common_tags.txt": "explore 1483\nsky 845\n",
    "mirflickr/meta/tags/tags1.txt": "sky\r\nmytag\r\n",
    "mirflickr/meta/tags/tags2.txt": "",
    "mirflickr/meta/tags/tags10.txt": "explore\nsky\n",
    "mirflickr25k_annotations_v080/sky.txt": "1\n10\n",
    "mirflickr25k_annotations_v080/sky_r1.txt": "2\n",
    "mirflickr25k_annotations_v080/animals.txt": "10\r\n11\r\n",
    "mirflickr25k_annotations_v080/README.txt": "These are not numbers.\n",
}
PICTURES = ("mirflickr/im1.jpg", "mirflickr/im2.jpg", "mirflickr/im10.jpg", "mirflickr/im.jpg")


def listed(root: Path, **settings: object) -> list[Video | Skipped]:
    dataset = DATASETS["mirflickr25k"](from_mapping(DATASETS["mirflickr25k"].Config, settings))
    dataset.prepare(root)
    return list(dataset.videos(root, ""))


def test_pictures_classes_and_tags(plant):
    root = plant(*PICTURES, texts=TEXTS)
    first, second, tenth, eleventh = listed(root)
    assert (first.video_id, first.source, first.frames, first.frame_rate) == ("im1", PICTURES[0], (PICTURES[0],), 1)
    assert [video.labels for video in (first, second, tenth)] == [(1,), (), (0, 1)]
    assert [video.text for video in (first, second, tenth)] == [{"tags": ["sky"]}, {}, {"tags": ["explore", "sky"]}]
    assert (first.label, first.splits) == (-1, ())
    assert (eleventh.reason, eleventh.source) == ("missing", "mirflickr/im11.jpg")
    assert listed(root, tags="all")[0].text == {"tags": ["sky", "mytag"]}
    classes = DATASETS["mirflickr25k"](None).classes(root)
    assert classes == {"label": ("animals", "sky"), "tag": ("explore", "sky")}


@pytest.mark.parametrize("folder", ["annotations", "mirflickr/annotations"])
def test_other_folders(plant, folder):
    texts = {name.replace("mirflickr25k_annotations_v080", folder): text for name, text in TEXTS.items()}
    assert [video.labels for video in listed(plant(*PICTURES, texts=texts))[:3]] == [(1,), (), (0, 1)]


def test_the_root_may_be_the_folder_of_pictures(plant):
    texts = {
        name.removeprefix("mirflickr/").replace("mirflickr25k_annotations_v080", "annotations"): t for name, t in TEXTS.items()
    }
    root = plant("im1.jpg", "im10.jpg", texts=texts)
    assert [entry.video_id for entry in listed(root) if isinstance(entry, Video)] == ["im1", "im10"]


def test_the_protocol_is_drawn_by_a_seed(plant, monkeypatch):
    monkeypatch.setattr(mirflickr25k, "_NUM_QUERIES", 5)
    monkeypatch.setattr(mirflickr25k, "_NUM_TRAIN", 20)
    numbers = range(1, 61)
    tags = {f"mirflickr/meta/tags/tags{n}.txt": "sky\n" if n % 2 else "rare\n" for n in numbers}
    texts = TEXTS | tags | {"mirflickr25k_annotations_v080/sky.txt": "".join(f"{n}\n" for n in numbers)}
    root = plant(*(f"mirflickr/im{n}.jpg" for n in numbers), texts=texts)
    sets = {entry.video_id: entry.splits for entry in listed(root, seed=3)}
    # Half of them have no common tag.
    usable = {name: splits for name, splits in sets.items() if int(name[2:]) % 2}
    assert all(not splits for name, splits in sets.items() if name not in usable)
    counts = {kind: sum(splits == kind for splits in usable.values()) for kind in set(usable.values())}
    assert counts == {("query",): 5, ("retrieval", "train"): 20, ("retrieval",): 5}
    assert {entry.video_id: entry.splits for entry in listed(root, seed=3)} == sets
    assert {entry.video_id: entry.splits for entry in listed(root, seed=4)} != sets
    # A picture that is not there changes no other's place.
    (root / "mirflickr/im7.jpg").unlink()
    assert all(sets[entry.video_id] == entry.splits for entry in listed(root, seed=3) if isinstance(entry, Video))


def test_odd_bytes_in_tags_are_replaced(plant):
    root = plant(*PICTURES, texts=TEXTS)
    (root / "mirflickr/meta/tags/tags1.txt").write_bytes(b"caf\xe9\n\nsky\n")
    assert listed(root, tags="all")[0].text == {"tags": ["caf\ufffd", "sky"]}


def test_wrong_roots(plant, tmp_path):
    with pytest.raises(ConfigError, match=r"looked for a folder at '.*none', found nothing; --root must hold"):
        listed(tmp_path / "none")
    with pytest.raises(
        ConfigError, match=r"unpack mirflickr25k_annotations_v080\.zip\) as animals\.txt in .*, found mirflickr25k_a"
    ):
        listed(plant("mirflickr25k_annotations_v080.zip"))
    with pytest.raises(ConfigError, match=r"looked for mirflickr/doc/common_tags\.txt"):
        listed(plant("annotations/sky.txt"))
    root = plant(texts=TEXTS)
    with pytest.raises(
        ConfigError, match=r"looked for the pictures im1\.jpg \.\.\. im25000\.jpg .* in '.*mirflickr', found doc, meta"
    ):
        listed(root)
    plant(*PICTURES)
    with pytest.raises(ConfigError, match="must be -1 where 2 pictures have classes and tags"):
        listed(root, seed=0)
    with pytest.raises(ConfigError, match=r"seed \(-2\) must be 0 or more"):
        listed(root, seed=-2)
    (root / "mirflickr/doc/common_tags.txt").write_text("sky\n")
    with pytest.raises(ConfigError, match="line 1: found 'sky', each line must be a tag and its count"):
        listed(root)
    (root / "mirflickr25k_annotations_v080/sky.txt").write_text("im1\n")
    with pytest.raises(ConfigError, match="line 1: found 'im1', each line must be the number of a picture"):
        listed(root)


def test_a_build(plant, make_image, build_dataset):
    root = plant(texts=TEXTS)
    for name in PICTURES[:3]:
        make_image(root / name, size=(64, 48))
    folder = build_dataset("mirflickr25k", root)[""]
    samples = {sample.row["video_id"]: sample for sample in vdata.open_shards(folder)}
    assert {name: (sample.row["num_frames"], sample.row["labels"]) for name, sample in samples.items()} == {
        "im1": (1, [1]),
        "im2": (1, []),
        "im10": (1, [0, 1]),
    }
    assert samples["im10"].text().tags == ("explore", "sky")
    assert vdata.open_shards(folder).classes["tag"] == ("explore", "sky")
