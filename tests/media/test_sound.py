"""Sound: against PyAV's own decoding and times, at every way in, with gaps, jitter, drift and damage."""

from __future__ import annotations

import gc
import itertools
import subprocess
import threading
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from vdata.errors import DecodeError, MediaError
from vdata.media import sound
from vdata.media.config import LimitConfig
from vdata.media.ffmpeg import binary
from vdata.media.origin import Origin
from vdata.media.sound import WITNESSES, Block, Sound, placed
from vdata.records import Video

RATE = 48000
FPS = 25


def noise(num_samples, num_channels=1, seed=0):
    return np.random.default_rng(seed).integers(-20_000, 20_000, (num_samples, num_channels)).astype("<i2")


def film(path, samples, rate=RATE, arguments=("-c:a", "flac"), num_frames=100, fps=FPS, delay=0.0):
    """A grey film of `num_frames` with the samples (N, C) as its sound, `delay` seconds after the first frame."""
    with wave.open(str(path.parent / "sound.wav"), "wb") as target:
        target.setparams((samples.shape[1], 2, rate, 0, "NONE", ""))
        target.writeframes(samples.tobytes())
    pictures = ("-f", "lavfi", "-i", f"color=gray:s=64x48:r={fps}:d={num_frames / fps}")
    shifted = ("-itsoffset", str(delay), "-i", str(path.parent / "sound.wav"))
    command = [binary(), "-v", "error", "-y", *pictures, *shifted, "-c:v", "mpeg4", *arguments, str(path)]
    subprocess.run(command, check=True)
    return path


def origin_of(path, limits=None, **span):
    return Origin(path.parent, Video("v", path.name, **span), limits or LimitConfig())


def by_pyav(path, num_samples, rate=RATE, begin=Fraction(0)):
    """The first channel by PyAV, each frame where its own time says, counted from the first picture; 0 where nothing is.

    Where the container's tick is coarser than a sample, a frame within a tick of the end of the one before begins there.
    """
    found = np.zeros(num_samples, np.int16)
    with av.open(str(path)) as container:
        times = (frame.pts * frame.time_base for frame in container.decode(video=0))
        first = next(time for time in times if time >= begin)
    end = None
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            values = frame.to_ndarray().reshape(-1, len(frame.layout.channels)).T[0]
            place = round((frame.pts * frame.time_base - first) * rate)
            if end is not None and abs(place - end) <= frame.time_base * rate:
                place = end
            end = place + len(values)
            kept = slice(max(0, -place), max(0, min(len(values), num_samples - place)))
            found[max(0, place) : max(0, place) + len(values[kept])] = values[kept]
    return found


FORMS = {
    "flac.mkv": ("-c:a", "flac", "-sample_fmt", "s16"),
    "pcm.mov": ("-c:a", "pcm_s16le"),
    "pcm.avi": ("-c:a", "pcm_s16le"),
    "pcm.nut": ("-c:a", "pcm_s16le"),
    "flac.mp4": ("-c:a", "flac", "-sample_fmt", "s16"),
}


@pytest.mark.parametrize("name", FORMS)
def test_sound_of_the_same_rate_is_what_pyav_decodes(tmp_path, name):
    samples = noise(4 * RATE)
    path = film(tmp_path / name, samples, arguments=FORMS[name])
    heard = Sound(origin_of(path), RATE).read(0, 4 * RATE)
    assert heard.num_real == 4 * RATE
    assert np.array_equal(heard.samples, samples[:, 0])
    assert np.array_equal(heard.samples, by_pyav(path, 4 * RATE))


@pytest.mark.parametrize("name", ["pcm.mov", "flac.mp4", "pcm.nut"])
@pytest.mark.parametrize("delay", [0.5125, -0.25])
def test_sound_that_starts_later_or_earlier_than_the_pictures(tmp_path, name, delay):
    samples = noise(4 * RATE)
    path = film(tmp_path / name, samples, arguments=FORMS[name], delay=delay)
    heard = Sound(origin_of(path), RATE).read(0, 3 * RATE)
    late = round(delay * RATE)
    wanted = np.concatenate([np.zeros(max(late, 0), np.int16), samples[max(0, -late) :, 0]])[: 3 * RATE]
    assert np.array_equal(heard.samples, wanted)
    assert heard.num_real == 3 * RATE - max(late, 0)
    assert np.array_equal(heard.samples, by_pyav(path, 3 * RATE))


