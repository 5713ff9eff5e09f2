"""Audio: a click is heard where its flash is seen, in every clip of every container; clips neither overlap nor leave a gap."""

from __future__ import annotations

import subprocess
import wave
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from vdata.errors import ConfigError
from vdata.extract import EXTRACTORS
from vdata.extract.audio import clip_samples
from vdata.media.audio_codec import load_flac
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.cut import WHOLE, Part, cut
from vdata.media.ffmpeg import binary
from vdata.records import Video

RATE = 48000
CLICK_SECONDS = 0.004
LOUD = 20_000
CLIPS = ClipConfig(seconds=1, short_side=48, gop=12, min_seconds=0)


def click(rate):
    """A burst of 2 kHz that is loudest in its middle."""
    length = int(CLICK_SECONDS * rate) // 2 * 2 + 1
    middle = np.arange(length) - length // 2
    return np.cos(2 * np.pi * 2000 * middle / rate) * np.hanning(length + 2)[1:-1]


def flash_and_click(path, codecs, *, rate=RATE, channels=1, delay=0.0, fps=Fraction(25), num_frames=90):
    """A black film with a white frame every 11, each with a click in the sound, which starts `delay` seconds after frame 0.

    No command moves the sound over: its samples are laid so that with the delay each click is at its flash.
    """
    flashes = range(7, num_frames, 11)
    frames = np.zeros((num_frames, 48, 64), np.uint8)
    frames[flashes] = 255
    sound = np.zeros(int((num_frames / fps + 1) * rate))
    burst = click(rate)
    for frame in flashes:
        first = round((frame / fps - Fraction(str(delay))) * rate) - len(burst) // 2
        if 0 <= first < len(sound) - len(burst):
            sound[first : first + len(burst)] += burst
    with wave.open(str(path.with_suffix(".wav")), "wb") as target:
        target.setparams((channels, 2, rate, 0, "NONE", ""))
        target.writeframes(np.repeat((sound * LOUD).astype("<i2")[:, None], channels, axis=1).tobytes())
    path.with_suffix(".raw").write_bytes(frames.tobytes())
    pictures = ("-f", "rawvideo", "-pix_fmt", "gray", "-s", "64x48", "-r", str(fps), "-i", str(path.with_suffix(".raw")))
    shifted = ("-itsoffset", str(delay), "-i", str(path.with_suffix(".wav")))
    form = ("-map", "0:v", "-map", "1:a", "-g", "12", "-c:v", codecs[0], "-pix_fmt", "yuv420p", "-c:a", codecs[1], *codecs[2:])
    subprocess.run([binary(), "-v", "error", "-y", *pictures, *shifted, *form, str(path)], check=True)
    return path


def clips_of(path, config=CLIPS, part=WHOLE, **span):
    """The clips while they are cut, the film open."""
    return cut(path.parent, Video("v", path.name, **span), config, LimitConfig(), part)


def stored(path, config=CLIPS, part=WHOLE):
    """The clips when all have been cut, with the film closed: each extractor opens it again."""
    return [replace(clip, origin=replace(clip.origin, file=None)) for clip in clips_of(path, config, part)]


def extractor(**settings):
    kind = EXTRACTORS["audio"]
    return kind(kind.Config(**settings))


def misses(clip, flac):
    """Milliseconds from each flash of a clip to the loudest place of a matched filter around it; NaN where it is quiet."""
    samples, rate = load_flac(flac)
    burst = click(rate)
    heard = np.correlate(samples, burst, "same")
    near = round(0.2 * rate)
    found = []
    for frame in np.flatnonzero(clip.pictures(range(clip.num_frames)).mean((1, 2, 3)) > 128):
        place = round(int(frame) / clip.fps * rate)
        if not len(burst) <= place < len(samples) - len(burst):
            continue
        first = max(0, place - near)
        loudest = first + int(np.argmax(heard[first : place + near]))
        loud = heard[loudest] > 0.2 * LOUD * (burst**2).sum()
        found.append((loudest - place) / rate * 1000 if loud else np.nan)
    return found


