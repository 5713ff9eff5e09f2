"""The bytes of a `text.json` member, and back.

Apart from the extractor that fills them because readers of shards need the way back and import no extractor.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from vdata.config import check, from_mapping
from vdata.errors import ConfigError, CorruptShardError

__all__ = ["Question", "Subtitle", "Text", "dump_text", "load_text", "text_of"]

_FARTHEST_SECONDS = 1e9


@dataclass(frozen=True, slots=True)
class Subtitle:
    """What is said or shown from `start` to `end`."""

    start: float
    """Seconds from the clip's first frame; negative where it began before the clip."""
    end: float
    """Seconds; more than the clip's length where it goes on after the clip. Equal to `start` where no end is known."""
    text: str
    """Plain text without markup; lines end with a line feed."""
    whole: bool = True
    """Whether it begins and ends within the clip."""

    def __post_init__(self) -> None:
        """Checks the times."""
        _check_times(self.start, self.end, "subtitle")


@dataclass(frozen=True, slots=True)
class Question:
    """A question about the video, with the answers to choose from."""

    id: str
    question: str
    answers: tuple[str, ...] = ()
    answer: int | None = None
    """Index of the right answer; null where it is not published, as for test sets."""
    start: float | None = None
    """Where the frames begin that answer it, seconds from the clip's first frame; null where it is about the whole video."""
    end: float | None = None
    whole: bool | None = None
    """Whether these frames are all within the clip; null without times."""

    def __post_init__(self) -> None:
        """Checks the times, and that the answer is one of the answers."""
        check((self.start is None) == (self.end is None), "question.end", self.end, "must be null exactly where start is")
        _check_times(self.start or 0.0, self.end or 0.0, "question")
        known = self.answer is None or 0 <= self.answer < len(self.answers)
        check(known, "question.answer", self.answer, f"must be an index into its {len(self.answers)} answers, or null")


@dataclass(frozen=True, slots=True)
class Text:
    """All that is known of a clip, or of a video, in words. What is absent is empty."""

    label: str = ""
    """The class as its owners spell it."""
    caption: str = ""
    """One description of the whole video."""
    tags: tuple[str, ...] = ()
    subtitles: tuple[Subtitle, ...] = ()
    """By their start. One that reaches over a clip's edge is in both clips: `start >= 0` holds in one of them."""
    questions: tuple[Question, ...] = ()
    document: str = ""
    """The text itself, of a row that is one and has no pictures."""
    other: Mapping[str, str] = field(default_factory=dict)
    """What else the dataset says, by its own names: the further columns of a user's table."""

    def __post_init__(self) -> None:
        """Checks that all else is text."""
        for name, value in self.other.items():
            check(isinstance(value, str), f"other.{name}", value, "must be text")

    @property
    def num_words(self) -> int:
        """Words, between blanks, of the caption, the document and the subtitles."""
        return sum(len(text.split()) for text in (self.caption, self.document, *(cue.text for cue in self.subtitles)))


def text_of(values: Mapping[str, Any]) -> Text:
    """The Text of plain nested values, with any of its keys.

    Raises:
        ConfigError: an unknown key, or a value that is none.
    """
    return from_mapping(Text, values, "text.json ")


def dump_text(text: Text) -> bytes:
    """UTF-8 JSON with sorted keys and no blanks. Equal texts give equal bytes. A lone surrogate becomes a question mark.

    There is no key `document` or `other` where there is none: nearly all rows are clips without.
    """
    values = {key: value for key, value in asdict(text).items() if value or key not in ("document", "other")}
    plain = json.dumps(values, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
    return plain.encode("utf-8", "replace")


def load_text(member: bytes) -> Text:
    """The Text of a member.

    Raises:
        CorruptShardError: the bytes are no `text.json`.
    """
    try:
        return text_of(json.loads(member))
    except (ValueError, RecursionError) as error:  # a ConfigError is a ValueError
        what = str(error) if isinstance(error, ConfigError) else "no JSON"
        raise CorruptShardError(f"a member of {len(member)} bytes is no text.json: {what}") from error


def _check_times(start: float, end: float, what: str) -> None:
    for name, value in (("start", start), ("end", end)):
        near = math.isfinite(value) and abs(value) <= _FARTHEST_SECONDS
        check(near, f"{what}.{name}", value, f"must be a number of seconds, at most {_FARTHEST_SECONDS:.0e}")
    check(start <= end, f"{what}.end", end, f"must not be before its start ({start})")
