"""Images as one file that ffmpeg reads as a video."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from vdata.errors import OpenError
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.cut import cut
from vdata.media.images import join_images
from vdata.media.origin import Origin
from vdata.media.probe import probe
from vdata.media.source import SourceFile, open_video, source_bytes
from vdata.records import Video

RATE = Fraction(30000, 1001)


def encoded(extension: str, shift: int, size: tuple[int, int] = (80, 64)) -> bytes:
    noise = np.random.default_rng(0).integers(64, 192, (8, 10, 3), dtype=np.uint8)
    image = np.roll(cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC), 2 * shift, axis=1)
    return cv2.imencode(extension, image)[1].tobytes()


def turned(jpeg: bytes, orientation: int) -> bytes:
    """The JPEG with an EXIF orientation."""
    tiff = b"II*\0" + struct.pack("<IH", 8, 1) + struct.pack("<HHII", 0x0112, 3, 1, orientation) + bytes(4)
    exif = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


@pytest.mark.parametrize("extension", [".jpg", ".png"])
def test_packets_are_the_images_and_times_are_exact(extension):
    images = [encoded(extension, shift) for shift in range(7)]
    file, found = join_images([(f"{i}{extension}", data) for i, data in enumerate(images)], RATE)
    with file, av.open(file) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        assert [bytes(packet) for packet in packets] == images
        assert [packet.pts * packet.time_base for packet in packets] == [i / RATE for i in range(7)]
    assert (found.width, found.height, found.count, found.rate) == (80, 64, 7, RATE)


@pytest.fixture
def folder(tmp_path):
    """A folder of images, as the video that they are; the third is named to sort last."""
    names = [f"seq/{name}.jpg" for name in ("a", "b", "z", "c", "d")]
    (tmp_path / "seq").mkdir()
    for shift, name in enumerate(names):
        (tmp_path / name).write_bytes(encoded(".jpg", shift))
    return Video("seq", "seq", frames=tuple(names), frame_rate=Fraction(10))


def clips(root, video, **config):
    return list(cut(root, video, ClipConfig(short_side=64, gop=4, crf=4, **config), LimitConfig()))


def test_a_folder_becomes_a_clip_frame_by_frame(tmp_path, folder):
    (clip,) = clips(tmp_path, folder)
    assert (clip.num_frames, clip.fps, clip.picture.width, clip.picture.height) == (5, 10, 80, 64)
    for shift, frame in enumerate(clip.pictures(range(5))):
        expected = cv2.cvtColor(cv2.imdecode(np.frombuffer(encoded(".jpg", shift), np.uint8), 1), cv2.COLOR_BGR2RGB)
        errors = [np.abs(frame.astype(int) - np.roll(expected, step, axis=1)).mean() for step in (-2, 0, 2)]
        assert errors[1] < 6
        assert errors[1] < min(errors[0], errors[2]) / 2


def test_the_file_need_not_be_asked_what_it_is(tmp_path, folder):
    """What the images say of themselves is what ffmpeg says of the file."""
    with open_video(tmp_path, folder, LimitConfig()) as file:
        assert probe(file, LimitConfig()) == probe(SourceFile(file.name, file.file), LimitConfig())


def test_another_reader_of_the_open_file_knows_it_too(tmp_path, folder):
    with open_video(tmp_path, folder, LimitConfig()) as file:
        origin = Origin(tmp_path, folder, LimitConfig(), file)
        with origin.opened() as again:
            assert again.images == file.images is not None
            assert again.file.fileno() != file.file.fileno()


@pytest.mark.parametrize(("orientation", "size"), [(1, (80, 64)), (3, (80, 64)), (6, (64, 80)), (8, (64, 80))])
def test_exif_turns_the_picture_as_viewers_do(tmp_path, orientation, size):
    data = turned(encoded(".jpg", 0), orientation)
    (tmp_path / "a.jpg").write_bytes(data)
    (clip,) = clips(tmp_path, Video("a", "a.jpg", frames=("a.jpg",), frame_rate=Fraction(1)))
    assert (clip.num_frames, clip.picture.width, clip.picture.height) == (1, *size)
    expected = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    assert np.abs(clip.pictures([0])[0].astype(int) - expected).mean() < 6


def test_one_broken_image_costs_one_frame(tmp_path, folder):
    path = tmp_path / folder.frames[2]
    path.write_bytes(path.read_bytes()[:150])
    found = []
    with pytest.raises(OpenError.__mro__[1]) as error:
        found.extend(cut(tmp_path, folder, ClipConfig(short_side=64, gop=4), LimitConfig()))
    assert error.value.reason in ("decoder_error", "truncated")


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "empty"), (b"GIF89a", "not_image"), (b"\xff\xd8\xff", "not_image"), (encoded(".png", 0), "mixed_formats")],
)
def test_what_is_no_image_is_named(tmp_path, folder, data, reason):
    place = 1 if reason == "mixed_formats" else 0
    (tmp_path / folder.frames[place]).write_bytes(data)
    with pytest.raises(OpenError, match=folder.frames[place].removeprefix("seq/")) as error:
        clips(tmp_path, folder)
    assert error.value.reason == reason


def test_an_image_that_has_gone_is_missing(tmp_path, folder):
    (tmp_path / folder.frames[4]).unlink()
    with pytest.raises(OpenError, match=r"'d\.jpg' cannot be opened") as error:
        clips(tmp_path, folder)
    assert error.value.reason == "missing"


def test_a_part_of_a_file_is_all_that_is_read(tmp_path, make_video):
    first, second = (make_video(f"{name}.mp4", num_frames=6, seed=name == "b").read_bytes() for name in "ab")
    (tmp_path / "both.tar").write_bytes(first + second)
    video = Video("b", "both.tar", byte_range=(len(first), len(second)))
    assert source_bytes(tmp_path, video) == len(second)
    with open_video(tmp_path, video, LimitConfig()) as file:
        assert file.file.read() == second
    beyond = Video("b", "both.tar", byte_range=(len(first), len(second) + 1))
    with pytest.raises(OpenError, match="list it again"), open_video(tmp_path, beyond, LimitConfig()):
        pass


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    """A PNG with hardly a byte of picture."""
    size = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + size + b"".join(chunks) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("images", "rate", "reason"),
    [
        ([encoded(".jpg", 0), b""], 25, "empty"),
        ([png(100_000, 100_000)], 25, "too_large"),
        ([png(0, 5)], 25, "not_image"),
        # What libavformat cannot write.
        ([encoded(".jpg", 0)], Fraction(1, 10**6), "not_image"),
    ],
)
def test_what_cannot_be_joined_has_its_reason(images, rate, reason):
    with pytest.raises(OpenError) as error:
        join_images([("a", data) for data in images], Fraction(rate))
    assert error.value.reason == reason
    assert "0x" not in str(error.value)


def test_broken_exif_is_in_nobodys_way(recwarn):
    # A text of 255 bytes in an EXIF of none.
    tiff = b"II*\0" + struct.pack("<IH", 8, 1) + struct.pack("<HHII", 0x010F, 2, 255, 200) + bytes(4)
    join_images([("a", png(8, 8, chunk(b"eXIf", tiff)))], RATE)[0].close()
    assert not recwarn.list


def test_an_image_of_any_size_is_not_read(tmp_path, folder):
    limits = LimitConfig(max_pixels=64 * 64)
    with (tmp_path / folder.frames[1]).open("r+b") as file:
        file.truncate(2**43)
    with pytest.raises(OpenError, match=r"too_large: 'b\.jpg' has 8796093022208 bytes, limit\.max_pixels \(4096\) allows"):
        list(cut(tmp_path, folder, ClipConfig(short_side=64), limits))


@pytest.mark.parametrize("part", [(0, 10**6), (-5, 10), (10**6, 1), (5, -3)])
def test_a_part_of_an_image_that_is_not_there(tmp_path, part):
    (tmp_path / "a.tar").write_bytes(encoded(".jpg", 0))
    still = Video("a", "a.tar", frames=("a.tar",), frame_rate=Fraction(1), byte_range=part)
    for video in (still, replace(still, frames=())):
        with pytest.raises(OpenError, match="bad_range"), open_video(tmp_path, video, LimitConfig()):
            pass
