"""AVI against ffmpeg: the same facts, or none at all."""

from __future__ import annotations

import pytest

from vdata.media.container import read_container
from vdata.media.source import open_source

KINDS = {
    "xvid.avi": ("-c:v", "mpeg4", "-vtag", "XVID"),
    "b-frames.avi": ("-c:v", "mpeg4", "-vtag", "XVID", "-bf", "2"),
    "divx.avi": ("-c:v", "mpeg4", "-vtag", "DX50", "-r", "30000/1001"),
    "sar.avi": ("-c:v", "mpeg4", "-vf", "setsar=4/3"),
}


@pytest.mark.parametrize("name", list(KINDS))
def test_mpeg4_is_read_as_ffmpeg_reads_it(write, assert_same, name):
    assert_same(write(name, *KINDS[name]))


@pytest.mark.parametrize("codec", ["libmp3lame", "pcm_s16le"])
def test_sound_is_named_as_ffmpeg_names_it(write, assert_same, codec):
    assert_same(write("sound.avi", "-c:v", "mpeg4", "-vtag", "XVID", "-c:a", codec, sound=True))


def test_empty_entries_take_their_time(videos_root, assert_same):
    """A file of packed pictures, like UCF101's: 280 entries, two of them empty."""
    path = videos_root / "good/oddities/xvid_packed_like_ucf.avi"
    assert_same(path)
    found = _read(path)
    assert len(found.times) == 278
    assert found.times.max() == 279


@pytest.mark.parametrize("options", [("-c:v", "mjpeg"), ("-c:v", "libx264"), ("-c:v", "mpeg4", "-c:a", "ac3")])
def test_other_codecs_are_left_to_ffmpeg(write, options):
    assert _read(write("other.avi", *options, sound="-c:a" in options)) is None


def test_any_damage_gives_facts_or_none(write, tmp_path):
    """Every byte of the header and the index in turn, and every length of the file: whatever comes out, nothing is raised."""
    whole = write("b.avi", "-c:v", "mpeg4", "-vtag", "XVID", "-bf", "2", "-c:a", "libmp3lame", sound=True).read_bytes()
    path = tmp_path / "damaged.avi"
    places = [*range(whole.index(b"movi") + 128), *range(whole.rindex(b"idx1"), len(whole))]
    for place in places[::3]:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << place // 3 % 8)]) + whole[place + 1 :])
        _read(path)
    for size in range(0, len(whole), 211):
        path.write_bytes(whole[:size])
        assert _read(path) is None


def _read(path):
    with open_source(path.parent, path.name) as file:
        return read_container(file)
