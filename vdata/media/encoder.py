"""How x264 and the muxer are asked for a clip, and for the P-only encode that tells the motion of a clip with B pictures.

One place for both encodes of a three-layer clip, so that the motion of `--layers 3` is what `--layers 1` would have found.
"""

from __future__ import annotations

import tempfile
from fractions import Fraction

import ffmpeg

from vdata.errors import DecodeError
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.ffmpeg import INPUT, running, tail
from vdata.media.source import SourceFile
from vdata.media.structure import STRUCTURES, Structure

__all__ = ["P_ONLY", "encode_p_only", "output_options"]

P_ONLY = STRUCTURES[1]
"""The structure whose motion vectors are motion from frame to frame."""


def output_options(structure: Structure, config: ClipConfig, fps: Fraction) -> dict[str, str | int]:
    """The options of one output of ffmpeg: H.264 of that structure as fragmented MP4, by one thread, the same on every CPU."""
    x264: dict[str, str | int] = {
        "open-gop": 0,
        "threads": 1,
        "lookahead-threads": 1,
        "cpu-independent": 1,
        "bframes": structure.num_b,
        # What makes a stream High; the preset ultrafast alone would leave it out.
        "8x8dct": 1,
    }
    if structure.num_b:
        # Every B picture stands where the structure says, and none is a reference.
        x264 |= {"b-adapt": 0, "b-pyramid": "none", "weightp": 0}
    tune = {"tune": "fastdecode"} if config.fastdecode else {}
    return {
        "vcodec": "libx264",
        "preset": config.preset,
        **tune,
        "crf": config.crf,
        "pix_fmt": "yuv420p",
        "profile:v": "high",
        "refs": 1,
        "g": config.gop,
        "keyint_min": config.gop,
        "sc_threshold": 0,
        "x264-params": ":".join(f"{key}={value}" for key, value in x264.items()),
        "fps_mode": "passthrough",
        "enc_time_base": f"{fps.denominator}/{fps.numerator}",
        "map_metadata": -1,
        # Chapters would become a text track beside the video.
        "map_chapters": -1,
        "movflags": structure.movflags,
        "fflags": "+bitexact",
        "flags:v": "+bitexact",
        "format": "mp4",
    }


def encode_p_only(mp4: bytes, config: ClipConfig, fps: Fraction, limits: LimitConfig) -> bytes:
    """A P-only encode of one of our own clips: the same frames, GOPs as the config has them.

    For motion of stored clips with B pictures, where the source's frames are no longer at hand.

    Raises:
        DecodeError: the clip does not decode.
        MediaError: a limit of time or memory was reached.
    """
    with tempfile.TemporaryFile() as file:
        file.write(mp4)
        file.flush()
        node = ffmpeg.input(**INPUT, threads=1)["V:0"].output("pipe:", **output_options(P_ONLY, config, fps))
        with running(["-v", "repeat+error", *node.get_args()], limits, SourceFile("clip.mp4", file)) as child:
            stream = child.stdout.read()
    if child.status or child.words.strip():
        raise DecodeError("decoder_error", f"a clip of {len(mp4)} bytes does not decode for its motion", tail(child.words))
    return stream