def test_a_wanted_span_begins_at_its_first_frame(tmp_path):
    samples = noise(12 * RATE)
    path = film(tmp_path / "pcm.mov", samples, arguments=FORMS["pcm.mov"], num_frames=300)
    # The first frame at or after 7.13 s is the one at 7.16.
    heard = Sound(origin_of(path, start_seconds=7.13, end_seconds=9.0), RATE).read(0, RATE)
    assert np.array_equal(heard.samples, samples[round(7.16 * RATE) :][:RATE, 0])
    assert np.array_equal(heard.samples, by_pyav(path, RATE, begin=Fraction("7.13")))


def test_a_span_of_a_film_whose_clock_ticks_once_a_frame(tmp_path):
    samples = noise(4 * RATE)
    for name, more in (("pcm.avi", ()), ("pcm.mov", ("-video_track_timescale", "25"))):
        path = film(tmp_path / name, samples, arguments=(*FORMS[name], *more))
        for start, first in ((2.51, 2.52), (2.49, 2.48)):
            # The cut, too, has 2.49 s rounded to the tick before it.
            heard = Sound(origin_of(path, start_seconds=start), RATE).read(0, RATE)
            assert np.array_equal(heard.samples, samples[round(first * RATE) :][:RATE, 0]), (name, start)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("aac.mp4", ("-c:a", "aac")),
        ("opus.mkv", ("-c:a", "libopus")),
        ("mp3.avi", ("-c:a", "libmp3lame")),
        ("mp2.ts", ("-c:a", "mp2")),
    ],
)
def test_every_way_in_gives_the_same_samples(tmp_path, name, arguments):
    path = film(tmp_path / name, noise(6 * 44100, 2), 44100, arguments, num_frames=150)
    whole = Sound(origin_of(path), RATE).read(0, 6 * RATE)
    edges = [0, 3000, 3001, 100_000, 200_000, 6 * RATE]
    spans = list(itertools.pairwise(edges))
    for order in (spans, spans[::-1], spans[3:], [spans[1], spans[1], spans[4]]):
        listener = Sound(origin_of(path), RATE)
        for start, stop in order:
            heard = listener.read(start, stop)
            assert np.array_equal(heard.samples, whole.samples[start:stop])
            assert 0 <= heard.num_real <= stop - start
    streamed = Sound(origin_of(path), RATE)
    assert sum(streamed.read(*span).num_real for span in spans) == whole.num_real


def click_train(num_seconds, rate, period):
    """One loud sample at every whole multiple of `period` seconds."""
    samples = np.zeros((num_seconds * rate, 1), "<i2")
    samples[:: period * rate] = 30_000
    return samples


@pytest.mark.parametrize(("name", "rate"), [("flac.mkv", 44100), ("pcm.mov", 22050), ("flac.mkv", 8000)])
def test_a_long_stream_does_not_drift(tmp_path, name, rate):
    """Ten minutes of another rate; the containers have times of 1 ms, or none but the rate."""
    path = film(tmp_path / name, click_train(600, rate, 60), rate, FORMS[name], num_frames=600, fps=1)
    listener = Sound(origin_of(path), RATE)
    for minute in range(1, 10):
        centre = minute * 60 * RATE
        heard = listener.read(centre - 2000, centre + 2000)
        assert heard.num_real == 4000
        assert abs(int(np.argmax(np.abs(heard.samples))) - 2000) <= 1


@pytest.mark.parametrize("channels", [2, 6])
def test_channels_are_mixed(tmp_path, channels):
    samples = np.repeat(noise(RATE), channels, axis=1)
    path = film(tmp_path / "pcm.mov", samples, arguments=FORMS["pcm.mov"], num_frames=25)
    heard = Sound(origin_of(path), RATE).read(0, RATE).samples.astype(float)
    # The same in every channel stays what it is; libswresample drops the sixth (LFE), and rounds.
    assert np.abs(heard - samples[:, 0]).max() <= 2


