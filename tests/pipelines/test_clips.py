"""Several folders as one index: every clip keeps its bytes, and no two share a number."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.clips import JoinedIndex, open_clips
from pipelines.read import Reader
from vdata.errors import ConfigError, ShardError
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


def test_the_digest_knows_the_order_of_the_folders(folders):
    assert open_clips(folders).digest != open_clips(folders[::-1]).digest


def test_no_folder_and_no_shards_are_errors(tmp_path):
    with pytest.raises(ConfigError, match="at least one shard folder"):
        open_clips([])
    with pytest.raises(ShardError, match="holds no"):
        open_clips(tmp_path)
