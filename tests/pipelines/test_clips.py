"""Several folders as one index: every clip keeps its bytes, and no two share a number."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pipelines.clips import JoinedIndex, asked_clips, folder_numbers, open_clips
from pipelines.read import Reader
from vdata.errors import ConfigError, ShardError, UnknownNameError
from vdata.shards import open_index


@pytest.fixture
def folders(clips, make_folder):
    return [make_folder(clips[:4], per_shard=3), make_folder(clips[4:9], per_shard=2, videos=[0, 0, 1, 1, 2])]


def test_one_folder_is_its_own_index(folders):
    assert open_clips(folders[0]).digest == open_index(folders[0]).digest
    assert open_clips([str(folders[0])]).digest == open_index(folders[0]).digest


def test_joined_clips_have_the_bytes_and_keys_of_their_folders(clips, folders):
    joined = open_clips(folders)
    assert isinstance(joined, JoinedIndex)
    assert len(joined) == 9
    reader = Reader(joined)
    for i in range(9):
        encoded = reader.read(i, np.arange(joined.num_frames[i]))
        assert encoded.init + b"".join(encoded.fragments) == clips[i].mp4
    assert [joined.key(i) for i in range(9)] == [index.key(i) for index in map(open_index, folders) for i in range(len(index))]
    assert joined.column("label").tolist() == joined.label.tolist()


def test_joined_numbers_do_not_meet(folders):
    joined = open_clips(folders)
    assert len(set(joined.index.tolist())) == 9
    assert joined.video.tolist() == [0, 1, 2, 3, 4, 4, 5, 5, 6]
    assert len(set(joined.shard.tolist())) == 2 + 3


def test_arrays_are_joined_when_they_are_asked_for(folders):
    joined, parts = open_clips(folders), [open_index(folder) for folder in folders]
    Reader(joined).read(8, np.array([0]))
    joined.member(8, "flac")
    assert not [name for name, value in vars(joined).items() if isinstance(value, np.ndarray) and not name.startswith("_")]
    for name in ("num_frames", "picture", "fragment_offset", "fragment_size"):
        assert np.array_equal(getattr(joined, name), np.concatenate([getattr(part, name) for part in parts]))
        assert getattr(joined, name) is getattr(joined, name)
    own = slice(*joined.fragment_start[8:10])
    assert joined.fragment_frame[own].tolist() == joined.mp4_place(8).fragment_frame.tolist()
    assert joined.fragment_offset[own].tolist() == joined.mp4_place(8).fragment_offset.tolist()
    assert [joined.folder_of(i) for i in (3, 4)] == folders
    assert joined.exts(8) == ()
    with pytest.raises(AttributeError):
        _ = joined.num_frame


def test_every_clip_knows_its_folder(folders):
    joined, some = open_clips([*folders, folders[0]]), np.array([12, 0, 3, 4, 8, 9])
    assert folder_numbers(joined, some).tolist() == [2, 0, 0, 1, 1, 2]
    assert folder_numbers(open_clips(folders[1]), np.arange(5)).tolist() == [0] * 5


def test_the_digest_knows_the_order_of_the_folders(folders):
    assert open_clips(folders).digest != open_clips(folders[::-1]).digest


def test_no_folder_and_no_shards_are_errors(tmp_path):
    with pytest.raises(ConfigError, match="at least one shard folder"):
        open_clips([])
    with pytest.raises(ShardError, match="holds no"):
        open_clips(tmp_path)


def test_a_filter_chooses_from_all_folders_and_what_one_lacks_is_null(folders, add_column, caplog):
    for shard, values in ((0, [0.5, 0.1, 0.9]), (1, [0.3])):
        add_column(folders[0], shard, "motion_score", pa.array(values, pa.float32()))
    add_column(folders[1], 0, "caption", pa.array(["a", "b"]))
    joined = open_clips(folders)
    assert np.flatnonzero(asked_clips(joined, "motion_score > 0.2")).tolist() == [0, 2, 3]
    assert "leaves out 6 of 9 clips, 5 of them for want of a value" in caplog.text
    assert np.flatnonzero(asked_clips(joined, "motion_score is None and label == 1")).tolist() == [5, 8]
    assert np.flatnonzero(asked_clips(joined, "caption == 'b'")).tolist() == [5]
    # A folder's own numbers, as its rows have them.
    assert np.flatnonzero(asked_clips(joined, "index == 100")).tolist() == [0, 4]
    assert np.flatnonzero(asked_clips(joined, "picture.width > 0 and video_index == 0")).tolist() == [0, 4, 5]
    with pytest.raises(UnknownNameError, match="caption"):
        asked_clips(joined, "capton == 'a'")


def test_without_a_filter_all_are_asked_for_and_an_array_must_fit(folders, caplog):
    joined = open_clips(folders)
    assert asked_clips(joined, None).tolist() == [True] * 9
    some = np.arange(9) % 2 == 0
    assert asked_clips(joined, some) is some
    with pytest.raises(ConfigError, match=r"bool array of shape \(9,\)"):
        asked_clips(joined, some[1:])
    assert caplog.text == ""
