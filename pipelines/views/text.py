"""Text: the parts of a sample's text that a view wants, as token ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from pipelines.members import Members
from pipelines.samples import Samples
from pipelines.tokens import Tokenizer, make_tokenizer
from pipelines.views import Shot
from vdata.media.text_codec import Question, Subtitle, load_text
from vdata.media.text_codec import Text as Stored
from vdata.views import Text, View

__all__ = ["TextDraw", "TextReader", "Tokens", "run_text"]

_QUESTION = 0
"""Place of the number in a sample's row."""

T = TypeVar("T", Subtitle, Question)


@dataclass(frozen=True, slots=True, eq=False)
class TextDraw:
    """Which text the view takes of the B samples of a batch."""

    seconds: npt.NDArray[np.float64]
    """(B, 2): start and end of the time that subtitles and questions must overlap, from the run's first frame; infinite: all."""
    u: npt.NDArray[np.float64]
    """(B,): what chooses the question."""


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """The tokens of one sample, in R rows: one, or as many as there are choices."""

    ids: npt.NDArray[np.int64]
    """(R, L)"""
    mask: npt.NDArray[np.bool_]
    """(R, L)"""
    seconds: npt.NDArray[np.float32]
    """(R, L, 2): of the subtitle that a token is of; NaN for others."""
    answer: int
    """The right choice; -1 where it is unknown."""
    span: tuple[float, float]
    """Seconds that the question is about; NaN for the whole video."""


@dataclass(frozen=True, slots=True)
class _Piece:
    text: str
    seconds: tuple[float, float] = (np.nan, np.nan)


