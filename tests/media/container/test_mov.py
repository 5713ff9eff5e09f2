"""MP4 and MOV against ffmpeg: the same facts, or none at all."""

from __future__ import annotations

import struct
import subprocess
import tracemalloc

import pytest

from vdata.media.container import read_container
from vdata.media.ffmpeg import binary
from vdata.media.source import open_source

H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
KINDS = {
    "plain.mp4": H264,
    "faststart.mp4": (*H264, "-movflags", "+faststart"),
    "b-frames.mp4": (*H264, "-bf", "3", "-preset", "veryfast"),
    "no-edit-list.mp4": (*H264, "-bf", "3", "-preset", "veryfast", "-use_editlist", "0"),
    "open-gop.mp4": (*H264, "-preset", "veryfast", "-bf", "3", "-g", "12", "-x264-params", "open-gop=1"),
    "intra.mp4": (*H264, "-g", "1"),
    "interlaced.mp4": (*H264, "-preset", "veryfast", "-flags", "+ildct+ilme"),
    "sar.mp4": (*H264, "-vf", "setsar=12/11"),
    "odd.mp4": ("-c:v", "libx264", "-vf", "scale=161:97", "-pix_fmt", "yuv444p"),
    "ten-bit.mp4": ("-c:v", "libx264", "-pix_fmt", "yuv422p10le"),
    "ntsc.mov": (*H264, "-r", "30000/1001"),
    "timescale.mov": (*H264, "-video_track_timescale", "90000"),
    "vfr.mp4": (*H264, "-vf", r"select='not(between(n\,5\,9)+between(n\,20\,21))'", "-fps_mode", "vfr"),
    "mpeg4.mp4": ("-c:v", "mpeg4", "-bf", "2"),
    "mpeg4.mov": ("-c:v", "mpeg4", "-vf", "setsar=4/3"),
    "bt709.mp4": (*H264, "-colorspace", "bt709", "-color_trc", "bt709", "-color_primaries", "bt709", "-color_range", "pc"),
    "one.mp4": (*H264, "-frames:v", "2"),
}
SOUNDS = {
    "aac.mp4": (*H264, "-c:a", "aac"),
    "mp3.mp4": (*H264, "-c:a", "libmp3lame"),
    "aac.mov": (*H264, "-bf", "2", "-c:a", "aac"),
}


@pytest.mark.parametrize("name", list(KINDS))
def test_plain_files_are_read_as_ffmpeg_reads_them(write, assert_same, name):
    assert_same(write(name, *KINDS[name]))


@pytest.mark.parametrize("name", list(SOUNDS))
def test_sound_is_named_as_ffmpeg_names_it(write, assert_same, name):
    assert_same(write(name, *SOUNDS[name], sound=True))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_turns_are_those_of_ffmpeg(write, assert_same, tmp_path, degrees):
    turned = tmp_path / "turned.mp4"
    rotation = ["-display_rotation", str(degrees), "-i", write("plain.mp4", *H264), "-c", "copy", turned]
    subprocess.run([binary(), "-v", "error", *map(str, rotation)], check=True)
    assert_same(turned)


@pytest.mark.parametrize("seconds", ["0.5", "1.02"])
def test_a_track_that_starts_late_is_read_as_ffmpeg_reads_it(write, assert_same, tmp_path, seconds):
    late = tmp_path / "late.mp4"
    arguments = ["-itsoffset", seconds, "-i", write("plain.mp4", *H264, "-bf", "2"), "-c", "copy", late]
    subprocess.run([binary(), "-v", "error", *map(str, arguments)], check=True)
    assert_same(late)


def test_real_files_are_the_same_or_left_to_ffmpeg(videos_root, assert_same):
    paths = [path for path in sorted((videos_root / "good").rglob("*")) if path.suffix in (".mp4", ".mov", ".avi")]
    plain = [path for path in paths if _read(path) is not None]
    assert len(plain) >= 18
    for path in plain:
        assert_same(path)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("fragmented.mp4", (*H264, "-movflags", "frag_keyframe+empty_moov")),
        ("two.mp4", (*H264, "-map", "0:v", "-map", "0:v")),
        ("pq.mp4", (*H264, "-x264-params", "transfer=smpte2084:colorprim=bt2020:colormatrix=bt2020nc")),
        ("hlg.mp4", (*H264, "-color_trc", "arib-std-b67", "-x264-params", "transfer=arib-std-b67")),
        ("av1.mp4", ("-c:v", "libaom-av1", "-cpu-used", "8", "-frames:v", "2")),
    ],
)
def test_what_is_not_plain_is_left_to_ffmpeg(write, name, options):
    assert _read(write(name, *options)) is None


def test_an_edit_list_that_cuts_is_left_to_ffmpeg(write, tmp_path):
    """-ss with copied packets: the file keeps the packets from the last keyframe on, and its edit list hides some."""
    path = tmp_path / "cut.mp4"
    arguments = ["-ss", "0.9", "-i", write("plain.mp4", *H264, "-g", "50"), "-c", "copy", path]
    subprocess.run([binary(), "-v", "error", *map(str, arguments)], check=True)
    assert _read(path) is None


@pytest.mark.parametrize("kind", [b"stsz", b"stts", b"ctts", b"stco", b"stsc", b"stss", b"stsd", b"elst"])
@pytest.mark.parametrize("value", [0, 1, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_damaged_count_costs_nothing(write, tmp_path, kind, value):
    """The count of a table set to anything: no memory is taken for it, and no error leaves."""
    data = bytearray(write("b.mp4", *H264, "-bf", "2", "-preset", "veryfast").read_bytes())
    place = data.index(kind) + (12 if kind == b"stsz" else 8)
    struct.pack_into(">I", data, place, value)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    tracemalloc.start()
    try:
        _read(path)
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()


def test_any_damage_gives_facts_or_none(write, tmp_path):
    """Every byte of the index in turn, and every length of the file: whatever comes out, nothing is raised."""
    whole = write(
        "b.mp4", *H264, "-bf", "2", "-preset", "veryfast", "-c:a", "aac", "-movflags", "+faststart", sound=True
    ).read_bytes()
    end = whole.index(b"mdat")
    path = tmp_path / "damaged.mp4"
    for place in range(0, end, 2):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << place // 2 % 8)]) + whole[place + 1 :])
        _read(path)
    for size in range(0, len(whole), 97):
        path.write_bytes(whole[:size])
        assert _read(path) is None


def _read(path):
    with open_source(path.parent, path.name) as file:
        return read_container(file)
