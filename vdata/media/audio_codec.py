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

__all__ = ["dump_flac", "load_flac"]

Samples = npt.NDArray[np.int16]

LEVEL = 8
"""FLAC's effort. 10 s of speech: 431 kB and 41 ms of CPU, at 5 466 kB and 32 ms; without linear prediction a third more bytes."""
FEWEST = 16
"""Samples of a FLAC block."""
_TOTAL = slice(18, 26)
"""Of the file, in STREAMINFO: rate, channels and depth in 28 bits, then the number of samples in 36."""
_MD5 = slice(26, 42)


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
    if child.status or len(flac) < _MD5.stop:
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
