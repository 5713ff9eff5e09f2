"""Sound: the samples around a window's middle, and the graph's log-mel against the formula, scipy and python_speech_features."""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np
import pytest
import torch
from nvidia.dali import pipeline_def
from scipy import signal, stats

from pipelines import ClipIterator
from pipelines.samples import put
from pipelines.views.audio import AudioReader
from vdata.errors import ConfigError, CorruptShardError, SchemaMismatchError
from vdata.media.audio_codec import dump_flac
from vdata.views import Audio, Clip

SMALL = {"rate": 8000, "num_fft": 256, "seconds": 1.0}
"""Settings with few samples."""


def noise(num_samples, seed=0):
    return np.random.default_rng(seed).integers(-20000, 20000, num_samples).astype(np.int16)


def run_graph(view, sounds, gain=None):
    """(B, num_mels, num_steps) what the nodes make of samples."""
    reader = AudioReader(view, {})

    @pipeline_def(batch_size=len(sounds), num_threads=1, device_id=None, prefetch_queue_depth=1)
    def graph():
        return tuple(reader.nodes("cpu", {}))

    pipeline = graph()
    pipeline.feed_input(view.name, sounds)
    if gain is not None:
        pipeline.feed_input(f"{view.name}.gain", gain)
    return pipeline.run()[0].as_array().copy()


