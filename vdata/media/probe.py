"""What a source is: sizes, rate and length by its packets' times; nothing is decoded.

The tables of plain MP4, MOV and AVI files are read here (vdata/media/container). All else is asked of an ffmpeg child.

The wheel that carries ffmpeg has no ffprobe, and ffmpeg's own text rounds frame rates to two decimals, on which a long film
gains or loses frames. So the packets' times are listed (`-c copy -f framecrc`) and the average rate is counted from them.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import ffmpeg
import numpy as np
import numpy.typing as npt

from vdata.errors import OpenError
from vdata.media.config import MAX_FPS, LimitConfig
from vdata.media.container import CodedPicture, Described, read_container
from vdata.media.ffmpeg import INPUT, running, tail
from vdata.media.images import Images
from vdata.media.source import SourceFile

__all__ = ["Source", "average_rate", "describe", "probe"]

MIN_FPS = Fraction(1, 1000)
"""The lowest frame rate: times that are farther apart come from damage."""
_ROUNDING = Fraction(2, 1000)
_EVEN_SHARE = 0.9
_NO_PTS = -(2**63)
_FARTHEST = 2**62  # ticks; a difference of hostile times may be more than 64 bits hold
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
    first_seconds: float
    """Time of the first frame, counted from the start of the container, whose audio may begin before."""
    duration_seconds: float
    codec: str
    audio_codecs: frozenset[str]
    """Names that ffmpeg gives to the audio streams' codecs and decoders, as its log lines begin; empty without audio."""
    is_hdr: bool


def probe(file: SourceFile, limits: LimitConfig) -> Source:
    """What the first video stream of a file is: by its container's tables where they are plain, else by ffmpeg.

    Raises:
        OpenError: `not_video`, `truncated`, `no_video_stream`, `no_frames`, `too_large`, `too_long` or `hdr`, with ffmpeg's
            last words.
        MediaError: a limit was reached.
    """
    # A child costs 28 ms of CPU, the tables 0.7 ms: for 7 seconds of 320x240, a tenth of the encode.
    source = _of_images(file.images) if file.images else _source(read_container(file) or describe(file, limits))
    _check_limits(source, limits)
    return source


def describe(file: SourceFile, limits: LimitConfig) -> Described:
    """What ffmpeg says of the first video stream of any file.

    Raises:
        OpenError: it is no usable video.
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
    described = _described_stream(words)
    width, height = (int(side) for side in header["dimensions"].split("x"))
    if not width or not height:
        raise _unsized(file, words)
    is_hdr = any(name in described[0] for name in _HDR_TRANSFERS)
    return Described(
        codec=header.get("codec_id", ""),
        picture=CodedPicture(width, height, _pixel_aspect(header.get("sar", "0/1")), is_hdr),
        is_turned=_is_turned(described),
        tick=Fraction(header["tb"]),
        times=np.array(_presentation_times(times), np.int64),
        audio_codecs=_audio_names(words),
    )


def average_rate(times: npt.ArrayLike, tick: Fraction) -> Fraction:
    """Frames per second from presentation times in any order, in ticks of so many seconds.

    A stream of even steps but for a few gaps has the rate of its steps: a frame that is missing shortens no film. Any
    other has its average. A round rate is taken when it fits but for the rounding of the container's times: the milliseconds
    of a Matroska file then still mean 30000/1001. One frame alone has no rate and gets 25.

    Source: our own choice.
    """
    distinct = np.unique(np.asarray(times, np.int64))
    if len(distinct) == 1:
        return Fraction(25)
    if int(distinct[-1]) - int(distinct[0]) > _FARTHEST:
        return MIN_FPS
    steps = np.diff(distinct)
    slack = _ROUNDING // tick
    middle = np.sort(steps)[(len(steps) - 1) // 2]
    even = steps[np.abs(steps - middle) <= slack]
    kept = even if len(even) >= _EVEN_SHARE * len(steps) else steps
    return _rounded(len(kept), int(kept.sum()) * tick)


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


def _of_images(images: Images) -> Source:
    """What is known of a sequence of images. Their rate is given, also that of one alone."""
    width, height = (images.height, images.width) if images.is_turned else (images.width, images.height)
    return Source(
        width=width,
        height=height,
        # Pixels are square: what JFIF says of density is about paper.
        aspect=Fraction(width, height),
        fps=images.rate,
        num_packets=images.count,
        first_seconds=0.0,
        duration_seconds=float(images.count / images.rate),
        codec=images.codec,
        audio_codecs=frozenset(),
        is_hdr=False,
    )


def _source(found: Described) -> Source:
    width, height = found.picture.width, found.picture.height
    aspect = Fraction(width, height) * found.picture.pixel_aspect
    if found.is_turned:
        width, height, aspect = height, width, 1 / aspect
    fps = average_rate(found.times, found.tick)
    return Source(
        width=width,
        height=height,
        aspect=aspect,
        fps=fps,
        num_packets=len(found.times),
        first_seconds=float(int(found.times.min()) * found.tick),
        # Not np.ptp: hostile times are so far apart that their difference is beyond 64 bits.
        duration_seconds=float((int(found.times.max()) - int(found.times.min())) * found.tick + 1 / fps),
        codec=found.codec,
        audio_codecs=found.audio_codecs,
        is_hdr=found.picture.is_hdr,
    )


def _audio_names(words: str) -> frozenset[str]:
    """Codecs and decoders of the audio streams; a profile beside them has capital letters."""
    described = re.findall(r": Audio: (\w+(?: \(\w+\))*)", words)
    return frozenset(re.findall(r"\b[a-z][a-z0-9_]*\b", " ".join(described)))


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
    if "moov atom not found" in words and os.pread(file.file.fileno(), 8, 0)[4:] == b"ftyp":
        return OpenError("truncated", f"'{name}' begins as an MP4, but is cut off before its index (moov)", tail(words))
    if "Error opening input" in words:
        return OpenError("not_video", f"'{name}' cannot be opened as a video", tail(words))
    return OpenError("no_frames", f"'{name}' has a video stream without a single packet", tail(words))


def _unsized(file: SourceFile, words: str) -> OpenError:
    """The refusal of a stream whose size ffmpeg does not tell, mostly since it is too large for any decoder."""
    refused = re.search(r"Picture size (\d+x\d+) is invalid", words)
    if refused:
        return OpenError("too_large", f"frames of {refused[1]}, as '{file.name}' says, exceed what ffmpeg decodes", tail(words))
    return OpenError("no_frames", f"'{file.name}' does not tell the size of its frames, and none can be decoded", tail(words))


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
