"""The way back to a clip's source."""

import os

import pytest

from vdata.errors import MediaError, OpenError
from vdata.media.config import LimitConfig
from vdata.media.origin import Origin
from vdata.media.source import open_source
from vdata.records import Video


def origin(root, source="a/v.mp4", file=None):
    return Origin(root, Video("v", source), LimitConfig(), file)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/v.mp4").write_bytes(bytes(range(200)))
    return tmp_path


def test_a_file_that_is_open_is_read_without_moving_it(root):
    with open_source(root, "a/v.mp4") as file:
        os.lseek(file.file.fileno(), 50, os.SEEK_SET)
        with origin(root, file=file).opened() as again:
            assert again.name == "v.mp4"
            assert again.file.read() == bytes(range(200))
        assert os.lseek(file.file.fileno(), 0, os.SEEK_CUR) == 50


def test_one_without_a_name_too(root):
    with open_source(root, "a/v.mp4") as file:
        (root / "a/v.mp4").unlink()
        with origin(root, file=file).opened() as again:
            assert again.file.read(3) == bytes(range(3))


def test_a_source_that_is_not_open_is_opened(root):
    with origin(root).opened() as file:
        assert file.num_bytes == 200
    with pytest.raises(OpenError, match=r"missing: 'w\.mp4'"), origin(root, "a/w.mp4").opened():
        pass
    with pytest.raises(ValueError, match="is not open"):
        _ = origin(root).cut_file


def test_what_lies_beside_is_found_by_the_name_without_its_extension(root):
    (root / "a/v.srt").write_bytes(b"beside")
    (root / "a.srt").write_bytes(b"of the folder")
    (root / "a/plain.srt").write_bytes(b"of a name without one")
    assert origin(root).beside(".srt") == b"beside"
    assert origin(root, "a/v.tar.mp4").beside(".srt") is None
    assert origin(root, "a/plain").beside(".srt") == b"of a name without one"
    (root / "a.b").mkdir()
    (root / "a.b/v.srt").write_bytes(b"in a folder with a dot")
    assert origin(root, "a.b/v").beside(".srt") == b"in a folder with a dot"


def test_nothing_is_found_where_nothing_can_be(root):
    (root / "a/v.vtt").mkdir()
    os.mkfifo(root / "a/v.txt")
    for suffix in (".srt", ".vtt", ".txt"):
        assert origin(root).beside(suffix) is None
    assert origin(root, "https://example.org/v.mp4").beside(".srt") is None


def test_what_is_too_large_is_told(root):
    with (root / "a/v.srt").open("wb") as file:
        file.truncate(2**24 + 1)
    with pytest.raises(MediaError, match=r"too_large: 'v\.srt' beside the video has 16777217 bytes"):
        origin(root).beside(".srt")
