"""The sound of a clip as FLAC: exactly the clip's time, so that the clips of a video neither overlap nor leave a gap."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import pyarrow as pa

from vdata.config import check
from vdata.extract import EXTRACTORS, Extracted
from vdata.media.audio_codec import dump_flac
from vdata.media.clip import EncodedClip
from vdata.media.origin import Origin
from vdata.media.sound import Sound
from vdata.records import Column, Field

__all__ = ["AudioConfig", "AudioExtractor", "clip_samples"]

_FIELD = Field(
    "audio",
    "flac",
    "int16",
    "N",
    "samples",
    "Mono FLAC of 16 bits, sample 0 at the clip's first frame, N = round(end_seconds * rate) - round(start_seconds * rate). "
    "Silence where the source has no sound for a time; no member where it has none in the whole clip.",
)
_COLUMNS = (
    Column("audio_samples", pa.int64(), "Samples in the clip's `flac`; 0 without one."),
    Column("audio_rate", pa.int32(), "Samples a second; 0 without a `flac`."),
    Column(
        "audio_seconds",
        pa.float64(),
        "How much of the `flac` came out of the source's decoder, in seconds; the rest is silence for what is absent or lost.",
    ),
)
_ABSENT = Extracted({}, {"audio_samples": 0, "audio_rate": 0, "audio_seconds": 0.0})


@dataclass(frozen=True)
class AudioConfig:
    """The form of the sound."""

    rate: int = 48000
    """Samples a second."""

    def __post_init__(self) -> None:
        """Checks the rate."""
        # One frame at the highest rate has to fill a block of FLAC; some readers end at 192 kHz.
        check(8000 <= self.rate <= 192_000, "audio.rate", self.rate, "must be in [8000, 192000]")  # noqa: PLR2004 - see above


@EXTRACTORS.add("audio")
class AudioExtractor:
    """The source's first audio stream. One ffmpeg a video decodes it, and lives until another video comes."""

    Config: ClassVar[type] = AudioConfig
    packages: ClassVar[tuple[str, ...]] = ()
    reads_source: ClassVar[bool] = True
    reads_motion: ClassVar[bool] = False
    needs_pictures: ClassVar[bool] = True

    def __init__(self, config: AudioConfig) -> None:
        self.config = config
        self._sound: Sound | None = None

    @property
    def fields(self) -> tuple[Field, ...]:
        """The FLAC."""
        return (_FIELD,)

    @property
    def columns(self) -> tuple[Column, ...]:
        """How much sound there is, and how much of it is real."""
        return _COLUMNS

    def __call__(self, clip: EncodedClip) -> Extracted:
        """The clip's sound, or that it has none. Damaged packets are silence, which `audio_seconds` does not count.

        Raises:
            MediaError: a limit of time or memory was reached, or the video shows no frame.
        """
        if not clip.has_audio:
            return _ABSENT
        rate = self.config.rate
        heard = self._sound_of(clip.origin).read(*clip_samples(clip, rate))
        if not heard.num_real:
            return _ABSENT
        flac = dump_flac(heard.samples, rate, clip.origin.limits)
        facts = {"audio_samples": len(heard.samples), "audio_rate": rate, "audio_seconds": heard.num_real / rate}
        return Extracted({_FIELD.ext: flac}, facts)

    def _sound_of(self, origin: Origin) -> Sound:
        """The sound of the video under way, or of a new one. One that was opened again is new: its file was closed."""
        if self._sound is not None and self._sound.origin == origin:
            return self._sound
        if self._sound is not None:
            self._sound.close()
        self._sound = Sound(origin, self.config.rate)
        return self._sound


def clip_samples(clip: EncodedClip, rate: int) -> tuple[int, int]:
    """The first sample of a clip and the first one after it, counted from the first frame of clip 0.

    The clip's times are floats; its frames, by which it is counted here, are whole numbers.
    """
    begin = Fraction(clip.origin.video.start_seconds)
    first = round((Fraction(clip.start_seconds) - begin) * clip.fps)
    start, stop = (round((begin + frame / clip.fps) * rate) for frame in (first, first + clip.num_frames))
    zero = round(begin * rate)
    return start - zero, stop - zero
