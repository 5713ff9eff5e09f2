"""Subtitles from untrusted bytes: SRT and WebVTT files, and the text streams of a container.

A parser of our own, since no library reads both forms as they occur. Tried on 23 files with one trap each: pysubs2 1.8.1 takes
the times within a YouTube line for cues, and comments of WebVTT for text; srt 3.5.3 takes "00:03,000" for three minutes, and
reads no WebVTT; webvtt-py 0.6.0 refuses WebVTT without its first line; ffmpeg 9.0.2 finds no cue in WebVTT with decimal commas,
takes an SRT cue without hours for text, lets one that ends before it starts last 49 days, and costs a child of 20 ms.

Source: WebVTT, W3C Candidate Recommendation 2019; SubRip has no standard, so what is tolerated was found by files.
"""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import ffmpeg

from vdata.errors import MediaError
from vdata.media.config import LimitConfig
from vdata.media.container import holds_no_text
from vdata.media.ffmpeg import INPUT, running, tail
from vdata.media.source import SourceFile
from vdata.media.text_codec import Subtitle

__all__ = ["LARGEST_BYTES", "embedded_subtitles", "parse_subtitles", "plain_text", "read_text", "unicode_of"]

LARGEST_BYTES = 16 * 2**20
"""Of a file or a stream of subtitles: ten hours of YouTube's own, the most verbose, are 5 MB."""
_MOST_CUES = 100_000
"""Of a file: ten hours have 20,000."""

_TIME = r"(-?)(?:([0-9]{1,4}):)?([0-9]{1,2}):([0-9]{1,2})(?:[.,]([0-9]{1,9}))?"
_TIMING = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?![0-9:])")
_INLINE_TIME = re.compile(r"<[0-9]{1,4}:[0-9:.]{1,16}>")
_MARKUP = re.compile(r"</?[A-Za-z][^<>]*>|<[0-9:.]{1,20}>|\{\\[^{}]*\}")
_ENTITY = re.compile(r"&#?[0-9A-Za-z]{1,32};")
_CONTROLS = dict.fromkeys([*range(9), 0x0B, *range(0x0E, 0x20), 0x7F, 0xFEFF])
_LONGEST_CUE = 24 * 3600.0
"""Seconds. ffmpeg writes a length of 2**32 - 1 ms where none is known."""
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")

_TEXT_CODECS = frozenset({"subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text"})
_STREAM = re.compile(r"^  Stream #0:(\d+)(?:\[0x[0-9a-f]+\])?(?:\((\w+)\))?: Subtitle: (\w+)(.*)$", re.MULTILINE)
_HOUR = 3600
"""Seconds added to the times that ffmpeg prints: it would move all cues if one began before the container's start."""


def read_text(data: bytes, encoding: str) -> str:
    """Text of bytes in an unknown encoding: UTF-8, UTF-16 by its mark or its zeros, or else `encoding`.

    Without control characters but tabs and line feeds, which end every line.
    """
    text = data.decode(unicode_of(data) or encoding, "replace").replace("\r\n", "\n").replace("\r", "\n")
    return text.translate(_CONTROLS)


def unicode_of(data: bytes) -> str:
    """The encoding of bytes of text as read_text finds it, "utf-8" or one of UTF-16; empty of what is neither."""
    if data[:2] in _UTF16_MARKS:
        return "utf-16"
    zeros = data[:4096].count(0)
    if zeros > len(data[:4096]) // 4:
        return "utf-16-le" if data[1:4096:2].count(0) * 2 > zeros else "utf-16-be"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    return "utf-8"


def parse_subtitles(data: bytes, encoding: str) -> tuple[Subtitle, ...]:
    """The cues of an SRT or WebVTT file, told apart by its first line, in the order of their starts; times in seconds.

    Tags, ASS overrides and entities become plain text; cues without text are left out. A cue that ends before it starts, or a
    day after, has no known end: `end` is its start. A block whose times cannot be read is left out. Where the lines have times
    of their own, as in YouTube's own captions, each cue repeats the lines before it: a line is kept where it first stands.

    Raises:
        MediaError: `bad_subtitles`: there is text, but no cue. `too_large`: more than 100,000 cues.
    """
    text = read_text(data, encoding)
    found = _blocks(text.split("\n"), is_vtt=text.lstrip().startswith("WEBVTT"))
    blocks = list(itertools.islice(found, _MOST_CUES + 1))
    if len(blocks) > _MOST_CUES:
        raise MediaError("too_large", f"more than {_MOST_CUES} cues, which no film has")
    if not blocks and text.strip():
        raise MediaError("bad_subtitles", f"{len(data)} bytes without one line of times, as 00:00:01,000 --> 00:00:02,000")
    if _INLINE_TIME.search(text):
        blocks = list(_unrolled(blocks))
    cues = [cue for block in blocks if (cue := block.cue()).text]
    return tuple(sorted(cues, key=lambda cue: cue.start))


@dataclass(slots=True)
class _Block:
    """A line of times and what stands below it."""

    start: float
    end: float
    lines: list[str] = field(default_factory=list)

    def cue(self) -> Subtitle:
        known = 0 <= self.end - self.start <= _LONGEST_CUE
        return Subtitle(self.start, self.end if known else self.start, plain_text("\n".join(self.lines)))


