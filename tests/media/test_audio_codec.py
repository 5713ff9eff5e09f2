"""FLAC: what comes back is what went in, for PyAV and DALI too, and the bytes tell their own length and sum."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest

from vdata.errors import ConfigError, CorruptShardError, MediaError
from vdata.media import audio_codec
from vdata.media.audio_codec import dump_flac, flac_form, load_flac, load_flac_part
from vdata.media.config import LimitConfig

RATE = 48000


def noise(num_samples, seed=0):
    """Loud and quiet noise with the extreme values, int16."""
    rng = np.random.default_rng(seed)
    samples = rng.integers(-32768, 32768, num_samples) * rng.choice([0, 0.01, 1], num_samples)
    return samples.astype(np.int16)


@pytest.mark.parametrize("num_samples", [16, 17, 4608, 4609, 100_000])
@pytest.mark.parametrize("rate", [8000, 44100, RATE])
def test_samples_come_back_as_they_went_in(num_samples, rate):
    samples = noise(num_samples)
    found, its_rate = load_flac(dump_flac(samples, rate))
    assert its_rate == rate
    assert found.dtype == np.int16
    assert np.array_equal(found, samples)


def test_equal_samples_give_equal_bytes():
    assert dump_flac(noise(30_000), RATE) == dump_flac(noise(30_000), RATE)


def test_flac_tells_its_length_and_the_sum_of_its_samples(tmp_path):
    """Another decoder checks them: ffmpeg at `-err_detect` compares no sum, so the header is read by hand."""
    samples = noise(12_345)
    flac = dump_flac(samples, RATE)
    assert flac[:4] == b"fLaC"
    form = int.from_bytes(flac[18:26], "big")
    assert (form >> 44, form >> 41 & 7, form >> 36 & 31, form & (1 << 36) - 1) == (RATE, 0, 15, 12_345)
    (tmp_path / "x.flac").write_bytes(flac)
    with av.open(str(tmp_path / "x.flac")) as container:
        assert container.duration == round(12_345 / RATE * 1e6)
        parts = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    assert np.array_equal(np.concatenate(parts), samples)


def test_dali_reads_the_same_samples():
    dali = pytest.importorskip("nvidia.dali")
    wanted = [noise(5000, 1), noise(70_001, 2)]
    members = [np.frombuffer(dump_flac(samples, RATE), np.uint8) for samples in wanted]

    @dali.pipeline_def(batch_size=2, num_threads=1, device_id=None)
    def graph():
        source = dali.fn.external_source(lambda: members, batch=True, dtype=dali.types.UINT8, ndim=1)
        return tuple(dali.fn.decoders.audio(source, dtype=dali.types.INT16, downmix=True))

    pipeline = graph()
    pipeline.build()
    samples, rates = pipeline.run()
    for i, one in enumerate(wanted):
        assert np.array_equal(np.asarray(samples[i]), one)
        assert float(np.asarray(rates[i])) == RATE


@pytest.mark.parametrize("samples", [np.zeros(15, np.int16), np.zeros(50, np.int32), np.zeros((2, 50), np.int16)])
def test_what_is_no_mono_sound_is_refused(samples):
    with pytest.raises(ConfigError, match="samples"):
        dump_flac(samples, RATE)


def test_damage_is_told():
    flac = dump_flac(noise(30_000), RATE)
    for broken in (b"", b"not flac at all", flac[:1000], flac[:-3000], flac[:20_000] + b"x" + flac[20_001:]):
        with pytest.raises(CorruptShardError, match=r"FLAC"):
            load_flac(broken)


def test_a_flac_of_another_form_is_refused():
    target = io.BytesIO()
    with av.open(target, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=RATE, layout="stereo")
        stream.format = "s16"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 2000), np.int16), format="s16", layout="stereo")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(CorruptShardError, match="stereo"):
        load_flac(target.getvalue())


def test_an_encoder_that_fails_is_told(monkeypatch, tmp_path):
    broken = tmp_path / "ffmpeg"
    broken.write_text("#!/bin/sh\necho out of order >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr("vdata.media.ffmpeg.binary", lambda: str(broken))
    with pytest.raises(MediaError, match="status 3") as caught:
        dump_flac(noise(100), RATE, LimitConfig())
    assert caught.value.tail == "out of order"


def test_the_encoder_may_use_no_instruction_that_another_cpu_lacks(monkeypatch):
    """Level 8 gave other bytes with SSE2 than in plain C (seen on real sound)."""
    asked = []
    true_running = audio_codec.running
    monkeypatch.setattr(
        audio_codec, "running", lambda arguments, *rest: asked.append(arguments) or true_running(arguments, *rest)
    )
    dump_flac(noise(100), RATE)
    assert asked[0][asked[0].index("-cpuflags") + 1] == "0"


@pytest.mark.parametrize("rate", [8000, RATE])
@pytest.mark.parametrize("num_samples", [16, 4096, 4097, 20_000, 100_001])
def test_a_part_is_that_part_of_the_whole(num_samples, rate):
    """From the first block on, in the last ones, across blocks: ffmpeg finds a place in long files only."""
    samples = noise(num_samples)
    flac = dump_flac(samples, rate)
    assert flac_form(flac) == (rate, num_samples)
    edges = np.random.default_rng(0).integers(0, num_samples, (20, 2))
    for low, high in [(0, num_samples), (num_samples - 1, num_samples), *np.sort(edges, axis=1).tolist()]:
        part = load_flac_part(flac, low, high + (low == high))
        assert part.dtype == np.int16
        assert np.array_equal(part, samples[low : high + (low == high)])


def test_damage_shows_in_the_part_that_has_it():
    samples = noise(100_000)
    flac = bytearray(dump_flac(samples, RATE))
    flac[len(flac) // 2 : len(flac) // 2 + 300] = bytes(300)
    seen = 0
    for start in range(0, 100_000, 5000):
        try:
            part = load_flac_part(bytes(flac), start, start + 5000)
        except CorruptShardError:
            seen += 1
        else:
            assert np.array_equal(part, samples[start : start + 5000])
    assert 1 <= seen <= 5


def test_what_is_no_flac_or_ends_early_has_no_part():
    flac = dump_flac(noise(100_000), RATE)
    with pytest.raises(CorruptShardError, match="does not begin as a mono FLAC of 16 bits"):
        flac_form(b"RIFF" + flac[4:])
    for bad in (b"", flac[:30], flac[:50], flac[: len(flac) // 2]):
        with pytest.raises(CorruptShardError):
            load_flac_part(bad, 90_000, 95_000)
    with pytest.raises(CorruptShardError, match=r"not all of 90000 to 100001"):
        load_flac_part(flac, 90_000, 100_001)
