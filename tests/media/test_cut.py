"""The cut against other decoders: counts, times, colours, sizes, damage."""

import io
import os
import re
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from vdata.errors import DecodeError, MediaError
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.contract import check_clip
from vdata.media.cut import DroppedTail, Part, cut
from vdata.media.ffmpeg import binary
from vdata.records import Video

SMALL = ClipConfig(short_side=96)


def cut_all(path, config=SMALL, **facts):
    video = Video(path.stem, path.name, **facts)
    return list(cut(path.parent, video, config, LimitConfig()))


def decode(data, fmt="rgb24"):
    with av.open(io.BytesIO(data)) as container:
        return [(frame.pts, frame.to_ndarray(format=fmt)) for frame in container.decode(video=0)]


def test_every_good_video_gives_all_its_frames(videos_root):
    for path in sorted((videos_root / "good").rglob("*.*")):
        with av.open(str(path), metadata_errors="replace") as container:
            wanted = sum(1 for _ in container.decode(video=0))
        items = cut_all(path)
        # One gesture video lacks its second frame: the clip shows the first one twice and stays in time.
        wanted += path.name == "brother.mkv"
        assert sum(item.num_frames for item in items) == wanted, path.name
        for clip in items:
            if not isinstance(clip, DroppedTail):
                check_clip(clip)


@pytest.mark.parametrize("layers", [1, 3])
def test_any_run_of_fragments_decodes_to_the_same_frames(make_video, layers):
    (clip,) = cut_all(make_video(num_frames=50), ClipConfig(short_side=96, layers=layers, gop=8))
    whole = [array for _, array in decode(clip.mp4)]
    times = [pts for pts, _ in decode(clip.mp4)]
    init, fragments = clip.mp4[: clip.init_size], clip.fragments
    assert len(fragments) == 7
    for first in range(len(fragments)):
        for last in range(first, len(fragments)):
            part = clip.mp4[fragments[first].offset : fragments[last].offset + fragments[last].size]
            found = decode(init + part)
            frames = [array for _, array in found]
            start = fragments[first].first_frame
            assert [pts for pts, _ in found] == times[start : start + len(frames)]
            assert np.array_equal(frames, whole[start : start + len(frames)])
            assert len(frames) == min(50, fragments[last].first_frame + 8) - start


def test_clips_are_the_nearest_whole_number_of_gops_and_start_at_zero(make_video):
    clips = cut_all(make_video(num_frames=100), ClipConfig(short_side=96, seconds=1.0, gop=12))
    assert [clip.num_frames for clip in clips] == [24, 24, 24, 24, 4]  # 25 frames are nearest to 2 GOPs; the rest is a tail
    assert isinstance(clips[-1], DroppedTail)
    for number, clip in enumerate(clips[:-1]):
        assert clip.clip_in_video == number
        assert clip.start_seconds == pytest.approx(number * 24 / 25)
        assert decode(clip.mp4)[0][0] == 0


def test_a_short_video_is_one_clip_and_a_long_tail_is_kept(make_video):
    assert [clip.num_frames for clip in cut_all(make_video(num_frames=1))] == [1]
    clips = cut_all(make_video(num_frames=54), ClipConfig(short_side=96, seconds=1.0, min_seconds=0.2))
    assert [clip.num_frames for clip in clips] == [24, 24, 6]


def test_the_encoded_picture_is_the_source_picture(make_video):
    path = make_video(num_frames=12, size=(160, 96), velocity=(1, 0))
    (clip,) = cut_all(path, ClipConfig(short_side=96, crf=8))
    assert (clip.picture.width, clip.picture.height, clip.width, clip.height) == (160, 96, 160, 96)
    with av.open(str(path), metadata_errors="replace") as container:
        source = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    ours = [array for _, array in decode(clip.mp4, "gray")]
    for theirs, mine in zip(source, ours, strict=True):
        assert cv2.PSNR(theirs, mine) > 38