def _blocks(lines: Sequence[str], *, is_vtt: bool) -> Iterator[_Block]:
    """The cues, their text as it is written. An empty line ends a cue of WebVTT; of SRT, only the next line of times."""
    block: _Block | None = None
    for number, line in enumerate(lines):
        timing = _TIMING.match(line)
        if timing or _ends_block(lines, number, is_vtt=is_vtt):
            if block:
                yield _without_counter(block, follows="-->" in line)
            block = _Block(_seconds(timing.groups()[:5]), _seconds(timing.groups()[5:])) if timing else None
        elif block:
            block.lines.append(line)
    if block:
        yield block


def _ends_block(lines: Sequence[str], number: int, *, is_vtt: bool) -> bool:
    """Whether a line without times ends the cue before it: an empty one in WebVTT, and times that cannot be read."""
    line = lines[number]
    if is_vtt and not line:  # a line of one blank is YouTube's way to keep a row free
        return True
    before = lines[number - 1].strip() if number else ""
    return "-->" in line and (not before or before.isdigit())


def _without_counter(block: _Block, *, follows: bool) -> _Block:
    """The block without the last line, if that is the number of the cue which follows."""
    if follows and block.lines and block.lines[-1].strip().isdigit():
        block.lines.pop()
    return block


def _seconds(parts: Sequence[str | None]) -> float:
    """Seconds of sign, hours, minutes, seconds and their decimals, to a thousandth."""
    sign, hours, minutes, seconds, decimals = parts
    thousandths = int(((decimals or "") + "000")[:3])
    total = (int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)) * 1000 + thousandths
    return (-total if sign else total) / 1000


def _unrolled(blocks: Sequence[_Block]) -> Iterator[_Block]:
    """The cues without the lines that the cue before has shown already."""
    shown: set[str] = set()
    for block in blocks:
        plain = [plain_text(line) for line in block.lines]
        yield _Block(block.start, block.end, [line for line, text in zip(block.lines, plain, strict=True) if text not in shown])
        shown = {text for text in plain if text}


def plain_text(text: str) -> str:
    """Text without tags, overrides and entities, its lines without blanks around them, blank lines left out."""
    bare = _MARKUP.sub("", text).replace("\\h", " ")
    bare = _ENTITY.sub(lambda match: html.unescape(match[0]), bare)
    return "\n".join(line for line in (" ".join(part.split()) for part in bare.split("\n")) if line)


def embedded_subtitles(file: SourceFile, limits: LimitConfig, languages: Sequence[str]) -> tuple[Subtitle, ...]:
    """The cues of one text stream of a container, as parse_subtitles; none where it has no such stream.

    Times are counted from the container's start, as those of its video are. Of several streams it is the first in the first of
    `languages` that is there, else the first without a language; without `languages`, the first. Streams marked as forced, which
    translate only what is foreign, come last. Streams of pictures (DVD, Blu-ray) and captions within the video hold no text.

    Raises:
        MediaError: `bad_subtitles`: ffmpeg cannot read the stream; `too_large`; or a limit was reached.
    """
    # A child costs 20 ms, the tables of a plain MP4 0.2, of an AVI 1.0.
    number = None if holds_no_text(file) else _chosen_stream(_described(file, limits), languages)
    if number is None:
        return ()
    node = ffmpeg.input(**INPUT, itsoffset=_HOUR)[str(number)].output("pipe:", format="srt", scodec="text")
    with running(["-v", "error", *node.get_args()], limits, file) as child:
        data = child.stdout.read(LARGEST_BYTES + 1)
        if len(data) > LARGEST_BYTES:
            raise MediaError("too_large", f"stream {number} has more than {LARGEST_BYTES} bytes of subtitles")
    if child.status:
        raise MediaError("bad_subtitles", f"ffmpeg cannot read stream {number} (status {child.status})", tail(child.words))
    return tuple(_moved(cue, -_HOUR) for cue in parse_subtitles(data, "utf-8"))


def _described(file: SourceFile, limits: LimitConfig) -> str:
    """What ffmpeg says of a file."""
    *only_input, _ = ffmpeg.input(**INPUT).output("").get_args()  # without an output it ends after its description
    with running(["-v", "info", *only_input], limits, file) as child:
        child.stdout.read()
    return child.words


def _chosen_stream(words: str, languages: Sequence[str]) -> int | None:
    streams = [match.groups() for match in _STREAM.finditer(words) if match[3] in _TEXT_CODECS]
    order = {language: rank for rank, language in enumerate((*languages, "und"))} if languages else {}
    ranked = [
        ("(forced)" in flags, order.get(language or "und", 0), int(number))
        for number, language, _, flags in streams
        if not languages or (language or "und") in order
    ]
    return min(ranked)[2] if ranked else None


def _moved(cue: Subtitle, seconds: float) -> Subtitle:
    return Subtitle(round(cue.start + seconds, 3), round(cue.end + seconds, 3), cue.text)
