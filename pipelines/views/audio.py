"""Sound: samples around the middle of another view's window, and their log-mel spectrogram, which the graph makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from nvidia.dali import fn, math, types

from pipelines.members import Members
from pipelines.samples import Samples
from pipelines.views import Shot
from pipelines.windows import disjoint_from
from vdata.errors import SchemaMismatchError
from vdata.media.audio_codec import flac_form, load_flac_part
from vdata.views import Audio, View

__all__ = ["AudioDraw", "AudioReader", "Heard", "log_mel"]

_SHIFT, _PLACE, _JITTER, _VOLUME = range(4)
"""Places of the numbers in a sample's row."""
_FLOOR = float(np.finfo(np.float64).eps)
"""What silence counts as, so that it has a logarithm: -36.04. Source: python_speech_features."""

Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class AudioDraw:
    """Which sound the view takes of the B samples of a batch."""

    start: Longs
    """(B,) the first sample, counted from the first frame of the sample's run; it may lie before it."""
    shifted: Bools
    """(B,) whether it is the sound of another place."""
    gain: npt.NDArray[np.float32]
    """(B,) factor on the samples."""


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """The sound of one sample."""

    samples: npt.NDArray[np.int16]
    """(num_samples,), 0 where there is none."""
    mask: Bools
    """(num_steps,) whether any sample of the step's window is the video's."""


