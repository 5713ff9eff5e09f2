"""What a source is, found by one pass over its packets in an ffmpeg child; nothing is decoded.

The wheel that carries ffmpeg has no ffprobe, and ffmpeg's own text rounds frame rates to two decimals, on which a long film
gains or loses frames. So the packets' times are listed (`-c copy -f framecrc`) and the average rate is counted from them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import median_low

import ffmpeg

from vdata.errors import OpenError
from vdata.media.config import MAX_FPS, LimitConfig
from vdata.media.ffmpeg import running, source_url, tail

__all__ = ["Source", "average_rate", "probe"]

PROTOCOLS = "file,pipe"
"""What ffmpeg may open: a playlist under a video's name reaches no network."""
_ROUNDING = Fraction(2, 1000)
_NO_PTS = -(2**63)
_HDR_TRANSFERS = ("smpte2084", "arib-std-b67")


@dataclass(frozen=True, slots=True)
class Source:
    """A source video as its container describes it."""

    width: int
    """Rotation applied, pixels."""
    height: int
    aspect: Fraction
    """Display width by display height."""
    fps: Fraction
    """Average over the whole stream."""
    num_packets: int
    duration_seconds: float
    codec: str
    has_audio: bool
    is_hdr: bool


def probe(path: Path, limits: LimitConfig) -> Source:
    """What the first video stream of a file is.

    Raises:
        OpenError: `not_video`, `no_video_stream`, `no_frames`, `too_large` or `too_long`, with ffmpeg's last words.
        MediaError: a limit was reached.
    """
    url = source_url(path)
    node = ffmpeg.input(url, protocol_whitelist=PROTOCOLS)["V:0"]
    arguments = node.output("pipe:", format="framecrc", codec="copy").get_args()
    with running(["-v", "info", *arguments], limits) as child:
        lines = child.stdout.read().decode("ascii", "replace").splitlines()
    words = child.words
    header = dict(re.findall(r"^#(\w+) 0: (.*)$", "\n".join(lines[:16]), re.MULTILINE))
    times = [_packet_time(line) for line in lines if not line.startswith("#")]
    if not times or "dimensions" not in header:
        raise _refusal(path, words)
    source = _source(header, times, words)
    _check_limits(source, limits)
    return source


def average_rate(times: Sequence[Fraction]) -> Fraction:
    """Frames per second from presentation times in seconds, in any order.

    A round rate is taken when it fits the whole stream but for the rounding of the container's times: the milliseconds of
    a Matroska file then still mean 30000/1001. One frame alone has no rate and gets 25.

    Source: our own choice.
    """
    distinct = sorted(set(times))
    if len(distinct) < 2:  # noqa: PLR2004 - two times make a duration
        return Fraction(25)
    span = distinct[-1] - distinct[0]
    average = (len(distinct) - 1) / span
    misfits = {rate: abs(span - (len(distinct) - 1) / rate) for rate in _round_rates(average) if rate > 0}
    rate = min(misfits, key=lambda rate: misfits[rate], default=average)
    if misfits.get(rate, span) <= min(_ROUNDING, 1 / (4 * rate)):
        return rate
    return min(average.limit_denominator(10_000), Fraction(MAX_FPS))


def _round_rates(average: Fraction) -> tuple[Fraction, ...]:
    """The whole rate, the NTSC rate and the half rate nearest to an average."""
    ntsc = Fraction(1000, 1001)
    return Fraction(round(average)), round(average / ntsc) * ntsc, Fraction(round(2 * average), 2)


def _stream_rate(times: Sequence[tuple[int, int]], tick: Fraction) -> Fraction:
    """The average rate of a stream from its packets' (pts, dts), in ticks of so many seconds."""
    if all(pts != _NO_PTS for pts, _ in times):
        return average_rate([pts * tick for pts, _ in times])
    # Old AVI files give most packets no presentation time, and a gap in decode time where B-frames are packed; but their
    # frames are evenly spaced, so the middle step is the rate.
    steps = [later - earlier for (_, earlier), (_, later) in pairwise(times) if later > earlier]
    return min(1 / (median_low(steps) * tick), Fraction(MAX_FPS)) if steps else Fraction(25)


def _packet_time(line: str) -> tuple[int, int]:
    """(pts, dts) of a framecrc line: stream, dts, pts, duration, size, checksum; in ticks."""
    _, dts, pts, *_ = line.split(",")
    return int(pts), int(dts)


def _source(header: dict[str, str], times: Sequence[tuple[int, int]], words: str) -> Source:
    tick = Fraction(header["tb"])
    fps = _stream_rate(times, tick)
    width, height = (int(side) for side in header["dimensions"].split("x"))
    aspect = Fraction(width, height) * _pixel_aspect(header.get("sar", "0/1"))
    if _is_turned(words):
        width, height, aspect = height, width, 1 / aspect
    return Source(
        width=width,
        height=height,
        aspect=aspect,
        fps=fps,
        num_packets=len(times),
        duration_seconds=float(len(times) / fps),
        codec=header.get("codec_id", ""),
        has_audio=bool(re.search(r"Stream #\d+:\d+.*: Audio: ", words)),
        is_hdr=any(name in words for name in _HDR_TRANSFERS),
    )


def _pixel_aspect(text: str) -> Fraction:
    """Width by height of one pixel; "0/1" is ffmpeg's way to say that nothing is known."""
    numerator, denominator = (int(part) for part in text.split("/"))
    return Fraction(numerator, denominator) if numerator > 0 and denominator > 0 else Fraction(1)


def _is_turned(words: str) -> bool:
    """Whether the display matrix turns the picture by a quarter, either way."""
    match = re.search(r"rotation of (-?\d+(?:\.\d+)?) degrees", words)
    return match is not None and round(float(match[1]) / 90) % 2 == 1


def _refusal(path: Path, words: str) -> OpenError:
    name = path.name
    if path.stat().st_size == 0:
        return OpenError("empty", f"'{name}' has no bytes")
    if "matches no streams" in words:
        return OpenError("no_video_stream", f"'{name}' opens, but holds no video stream", tail(words))
    if "moov atom not found" in words:
        # An MP4 name over other bytes, and an MP4 whose end with the index is missing, look alike to the demuxer.
        return OpenError("not_video", f"'{name}' is cut off before its index (moov), or is no MP4 at all", tail(words))
    if "Error opening input" in words:
        return OpenError("not_video", f"'{name}' cannot be opened as a video", tail(words))
    return OpenError("no_frames", f"'{name}' has a video stream without a single packet", tail(words))


def _check_limits(source: Source, limits: LimitConfig) -> None:
    if source.width * source.height > limits.max_pixels:
        size = f"{source.width}x{source.height}"
        raise OpenError("too_large", f"frames of {size} exceed limit.max_pixels ({limits.max_pixels})")
    if source.duration_seconds > limits.max_seconds:
        seconds = f"{source.duration_seconds:.0f} s"
        raise OpenError("too_long", f"a duration of {seconds} exceeds limit.max_seconds ({limits.max_seconds:.0f})")
    if source.is_hdr:
        raise OpenError(
            "hdr", "PQ and HLG pictures are refused, since they would need tone mapping; convert the video to SDR first"
        )
