"""The motion pass against plain decoding, and against the encoder's own account of what it skipped."""

from __future__ import annotations

import gc
import io
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import av
import cv2
import imageio_ffmpeg
import numpy as np
import pytest

from vdata.errors import DecodeError
from vdata.media.vectors import ROW_COLUMNS, read_motion

X264 = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-refs", "1", "-g", "12", "-sc_threshold", "0"]


def encode(path: Path, *options: str, num_frames: int = 48) -> tuple[bytes, str]:
    """An MP4 of the video's first frames, 256 pixels wide, and what the encoder said."""
    target = ["-movflags", "frag_keyframe+delay_moov+default_base_moof", "-f", "mp4", "pipe:"]
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-v",
        "info",
        "-i",
        str(path),
        "-an",
        "-frames:v",
        str(num_frames),
        "-vf",
        "scale=256:-2",
    ]
    done = subprocess.run([*command, *X264, "-threads", "1", *options, *target], capture_output=True, check=True)
    return done.stdout, done.stderr.decode()


def plain(clip: bytes) -> tuple[str, list[np.ndarray]]:
    """Frame types and vectors of an ordinary decode: nothing skipped, vector by vector."""
    types, rows = "", []
    with av.open(io.BytesIO(clip)) as container:
        context = container.streams.video[0].codec_context
        context.options, context.thread_count = {"flags2": "+export_mvs"}, 1
        for frame in container.decode(video=0):
            types += "?IPB"[frame.pict_type]
            side = frame.side_data.get("MOTION_VECTORS")
            rows.append(
                np.array([[getattr(vector, name) for name in ROW_COLUMNS] for vector in side or ()], np.int32).reshape(-1, 10)
            )
    return types, rows


def shown(clip: bytes) -> list[int]:
    """The demuxer's times, in order."""
    with av.open(io.BytesIO(clip)) as container:
        return sorted(packet.pts for packet in container.demux(video=0) if packet.size)


@pytest.mark.parametrize("b_frames", ["0", "3"])
def test_rows_and_types_are_those_of_a_plain_decode(videos_root, b_frames):
    clip, _ = encode(videos_root / "good/people/vid_h264.mp4", "-bf", b_frames)
    types, rows = plain(clip)
    motion = read_motion(clip)
    assert motion.types == types
    assert list(motion.times) == shown(clip)
    assert motion.offsets[0] == 0
    assert len(motion.rows) == motion.offsets[-1] > 1000
    assert all(np.array_equal(motion.rows[a:b], wanted) for (a, b), wanted in zip(pairwise(motion.offsets), rows, strict=True))
    assert all(len(wanted) == 0 for letter, wanted in zip(types, rows, strict=True) if letter == "I")


@pytest.mark.parametrize("name", ["people/vid_h264.mp4", "action/video4.mp4", "action/test.mp4"])
@pytest.mark.parametrize("tune", ["fastdecode", "film"])
def test_skipped_share_is_what_the_encoder_reports(videos_root, name, tune):
    """x264 prints the share of skipped macroblocks of all P frames with one digit."""
    clip, said = encode(videos_root / "good" / name, "-bf", "0", "-tune", tune)
    reported = float(re.search(r"mb P .*skip:\s*([\d.]+)%", said)[1])
    motion = read_motion(clip)
    predicted = np.array(list(motion.types)) == "P"
    assert not motion.skipped[~predicted].any()
    assert 100 * motion.skipped[predicted].mean() == pytest.approx(reported, abs=0.051)
    assert 1 < reported < 99


def test_skipped_macroblocks_lie_where_the_picture_is_still(tmp_path, make_video):
    """Left half still, right half new noise in every frame; 120 x 72 leaves half a macroblock at two edges."""
    rng = np.random.default_rng(0)
    still = cv2.resize(rng.integers(0, 256, (9, 8, 3), dtype=np.uint8), (64, 72))
    path = tmp_path / "halves.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=25, options={"bf": "0", "refs": "1", "preset": "veryfast", "sc_threshold": "0"}
        )
        stream.width, stream.height, stream.pix_fmt = 120, 72, "yuv420p"
        for _ in range(12):
            frame = np.concatenate([still, rng.integers(0, 256, (72, 56, 3), dtype=np.uint8)], axis=1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode())
    motion = read_motion(str(path))
    assert motion.types == "I" + 11 * "P"
    assert motion.skipped.shape == (12, 5, 8)
    # The encoder still refines its key frame for a frame or two.
    assert motion.skipped[3:, :, :4].mean() > 0.95
    assert not motion.skipped[:, :, 4:].any()


