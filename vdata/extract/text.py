"""What is said of a clip: its class, caption and tags, the subtitles of its seconds, questions with their answers."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vdata.config import check
from vdata.errors import ConfigError
from vdata.extract import EXTRACTORS, Extracted
from vdata.extract._questions import load_questions
from vdata.extract._video_text import TextSources, VideoText, video_text
from vdata.media.clip import EncodedClip
from vdata.media.document import LARGEST_DOCUMENT
from vdata.media.text_codec import Question, Subtitle, Text, dump_text
from vdata.records import Column, Field, Video, printable

__all__ = ["TextConfig", "TextExtractor"]

T = TypeVar("T", Subtitle, Question)

_LARGEST_MEMBER = LARGEST_DOCUMENT
"""Bytes of JSON of one clip: a cue that lasts for a whole film would be written into every clip of it."""
_LONGEST_PROBLEM = 300
_FIELD = Field(
    "text",
    "text.json",
    "UTF-8 JSON",
    "",
    "seconds from the clip's first frame",
    "`label`, `caption`, `tags`; `subtitles`: start, end, text, whole; `questions`: id, question, answers, answer (index or "
    "null), start, end, whole. What overlaps the clip is here with its own times, negative or beyond the clip's end where it is "
    "not `whole`; `document`: the text that a row without a video is, no key elsewhere; `other`: what else its table says, by "
    "column, no key where that is nothing. Absent where a clip has no text at all.",
)
_COLUMNS = (
    Column("num_subtitles", pa.int32(), "Subtitles that overlap the clip."),
    Column("num_questions", pa.int32(), "Questions about the clip's seconds, or about the whole video."),
    Column("num_words", pa.int32(), "Words, between blanks, of the caption, the document and the clip's subtitles."),
    Column("text_problem", pa.string(), "What text of the video could not be read, and why; empty when all was well."),
)


@dataclass(frozen=True)
class TextConfig:
    """Where text is looked for, beside what the dataset says."""

    beside: bool = True
    """Whether files beside the video are read: NAME.srt, NAME.vtt, NAME.txt (a caption), NAME.json, NAME.info.json."""
    embedded: bool = True
    """Whether a stream of subtitles within the video is read, if it is text; costs a pass over the file where there is one."""
    language: tuple[str, ...] = ()
    """The wanted language as files and containers spell it, the best first, as `en,eng`: NAME.en.srt is read before NAME.srt, and
    a stream of another language is none. Empty: NAME.srt, and the first stream."""
    encoding: str = "cp1252"
    """The encoding of files that are neither UTF-8 nor UTF-16, as TVQA's subtitles."""
    subtitles: str = ""
    """A folder of subtitle files named after the videos, as TVQA's tvqa_subtitles; before all other subtitles."""
    questions: tuple[str, ...] = ()
    """Files of questions as TVQA and TVQA+ publish them, by the videos' ids or file names."""

    def __post_init__(self) -> None:
        """Checks the encoding, and makes paths absolute: another process may work in another folder."""
        try:
            codecs.lookup(self.encoding)
        except (LookupError, ValueError):
            check(ok=False, key="text.encoding", value=self.encoding, rule="must be an encoding that Python knows")
        for language in self.language:
            plain = bool(language) and all(char.isalnum() or char in "-_" for char in language)
            check(plain, "text.language", language, "must be letters, digits, - and _, as `en,eng`")
        object.__setattr__(self, "subtitles", _absolute(self.subtitles) if self.subtitles else "")
        object.__setattr__(self, "questions", tuple(_absolute(path) for path in self.questions))


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())