def test_padding_repeats_the_edge_and_lies_right_and_below(make_video):
    (clip,) = cut_all(make_video(num_frames=2, size=(150, 98)), ClipConfig(short_side=98, crf=4))
    assert (clip.width, clip.height) == (160, 112)
    frame = decode(clip.mp4, "gray")[0][1].astype(int)
    right, below = frame[:98, 150:], frame[98:, :150]
    assert np.abs(right - frame[:98, 149:150]).mean() < 4
    assert np.abs(below - frame[97:98, :150]).mean() < 4


@pytest.mark.parametrize(
    ("pix_fmt", "tags"),
    [
        ("yuv420p", {"colorspace": "bt709", "color_range": "tv"}),
        ("yuvj420p", {"color_range": "pc"}),
        ("yuv444p", {}),
    ],
)
def test_colours_survive_other_matrices_and_ranges(tmp_path, pix_fmt, tags):
    """A patch of known RGB comes back as that RGB whatever matrix and range its source was coded in."""
    colours = [(200, 40, 40), (40, 180, 60), (50, 60, 210), (128, 128, 128), (240, 240, 240), (10, 10, 10)]
    picture = np.concatenate([np.full((96, 32, 3), colour, np.uint8) for colour in colours], axis=1)
    path = tmp_path / f"{pix_fmt}.mp4"
    codes = {"bt709": 1, "tv": 1, "pc": 2}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.options = 192, 96, pix_fmt, {"crf": "4"}
        for name, value in tags.items():
            setattr(stream.codec_context, name, codes[value])
        frame = av.VideoFrame.from_ndarray(picture, "rgb24")
        matrix = "ITU709" if "colorspace" in tags else "ITU601"
        converted = frame.reformat(
            format=pix_fmt, dst_colorspace=matrix, dst_color_range="JPEG" if "pc" in tags.values() else "MPEG"
        )
        container.mux(stream.encode(converted))
        container.mux(stream.encode())
    (clip,) = cut_all(path, ClipConfig(short_side=96, crf=4))
    check_clip(clip)  # asserts the tags: limited range, BT.601
    rgb = decode(clip.mp4)[0][1]
    for i, colour in enumerate(colours):
        assert np.abs(rgb[40:56, i * 32 + 12 : i * 32 + 20].mean((0, 1)) - colour).max() < 6, (pix_fmt, colour)


def test_rotation_is_applied(videos_root):
    """A phone's video with a quarter turn: the clip is upright, as ffmpeg itself shows it."""
    (clip,) = cut_all(videos_root / "good/oddities/video_90.mov", ClipConfig(short_side=256))
    assert (clip.picture.width, clip.picture.height) == (256, 454)
    with av.open(str(videos_root / "good/oddities/video_90.mov")) as container:
        raw = next(container.decode(video=0)).to_ndarray(format="gray")
    ours = decode(clip.mp4, "gray")[0][1][:454, :256]
    turned = {k: cv2.resize(np.rot90(raw, k), (256, 454), interpolation=cv2.INTER_AREA) for k in (1, 3)}
    scores = {k: cv2.PSNR(turned[k], ours) for k in turned}
    assert max(scores.values()) > 28 > min(scores.values())


def test_a_constant_rate_source_has_no_doubled_frame(make_video):
    """A 25 fps pan with one decoded frame for each source frame: no P frame without motion."""
    (clip,) = cut_all(make_video(num_frames=60, velocity=(3, 0)))
    frames = [array.astype(int) for _, array in decode(clip.mp4, "gray")]
    steps = [np.abs(a - b).mean() for a, b in pairwise(frames)]
    assert len(frames) == 60
    assert min(steps) > 1


def test_fps_resamples_when_asked(make_video):
    (clip,) = cut_all(make_video(num_frames=50), ClipConfig(short_side=96, fps="12.5"))
    assert clip.fps == Fraction(25, 2)
    assert clip.num_frames == 25


