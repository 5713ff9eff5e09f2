"""Planted near copies are found across folders, splits and groups; other videos are not."""

import json
import shutil

import pyarrow.parquet as pq
import pytest

from vdata.errors import ConfigError, ShardError
from vdata.leaks import LeakConfig, find_leaks, write_pairs

EDITS = {
    "same": {},
    "coarse": {"crf": 38},
    "small": {"filters": "scale=64:48"},
    "bright": {"filters": "eq=brightness=0.1:contrast=1.1"},
    "crop": {"filters": "crop=124:92"},
    "bars": {"filters": "pad=iw:ih+32:0:16"},
    "late": {"start": 0.52},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return tmp_path_factory.mktemp("made")


@pytest.fixture
def planted(made, tmp_path, make_video, build, convert):
    """A folder of nine films and a black one; one of copies of seven, a mirrored one, a white one and two films of its own."""
    if not (made / "shards").exists():
        others = {"mirrored": {"filters": "hflip"}, "white": {"filters": "drawbox=color=white:t=fill"}}
        for number, (name, edit) in enumerate((EDITS | others).items()):
            film = make_video(made / f"train/{number}.mp4", num_frames=40, seed=number, velocity=(1.5, 0.5))
            convert(film, made / f"test/{name}/{number}.mp4", **edit)
        convert(film, made / "train/black.mp4", "drawbox=color=black:t=fill")
        for number in (20, 21):
            make_video(made / f"test/own/{number}.mp4", num_frames=40, seed=number)
        for name in ("train", "test"):
            build(made / name, made / f"shards/{name}")
    shutil.copytree(made / "shards", tmp_path / "shards")
    return [tmp_path / "shards" / name for name in ("train", "test")]


def test_copies_of_all_kinds_are_found_and_nothing_else(planted):
    told = []
    report = find_leaks(planted, on_step=lambda *step: told.append(step))
    assert {(pair.first.source, pair.second.source) for pair in report.pairs} == {
        (f"{number}.mp4", f"{name}/{number}.mp4") for number, name in enumerate(EDITS)
    }
    assert {pair.kind for pair in report.pairs} == {"folders"}
    assert [pair.distance for pair in report.pairs] == sorted(pair.distance for pair in report.pairs)
    same = next(pair for pair in report.pairs if pair.second.label_name == "same")
    assert same.distance <= 6
    assert same.first.matched == same.first.hashed == same.second.matched
    train, test = report.folders
    assert (train.videos, train.unchecked, test.videos, test.unchecked) == (10, 1, 11, 1)
    assert train.blank == test.blank > 0
    assert report.by_label() == dict.fromkeys(EDITS, 1)
    assert not report.is_clean
    assert {what for what, _, _ in told} == {f"hashing {planted[0]}", f"hashing {planted[1]}", "comparing"}
    mirrored = find_leaks(planted, LeakConfig(mirror=True))
    (found,) = (pair for pair in mirrored.pairs if pair.mirrored)
    assert (found.first.source, found.second.source) == ("7.mp4", "mirrored/7.mp4")
    assert len(mirrored.pairs) == len(EDITS) + 1


def test_the_keys_are_what_leaves_the_first_folder_clean(planted, tmp_path):
    from vdata.builder.remove import remove  # noqa: PLC0415 - what --keys is for

    report = find_leaks(planted)
    keys = report.keys_to_remove()
    (removed,) = remove([planted[0]], keys=keys)
    assert set(removed.keys) == set(keys)
    after = find_leaks(planted)
    assert after.is_clean
    assert after.keys_to_remove() == []
    write_pairs(tmp_path / "new/leaks.parquet", report)
    rows = pq.read_table(tmp_path / "new/leaks.parquet").to_pylist()
    assert [row["second_source"] for row in rows] == [pair.second.source for pair in report.pairs]
    assert sorted(key for row in rows for key in row["first_keys"]) == keys
    plain = json.loads(json.dumps(report.to_mapping()))
    assert plain["leaks"] == len(EDITS) == len(plain["pairs"])
    assert plain["pairs"][0]["first"]["video_id"] == report.pairs[0].first.video_id


def test_one_folder_is_compared_by_splits_groups_or_all(tmp_path, make_video, build, convert, set_columns):
    make_video("ucf/v_A_g01_c01.mp4", num_frames=40, seed=1)
    convert(tmp_path / "ucf/v_A_g01_c01.mp4", tmp_path / "ucf/v_A_g01_c02.mp4", crf=30)
    convert(tmp_path / "ucf/v_A_g01_c01.mp4", tmp_path / "ucf/v_B_g02_c01.mp4", crf=30)
    make_video("ucf/v_B_g03_c01.mp4", num_frames=40, seed=2)
    folder = build(tmp_path / "ucf", tmp_path / "shards/ucf")
    with pytest.raises(ConfigError, match="is all of one side: name a second folder, or compare its videos"):
        find_leaks([folder])
    within = find_leaks([folder], LeakConfig(within=True))
    assert [pair.kind for pair in within.pairs] == ["within"] * 3
    assert within.is_clean
    set_columns(folder, dataset=lambda _: "ucf101", video_id=lambda name: name.removesuffix(".mp4"))
    siblings = find_leaks([folder])
    named = [(pair.kind, pair.first.video_id, pair.second.video_id) for pair in siblings.pairs]
    assert sorted((kind, *sorted(names)) for kind, *names in named) == [
        ("groups", "v_A_g01_c01", "v_B_g02_c01"),
        ("groups", "v_A_g01_c02", "v_B_g02_c01"),
    ]
    assert siblings.is_clean
    sides = {"v_A_g01_c01": ["train1"], "v_A_g01_c02": ["test1"], "v_B_g02_c01": ["train1"], "v_B_g03_c01": ["test1"]}
    set_columns(folder, splits=sides.get)
    report = find_leaks([folder])
    assert sorted(pair.kind for pair in report.pairs) == ["groups", "splits", "splits"]
    assert [leak.group for leak in report.groups] == ["ucf101 A_g01"]
    assert not report.is_clean
    # What trains goes, and what tests stays.
    keys = {video.video_id: set(video.keys) for pair in report.pairs for video in (pair.first, pair.second)}
    assert set(report.keys_to_remove()) == keys["v_A_g01_c01"] | keys["v_B_g02_c01"]


def test_what_cannot_be_checked_is_said(planted, tmp_path):
    with pytest.raises(ConfigError, match="is named twice"):
        find_leaks([planted[0], str(planted[0])])
    with pytest.raises(ShardError, match="there is no shard folder"):
        find_leaks([planted[0], tmp_path / "nowhere"])
    with pytest.raises(ShardError, match="no shards but the splits"):
        find_leaks([tmp_path / "shards", planted[0]])
    with pytest.raises(ConfigError, match="a web server has no listing"):
        find_leaks([planted[0], "https://host/shards"])
    (tar,) = planted[1].glob("*.tar")
    tar.unlink()
    report = find_leaks(planted)
    assert len(report.unreadable) == 11
    assert not report.is_clean
