"""The sound of a source as samples, counted from the first frame that its clips show.

One ffmpeg child a video decodes, mixes and resamples the first audio stream from its beginning, and hands the samples on with
their times (NUT). Here they are put where those times say: a gap is silence and moves nothing behind it.

Nothing is decoded from the middle of a film: what many decoders give there is not what they give when they come from the
start (Opus for ever; the noise of AAC and AC-3). So samples depend on their place alone, whoever asks for them, in
whichever order, at a price of 3 to 4 ms of CPU for a second of film that is passed over.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import IO, NamedTuple

import av
import av.error
import ffmpeg
import numpy as np
import numpy.typing as npt

from vdata.errors import DecodeError, MediaError
from vdata.media.cut import has_exact_times
from vdata.media.ffmpeg import INPUT, running, tail
from vdata.media.origin import Origin
from vdata.media.source import SourceFile

__all__ = ["Heard", "Sound", "placed"]

Samples = npt.NDArray[np.int16]

LEAD_SECONDS = 5
"""What is decoded before a wanted span, so that the decoder has settled: most need 0.1 s. Whole, so that no tick rounds it."""
JITTER_PER_SECOND = 1000
"""Times that are off by less than 1 ms move nothing: containers round to 1 ms, and every move is a click."""
WITNESSES = 8
"""Packets in a row that must all say that the sound has moved. One alone is jitter."""

_TICK = "1/1000000"
_MONO = {"sample_fmts": "s16", "channel_layouts": "mono"}
_SAME_ON_EVERY_CPU = ("-cpuflags", "0")
"""Plain C: with AVX2 or FMA, AAC and the resampler give other samples. 63 s of stereo AAC cost 0.2 s of CPU in place of 0.15."""


class Block(NamedTuple):
    """Samples in a row, the first at `position`."""

    position: int
    samples: Samples


@dataclass(frozen=True, slots=True)
class Heard:
    """A stretch of sound."""

    samples: Samples
    """int16 (N,), mono; silence where the source has nothing."""
    num_real: int
    """How many of them came out of the source's decoder."""


class Sound:
    """The first audio stream of one video, mono, 16 bit, at `rate` samples a second. Sample 0 is at the first frame of clip 0.

    Channels are mixed as libswresample's default matrix says. A stream that does not decode at all is silence, none of it real.
    """

    def __init__(self, origin: Origin, rate: int) -> None:
        """Starts nothing yet."""
        self.origin, self.rate = origin, rate
        self._error: MediaError | None = None
        self._rewind()

    def read(self, start: int, stop: int) -> Heard:
        """Samples start <= n < stop. What lies between this and the last read is decoded and dropped; going back starts anew.

        Raises:
            MediaError: the video shows no frame, or a limit was reached; every later read raises the same.
        """
        if self._error:
            raise self._error
        if start < self._end:
            self.close()
            self._rewind()
        try:
            return self._collect(start, stop)
        except MediaError as error:
            self._error = error
            raise

    def close(self) -> None:
        """Ends the child. So does forgetting the object, as its generator is closed then."""
        self._blocks.close()

    def _rewind(self) -> None:
        self._blocks, self._rest, self._end = _blocks(self.origin, self.rate), Block(0, np.empty(0, np.int16)), 0

    def _collect(self, start: int, stop: int) -> Heard:
        samples, num_real = np.zeros(stop - start, np.int16), 0
        self._end = stop
        for block in chain([self._rest], self._blocks):
            self._rest = block
            if block.position >= stop:
                break
            skipped = max(0, start - block.position)
            part = block.samples[skipped : stop - block.position]
            place = block.position + skipped - start
            samples[place : place + len(part)] = part
            num_real += len(part)
            if block.position + len(block.samples) > stop:
                break
        return Heard(samples, num_real)