def test_threads_do_not_mix_their_logs(videos_root):
    clips = [
        encode(videos_root / "good" / name, "-bf", "0", num_frames=24)[0] for name in ("people/vid_h264.mp4", "action/video4.mp4")
    ]
    alone = [read_motion(clip) for clip in clips]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(read_motion, clips * 4))
    for ours, wanted in zip(together, alone * 4, strict=True):
        assert np.array_equal(ours.skipped, wanted.skipped)
        assert np.array_equal(ours.rows, wanted.rows)


def test_the_log_level_is_restored_and_nothing_is_printed(make_video, caplog, capfd):
    path = make_video(num_frames=5, options={"bf": "0"})
    before = av.logging.get_level()
    with caplog.at_level(1):
        read_motion(path.read_bytes())
    assert av.logging.get_level() == before
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")
    with pytest.raises(DecodeError):
        read_motion(b"no video")
    assert av.logging.get_level() == before


def test_damage_inside_a_slice_is_an_error_of_one_line(videos_root):
    """An ordinary decode conceals it and goes on with invented vectors."""
    clip, _ = encode(videos_root / "good/people/vid_h264.mp4", "-bf", "0", "-tune", "fastdecode", num_frames=24)
    with av.open(io.BytesIO(clip)) as container:
        packet = list(container.demux(video=0))[7]
    damaged = clip[: packet.pos + packet.size // 2] + bytes(packet.size // 4) + clip[packet.pos + packet.size * 3 // 4 :]
    damaged += clip[len(damaged) :]
    assert len(plain(damaged)[0]) == 24
    with pytest.raises(DecodeError, match=r"^decoder_error: frame 7 of the clip does not decode") as caught:
        read_motion(damaged)
    assert "\n" not in str(caught.value)


def test_skips_of_other_codecs_are_refused_and_their_vectors_read(make_video):
    path = make_video("part2.mp4", codec="mpeg4", num_frames=5)
    with pytest.raises(DecodeError, match=r"from H\.264 only"):
        read_motion(str(path))
    motion = read_motion(str(path), skips=False)
    types, rows = plain(path.read_bytes())
    assert motion.types == types
    assert np.array_equal(motion.rows, np.concatenate(rows))
    assert motion.skipped.shape == (5, 0, 0)


def test_vectors_do_not_depend_on_whether_skips_are_wanted(make_video):
    clip = make_video(num_frames=24, options={"bf": "0"}).read_bytes()
    with_skips, without = read_motion(clip), read_motion(clip, skips=False)
    assert with_skips.skipped.size
    assert np.array_equal(with_skips.rows, without.rows)
    assert (with_skips.types, with_skips.stream) == (without.types, without.stream)


@pytest.mark.videos
@pytest.mark.parametrize("name", ["vid_h264.mp4", "vid_mpeg4_part2.mp4"])
def test_rows_of_whole_sources_are_those_of_motion_vector_extractor(videos_root, name):
    """Sources of 720p without B-frames: with them that package differs from run to run."""
    videocap = pytest.importorskip("mvextractor.videocap")
    path = str(videos_root / "good/people" / name)
    motion, capture = read_motion(path, skips=False), videocap.VideoCap()
    rows = motion.rows
    assert capture.open(path)
    for letter, (start, end) in zip(motion.types, pairwise(motion.offsets), strict=True):
        read, _, theirs, theirs_letter = capture.read()
        assert read
        assert theirs_letter == letter
        assert np.array_equal(rows[start:end], theirs.reshape(-1, 10))
    assert not capture.read()[0]
    capture.release()
    assert len(motion.types) == 337
    assert len(rows) > 1_000_000


@pytest.mark.videos
@pytest.mark.parametrize("name", ["action/test.mp4", "oddities/chaplin.mp4"])
def test_ten_runs_over_b_frames_agree(videos_root, name):
    path = str(videos_root / "good" / name)
    first = read_motion(path)
    assert "B" in first.types
    assert (first.vectors["source"] > 0).any()
    for _ in range(9):
        again = read_motion(path)
        assert again.types == first.types
        assert np.array_equal(again.rows, first.rows)
        assert np.array_equal(again.skipped, first.skipped)


def test_no_frame_is_left_to_the_garbage_collector(make_video):
    """Frames in circles keep their pictures, and the decoder then fills ever new memory."""
    clip = make_video(num_frames=24).read_bytes()
    gc.collect()
    gc.disable()
    try:
        read_motion(clip)
        assert not [item for item in gc.get_objects() if type(item) is av.VideoFrame]
    finally:
        gc.enable()