@EXTRACTORS.add("text")
class TextExtractor:
    """The part of its video's text that falls to a clip; see video_text for where that comes from.

    What is unreadable costs no clip: it is told in the column `text_problem`.
    """

    Config: ClassVar[type] = TextConfig
    packages: ClassVar[tuple[str, ...]] = ()
    reads_source: ClassVar[bool] = True
    reads_motion: ClassVar[bool] = False
    needs_pictures: ClassVar[bool] = False

    def __init__(self, config: TextConfig) -> None:
        """Reads the files of questions.

        Raises:
            ConfigError: a named file or folder cannot be read.
        """
        self.config = config
        if config.subtitles and not Path(config.subtitles).is_dir():
            raise ConfigError(
                f"text.subtitles: '{config.subtitles}' is no folder; name one that holds VIDEO.srt, or leave it empty"
            )
        self._sources = TextSources(
            beside=config.beside,
            embedded=config.embedded,
            language=config.language,
            encoding=config.encoding,
            subtitles=config.subtitles,
            questions=[load_questions(path) for path in config.questions],
        )
        self._video: Video | None = None
        self._timeline = _Timeline(VideoText(Text(), 0.0, ()))

    @property
    def fields(self) -> tuple[Field, ...]:
        """The one member."""
        return (_FIELD,)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Three counts and the problem."""
        return _COLUMNS

    def __call__(self, clip: EncodedClip) -> Extracted:
        """The member, unless there is no text, and the columns.

        Raises:
            MediaError: a limit of time or memory was reached while the video's subtitles were read.
        """
        if self._video != clip.origin.video:
            self._timeline = _Timeline(video_text(clip.origin, self._sources))
            self._video = clip.origin.video
        text, problems = self._timeline.of(clip), list(self._timeline.problems)
        member = dump_text(text)
        if len(member) > _LARGEST_MEMBER:
            problems.append(f"too_large: the clip's text has {len(member)} bytes, at most {_LARGEST_MEMBER} are stored")
            text = Text(label=text.label)
            member = dump_text(text)
        counts = (len(text.subtitles), len(text.questions), text.num_words, _told(problems))
        columns = {column.name: value for column, value in zip(_COLUMNS, counts, strict=True)}
        return Extracted({} if text == Text() else {_FIELD.ext: member}, columns)


def _told(problems: Sequence[str]) -> str:
    """One printable line, of each problem no more than a person reads."""
    return printable("; ".join(problem[:_LONGEST_PROBLEM].encode("utf-8", "replace").decode() for problem in problems))


class _Timeline:
    """A video's text by time. Times are whole microseconds, so that the end of a clip is exactly the start of the next."""

    def __init__(self, found: VideoText) -> None:
        self._text, self._first_seconds, self.problems = found.text, found.first_seconds, found.problems
        self._subtitle_spans, self._question_spans = _spans(found.text.subtitles), _spans(found.text.questions)

    def of(self, clip: EncodedClip) -> Text:
        """The text of a clip's seconds: what overlaps [start, end), a moment where it lies in it, and what has no times.

        A row without pictures has no seconds, and so all of the text, with the times that the dataset gives.
        """
        if not clip.has_pictures:
            return self._text
        shift = self._first_seconds - clip.origin.video.start_seconds
        edges = _microseconds(clip.start_seconds + shift), _microseconds(clip.end_seconds + shift)
        subtitles = _within(self._text.subtitles, self._subtitle_spans, edges)
        return replace(self._text, subtitles=subtitles, questions=_within(self._text.questions, self._question_spans, edges))


_EVER = 2**62


def _spans(items: Sequence[Subtitle] | Sequence[Question]) -> npt.NDArray[np.int64]:
    """Start and end of each, microseconds, int64 (N, 2)."""
    times = [
        (-_EVER, _EVER) if item.start is None or item.end is None else (_microseconds(item.start), _microseconds(item.end))
        for item in items
    ]
    return np.array(times, np.int64).reshape(-1, 2)


def _within(items: tuple[T, ...], spans: npt.NDArray[np.int64], edges: tuple[int, int]) -> tuple[T, ...]:
    """The items whose spans overlap the clip, their times counted from its start."""
    first, last = edges
    starts, ends = spans.T
    overlap = (starts < last) & ((ends > first) | ((starts == ends) & (starts == first)))
    return tuple(_relative(items[place], spans[place].tolist(), edges) for place in np.flatnonzero(overlap).tolist())


def _relative(item: T, span: tuple[int, int], edges: tuple[int, int]) -> T:
    if item.start is None:
        return item
    start, end = ((place - edges[0]) / 1e6 for place in span)
    return replace(item, start=start, end=end, whole=edges[0] <= span[0] and span[1] <= edges[1])


def _microseconds(seconds: float) -> int:
    return round(seconds * 1e6)