class TextReader:
    """Reads a Text."""

    def __init__(self, view: Text, views: Mapping[str, View]) -> None:  # noqa: ARG002 - a ViewReader
        """Takes the view and opens its tokenizer.

        Raises:
            ConfigError: the tokenizer's file is none.
            MissingExtraError: the package that reads it is not installed.
        """
        self.view = view
        self.shot_names: Sequence[str] = ()
        self._tokenizer: Tokenizer = make_tokenizer(view.tokenizer, view.tokens, f"views.{view.name}.tokenizer")

    def draw(self, samples: Samples, drawn: Mapping[str, Any]) -> TextDraw:  # noqa: ARG002 - a ViewReader
        """The time, and the number that chooses the question."""
        u = samples.u[self.view.name][:, _QUESTION].copy()
        if not self.view.of:
            return TextDraw(np.tile([-np.inf, np.inf], (len(samples), 1)), u)
        frames = samples.windows[self.view.of].frames
        edges = np.stack([frames.min(axis=1), frames.max(axis=1) + 1], axis=1)
        return TextDraw(edges / samples.fps[:, None], u)

    def shots(self, drawn: TextDraw, row: int) -> Sequence[Shot]:  # noqa: ARG002 - a ViewReader
        """No pictures."""
        return ()

    def load(self, members: Members, samples: Samples, row: int, drawn: TextDraw) -> Tokens:
        """The tokens.

        Raises:
            CorruptShardError: a member is no `text.json`.
            SchemaMismatchError: the shards have no text.
        """
        low, high = drawn.seconds[row].tolist()
        found = list(_read(members, samples, row, low, high))
        return self._tokens(run_text(found, low, high), float(drawn.u[row]))

    def _tokens(self, text: Stored, u: float) -> Tokens:
        view, nan = self.view, (np.nan, np.nan)
        if not view.choices:
            return self._rows([list(_pieces(text, view.fields))], -1, nan)
        fitting = [question for question in text.questions if len(question.answers) == view.choices]
        if not fitting:
            return self._rows([[]] * view.choices, -1, nan)
        asked = fitting[int(u * len(fitting))]
        rows = []
        for answer in asked.answers:
            one = replace(text, questions=(replace(asked, answers=(answer,), answer=None),))
            rows.append(list(_pieces(one, view.fields)))
        span = nan if asked.start is None or asked.end is None else (asked.start, asked.end)
        return self._rows(rows, -1 if asked.answer is None else asked.answer, span)

    def _rows(self, rows: Sequence[Sequence[_Piece]], answer: int, span: tuple[float, float]) -> Tokens:
        num_tokens = self.view.tokens
        ids = np.full((len(rows), num_tokens), self._tokenizer.pad, np.int64)
        mask = np.zeros(ids.shape, bool)
        seconds = np.full((*ids.shape, 2), np.nan, np.float32)
        for row, pieces in enumerate(rows):
            own, places = self._tokenizer(self.view.separator.join(piece.text for piece in pieces)) if pieces else ((), ())
            ids[row, : len(own)], mask[row, : len(own)] = own, True
            if len(own) and self.view.times:
                seconds[row, : len(own)] = _seconds(pieces, len(self.view.separator), np.asarray(places))
        return Tokens(ids, mask, seconds, answer, span)

    def feeds(self, drawn: TextDraw, loaded: Sequence[Tokens]) -> dict[str, Any]:  # noqa: ARG002 - a ViewReader
        """Nothing: text does not go through the graph."""
        return {}

    def nodes(self, device: str, pictures: Mapping[str, Any]) -> Sequence[Any]:  # noqa: ARG002 - a ViewReader
        """None."""
        return ()

    def batch(self, drawn: TextDraw, loaded: Sequence[Tokens], outputs: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:  # noqa: ARG002 - a ViewReader
        """Ids and mask; the right choice and its seconds; the tokens' times."""
        name, choices = self.view.name, self.view.choices
        arrays = {name: np.stack([one.ids for one in loaded]), f"{name}_mask": np.stack([one.mask for one in loaded])}
        if self.view.times:
            arrays[f"{name}_seconds"] = np.stack([one.seconds for one in loaded])
        batch = {key: torch.from_numpy(values if choices else values[:, 0]) for key, values in arrays.items()}
        if choices:
            batch[f"{name}_answer"] = torch.tensor([one.answer for one in loaded], dtype=torch.int64)
            batch[f"{name}_span"] = torch.tensor([one.span for one in loaded], dtype=torch.float32)
        return batch

    def meta(self, drawn: TextDraw, samples: Samples) -> dict[str, npt.NDArray[Any]]:  # noqa: ARG002 - a ViewReader
        """Nothing."""
        return {}


def run_text(clips: Sequence[tuple[Stored, float]], low: float, high: float) -> Stored:
    """The text of neighbouring clips as one, times counted from the run's first frame.

    `clips` has the text of each and the second of the run at which it begins. Of subtitles and questions are taken those that
    overlap the seconds [low, high), and questions without times. Label, caption and tags are those of the first clip that has
    any text.
    """
    if not clips:
        return Stored()
    subtitles = [
        cue for place, (text, second) in enumerate(clips) for cue in _moved(text.subtitles, second, low, high, first=place == 0)
    ]
    questions = [
        one for place, (text, second) in enumerate(clips) for one in _moved(text.questions, second, low, high, first=place == 0)
    ]
    return replace(clips[0][0], subtitles=tuple(subtitles), questions=tuple(questions))


def _moved(items: Sequence[T], second: float, low: float, high: float, *, first: bool) -> Iterator[T]:
    """The items that overlap [low, high), but those that an earlier clip has too, with times from the run's first frame."""
    for item in items:
        if item.start is None or item.end is None:
            if first:
                yield item
        elif first or item.start >= 0:
            moved = replace(item, start=item.start + second, end=item.end + second)
            if _overlaps(item.start + second, item.end + second, low, high):
                yield moved


def _overlaps(start: float, end: float, low: float, high: float) -> bool:
    """Whether a time, or a moment, lies in [low, high), to a microsecond."""
    near = 5e-7
    return start < high - near and (end > low + near or (end - start < near and start > low - near))


def _read(members: Members, samples: Samples, row: int, low: float, high: float) -> Iterator[tuple[Stored, float]]:
    """The stored text of the run's clips that overlap [low, high), and the second at which each begins."""
    fps = float(samples.fps[row])
    # A row without a video has no frames and no rate.
    seconds = samples.runs.bounds(row) / (fps or 1.0)
    for clip, begin, end in zip(samples.runs.clips(row).tolist(), seconds[:-1].tolist(), seconds[1:].tolist(), strict=True):
        if low == -np.inf or (begin < high and end > low):
            text = members.parsed(clip, "text.json", "text", load_text)
            if text is not None:
                yield text, begin


def _pieces(text: Stored, fields: Sequence[str]) -> Iterator[_Piece]:
    """The text's parts in the order of the fields; empty ones are left out."""
    for field in fields:
        match field:
            case "subtitles":
                found = [_Piece(cue.text, (cue.start, cue.end)) for cue in text.subtitles]
            case "questions":
                found = [_Piece(question.question) for question in text.questions]
            case "answers":
                found = [_Piece(answer) for question in text.questions for answer in question.answers]
            case "tags":
                found = [_Piece(tag) for tag in text.tags]
            case _:
                found = [_Piece(getattr(text, field))]
        yield from (piece for piece in found if piece.text)


def _seconds(pieces: Sequence[_Piece], gap: int, places: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """(L, 2) the times of the pieces in which the characters `places` (L,) lie; NaN for -1 and between two pieces."""
    sizes = np.array([len(piece.text) for piece in pieces])
    starts = np.cumsum(sizes + gap) - (sizes + gap)
    piece = np.searchsorted(starts, places, "right") - 1
    within = (places >= 0) & (places < starts[piece] + sizes[piece])
    return np.where(within[:, None], np.array([piece.seconds for piece in pieces])[piece], np.nan)