def remuxed(source, target, change):
    """A copy of a film; `change(number, data)` gives the data of an audio packet, None to leave it out."""
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        streams = {stream: made.add_stream_from_template(stream) for stream in (given.streams.video[0], given.streams.audio[0])}
        number = itertools.count()
        for packet in given.demux(*streams):
            stream = packet.stream
            if packet.dts is None:
                continue
            if stream.type == "audio":
                data = change(next(number), bytes(packet))
                if data is None:
                    continue
                fresh = av.Packet(data)
                fresh.pts, fresh.dts, fresh.duration, fresh.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
                packet = fresh  # noqa: PLW2901 - the same packet with other bytes
            packet.stream = streams[stream]
            made.mux(packet)
    return target


def test_lost_packets_are_silence_and_move_nothing(tmp_path):
    samples = noise(4 * RATE)
    whole = film(tmp_path / "flac.mkv", samples, arguments=FORMS["flac.mkv"])
    # Three packets of 4096 samples are 256 ms: behind these gaps a time is not rounded.
    path = remuxed(whole, tmp_path / "gaps.mkv", lambda number, data: None if number in (5, 16, 17) else data)
    heard = Sound(origin_of(path), RATE).read(0, 4 * RATE)
    lost = np.flatnonzero(heard.samples != samples[:, 0])
    assert heard.num_real == 4 * RATE - 3 * 4096
    assert np.array_equal(np.unique(lost // 4096), [5, 16, 17])
    assert np.array_equal(heard.samples, by_pyav(path, 4 * RATE))


def test_damaged_packets_are_no_sound(tmp_path):
    # Without noise substitution: its noise behind the damage is other noise.
    path = film(tmp_path / "aac.mp4", noise(4 * RATE), arguments=("-c:a", "aac", "-aac_pns", "0"))
    clean = Sound(origin_of(path), RATE).read(0, 4 * RATE)
    damaged = remuxed(path, tmp_path / "damaged.mp4", lambda number, data: b"\xff" * len(data) if number in (50, 51) else data)
    heard = Sound(origin_of(damaged), RATE).read(0, 4 * RATE)
    assert heard.num_real == clean.num_real - 2 * 1024
    # AAC overlaps its frames: the one behind the gap fades in.
    others = np.abs(np.arange(4 * RATE) - 50 * 1024) > 3 * 1024
    assert np.array_equal(heard.samples[others], clean.samples[others])


def test_a_stream_that_does_not_decode_is_silence(tmp_path):
    path = film(tmp_path / "aac.mp4", noise(RATE), arguments=("-c:a", "aac"), num_frames=25)
    broken = remuxed(path, tmp_path / "broken.mp4", lambda _, data: b"\x55" * len(data))
    heard = Sound(origin_of(broken), RATE).read(0, RATE)
    assert heard.num_real == 0
    assert not heard.samples.any()


def test_a_stream_of_an_unknown_codec_is_silence(tmp_path):
    path = film(tmp_path / "flac.mkv", noise(RATE), arguments=FORMS["flac.mkv"], num_frames=25)
    path.write_bytes(path.read_bytes().replace(b"A_FLAC", b"A_XLAC"))
    assert Sound(origin_of(path), RATE).read(0, RATE).num_real == 0
    path = film(tmp_path / "pcm.avi", noise(RATE), arguments=FORMS["pcm.avi"], num_frames=25)
    data = bytearray(path.read_bytes())
    form = data.index(b"strf", data.index(b"auds")) + 8
    data[form : form + 2] = b"\x77\x77"
    path.write_bytes(data)
    assert Sound(origin_of(path), RATE).read(0, RATE).num_real == 0


def test_the_decoder_may_use_no_instruction_that_another_cpu_lacks(tmp_path, monkeypatch):
    """With AVX2, and with FMA, AAC at 44.1 kHz gave other samples than in plain C (seen on a real film)."""
    asked = []
    true_running = sound.running
    monkeypatch.setattr(sound, "running", lambda words, *rest: asked.append(words) or true_running(words, *rest))
    path = film(tmp_path / "aac.mp4", noise(44100), 44100, ("-c:a", "aac"), num_frames=25)
    Sound(origin_of(path), RATE).read(0, RATE)
    (decoding,) = [words for words in asked if "nut" in words]
    assert decoding[decoding.index("-cpuflags") + 1] == "0"


def test_metadata_that_is_no_text_does_not_matter(videos_root):
    """The place in this one's metadata ends in bytes that are no UTF-8."""
    path = videos_root / "good" / "oddities" / "video_desks.3gp"
    assert Sound(origin_of(path), RATE).read(0, 5 * RATE).num_real > 4.9 * RATE


def test_a_film_without_a_frame_is_told_every_time(tmp_path):
    path = film(tmp_path / "pcm.mov", noise(RATE), arguments=FORMS["pcm.mov"], num_frames=25)
    listener = Sound(origin_of(path, start_seconds=90.0), RATE)
    for _ in range(2):
        with pytest.raises(DecodeError, match="no_frames"):
            listener.read(0, 100)


def test_a_limit_is_told_every_time(tmp_path):
    path = film(tmp_path / "pcm.mov", noise(RATE), arguments=FORMS["pcm.mov"], num_frames=25)
    listener = Sound(origin_of(path, LimitConfig(memory_gib=0.01)), RATE)
    for _ in range(2):
        with pytest.raises(MediaError):
            listener.read(0, 100)


def children():
    """Processes of this one that have not been waited for."""
    return set(Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split())


def test_no_child_is_left_behind(tmp_path):
    path = film(tmp_path / "pcm.mov", noise(20 * RATE), arguments=FORMS["pcm.mov"], num_frames=500)
    before = children()
    listener = Sound(origin_of(path), RATE)
    assert children() == before
    listener.read(0, 1000)
    assert len(children() - before) == 1
    listener.read(500, 1000)
    assert len(children() - before) == 1
    listener.close()
    assert children() == before
    listener = Sound(origin_of(path), RATE)
    listener.read(0, 1000)
    del listener
    gc.collect()
    assert children() == before


def blocks(starts, size=100):
    """Blocks of `size` samples at the given positions; each sample is the number of its block."""
    return [Block(start, np.full(size, number, np.int16)) for number, start in enumerate(starts)]


def laid_out(starts, size=100, rate=10_000):
    """[(position, block's number, samples)] of what `placed` makes of blocks, which must neither overlap nor go back."""
    found = [(block.position, int(block.samples[0]), len(block.samples)) for block in placed(blocks(starts, size), rate)]
    for (position, _, length), (following, _, _) in itertools.pairwise(found):
        assert position + length <= following
    return found


# At 10 kHz 1 ms, under which nothing moves, is 10 samples.


def test_jitter_moves_nothing():
    rng = np.random.default_rng(0)
    even = np.arange(60) * 100
    for jitter in (10, 40):
        late = rng.integers(-jitter, jitter + 1, 60)
        late[0] = 0
        late[::3] = 0
        # The last packets have too few behind them that could speak for or against them.
        assert laid_out(even + late)[:-WITNESSES] == [(start, number, 100) for number, start in enumerate(even)][:-WITNESSES]


def test_a_gap_is_a_gap_at_once():
    even = np.arange(40) * 100
    starts = even + 35 * (even >= 1200)
    assert laid_out(starts) == [(start, number, 100) for number, start in enumerate(starts)]


def test_a_slow_clock_is_put_right_within_a_millisecond():
    starts = np.round(np.arange(3000) * 100.1).astype(int)
    found = laid_out(starts)
    assert len(found) == 3000
    # Told by the block that moves and the 8 behind it, which are later by 0.8 samples.
    assert max(abs(position - start) for (position, _, _), start in zip(found, starts, strict=True)) <= 11


def test_of_samples_for_one_place_the_first_stay():
    even = np.arange(40) * 100
    starts = even - 250 * (even >= 1200)
    found = laid_out(starts)
    assert sum(length for _, _, length in found) == 40 * 100 - 250
    assert [(position, number) for position, number, _ in found if number > 14] == [
        (s, n) for n, s in enumerate(starts) if n > 14
    ]


def test_a_stream_shorter_than_the_witnesses():
    assert laid_out([]) == []
    assert laid_out([7]) == [(7, 0, 100)]
    assert laid_out([0, 100, 1000]) == [(0, 0, 100), (100, 1, 100), (1000, 2, 100)]


def test_only_what_all_witnesses_say_moves_the_sound():
    even = np.arange(40) * 100
    late = np.where((even >= 1200) & (even < 1200 + 100 * WITNESSES), 50, 0)
    assert laid_out(even + late) == [(start, number, 100) for number, start in enumerate(even)]