@lru_cache
def triangles(view, *, rounded=False):
    """(num_mels, num_fft / 2 + 1): heights over the DFT's frequencies; `rounded` puts the corners on some of these."""
    top = 2595 * np.log10(1 + view.rate / 2 / 700)
    corners = 700 * (10 ** (np.linspace(0, top, view.num_mels + 2) / 2595) - 1)
    places = np.arange(view.num_fft // 2 + 1.0)
    corners = np.floor((view.num_fft + 1) * corners / view.rate) if rounded else corners * view.num_fft / view.rate
    bank = np.zeros((view.num_mels, len(places)))
    for band in range(view.num_mels):
        low, middle, high = corners[band : band + 3]
        for place in places:
            if low <= place < middle:
                bank[band, int(place)] = (place - low) / (middle - low)
            elif middle <= place < high:
                bank[band, int(place)] = (high - place) / (high - middle)
    return bank


def slow_log_mel(view, sound, *, rounded=False):
    """The formula of `log_mel`, a step at a time."""
    x = sound.astype(float)
    y = np.concatenate([x[:1], x[1:] - view.preemphasis * x[:-1]])
    columns = []
    for step in range(view.num_steps):
        part = y[step * view.hop_samples :][: view.window_samples]
        power = np.abs(np.fft.rfft(part, view.num_fft)) ** 2 / view.num_fft
        energy = triangles(view, rounded=rounded) @ power
        columns.append(np.log(np.where(energy == 0, np.finfo(float).eps, energy)))
    return (np.stack(columns, axis=1) - view.mean) / view.std


SOUNDS = {
    "noise": noise(16000),
    "quiet": (noise(16000) // 8000).astype(np.int16),
    "tone": (9000 * np.sin(2 * np.pi * 440 * np.arange(16000) / 8000)).astype(np.int16),
    "silence": np.zeros(16000, np.int16),
    "click": np.where(np.arange(16000) == 4321, 30000, 0).astype(np.int16),
}
VIEWS = [
    Audio(rate=8000, num_fft=256),
    Audio(rate=8000, num_fft=160, window_seconds=0.02, hop_seconds=0.013, num_mels=13, preemphasis=0.0),
    Audio(rate=8000, num_fft=512, window_seconds=0.05, mean=1.93, std=17.89),
]


@pytest.mark.parametrize("view", VIEWS)
def test_log_mel_is_the_formula(view):
    found = run_graph(view, list(SOUNDS.values()))
    assert found.shape == (len(SOUNDS), view.num_mels, view.num_steps)
    assert found.dtype == np.float32
    for name, sound, one in zip(SOUNDS, SOUNDS.values(), found, strict=True):
        wanted = slow_log_mel(view, sound)
        # Where a band has next to nothing of the power, float32 has less than that left; a tone leaves such bands.
        assert np.quantile(np.abs(one - wanted), 0.99) < 1e-3 / view.std, name
        assert np.abs(one - wanted).max() < (0.05 if name == "tone" else 2e-3) / view.std, name


def test_spectrum_is_that_of_scipy():
    """The power summed over a bank, from scipy's spectrogram of the same windows."""
    view, sound = Audio(rate=8000, num_fft=256, preemphasis=0.0), SOUNDS["noise"]
    size, hop = view.window_samples, view.hop_samples
    shape = {"window": np.ones(size), "nperseg": size, "noverlap": size - hop, "nfft": view.num_fft, "detrend": False}
    _, seconds, power = signal.spectrogram(sound.astype(float), view.rate, scaling="spectrum", **shape)
    # scipy adds the negative frequencies and divides by the window's squared sum.
    power[1:-1] /= 2
    power *= size**2 / view.num_fft
    assert len(seconds) == view.num_steps
    np.testing.assert_allclose(run_graph(view, [sound])[0], np.log(triangles(view) @ power), atol=1e-3)
    np.testing.assert_allclose(seconds, (np.arange(view.num_steps) * hop + size / 2) / view.rate)


def test_it_is_near_the_log_filterbank_of_python_speech_features():
    """SeLaVi's settings. Only the lowest bands see that its corners are rounded to the DFT's frequencies."""
    view = Audio(seconds=1.0)
    sound = np.cumsum(np.random.default_rng(0).standard_normal(48000) * 50).astype(np.int16)
    found, wanted = run_graph(view, [sound])[0], slow_log_mel(view, sound, rounded=True)
    assert found.shape == wanted.shape == (40, 99)
    apart = np.abs(found - wanted).mean(axis=1)
    assert apart[20:].max() < 0.05
    assert apart[10:].max() < 0.3


def test_silence_is_the_logarithm_of_the_floor():
    found = run_graph(VIEWS[0], [SOUNDS["silence"]])
    np.testing.assert_allclose(found, np.log(np.finfo(float).eps), rtol=1e-6)


def test_steps_are_as_many_as_whole_windows_fit():
    assert (Audio().num_steps, Audio(seconds=1.0).num_steps) == (199, 99)
    assert Audio(seconds=0.0399, rate=10000, num_fft=256).num_steps == 2
    assert Audio(seconds=0.04, rate=10000, num_fft=256).num_steps == 3


CLIP = Clip(frames=16, stride=4)


@lru_cache
def clip_sounds(lengths, fps, rate, before=0):
    """The sound of a run, and its clips' parts as the builder cuts them, as FLAC; the run has frames of the video before it."""
    edges = [round(bound / fps * rate) for bound in itertools.accumulate(lengths, initial=before)]
    whole = noise(edges[-1])
    return whole[edges[0] :], [dump_flac(whole[low:high], rate) for low, high in itertools.pairwise(edges)]


@pytest.fixture
def hear(make_samples, make_members):
    """A function from a view and the lengths of a run's clips to what is heard, the whole sound and the draw."""

    def listen(view, lengths, *, clip=CLIP, fps=25.0, seed=0, silent=(), before=0):
        whole, parts = clip_sounds(tuple(lengths), fps, view.rate, before)
        stored = {(place, "flac"): part for place, part in enumerate(parts) if place not in silent}
        samples = make_samples([list(lengths)], [clip, view], fps=fps, seed=seed)
        reader = AudioReader(view, {})
        drawn = reader.draw(samples, {})
        members = make_members(stored | {(99, "flac"): b""})
        return reader.load(members, samples, 0, drawn), whole, int(drawn.start[0]), samples, members

    return listen


def padded(whole, start, num_samples):
    """The samples start .. start + num_samples - 1, zeros outside, and which are inside."""
    places = np.arange(start, start + num_samples)
    inside = (places >= 0) & (places < len(whole))
    return np.where(inside, whole[np.clip(places, 0, len(whole) - 1)], 0), inside


def slow_mask(view, inside):
    steps = [inside[step * view.hop_samples :][: view.window_samples] for step in range(view.num_steps)]
    return np.array([step.any() for step in steps])


@pytest.mark.parametrize("lengths", [(250,), (96, 96, 96), (64,), (65, 1, 70), (40, 60)])
def test_sound_lies_around_the_middle_of_the_window(hear, lengths):
    view = Audio(**SMALL)
    for seed in range(4):
        heard, whole, start, samples, _ = hear(view, lengths, seed=seed)
        frames = samples.windows["clip"].frames[0]
        middle = (frames[0] + frames[-1]) / 2 / 25 + 0.5 / 25
        assert abs(start + view.num_samples / 2 - middle * view.rate) <= 0.5
        wanted, inside = padded(whole, start, view.num_samples)
        assert heard.samples.dtype == np.int16
        assert np.array_equal(heard.samples, wanted)
        assert np.array_equal(heard.mask, slow_mask(view, inside))


def test_a_short_video_is_silent_outside_of_itself(hear):
    view = Audio(**{**SMALL, "seconds": 4.0})
    heard, whole, start, _, _ = hear(view, (62,), clip=Clip(frames=8, stride=4, start="centre"))
    wanted, inside = padded(whole, start, view.num_samples)
    assert (~inside).sum() > 5000
    assert np.array_equal(heard.samples, wanted)
    assert np.array_equal(heard.mask, slow_mask(view, inside))
    assert not heard.mask[0]
    assert not heard.mask[-1]


@pytest.mark.parametrize("fps", [30000 / 1001, 23.976, 12.5, 24.0])
@pytest.mark.parametrize(("rate", "before"), [(8000, 0), (11025, 0), (8000, 17), (11025, 34)])
def test_no_sample_is_lost_between_clips_of_odd_rates(hear, fps, rate, before):
    """Where clips begin in the video is rounded to a sample: the joined sound is the video's own, a sample aside at the most."""
    view = Audio(rate=rate, num_fft=256, seconds=3.0)
    for seed in range(3):
        heard, whole, start, _, _ = hear(view, [17] * 8, fps=fps, seed=seed, before=before)
        found = np.flatnonzero(heard.samples)
        part = heard.samples[found[0] : found[-1] + 1]
        near = [shift for shift in (-1, 0, 1) if np.array_equal(part, whole[start + found[0] + shift :][: len(part)])]
        assert len(near) == 1
        assert len(part) >= min(view.num_samples, len(whole)) - 2


def test_a_silent_clip_is_silent_and_its_neighbours_are_not(hear):
    view = Audio(**{**SMALL, "seconds": 3.0})
    heard, whole, start, _, _ = hear(view, (50, 30, 50), clip=Clip(frames=1, start="centre"), silent=(1,))
    gap = slice(2 * view.rate - start, round(80 / 25 * view.rate) - start)
    wanted, inside = padded(whole, start, view.num_samples)
    wanted[gap], inside[gap] = 0, False
    assert np.array_equal(heard.samples, wanted)
    assert np.array_equal(heard.mask, slow_mask(view, inside))
    assert 0 < heard.mask.sum() < len(heard.mask)
    silent, _, _, _, _ = hear(view, (50, 30, 50), silent=(0, 1, 2))
    assert not silent.samples.any()
    assert not silent.mask.any()


def test_only_the_clips_around_the_sound_are_read(hear):
    _, _, start, _, members = hear(Audio(**SMALL), [25] * 10, clip=Clip(frames=1, start="centre"))
    first, last = start // 8000, (start + 8000) // 8000
    assert [clip for clip, _, _ in members.asked] == list(range(first, last + 1))
    assert {field for _, _, field in members.asked} == {"audio"}


@pytest.mark.parametrize("flash", [3, 40, 77, 78, 130, 149])
def test_a_click_is_heard_where_its_flash_is_seen(make_samples, make_members, flash):
    """Two clips of 3 s; a click begins with the frame of the flash. Every window that shows the flash hears the click there."""
    view, clip = Audio(seconds=2.56), Clip(frames=64, stride=1)
    sound = np.zeros(6 * view.rate, np.int16)
    sound[round(flash / 25 * view.rate) :][:480] = 20000 * np.sin(np.arange(480))
    parts = {(place, "flac"): dump_flac(part, view.rate) for place, part in enumerate(np.split(sound, 2))}
    samples = make_samples([[75, 75]] * 30, [clip, view])
    # All samples are the same two clips.
    samples.runs.start[:], samples.runs.stop[:] = 0, 2
    reader = AudioReader(view, {})
    drawn = reader.draw(samples, {})
    sounds = [reader.load(make_members(parts), samples, row, drawn).samples for row in range(30)]
    loudness = run_graph(view, sounds).mean(axis=1)
    for row, frames in enumerate(samples.windows["clip"].frames):
        loudest = loudness[row] > loudness[row].max() - 3
        if flash not in frames:
            continue
        seconds = (drawn.start[row] + np.flatnonzero(loudest) * view.hop_samples) / view.rate
        # Steps of 20 ms that overlap the click's 10, or its last sample by way of the preemphasis.
        assert (seconds > flash / 25 - 0.02 - 1e-6).all()
        assert (seconds < flash / 25 + 0.01 + 1e-6).all()
        shown = frames.tolist().index(flash) / 25
        heard = (np.flatnonzero(loudest) * view.hop_samples / view.rate).mean() + view.window_seconds / 2
        assert abs(heard - shown) < 0.02, "the window is as long as the sound"


SHIFTED = Audio(**SMALL, shift=0.5, min_gap_seconds=1.0)


def test_shifted_sound_is_never_near_the_true_place(make_samples):
    samples = make_samples([[200], [100], [75], [61]] * 25_000, [CLIP, SHIFTED])
    drawn = AudioReader(SHIFTED, {}).draw(samples, {})
    true = AudioReader(Audio(**SMALL), {}).draw(samples, {}).start
    apart = np.abs(drawn.start - true) / SHIFTED.rate
    assert (apart[~drawn.shifted] == 0).all()
    assert apart[drawn.shifted].min() >= 1.0 - 1 / SHIFTED.rate
    shifted = drawn.shifted.reshape(-1, 4)
    # 14 starts and the one start leave no place 25 frames away.
    assert not shifted[:, 2:].any()
    assert stats.binomtest(int(shifted[:, 0].sum()), 25_000, 0.5).pvalue > 0.01
    frames = samples.windows["clip"].frames
    middle = drawn.start + SHIFTED.num_samples / 2
    half = (frames.max(axis=1) - frames.min(axis=1) + 1) / 2 / 25 * SHIFTED.rate
    assert (middle >= half - 1).all(), "a shifted sound is where a window could be"
    assert (middle <= samples.num_frames / 25 * SHIFTED.rate - half + 1).all()


def test_shifted_places_are_uniform_over_what_the_run_allows(make_samples):
    clip, view = Clip(frames=16, stride=4, start="centre"), Audio(**SMALL, shift=1.0)
    samples = make_samples([[200]] * 100_000, [clip, view])
    drawn = AudioReader(view, {}).draw(samples, {})
    assert drawn.shifted.all()
    # 140 starts, the true one is 69: starts up to 44 and from 94 on are 25 frames away.
    start = np.rint((drawn.start + view.num_samples / 2) / view.rate * 25 - 61 / 2).astype(int)
    counts = np.bincount(start, minlength=140)
    assert counts[45:94].sum() == 0
    assert stats.chisquare(np.concatenate([counts[:45], counts[94:]])).pvalue > 0.01


def test_jitter_and_volume_are_uniform(make_samples):
    clip, view = Clip(frames=16, stride=4, start="centre"), Audio(**SMALL, jitter_seconds=0.5, volume=0.1)
    samples = make_samples([[200]] * 100_000, [clip, view])
    drawn = AudioReader(view, {}).draw(samples, {})
    middle = (drawn.start + view.num_samples / 2) / view.rate
    assert stats.kstest(middle, stats.uniform(99.5 / 25 - 0.5, 1.0).cdf).pvalue > 0.01
    assert stats.kstest(drawn.gain, stats.uniform(0.9, 0.2).cdf).pvalue > 0.01
    assert not AudioReader(Audio(**SMALL), {}).draw(make_samples([[200]], [clip, Audio(**SMALL)]), {}).shifted.any()


def test_jitter_brings_no_shifted_sound_nearer_than_the_gap(make_samples):
    clip, view = Clip(frames=16, stride=4, start="centre"), Audio(**SMALL, jitter_seconds=0.5, shift=1.0)
    drawn = AudioReader(view, {}).draw(make_samples([[300]] * 20_000, [clip, view]), {})
    assert np.abs((drawn.start + view.num_samples / 2) / view.rate - 149.5 / 25).min() >= 1.0


def test_volume_is_a_factor_on_the_samples():
    view, sound = Audio(rate=8000, num_fft=256, volume=0.5), SOUNDS["noise"]
    found = run_graph(view, [sound, sound], np.array([1.0, 1.5], np.float32))
    np.testing.assert_allclose(found[1] - found[0], 2 * np.log(1.5), atol=1e-3)


def test_a_batch_has_what_its_view_says(make_samples, make_members):
    _, parts = clip_sounds((200,), 25.0, 8000)
    samples = make_samples([[200]], [CLIP, SHIFTED])
    reader = AudioReader(SHIFTED, {})
    drawn = reader.draw(samples, {})
    heard = reader.load(make_members({(0, "flac"): parts[0]}), samples, 0, drawn)
    assert set(reader.feeds(drawn, [heard])) == {"audio"}
    outputs = [torch.from_numpy(run_graph(SHIFTED, [heard.samples]))]
    batch = reader.batch(drawn, [heard], outputs)
    assert {key: (tuple(value.shape), value.dtype) for key, value in batch.items()} == {
        "audio": ((1, 1, 40, 99), torch.float32),
        "audio_mask": ((1, 99), torch.bool),
        "audio_shifted": ((1,), torch.bool),
    }
    assert reader.meta(drawn, samples)["seconds"].tolist() == (drawn.start / 8000).tolist()
    other = reader.draw(make_samples([[200]], [CLIP, SHIFTED], seed=9), {})
    put(other, 0, drawn)
    assert other.start.tolist() == drawn.start.tolist()


def test_sound_that_cannot_be_used(make_samples, make_members):
    view = Audio(**SMALL)
    samples = make_samples([[100]], [CLIP, view])
    reader = AudioReader(view, {})
    drawn = reader.draw(samples, {})
    whole = noise(32000)
    other = make_members({(0, "flac"): dump_flac(noise(64000), 16000)})
    with pytest.raises(SchemaMismatchError, match=r"views\.audio\.rate \(8000\) is not that .*'clip-0' has 16000; set that"):
        reader.load(other, samples, 0, drawn)
    with pytest.raises(SchemaMismatchError):
        reader.load(make_members({}), samples, 0, drawn)
    flac = dump_flac(whole, 8000)
    for bad in (b"", b"fLaC", flac[:60], flac[: len(flac) // 4]):
        with pytest.raises(CorruptShardError):
            reader.load(make_members({(0, "flac"): bad}), samples, 0, drawn)


FLASHES = [7, 33, 61]


@pytest.fixture(scope="session")
def flashing(make_clip):
    """Three clips of 24, 24 and 20 frames, one video: a white frame in each, by its number in the video, and a click with it."""
    frames, sound = np.zeros((68, 64, 96, 3), np.uint8), np.zeros(round(68 / 25 * 8000), np.int16)
    for flash in FLASHES:
        frames[flash] = 255
        sound[flash * 320 : flash * 320 + 160] = noise(160)
    bounds = [0, 24, 48, 68]
    clips = [make_clip(frames[low:high]) for low, high in itertools.pairwise(bounds)]
    return clips, [{"flac": dump_flac(sound[320 * low : 320 * high], 8000)} for low, high in itertools.pairwise(bounds)]


def seen_and_heard(batch):
    """For every sample the seconds at which the pictures turn white, and at which the loud steps lie."""
    seen = batch["meta"]["clip"]["seconds"].numpy()
    white = batch["clip"].numpy().mean(axis=(1, 3, 4)) > 0.5
    start = batch["meta"]["audio"]["seconds"].numpy()
    # Windows of 20 ms every 10, a click of 20 ms: where one lies wholly within the other.
    level = batch["audio"].numpy()[:, 0].mean(axis=1)
    return [
        (seen[row][white[row]], start[row] + np.flatnonzero(level[row] > level[row].max() - 0.5) / 100)
        for row in range(len(seen))
    ]


@pytest.mark.parametrize("unit", ["clip", "video"])
def test_the_loader_shows_the_flash_when_it_sounds_the_click(make_folder, flashing, unit):
    clips, members = flashing
    folder = make_folder(clips * 2, videos=[0, 0, 0, 1, 1, 1], members=members * 2)
    # The sound is as long as the window: what is seen is heard and the other way round.
    views = (Clip(frames=20, stride=1, size=32), Audio(rate=8000, num_fft=256, seconds=0.8))
    found = 0
    with ClipIterator(folder, views=views, batch_size=2, unit=unit, drop_last=False) as loader:
        for _ in range(6):
            for batch in loader:
                assert batch["audio"].shape[1:] == (1, 40, 79)
                assert batch["audio_mask"].all()
                for seen, heard in seen_and_heard(batch):
                    found += len(seen)
                    for flash in seen:
                        assert np.abs(heard - flash).min() < 0.011
                    # A click in the first or the last 20 ms has no whole step.
                    if len(seen):
                        assert max(np.abs(seen - second).min() for second in heard) < 0.021
    assert found > 5


def test_the_loader_names_the_clip_whose_sound_is_damaged(make_folder, flashing):
    clips, members = flashing
    folder = make_folder(clips, members=[members[0], {"flac": members[1]["flac"][:500]}, members[2]])
    views = (Clip(frames=16, stride=1, size=32), Audio(rate=8000, num_fft=256))
    with (
        ClipIterator(folder, views=views, batch_size=3) as loader,
        pytest.raises(CorruptShardError, match=r"clips-000000\.tar', key '[^']+': .*FLAC"),
    ):
        next(iter(loader))
    with ClipIterator(folder, views=views, batch_size=3, on_error="skip") as loader:
        batch = next(iter(loader))
        assert batch["audio_mask"].any(dim=1).all()
        assert loader.num_skipped == 1
    with (
        ClipIterator(make_folder(clips), views=views, batch_size=3) as loader,
        pytest.raises(SchemaMismatchError, match=r"has no member 'flac'.* `vdata add audio --shards"),
    ):
        next(iter(loader))


def test_the_loader_continues_with_the_same_sound(make_folder, flashing):
    clips, members = flashing
    folder = make_folder(clips * 4, members=members * 4)
    shifted = Audio(
        name="other", rate=8000, num_fft=256, seconds=0.5, shift=0.5, min_gap_seconds=0.1, jitter_seconds=0.02, volume=0.1
    )
    views = (Clip(frames=8, stride=1, size=32), Audio(rate=8000, num_fft=256), shifted)
    with ClipIterator(folder, views=views, batch_size=3, seed=5) as loader:
        batches = [batch for _ in range(2) for batch in loader]
    with ClipIterator(folder, views=views, batch_size=3, seed=5) as loader:
        for _ in range(3):
            next(iter(loader))
        state = loader.state_dict()
    with ClipIterator(folder, views=views, batch_size=3, seed=5) as loader:
        loader.load_state_dict(state)
        rest = [batch for _ in range(2) for batch in loader]
    assert len(rest) == len(batches) - 3
    for one, other in zip(batches[3:], rest, strict=True):
        assert {key for key in one if key.startswith("other")} == {"other", "other_mask", "other_shifted"}
        assert all(torch.equal(one[key], other[key]) for key in one if key != "meta")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"seconds": 0}, "positive"),
        ({"seconds": 0.01}, "fit into num_fft and seconds"),
        ({"window_seconds": 0.03}, "fit into num_fft and seconds"),
        ({"hop_seconds": 1e-6}, "a sample or more"),
        ({"shift": 1.5}, "probability"),
        ({"volume": 1.0}, r"in \[0, 1\)"),
        ({"jitter_seconds": -1}, "not be negative"),
        ({"min_gap_seconds": -1}, "not be negative"),
    ],
)
def test_settings_that_break_their_rule(settings, words):
    with pytest.raises(ConfigError, match=words):
        Audio(**settings)
