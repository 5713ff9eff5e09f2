"""Views of the stored sound."""

from __future__ import annotations

from dataclasses import dataclass

from vdata.config import check

__all__ = ["Audio"]


@dataclass(frozen=True, slots=True)
class Audio:
    """A log-mel spectrogram, float32 (B, 1, num_mels, num_steps); beside it `NAME_mask`.

    `NAME_mask` is bool (B, num_steps), False where the video has no sound: outside of it, or all of a silent one. Sound is never
    reversed. Step k is made of the samples [k * hop_samples, k * hop_samples + window_samples) of the sound, which is cut out
    around the middle of the window of `of`, whatever that window's own length.

    Source: XDC's and SeLaVi's log filterbanks (40 bands, windows of 20 ms every 10 ms, 1024 points); SeLaVi's code normalises
    them by mean = 1.93, std = 17.89. See pipelines/views/audio.py for the formula.
    """

    name: str = "audio"
    """The batch key."""
    of: str = "clip"
    """The view whose window's middle is the middle of the sound."""
    seconds: float = 2.0
    rate: int = 48000
    """Samples a second; shards of another rate are refused."""
    num_mels: int = 40
    num_fft: int = 1024
    window_seconds: float = 0.02
    hop_seconds: float = 0.01
    preemphasis: float = 0.97
    mean: float = 0.0
    """Subtracted from the logarithms; then they are divided by `std`."""
    std: float = 1.0
    shift: float = 0.0
    """Probability that the sound is taken from elsewhere in the video, at least `min_gap_seconds` away; the batch then has
    `NAME_shifted`, bool (B,), False too where the video has no such place."""
    min_gap_seconds: float = 1.0
    jitter_seconds: float = 0.0
    """The sound's place is drawn within so much of the true one, either way; SeLaVi's code can take 0.5."""
    volume: float = 0.0
    """Half-width of a factor on the samples, around 1; SeLaVi's code can take 0.1."""

    def __post_init__(self) -> None:
        """Checks numbers."""
        key = f"views.{self.name}"
        for name in ("seconds", "rate", "num_mels", "num_fft", "window_seconds", "hop_seconds", "std"):
            check(getattr(self, name) > 0, f"{key}.{name}", getattr(self, name), "must be positive")
        for name in ("min_gap_seconds", "jitter_seconds"):
            check(getattr(self, name) >= 0, f"{key}.{name}", getattr(self, name), "must not be negative")
        check(0.0 <= self.shift <= 1.0, f"{key}.shift", self.shift, "must be a probability")
        check(0.0 <= self.volume < 1.0, f"{key}.volume", self.volume, "must lie in [0, 1)")
        check(self.hop_samples >= 1, f"{key}.hop_seconds", self.hop_seconds, "must be a sample or more")
        fits = 1 <= self.window_samples <= min(self.num_fft, self.num_samples)
        check(fits, f"{key}.window_seconds", self.window_seconds, "must be a sample or more, and fit into num_fft and seconds")

    @property
    def num_samples(self) -> int:
        """Of the sound that the spectrogram is made from."""
        return round(self.seconds * self.rate)

    @property
    def window_samples(self) -> int:
        """Samples that a step is made of."""
        return round(self.window_seconds * self.rate)

    @property
    def hop_samples(self) -> int:
        """Samples from one step to the next."""
        return round(self.hop_seconds * self.rate)

    @property
    def num_steps(self) -> int:
        """Windows that lie wholly in the sound: 199 of 2 s."""
        return 1 + (self.num_samples - self.window_samples) // self.hop_samples
