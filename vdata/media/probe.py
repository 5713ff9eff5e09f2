"""What a source is, found by one pass over its packets in an ffmpeg child; nothing is decoded.

The wheel that carries ffmpeg has no ffprobe, and ffmpeg's own text rounds frame rates to two decimals, on which a long film
gains or loses frames. So the packets' times are listed (`-c copy -f framecrc`) and the average rate is counted from them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from statistics import median_low

import ffmpeg

from vdata.errors import OpenError
from vdata.media.config import MAX_FPS, LimitConfig
from vdata.media.ffmpeg import INPUT, running, tail
from vdata.media.source import SourceFile

__all__ = ["Source", "average_rate", "probe"]

MIN_FPS = Fraction(1, 1000)
"""The lowest frame rate: times that are farther apart come from damage."""
_ROUNDING = Fraction(2, 1000)
_EVEN_SHARE = 0.9
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
    audio_codecs: frozenset[str]
    """Names that ffmpeg gives to the audio streams' codecs and decoders; empty without audio."""
    is_hdr: bool


def probe(file: SourceFile, limits: LimitConfig) -> Source:
    """What the first video stream of a file is.

    Raises:
        OpenError: `not_video`, `no_video_stream`, `no_frames`, `too_large` or `too_long`, with ffmpeg's last words.
        MediaError: a limit was reached.
    """
    arguments = ffmpeg.input(**INPUT)["V:0"].output("pipe:", format="framecrc", codec="copy").get_args()
    with running(["-v", "info", *arguments], limits, file) as child:
        lines = child.stdout.read().decode("ascii", "replace").splitlines()
    words = child.words
    header = dict(re.findall(r"^#(\w+) 0: (.*)$", "\n".join(lines[:16]), re.MULTILINE))
    times = [_packet_time(line) for line in lines if not line.startswith("#")]
    if not times or "dimensions" not in header:
        raise _refusal(file, words)
    source = _source(header, times, words)
    _check_limits(source, limits)
    return source


def average_rate(times: Sequence[int], tick: Fraction) -> Fraction:
    """Frames per second from presentation times in any order, in ticks of so many seconds.

    A stream of even steps but for a few gaps has the rate of its steps: a frame that is missing shortens no film. Any
    other has its average. A round rate is taken when it fits but for the rounding of the container's times: the milliseconds
    of a Matroska file then still mean 30000/1001. One frame alone has no rate and gets 25.

    Source: our own choice.
    """
    distinct = sorted(set(times))
    steps = [later - earlier for earlier, later in pairwise(distinct)]
    if not steps:
        return Fraction(25)
    slack = _ROUNDING / tick
    middle = median_low(steps)
    even = [step for step in steps if abs(step - middle) <= slack]
    kept = even if len(even) >= _EVEN_SHARE * len(steps) else steps
    return _rounded(len(kept), sum(kept) * tick)


def _rounded(num_steps: int, span: Fraction) -> Fraction:
    """The rate of so many steps in so many seconds, or the round one beside it, within what a clip may have."""
    average = num_steps / span
    misfits = {rate: abs(span - num_steps / rate) for rate in _round_rates(average) if rate > 0}
    nearest = min(misfits, key=lambda rate: misfits[rate], default=average)
    fits = misfits.get(nearest, span) <= min(_ROUNDING, 1 / (4 * nearest))
    rate = nearest if fits else average.limit_denominator(10_000)
    return min(max(rate, MIN_FPS), Fraction(MAX_FPS))


def _round_rates(average: Fraction) -> tuple[Fraction, ...]:
    """The whole rate, the NTSC rate and the half rate nearest to an average."""
    ntsc = Fraction(1000, 1001)
    return Fraction(round(average)), round(average / ntsc) * ntsc, Fraction(round(2 * average), 2)


def _presentation_times(times: Sequence[tuple[int, int]]) -> list[int]:
    """The presentation times, or what stands for them, of packets' (pts, dts)."""
    if all(pts != _NO_PTS for pts, _ in times):
        return [pts for pts, _ in times]
    # Old AVI files give most packets no presentation time; their frames are evenly spaced by decode time.
    return [dts for _, dts in times]


def _packet_time(line: str) -> tuple[int, int]:
    """(pts, dts) of a framecrc line: stream, dts, pts, duration, size, checksum; in ticks."""
    _, dts, pts, *_ = line.split(",")
    return int(pts), int(dts)


def _source(header: dict[str, str], packet_times: Sequence[tuple[int, int]], words: str) -> Source:
    tick, times, described = Fraction(header["tb"]), _presentation_times(packet_times), _described_stream(words)
    fps = average_rate(times, tick)
    width, height = (int(side) for side in header["dimensions"].split("x"))
    aspect = Fraction(width, height) * _pixel_aspect(header.get("sar", "0/1"))
    if _is_turned(described):
        width, height, aspect = height, width, 1 / aspect
    return Source(
        width=width,
        height=height,
        aspect=aspect,
        fps=fps,
        num_packets=len(times),
        duration_seconds=float((max(times) - min(times)) * tick + 1 / fps),
        codec=header.get("codec_id", ""),
        audio_codecs=frozenset(re.findall(r"\w+", " ".join(re.findall(r": Audio: (\w+(?: \(\w+\))*)", words)))),
        is_hdr=any(name in described[0] for name in _HDR_TRANSFERS),
    )


def _described_stream(words: str) -> list[str]:
    """The lines of ffmpeg about the stream that was read: its own, then its side data and metadata.

    Nothing else is searched: a file's metadata may say anything.
    """
    lines = words.splitlines()
    number = next((match[1] for line in lines if (match := re.match(r"  Stream #0:(\d+) -> #0:0 ", line))), "0")
    own = re.compile(rf"  Stream #0:{number}\b.*?: Video: ")
    first = next((place for place, line in enumerate(lines) if own.match(line)), len(lines))
    after = itertools.takewhile(lambda line: line.startswith("    "), lines[first + 1 :])
    return [*(lines[first : first + 1] or [""]), *after]


def _pixel_aspect(text: str) -> Fraction:
    """Width by height of one pixel; "0/1" is ffmpeg's way to say that nothing is known."""
    numerator, denominator = (int(part) for part in text.split("/"))
    return Fraction(numerator, denominator) if numerator > 0 and denominator > 0 else Fraction(1)


def _is_turned(described: Sequence[str]) -> bool:
    """Whether the display matrix turns the picture by a quarter, either way."""
    # A metadata line of that name has blanks before its colon.
    turns = [match[1] for line in described if (match := re.match(r" +Display ?Matrix: rotation of (-?\d+(?:\.\d+)?) ", line))]
    return bool(turns) and round(float(turns[0]) / 90) % 2 == 1


def _refusal(file: SourceFile, words: str) -> OpenError:
    name = file.name
    if file.num_bytes == 0:
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