def test_start_and_end_seconds_are_exact(make_video):
    path = make_video(num_frames=100, velocity=(2, 0))
    (clip,) = cut_all(path, ClipConfig(short_side=96, crf=8), start_seconds=1.0, end_seconds=3.0)
    assert clip.num_frames == 50
    assert (clip.start_seconds, clip.end_seconds) == (1.0, 3.0)
    with av.open(str(path), metadata_errors="replace") as container:
        source = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert cv2.PSNR(source[25], decode(clip.mp4, "gray")[0][1]) > 35


def test_damaged_videos_give_what_is_whole_and_then_the_reason(videos_root):
    for name, reason, most in (("truncated_faststart_half.mp4", "truncated", 131), ("bitflips_400.mp4", "decoder_error", 337)):
        clips = []
        with pytest.raises(DecodeError) as caught:
            clips.extend(cut(videos_root / "bad", Video("x", name), SMALL, LimitConfig()))
        assert caught.value.reason == reason
        assert caught.value.tail
        assert sum(clip.num_frames for clip in clips) == most


def test_an_undecodable_codec_gives_no_frames(videos_root):
    with pytest.raises(MediaError) as caught:
        list(cut(videos_root / "bad", Video("x", "invalid-codec.mp4"), SMALL, LimitConfig()))
    assert caught.value.reason == "no_frames"


def test_two_cuts_give_the_same_bytes(make_video):
    path = make_video(num_frames=30)
    assert [clip.mp4 for clip in cut_all(path)] == [clip.mp4 for clip in cut_all(path)]


def test_odd_names_reach_ffmpeg_as_they_are(make_video):
    for name in ("-rf.mp4", "it's a [test], 100%.mp4", "a:b;c$(d).mp4", "émoji 🎬\n.mp4"):
        (clip,) = cut_all(make_video(name, num_frames=3))
        assert clip.num_frames == 3


def run_ffmpeg(*arguments):
    subprocess.run([binary(), "-v", "error", "-y", *map(str, arguments)], check=True)


def test_chapters_and_metadata_change_no_byte(tmp_path, make_video):
    source, chapters = make_video(num_frames=30), tmp_path / "chapters.txt"
    chapters.write_text(";FFMETADATA1\ntitle=x\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle=one\n")
    run_ffmpeg("-i", source, "-i", chapters, "-map_metadata", "1", "-map_chapters", "1", "-c", "copy", tmp_path / "chaptered.mp4")
    (plain,), (chaptered,) = cut_all(source), cut_all(tmp_path / "chaptered.mp4")
    assert chaptered.mp4 == plain.mp4
    check_clip(chaptered)


def test_a_size_that_changes_in_mid_stream_is_scaled_on(tmp_path, make_video):
    parts = []
    for number, size in enumerate([(128, 96), (192, 96)]):
        parts.append(tmp_path / f"{number}.ts")
        run_ffmpeg("-i", make_video(num_frames=25, size=size), "-c", "copy", "-output_ts_offset", number, parts[-1])
    path = tmp_path / "change.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    (clip,) = cut_all(path)
    check_clip(clip)
    assert (clip.width, clip.height) == (128, 96)
    assert 46 <= clip.num_frames <= 50


def test_a_damaged_audio_track_is_no_damage_to_the_video(tmp_path, make_video):
    path = tmp_path / "sound.avi"
    run_ffmpeg("-i", make_video(num_frames=50), "-f", "lavfi", "-i", "sine=d=2", "-c:v", "mpeg4", "-c:a", "libmp3lame", path)
    sound = bytearray(path.read_bytes())
    for place in [found.start() for found in re.finditer(b"01wb", bytes(sound))][:-2]:
        sound[place + 8 : place + 60] = b"\0" * 52  # the chunk's header stays, the MP3 frame's does not
    damaged = tmp_path / "damaged.avi"
    damaged.write_bytes(sound)
    assert [clip.mp4 for clip in cut_all(damaged)] == [clip.mp4 for clip in cut_all(path)]


LAYERED = ClipConfig(short_side=96, seconds=1.0, min_seconds=0.0, layers=3, gop=8)


def same_gop_in_one_layer(config):
    return replace(config, layers=1, gop=config.gop)


