import os

import pytest

from vdata.errors import OpenError
from vdata.media.source import open_source


def test_a_file_is_open_and_named(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/v.mp4").write_bytes(b"1234")
    with open_source(tmp_path, "a/v.mp4") as source:
        assert (source.name, source.num_bytes, source.file.read()) == ("v.mp4", 4, b"1234")
    assert source.file.closed


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path, make):
    make(tmp_path / "odd.mp4")
    with pytest.raises(OpenError, match="not_regular"), open_source(tmp_path, "odd.mp4"):
        pass


def test_a_missing_file_is_an_open_error(tmp_path):
    with pytest.raises(OpenError, match="missing"), open_source(tmp_path, "none.mp4"):
        pass