def placed(blocks: Iterable[Block], rate: int) -> Iterator[Block]:
    """The samples from 0 on, in ascending blocks that do not overlap, each packet where the one before ends.

    The sound moves against that only where a packet and the 8 behind it all are more than 1 ms late, or all early, and by the
    least that any of them says: a lost packet leaves a gap, a slow clock is put right within 1 ms, jitter passes. Of samples for
    one place the first stay.

    Source: our own choice. One threshold alone either lets the loss of a packet pass, or tears jittery recordings.
    """
    window, end = deque[Block](), 0
    cursor: int | None = None
    for block in chain(blocks, [None] * (WITNESSES + 1)):
        if block is not None:
            window.append(block)
        if not window or (block is not None and len(window) <= WITNESSES):
            continue
        cursor = window[0].position if cursor is None else cursor + _move(cursor, window, rate // JITTER_PER_SECOND)
        samples = window.popleft().samples
        fresh = samples[max(0, end - cursor) :]
        cursor += len(samples)
        if len(fresh):
            yield Block(cursor - len(fresh), fresh)
            end = cursor


def _move(cursor: int, window: deque[Block], jitter: int) -> int:
    """How far the sound moves before the first packet of the window, in samples; negative is earlier."""
    late = list[int]()
    for block in window:
        late.append(block.position - cursor)
        cursor += len(block.samples)
    if min(late) > jitter:
        return min(late)
    return max(late) if max(late) < -jitter else 0


def _blocks(origin: Origin, rate: int) -> Generator[Block]:
    """The sound from the video's first frame on; the child lives as long as the generator."""
    with origin.opened() as file:
        begin = max(0, math.floor(origin.video.start_seconds) - LEAD_SECONDS) if has_exact_times(file) else 0
        shift = round((begin - _first_frame(file, origin)) * rate)
        with running(_arguments(file, begin, rate), origin.limits, file) as child:
            yield from placed(_decoded(child.stdout, shift), rate)


def _decoded(stream: IO[bytes], shift: int) -> Iterator[Block]:
    """Packets of the child; nothing where it has decoded nothing."""
    try:
        with av.open(stream, "r", format="nut") as container:
            for packet in container.demux(audio=0):
                # A child that a limit has killed may leave half a sample: `running` says then what ended it.
                data = bytes(packet)
                if packet.pts is not None:
                    yield Block(packet.pts + shift, np.frombuffer(data[: len(data) & ~1], "<i2"))
    except av.error.FFmpegError:
        return


def _arguments(file: SourceFile, begin: int, rate: int) -> list[str]:
    """Arguments of an ffmpeg that writes the sound from `begin` seconds on; time 0 is there."""
    source = _source({"ss": begin} if begin else {})
    # atrim: a time before 0 would make the muxer move all others.
    node = source["a:0"].filter("aresample", rate).filter("aformat", **_MONO).filter("atrim", start=0)
    node = node.output("pipe:", acodec="pcm_s16le", format="nut", write_index=0, map_metadata=-1, map_chapters=-1)
    node = _on_one_clock(node, source["V:0"], file)
    return ["-v", "error", *_SAME_ON_EVERY_CPU, "-filter_complex_threads", "1", *node.get_args()]


def _first_frame(file: SourceFile, origin: Origin) -> Fraction:
    """The time of the first frame that the cut shows, in seconds, by the clock of `_arguments`; no less than `start_seconds`."""
    wanted = origin.video.start_seconds
    # copyts: else ffmpeg moves all times by the wanted start, rounded to ticks of the stream, which in an AVI are whole frames.
    span = {"ss": wanted, "noaccurate_seek": None} if wanted else {}
    source = _source({"max_pixels": origin.limits.max_pixels, **span})
    node = source["V:0"]
    if wanted:
        node = node.filter("select", f"gt(pts+0.5,{wanted}/TB)")
    node = node.filter("settb", _TICK)
    node = node.output("pipe:", format="framecrc", enc_time_base=_TICK, fps_mode="passthrough", **{"frames:v": 1})
    node = _on_one_clock(node, source["a:0"], file)
    arguments = ["-v", "error", "-copyts", "-start_at_zero", "-filter_complex_threads", "1", *node.get_args()]
    with running(arguments, origin.limits, file) as child:
        lines = child.stdout.read().decode("ascii", "replace").splitlines()
    times = [line.split(",")[2] for line in lines if not line.startswith("#")]
    if not times:
        raise DecodeError("no_frames", "the first frame, from which the sound is counted, does not decode", tail(child.words))
    return int(times[0]) * Fraction(_TICK)


def _source(options: Mapping[str, float | None]) -> ffmpeg.Stream:
    """The input, decoded on one thread."""
    return ffmpeg.input(**INPUT, threads=1, **options)


def _on_one_clock(node: ffmpeg.Stream, other: ffmpeg.Stream, file: SourceFile) -> ffmpeg.Stream:
    """An output, and where it is needed one that takes a packet of the other stream and drops it.

    MPEG-TS, MPEG-PS and Ogg begin for ffmpeg with the first of the streams that it was asked for.
    """
    if has_exact_times(file):
        return node
    kind = other.selector[0].lower()
    return ffmpeg.merge_outputs(node, other.output("pipe:", format="null", codec="copy", **{f"frames:{kind}": 1}))
