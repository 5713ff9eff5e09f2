"""Views of the stored text."""

from __future__ import annotations

from dataclasses import dataclass

from vdata.config import check

__all__ = ["FIELDS", "Text"]

FIELDS = ("label", "caption", "tags", "subtitles", "questions", "answers", "document")


@dataclass(frozen=True, slots=True)
class Text:
    """Token ids of a video's text, int64 (B, L); beside it `NAME_mask`, bool (B, L), True on tokens.

    A sample without text has no token. With `choices` the ids are (B, C, L), a row for each answer of one question, and there are
    `NAME_answer`, int64 (B,), the right one's number, -1 where it is unknown, and `NAME_span`, float32 (B, 2), the seconds that
    the question is about, NaN where it is about the whole video. With `times` there is `NAME_seconds`, float32 (B, L, 2) or
    (B, C, L, 2): start and end of the subtitle that each token is of, NaN for all other tokens. Seconds are counted as in the
    batch's `meta`.
    """

    name: str = "text"
    """The batch key."""
    fields: tuple[str, ...] = ("caption",)
    """Parts of the stored text, in this order."""
    tokens: int = 64
    """L: longer texts are cut."""
    tokenizer: str = "bytes"
    """`bytes` for UTF-8 bytes plus 1, padded with 0; or the path of a `tokenizer.json` that the package `tokenizers` reads, which
    adds the special tokens that it asks for and pads with its own padding token, or 0 if it has none."""
    separator: str = " "
    """Between two parts, and between two subtitles, tags, questions or answers; as " [SEP] " if the tokenizer knows that."""
    of: str = ""
    """The view whose window's time the subtitles and questions must overlap; empty takes all of the clip, or of the video's
    unbroken run of clips where a sample is a video."""
    choices: int = 0
    """C: a question with so many answers is drawn, and `questions` and `answers` are that one and one answer of it. A sample that
    has none has no token. 0 takes all questions and all answers."""
    times: bool = False
    """Whether the batch has the tokens' times."""

    def __post_init__(self) -> None:
        """Checks numbers and names."""
        key = f"views.{self.name}"
        check(self.tokens >= 1, f"{key}.tokens", self.tokens, "must be at least 1")
        known = bool(self.fields) and set(self.fields) <= set(FIELDS)
        check(known, f"{key}.fields", self.fields, f"must be some of {', '.join(FIELDS)}")
        check(self.choices >= 0, f"{key}.choices", self.choices, "must not be negative")
        asks = not self.choices or "answers" in self.fields
        check(asks, f"{key}.fields", self.fields, "must name answers with choices, or all rows are the same")
        check(bool(self.tokenizer), f"{key}.tokenizer", self.tokenizer, "must be bytes or a path")
