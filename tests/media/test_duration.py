import pytest

from vdata.errors import OpenError
from vdata.media.config import LimitConfig
from vdata.media.duration import described_seconds
from vdata.media.url import RemoteRoot
from vdata.records import Video


def test_the_header_says_how_long_it_is(tmp_path, make_video):
    make_video("a.mp4", num_frames=50, fps=25)
    assert described_seconds(tmp_path, Video("a", "a.mp4"), LimitConfig()) == pytest.approx(2.0)


def test_what_is_no_video_has_no_length(tmp_path):
    (tmp_path / "a.mp4").write_text("Duration: 01:00:00.00")
    assert described_seconds(tmp_path, Video("a", "a.mp4"), LimitConfig()) == 0
    with pytest.raises(OpenError, match="missing"):
        described_seconds(tmp_path, Video("b", "b.mp4"), LimitConfig())


def test_nothing_is_downloaded_to_learn_a_length(tmp_path, web):
    assert described_seconds(tmp_path / "list.txt", Video("a", web.url("/a.mp4")), LimitConfig()) == 0
    assert described_seconds(RemoteRoot("s3://nowhere"), Video("a", "a.mp4"), LimitConfig()) == 0
    assert not web.asked