class AudioReader:
    """Reads an Audio."""

    def __init__(self, view: Audio, views: Mapping[str, View]) -> None:  # noqa: ARG002 - a ViewReader
        """Takes the view."""
        self.view = view
        self.shot_names: Sequence[str] = ()

    def draw(self, samples: Samples, drawn: Mapping[str, Any]) -> AudioDraw:  # noqa: ARG002 - a ViewReader
        """Where the sound begins.

        Its middle is that of the window: between its earliest and its latest frame, both counted with their whole duration. A
        shifted sound has the middle of any other window of that length in the run that begins at least the gap away, each as
        likely, so that it reaches over the video's ends no more often than true ones do.
        """
        view, u, fps = self.view, samples.u[self.view.name], samples.fps
        frames = samples.windows[view.of].frames
        first, last = frames.min(axis=1), frames.max(axis=1)
        # The jitter may bring a shifted sound nearer by itself.
        gap = np.maximum(np.ceil((view.min_gap_seconds + view.jitter_seconds) * fps).astype(np.int64), 1)
        other = disjoint_from(first, samples.num_frames - (last - first), gap, u[:, _PLACE])
        shifted = (u[:, _SHIFT] < view.shift) & (np.abs(other - first) >= gap)
        middle = (np.where(shifted, other, first) + (last + 1 - first) / 2) / fps
        middle += view.jitter_seconds * (2 * u[:, _JITTER] - 1)
        start = np.rint(middle * view.rate - view.num_samples / 2).astype(np.int64)
        return AudioDraw(start, shifted, (1 + view.volume * (2 * u[:, _VOLUME] - 1)).astype(np.float32))

    def shots(self, drawn: AudioDraw, row: int) -> Sequence[Shot]:  # noqa: ARG002 - a ViewReader
        """No pictures."""
        return ()

    def load(self, members: Members, samples: Samples, row: int, drawn: AudioDraw) -> Heard:
        """The samples, from the FLACs of the run's clips that they lie in.

        Raises:
            CorruptShardError: a FLAC is damaged where it is read.
            SchemaMismatchError: the shards have no sound, or one of another rate.
        """
        view, start = self.view, int(drawn.start[row])
        sound, mask = np.zeros(view.num_samples, np.int16), np.zeros(view.num_steps, bool)
        end = None
        for clip, second in _clips_around(samples, row, start / view.rate, (start + view.num_samples) / view.rate):
            # Behind another clip's sound, since both ends are rounded to samples: no sample is lost or comes twice.
            begin = round(second * view.rate) - start if end is None else end
            found = members.parsed(clip, "flac", "audio", partial(self._parse, samples, clip, begin))
            end = None if found is None else found[0]
            if found is not None and len(found[1]):
                low = max(begin, 0)
                sound[low : low + len(found[1])] = found[1]
                mask |= self._heard(low, low + len(found[1]))
        return Heard(sound, mask)

    def _parse(self, samples: Samples, clip: int, begin: int, flac: bytes) -> tuple[int, npt.NDArray[np.int16]]:
        """Where the clip's sound ends, and what of it lies within the view's samples; it begins at number `begin` of them."""
        rate, count = flac_form(flac)
        if rate != self.view.rate:
            found = f"is not that of the stored sound: clip '{samples.clips.key(clip)}' has {rate}"
            way_out = f"set that, or add it again with --set audio.rate={self.view.rate}"
            raise SchemaMismatchError(f"views.{self.view.name}.rate ({self.view.rate}) {found}; {way_out}")
        low, high = max(begin, 0), min(begin + count, self.view.num_samples)
        part = load_flac_part(flac, low - begin, high - begin) if low < high else np.empty(0, np.int16)
        return begin + count, part

    def _heard(self, low: int, high: int) -> Bools:
        """(num_steps,) the steps whose windows hold any of the samples low .. high - 1."""
        begins = np.arange(self.view.num_steps) * self.view.hop_samples
        return (begins < high) & (begins + self.view.window_samples > low)

    def feeds(self, drawn: AudioDraw, loaded: Sequence[Heard]) -> dict[str, Any]:
        """The samples, and the factor on them where there is one."""
        feeds: dict[str, Any] = {self.view.name: [heard.samples for heard in loaded]}
        return feeds | ({f"{self.view.name}.gain": drawn.gain} if self.view.volume else {})

    def nodes(self, device: str, pictures: Mapping[str, Any]) -> Sequence[Any]:  # noqa: ARG002 - a ViewReader
        """The spectrogram, (num_mels, num_steps)."""
        # The arrays live until the batch is done: the loader waits for it.
        sound = fn.external_source(name=self.view.name, ndim=1, dtype=types.INT16, no_copy=True)
        gain = fn.external_source(name=f"{self.view.name}.gain", ndim=0, dtype=types.FLOAT) if self.view.volume else None
        return [log_mel(self.view, sound.gpu() if device == "cuda" else sound, gain)]

    def batch(self, drawn: AudioDraw, loaded: Sequence[Heard], outputs: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
        """The spectrogram (B, 1, num_mels, num_steps), its mask, and whether it is another place's if that can be."""
        name = self.view.name
        batch = {name: outputs[0][:, None], f"{name}_mask": torch.from_numpy(np.stack([heard.mask for heard in loaded]))}
        return batch | ({f"{name}_shifted": torch.from_numpy(drawn.shifted)} if self.view.shift else {})

    def meta(self, drawn: AudioDraw, samples: Samples) -> dict[str, npt.NDArray[Any]]:  # noqa: ARG002 - a ViewReader
        """Where the sound begins, seconds from the run's first frame, (B,)."""
        return {"seconds": drawn.start / self.view.rate}


def log_mel(view: Audio, sound: Any, gain: Any = None) -> Any:  # noqa: ANN401 - DALI's nodes carry no types
    """The node of the view's spectrogram of samples (N,): (num_mels, num_steps), float32.

    With x the stored 16-bit numbers (not scaled to [-1, 1]), y[t] = x[t] - preemphasis * x[t - 1], y[0] = x[0]; for step k

        P[k, f] = |DFT of num_fft points of y[k * hop : k * hop + window]|^2 / num_fft,   f = 0 .. num_fft / 2
        M[k, m] = sum over f of w_m(f) * P[k, f]
        L[k, m] = (ln(max(M[k, m], 2.2e-16)) - mean) / std

    The window is rectangular, nothing is padded before the first step or behind the last, and w_m is a triangle of height 1 over
    the frequencies between three of num_mels + 2 points, equally far apart on the scale 2595 log10(1 + hz / 700) from 0 to
    rate / 2.

    Source: logfbank of python_speech_features 0.6 with its defaults, as SeLaVi's code calls it. It differs in two things. There
    the triangles' corners are rounded down to frequencies of the DFT, which shows where the triangles are narrow: on a film's
    sound at 48 kHz the two differ by 0.1 to 0.6 in the lowest six of 40 bands and by 0.07 in the upper half (means; correlation
    0.997). And it pads a last window that is not full with zeros, which is left out here; in 2 s there is none.
    """
    if gain is not None:
        sound = sound * gain
    sound = fn.preemphasis_filter(sound, preemph_coeff=view.preemphasis, border="zero", dtype=types.FLOAT)
    power = fn.spectrogram(
        sound,
        nfft=view.num_fft,
        window_length=view.window_samples,
        window_step=view.hop_samples,
        window_fn=[1.0] * view.window_samples,
        center_windows=False,
        power=2,
    )
    mel = fn.mel_filter_bank(
        power,
        sample_rate=float(view.rate),
        nfilter=view.num_mels,
        freq_low=0.0,
        freq_high=view.rate / 2,
        mel_formula="htk",
        normalize=False,
    )
    logarithm = math.log(math.max(mel * (1.0 / view.num_fft), _FLOOR))
    return (logarithm - view.mean) * (1.0 / view.std)


def _clips_around(samples: Samples, row: int, low: float, high: float) -> list[tuple[int, float]]:
    """The clips of a row's run that overlap the seconds [low, high) of it, each with the second at which it begins."""
    clips, bounds = samples.runs.clips(row), samples.runs.bounds(row) / samples.fps[row]
    # A frame more: where a clip's sound begins and ends is rounded to samples.
    margin = 1 / samples.fps[row]
    found = np.flatnonzero((bounds[:-1] < high + margin) & (bounds[1:] > low - margin))
    return list(zip(clips[found].tolist(), bounds[found].tolist(), strict=True))
