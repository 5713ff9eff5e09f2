import itertools
import re

import pytest

from vdata.errors import ConfigError
from vdata.shards.keys import check_key, clip_key

VIDEO_IDS = [
    "v_Archery_g01_c01",
    "a/b.mp4",
    "a_b_mp4",
    "a/b/mp4",
    "a.b/mp4",
    "a",
    "a-00000",
    "a-00000-00000",
    "",
    "_",
    ".",
    "été",
    "ete",
    "日本",
    "日木",
    "bad \udcff name",
    "x" * 64,
    "x" * 65,
    "x" * 200,
    "x" * 201,
    " ",
    "a b",
    "a\nb",
]


def test_keys_are_safe_for_every_video_id():
    for video_id, number in itertools.product(VIDEO_IDS, (0, 7, 99_999, 1_000_000)):
        key = clip_key(video_id, number)
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,76}", key)
        check_key(key)
        assert len(f"{key}.motion.npz".encode()) <= 100


def test_no_two_clips_share_a_key():
    pairs = list(itertools.product(VIDEO_IDS, (0, 1, 10, 100_000)))
    assert len({clip_key(*pair) for pair in pairs}) == len(pairs)


def test_a_readable_id_is_kept():
    assert clip_key("v_Archery_g01_c01", 3) == "v_Archery_g01_c01-00003"


@pytest.mark.parametrize("key", ["", "a.b", "a/b", "a b", "é", "x" * 91, "a\n"])
def test_unsafe_keys_are_refused(key):
    with pytest.raises(ConfigError, match="key"):
        check_key(key)
