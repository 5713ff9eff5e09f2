"""The bytes of a `.flac` member, and back.

Apart from the extractor that fills it because readers of shards need the way back and import no extractor.
"""

from __future__ import annotations

import hashlib
import io
import tempfile

import av
import av.error
import ffmpeg
import numpy as np
import numpy.typing as npt

from vdata.config import check
from vdata.errors import CorruptShardError, MediaError
from vdata.media.config import LimitConfig
from vdata.media.ffmpeg import INPUT, running, tail
from vdata.media.source import SourceFile

__all__ = ["dump_flac", "flac_form", "load_flac", "load_flac_part"]

Samples = npt.NDArray[np.int16]

LEVEL = 8
"""FLAC's effort. 10 s of speech: 431 kB and 41 ms of CPU, at 5 466 kB and 32 ms; without linear prediction a third more bytes."""
FEWEST = 16
"""Samples of a FLAC block."""
_TOTAL = slice(18, 26)
"""Of the file, in STREAMINFO: rate, channels and depth in 28 bits, then the number of samples in 36."""
_MD5 = slice(26, 42)
_HEAD = 42
"""Bytes before the first block, at the least."""


def dump_flac(samples: Samples, rate: int, limits: LimitConfig | None = None) -> bytes:
    """A FLAC file of int16 (N,) mono samples at `rate` a second. Equal samples give equal bytes, on every CPU.

    Raises:
        MediaError: a limit of time or memory was reached.
    """
    fits = samples.dtype == np.int16 and samples.ndim == 1 and len(samples) >= FEWEST
    check(fits, "samples", f"{samples.dtype} {samples.shape}", f"must be int16 (N,) with N of {FEWEST} or more")
    pcm = samples.astype("<i2", copy=False).tobytes()
    node = ffmpeg.input(**INPUT, format="s16le", ar=rate, ac=1)
    node = node.output("pipe:", format="flac", compression_level=LEVEL, metadata_header_padding=0, fflags="+bitexact")
    # A child, since an encoder in this process chooses its predictors by AVX2 or FMA where the CPU has them; it costs 15 ms.
    arguments = ["-v", "error", "-cpuflags", "0", *node.get_args()]
    with tempfile.TemporaryFile() as file:
        file.write(pcm)
        with running(arguments, limits or LimitConfig(), SourceFile("pcm", file)) as child:
            flac = bytearray(child.stdout.read())
    if child.status or len(flac) < _HEAD:
        raise MediaError("flac", f"ffmpeg did not encode {len(samples)} samples (status {child.status})", tail(child.words))
    # A pipe cannot be rewound, so the encoder has left open what it knows at the end. DALI does not read a file without a length.
    form = int.from_bytes(flac[_TOTAL], "big")
    flac[_TOTAL] = (form | len(samples)).to_bytes(8, "big")
    flac[_MD5] = hashlib.md5(pcm, usedforsecurity=False).digest()
    return bytes(flac)


def load_flac(member: bytes) -> tuple[Samples, int]:
    """The samples, int16 (N,), and their rate.

    Raises:
        CorruptShardError: the bytes are no mono FLAC of 16 bits, or not all that it says.
    """
    try:
        with av.open(io.BytesIO(member), "r", format="flac") as container:
            frames = list(container.decode(audio=0))
    except (av.error.FFmpegError, IndexError) as error:
        raise CorruptShardError(f"a member of {len(member)} bytes is no FLAC: {error}") from error
    forms = sorted({(frame.format.name, frame.layout.name, frame.sample_rate) for frame in frames})
    if [form[:2] for form in forms] != [("s16", "mono")]:
        raise CorruptShardError(f"a FLAC of {len(frames)} frames in the forms {forms}, where mono of 16 bits is stored")
    samples: Samples = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    if hashlib.md5(samples.astype("<i2").tobytes(), usedforsecurity=False).digest() != member[_MD5]:
        raise CorruptShardError(f"the {len(samples)} samples of a FLAC are not those that were stored")
    return samples, forms[0][2]


def flac_form(member: bytes) -> tuple[int, int]:
    """Samples a second and the number of samples, from the head alone.

    Raises:
        CorruptShardError: the bytes do not begin as a mono FLAC of 16 bits.
    """
    form = int.from_bytes(member[_TOTAL], "big")
    if member[:4] != b"fLaC" or len(member) < _HEAD or (form >> 41 & 7, form >> 36 & 31) != (0, 15):
        raise CorruptShardError(f"a member of {len(member)} bytes does not begin as a mono FLAC of 16 bits")
    return form >> 44, form & (1 << 36) - 1


def load_flac_part(member: bytes, start: int, stop: int) -> Samples:
    """Samples start .. stop - 1 of a file, int16; only the blocks that hold them are decoded.

    2 s from the middle of 10 s take 1.5 ms of CPU where all take 8, and 2.1 where all of two minutes take 102. Each block has a
    checksum of its own; the whole file's is not compared.

    Raises:
        CorruptShardError: the bytes are no such FLAC, or it has not all these samples.
    """
    flac_form(member)
    try:
        try:
            first, samples = _blocks(member, start, stop, seek=True)
        except av.error.PermissionError:
            # What ffmpeg says of a place that it does not find, as in files of a few blocks; they are read from their beginning.
            first, samples = _blocks(member, start, stop, seek=False)
    except av.error.FFmpegError as error:
        raise CorruptShardError(f"a member of {len(member)} bytes is no FLAC: {error}") from error
    part = samples[start - first : stop - first]
    if first > start or len(part) != stop - start:
        found = f"{first} to {first + len(samples)}"
        raise CorruptShardError(f"a FLAC of {len(member)} bytes has samples {found}, not all of {start} to {stop}")
    return part


def _blocks(member: bytes, start: int, stop: int, *, seek: bool) -> tuple[int, Samples]:
    """Where the decoded blocks begin, and their samples; those behind a damaged block are left out."""
    first, parts = 0, list[Samples]()
    with av.open(io.BytesIO(member), "r", format="flac") as container:
        stream = container.streams.audio[0]
        if seek:
            container.seek(start, stream=stream)
        end = None
        for frame in container.decode(stream):
            if frame.pts is None or end not in (None, frame.pts):
                break
            first = frame.pts if end is None else first
            parts.append(frame.to_ndarray()[0])
            end = frame.pts + frame.samples
            if end >= stop:
                break
    return first, np.concatenate(parts) if parts else np.empty(0, np.int16)