def test_three_layers_bring_the_stream_that_one_layer_would_be_for_their_motion(make_video):
    """Byte for byte, clip by clip, the last short GOP too; the clips themselves are the same with and without it."""
    path = make_video(num_frames=61, size=(150, 98))
    layered, plain = cut_all(path, LAYERED), cut_all(path, same_gop_in_one_layer(LAYERED))
    assert [clip.num_frames for clip in layered] == [24, 24, 13]
    assert [clip.p_only for clip in layered] == [clip.mp4 for clip in plain]
    assert [clip.p_only for clip in plain] == [b""] * 3
    alone = list(cut(path.parent, Video("x", path.name), LAYERED, LimitConfig(), with_motion=False))
    assert [(clip.mp4, clip.p_only) for clip in alone] == [(clip.mp4, b"") for clip in layered]
    for clip in layered:
        check_clip(clip)


@pytest.mark.parametrize("preset", ["superfast", "slower"])
def test_three_layers_hold_with_any_preset(make_video, preset):
    """superfast looks no frame ahead, slower sixty."""
    config = replace(LAYERED, preset=preset, fastdecode=False)
    for clip in cut_all(make_video(num_frames=90), config):
        check_clip(clip)
        assert clip.motion.types == "IPPPPPPP" * 3 or clip.num_frames != 24


def test_a_reader_that_stops_between_two_clips_leaves_no_process(make_video):
    clips = cut(make_video(num_frames=200).parent, Video("x", "video-0.mp4"), LAYERED, LimitConfig())
    before = set(Path("/proc/self/fd").iterdir())
    next(clips)
    clips.close()
    assert set(Path("/proc/self/fd").iterdir()) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


DAMAGED = {"truncated_faststart_half.mp4": "truncated", "bitflips_400.mp4": "decoder_error"}


@pytest.mark.parametrize(("name", "reason"), DAMAGED.items())
def test_damaged_videos_lose_no_more_in_three_layers(videos_root, name, reason):
    video, found = Video("x", name), {}
    for layers in (1, 3):
        found[layers] = []
        with pytest.raises(DecodeError) as caught:
            found[layers].extend(cut(videos_root / "bad", video, ClipConfig(short_side=96, layers=layers, gop=16), LimitConfig()))
        assert caught.value.reason == reason
    assert [clip.p_only for clip in found[3]] == [clip.mp4 for clip in found[1]]
    for clip in found[3]:
        check_clip(clip)


def test_a_part_without_length_is_refused(make_video):
    with pytest.raises(MediaError, match="empty_span"):
        cut_all(make_video(), start_seconds=1.0, end_seconds=1.0)


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("clip 4.mp4", {}),
        ("clip.avi", {"codec": "mpeg4"}),
        # Their decoder complains when it is sent there.
        ("clip.ts", {}),
        ("open.mp4", {"options": {"x264-params": "open-gop=1:keyint=20:bframes=3:b-adapt=0"}}),
    ],
)
def test_a_part_behind_the_end_is_no_broken_file(make_video, name, encoding):
    path = make_video(name, num_frames=50, **encoding)
    for span, words in (((50.0, 60.0), "from 50 to 60 s"), ((2.5, None), "from 2.5 s on")):
        with pytest.raises(MediaError) as caught:
            cut_all(path, start_seconds=span[0], end_seconds=span[1])
        assert caught.value.reason == "empty_span"
        assert f"the wanted part, {words}, begins behind the end of '{name}' (2.0 s)" in str(caught.value)


def test_a_part_that_only_ends_behind_the_end_is_what_there_is(make_video):
    (clip,) = cut_all(make_video(num_frames=50), start_seconds=1.0, end_seconds=60.0)
    assert (clip.num_frames, clip.end_seconds) == (25, 2.0)


def test_a_part_between_two_frames_is_told_apart_from_damage(make_video, videos_root):
    # The last frame is shown at 1.96 s.
    with pytest.raises(MediaError, match=r"empty_span: .* from 1\.99 to 3 s, holds not one frame of 'v\.mp4' \(2\.0 s\)"):
        cut_all(make_video("v.mp4", num_frames=50), start_seconds=1.99, end_seconds=3.0)
    with pytest.raises(MediaError, match="no_frames"):
        cut_all(videos_root / "bad/invalid-codec.mp4", start_seconds=0.0, end_seconds=0.1)