EXACT = {
    "flac.mkv": ("libx264", "flac"),
    "pcm.mov": ("libx264", "pcm_s16le"),
    "aac.mp4": ("libx264", "aac"),
    "opus.webm": ("libvpx", "libopus"),
    "mp2.ts": ("mpeg2video", "mp2"),
    "mp2.mpg": ("mpeg1video", "mp2"),
    "aac.flv": ("flv", "aac"),
}


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("delay", [0.3137, -0.25])
def test_a_click_is_heard_with_its_flash_in_every_clip(tmp_path, name, delay):
    path = flash_and_click(tmp_path / name, EXACT[name], delay=delay, rate=44100 if name == "aac.flv" else RATE)
    audio, found, numbers = extractor(), [], []
    for clip in clips_of(path):
        found += misses(clip, audio(clip).members["flac"])
        numbers.append(clip.clip_in_video)
    assert numbers == [0, 1, 2, 3]
    # Before the sound starts, the first flash is a silent one.
    assert np.isnan(found).sum() == (delay > 0.28)
    assert len(found) >= 7
    assert np.nanmax(np.abs(found)) < 1


def test_avi_holds_whole_frames_of_delay_and_is_followed(tmp_path):
    """An AVI can tell no start but a whole frame's, and MP3 in it not what the encoder put before; one frame is 40 ms."""
    for name, codecs, within in (("pcm.avi", ("mpeg4", "pcm_s16le"), 1), ("mp3.avi", ("mpeg4", "libmp3lame"), 40)):
        audio, found = extractor(), []
        for clip in clips_of(flash_and_click(tmp_path / name, codecs)):
            found += misses(clip, audio(clip).members["flac"])
        assert len(found) >= 7
        assert np.abs(found).max() < within


@pytest.mark.parametrize("name", ["flac.mkv", "aac.mp4", "mp2.ts", "aac.flv"])
def test_a_wanted_span_is_in_time(tmp_path, name):
    path = flash_and_click(tmp_path / name, EXACT[name], delay=-0.25)
    audio, found = extractor(), []
    for clip in clips_of(path, start_seconds=2.51, end_seconds=4.7):
        found += misses(clip, audio(clip).members["flac"])
    assert len(found) >= 2
    assert np.abs(found).max() < 1


@pytest.mark.parametrize(("rate", "channels"), [(44100, 2), (8000, 1), (48000, 6), (96000, 2)])
def test_every_rate_and_layout_is_in_time(tmp_path, rate, channels):
    path = flash_and_click(tmp_path / "a.mov", EXACT["pcm.mov"], rate=rate, channels=channels, delay=0.1)
    audio, found = extractor(), []
    for clip in clips_of(path):
        found += misses(clip, audio(clip).members["flac"])
    assert np.abs(found).max() < 0.1


@pytest.mark.parametrize(("fps", "rate"), [(Fraction(30000, 1001), 48000), (Fraction(24), 44100), (Fraction(25, 2), 8000)])
def test_clips_neither_overlap_nor_leave_a_gap(tmp_path, fps, rate):
    path = flash_and_click(tmp_path / "a.mov", EXACT["pcm.mov"], fps=fps, num_frames=90)
    audio, parts, place = extractor(rate=rate), [], 0
    for clip in clips_of(path):
        found = audio(clip)
        samples, its_rate = load_flac(found.members["flac"])
        assert clip_samples(clip, rate) == (place, place + len(samples))
        assert len(samples) == round(clip.end_seconds * rate) - round(clip.start_seconds * rate)
        assert found.columns["audio_samples"] == len(samples)
        assert found.columns["audio_rate"] == its_rate == rate
        assert found.columns["audio_seconds"] == len(samples) / rate
        parts, place = [*parts, samples], place + len(samples)
    (whole,) = stored(path, replace(CLIPS, seconds=1e9))
    assert np.array_equal(np.concatenate(parts), load_flac(extractor(rate=rate)(whole).members["flac"])[0])


