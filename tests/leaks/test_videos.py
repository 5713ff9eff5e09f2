"""Sides and groups, from what the rows say."""

import numpy as np
import pytest

from vdata.errors import ConfigError
from vdata.leaks.groups import find_group_leaks
from vdata.leaks.videos import Videos, group_of, sides_of
from vdata.shards import open_index


def videos_of(folder, ids, dataset="ucf101", splits=()):
    own = [tuple(names) for names in splits] or [()] * len(ids)
    nothing = [""] * len(ids)
    keys = [(f"{name}-00000",) for name in ids]
    return Videos(folder, ids, [dataset] * len(ids), own, nothing, nothing, keys, np.arange(len(ids)))


@pytest.mark.parametrize(
    ("dataset", "name", "group"),
    [
        ("ucf101", "v_ApplyEyeMakeup_g08_c01", "ucf101 ApplyEyeMakeup_g08"),
        ("ucf101", "v_HandStandPushups_g25_c07", "ucf101 HandStandPushups_g25"),
        ("ucf101", "somebody-elses", ""),
        ("kinetics400", "--0edUL8zmA_000092_000102", "youtube --0edUL8zmA"),
        ("kinetics700", "--0edUL8zmA", "youtube --0edUL8zmA"),
        ("ava", "-5KQ66BBWC4", "youtube -5KQ66BBWC4"),
        ("ava_kinetics", "a_b-0edUL8z_12_22", "youtube a_b-0edUL8z"),
        ("audioset", "--0edUL8zmA", "youtube --0edUL8zmA"),
        ("ava", "a-film-from-elsewhere", ""),
        ("folder", "v_ApplyEyeMakeup_g08_c01", ""),
    ],
)
def test_a_group_is_read_off_the_name(dataset, name, group):
    assert group_of(dataset, name) == group


def test_sides_are_told_apart_by_fold():
    sides = sides_of([("train1", "test2"), ("train1", "train2"), ("test1",), ("train",), ("val",), ()])
    assert sides.shape == (6, 3)
    fold_of_none, first, second = sides.T
    assert first[0] == first[1] != first[2] >= 0
    assert second[0] != second[1] >= 0 > second[2]
    assert fold_of_none[3] != fold_of_none[4]
    assert (sides[5] == -1).all()
    assert sides_of([(), ()]).shape == (2, 0)
    # MARS: one side, of which each video has a part.
    query, gallery = sides_of([("test", "query"), ("test", "gallery")])
    assert query.tolist() == gallery.tolist()
    assert sides_of([("query",), ("retrieval",)]).shape == (2, 0)


def test_videos_differ_by_split_or_by_scene():
    names = ["v_A_g01_c01", "v_A_g01_c02", "v_A_g02_c01"]
    videos = videos_of("x", names, splits=[["train1"], ["train1", "test2"], ["test1", "train2"]])
    first, second = np.array([0, 0, 1]), np.array([1, 2, 2])
    assert videos.differ_in_split(first, second).tolist() == [False, True, True]
    assert videos.differ_in_scene(first, second).tolist() == [False, True, True]
    assert videos.has_parts
    assert not videos_of("x", names[:2], splits=[["train1"], ["train1"]]).has_parts
    # Every Kinetics video is a group of its own: that alone is no reason to compare all of them.
    assert not videos_of("x", ["--0edUL8zmA_000092_000102", "--0edUL8zmB_000092_000102"], "kinetics400").has_parts


def test_a_folder_that_is_one_side_is_not_divided_by_other_folds():
    """UCF101's train of fold 1: its videos test in folds 2 and 3."""
    names = ["v_A_g08_c01", "v_A_g15_c01", "v_A_g15_c02"]
    splits = [["train1", "test2", "train3"], ["train1", "train2", "test3"], ["train1", "train2", "test3"]]
    train = videos_of("train", names, splits=splits)
    assert not train.differ_in_split(np.array([0]), np.array([1]))[0]
    cut = videos_of("train", ["--0edUL8zmA_1_11", "--0edUL8zmA_20_30"], "kinetics400", splits[:2])
    assert not cut.has_parts
    assert find_group_leaks([cut]) == []
    # The same videos in a folder of all.
    whole = videos_of("all", [*names, "v_A_g01_c01"], splits=[*splits, ["test1", "train2", "train3"]])
    assert whole.differ_in_split(np.array([0]), np.array([1]))[0]


def test_a_group_in_two_folders_or_on_two_sides_is_a_leak():
    train = videos_of("train", ["v_A_g01_c01", "v_A_g02_c01"], splits=[["train1"], ["train1"]])
    test = videos_of("test", ["v_A_g02_c02", "v_B_g01_c01"], splits=[["test1"], ["test1"]])
    (leak,) = find_group_leaks([train, test])
    assert leak.group == "ucf101 A_g02"
    assert leak.sides == {"train": ("v_A_g02_c01",), "test": ("v_A_g02_c02",)}
    assert leak.keys == {"train": ("v_A_g02_c01-00000",), "test": ("v_A_g02_c02-00000",)}
    assert find_group_leaks([train]) == []
    names = ["v_A_g01_c01", "v_A_g01_c02", "v_A_g02_c01"]
    mixed = videos_of("all", names, splits=[["train1", "test2"], ["train1", "train2"], ["test1", "test2"]])
    (leak,) = find_group_leaks([mixed])
    assert leak.sides == {"test2": ("v_A_g01_c01",), "train2": ("v_A_g01_c02",)}
    cuts = [
        videos_of(split, [f"--0edUL8zmA_{times}"], "kinetics400")
        for split, times in (("a", "000001_000011"), ("b", "000020_000030"))
    ]
    assert [leak.group for leak in find_group_leaks(cuts)] == ["youtube --0edUL8zmA"]


def test_the_videos_of_a_folder_have_all_their_clips(tmp_path, make_video, build):
    make_video("root/a.mp4", num_frames=60)
    make_video("root/dog/b.mp4", num_frames=30)
    index = open_index(build(tmp_path / "root", tmp_path / "out", seconds=1.0))
    videos = Videos.of(index)
    assert [len(keys) for keys in videos.keys] == [sum(index.video == video) for video in np.unique(index.video)]
    assert dict(zip(videos.sources, videos.labels, strict=True))["dog/b.mp4"] == "dog"
    for clip, video in enumerate(videos.of_clip):
        assert index.key(clip) in videos.keys[video]
        assert index.row(clip)["video_id"] == videos.ids[video]


def test_a_folder_without_pictures_is_an_error(tmp_path, make_video, build):
    index = open_index(build(tmp_path, tmp_path / "out")) if make_video("a.mp4", num_frames=20) else None
    with pytest.raises(ConfigError, match=r"holds no clip with pictures: name a folder of videos"):
        Videos.of(type(index)(**{**vars(index), "num_frames": np.zeros_like(index.num_frames)}))