def parts_of(path, config, num_parts, seconds):
    video = Video(path.stem, path.name)
    return [list(cut(path.parent, video, config, LimitConfig(), Part(number, num_parts, seconds))) for number in range(num_parts)]


def joined(clips):
    return np.concatenate([np.stack([frame for _, frame in decode(clip.mp4, "gray")]) for clip in clips]).astype(np.int16)


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("plain.mp4", {}),
        ("plain.mkv", {}),
        # A jump to an open GOP makes the decoder complain: it is sent from the start.
        ("open.mp4", {"options": {"x264-params": "open-gop=1:keyint=20:bframes=3:b-adapt=0"}}),
        ("plain.avi", {"codec": "mpeg4", "options": {"g": "15"}}),
        ("plain.mpg", {"codec": "mpeg2video", "options": {"g": "15", "bf": "2"}}),
    ],
)
@pytest.mark.parametrize(("layers", "gop"), [(1, 6), (3, 12)])
def test_the_parts_of_a_film_have_its_frames_once_each(tmp_path, make_video, name, encoding, layers, gop):
    """Each frame of the parts is nearest to the frame of its own number in the film that one task cut."""
    path = make_video(name, num_frames=120, fps=25, size=(96, 96), velocity=(3.0, 1.0), **encoding)
    config = ClipConfig(short_side=96, seconds=0.5, layers=layers, gop=gop, crf=12, min_seconds=0.0)
    whole = cut_all(path, config)
    parts = parts_of(path, config, 4, 1.0)  # the fourth reaches to the end
    assert [[clip.clip_in_video for clip in part] for part in parts] == [[0, 1], [2, 3], [4, 5], [6, 7, 8, 9]]
    clips = [clip for part in parts for clip in part]
    facts = [(clip.clip_in_video, clip.num_frames, clip.start_seconds, clip.end_seconds) for clip in whole]
    assert [(clip.clip_in_video, clip.num_frames, clip.start_seconds, clip.end_seconds) for clip in clips] == facts
    film, found = joined(whole), joined(clips)
    nearest = np.abs(found[:, None, ::4, ::4] - film[None, :, ::4, ::4]).mean((2, 3)).argmin(1)
    assert nearest.tolist() == list(range(120))
    for clip in clips:
        check_clip(clip)


def test_a_part_behind_the_end_of_a_film_is_empty(make_video):
    """A header may say more than there is."""
    path = make_video("short.mp4", num_frames=30, fps=25, size=(96, 96))
    config = ClipConfig(short_side=96, seconds=0.5, gop=6)
    assert [len(part) for part in parts_of(path, config, 4, 1.0)] == [2, 1, 0, 0]


def test_damage_in_a_part_is_told_as_in_a_whole(videos_root):
    path = videos_root / "bad/truncated_faststart_half.mp4"
    with pytest.raises(DecodeError, match="truncated"):
        parts_of(path, SMALL, 3, 1.0)
    with pytest.raises(DecodeError, match="truncated"):
        cut_all(path)


def test_a_jump_that_the_decoder_complains_about_is_not_made(make_video, monkeypatch):
    options = {"x264-params": "open-gop=1:keyint=20:bframes=3:b-adapt=0"}
    path = make_video("open.mp4", num_frames=120, fps=25, size=(96, 96), options=options)
    started = []
    real = sys.modules[cut.__module__].encode_arguments

    def encode_arguments(plan, *rest):
        started.append((plan.part.number, plan.jumps))
        return real(plan, *rest)

    monkeypatch.setattr(sys.modules[cut.__module__], "encode_arguments", encode_arguments)
    parts_of(path, ClipConfig(short_side=96, seconds=0.5, gop=6), 4, 1.0)
    assert (1, True) in started
    assert (3, False) in started
    assert (0, True) not in started