def test_variable_rate_made_constant_stays_in_time(tmp_path):
    """A picture in 11 is missing: the cut repeats the one before, the time goes on."""
    full = flash_and_click(tmp_path / "full.mkv", EXACT["flac.mkv"])
    path = tmp_path / "gaps.mkv"
    holes = "select='not(eq(mod(n,11),3))'"
    command = [
        binary(),
        "-v",
        "error",
        "-y",
        "-i",
        str(full),
        "-vf",
        holes,
        "-fps_mode",
        "vfr",
        "-c:v",
        "libx264",
        "-c:a",
        "copy",
    ]
    subprocess.run([*command, str(path)], check=True)
    audio, found = extractor(), []
    for clip in clips_of(path, replace(CLIPS, fps=25)):
        found += misses(clip, audio(clip).members["flac"])
    assert len(found) >= 7
    assert np.abs(found).max() < 1


def test_a_part_of_a_film_and_a_clip_alone_have_the_same_bytes(tmp_path):
    path = flash_and_click(tmp_path / "a.mp4", EXACT["aac.mp4"], rate=44100, channels=2, delay=0.3137)
    audio = extractor()
    whole = {clip.clip_in_video: audio(clip) for clip in clips_of(path)}
    in_parts = {}
    for number in (1, 0):
        audio = extractor()
        in_parts |= {clip.clip_in_video: audio(clip) for clip in clips_of(path, part=Part(number, 2, 2.88))}
    assert in_parts == whole
    for clip in reversed(stored(path)):
        assert extractor()(clip) == whole[clip.clip_in_video]
        assert audio(clip) == whole[clip.clip_in_video]


def test_videos_in_turn_do_not_mix(tmp_path):
    paths = [flash_and_click(tmp_path / f"{delay}.mp4", EXACT["aac.mp4"], delay=delay) for delay in (0.1, 0.2)]
    audio = extractor()
    for path in (*paths, *paths):
        assert [audio(clip) for clip in clips_of(path)] == [extractor()(clip) for clip in stored(path)]


def test_what_is_not_there_is_not_invented(tmp_path, make_video):
    (silent,) = stored(make_video(num_frames=12, size=(64, 48)))
    absent = {"audio_samples": 0, "audio_rate": 0, "audio_seconds": 0.0}
    found = extractor()(silent)
    assert not silent.has_audio
    assert (found.members, found.columns) == ({}, absent)

    # Sound from 1.54 to 2.74 s: one clip of 0.96 s without any, one that begins silent, one that ends so, one without.
    path = flash_and_click(tmp_path / "late.mov", (*EXACT["pcm.mov"], "-af", "atrim=end=2.74"), delay=1.54)
    audio = extractor()
    found = [audio(clip) for clip in clips_of(path)]
    assert [one.columns["audio_seconds"] for one in found] == pytest.approx([0, 0.38, 0.82, 0])
    assert [one.columns["audio_samples"] for one in found] == [0, 46080, 46080, 0]
    assert [sorted(one.members) for one in found] == [[], ["flac"], ["flac"], []]


def test_the_declaration_fits(tmp_path):
    audio = extractor()
    assert [field.ext for field in audio.fields] == ["flac"]
    assert [column.name for column in audio.columns] == ["audio_samples", "audio_rate", "audio_seconds"]


@pytest.mark.parametrize("rate", [0, 7999, 192_001])
def test_a_rate_out_of_range_is_refused(rate):
    with pytest.raises(ConfigError, match=r"audio\.rate"):
        extractor(rate=rate)


@pytest.mark.videos
def test_real_videos_have_the_sound_that_they_say(videos_root):
    """Seconds of sound by ffmpeg's own count of decoded samples, cut to the time of the pictures."""
    for name, seconds in (("action/video1.mp4", 11.74), ("action/test.avi", 6.52), ("oddities/test-1s.webm", 0.99)):
        path = videos_root / "good" / name
        (clip,) = stored(path, replace(CLIPS, seconds=1e9))
        assert extractor()(clip).columns["audio_seconds"] == pytest.approx(seconds, abs=0.01)
