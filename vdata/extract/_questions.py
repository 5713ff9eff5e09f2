"""Questions and answers that the user names a file for: TVQA's JSON Lines, and TVQA+'s JSON list.

Source: Lei et al. 2018, arXiv 1809.01696, and 2020, arXiv 1904.11574; the published tvqa_{train,val,test_public}.jsonl (one
object a line: qid, q, a0 to a4, answer_idx but in the test set, ts "start-end" or "NaN-NaN", vid_name, show_name) and
tvqa_plus_{train,val}.json (one list: ts [start, end], answer_idx as a string).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from vdata.errors import ConfigError
from vdata.media.text_codec import Question

__all__ = ["Questions", "load_questions"]

Questions = Mapping[str, tuple[Question, ...]]
"""The questions of each video, by `vid_name`; times in seconds of the video."""


def load_questions(path: str) -> Questions:
    """The questions of a file, in its order. A span that ends before it starts, as two of TVQA+ do, is the moment of its start.

    Raises:
        ConfigError: the file cannot be read, or a row is none of TVQA's; names the row.
    """
    try:
        status = Path(path).stat()
        return _loaded(path, status.st_mtime_ns, status.st_size)
    except OSError as error:
        raise ConfigError(f"text.questions: '{path}' cannot be read: {error.strerror}") from error


# A worker makes an extractor for every shard: TVQA's 122,039 questions take a second and a half.
@lru_cache(maxsize=4)
def _loaded(path: str, _modified: int, _num_bytes: int) -> Questions:
    found = dict[str, list[Question]]()
    for number, row in _rows(path):
        try:
            found.setdefault(row["vid_name"], []).append(_question(row))
        except (KeyError, ValueError, TypeError) as error:
            raise ConfigError(
                f"text.questions: row {number} of '{path}' is no question of TVQA's ({type(error).__name__}: {error}); "
                "it needs qid, q, a0 ..., ts and vid_name"
            ) from error
    return {name: tuple(questions) for name, questions in found.items()}


def _rows(path: str) -> Iterator[tuple[int, Any]]:
    """Rows with their numbers, from 1, of a JSON list or of JSON Lines."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        if text.lstrip().startswith("["):
            yield from enumerate(json.loads(text), 1)
            return
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield number, json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"text.questions: '{path}' is neither JSON Lines nor a JSON list: {error}") from error


def _question(row: Mapping[str, Any]) -> Question:
    answers = list[str]()
    while f"a{len(answers)}" in row:
        answers.append(str(row[f"a{len(answers)}"]))
    answer = row.get("answer_idx")
    start, end = _span(row.get("ts"))
    return Question(
        id=str(row["qid"]),
        question=str(row["q"]),
        answers=tuple(answers),
        answer=None if answer is None else int(answer),
        start=start,
        end=end,
    )


def _span(ts: str | list[float] | None) -> tuple[float, float] | tuple[None, None]:
    """Start and end in seconds of "48.62-60.02" or [48.62, 60.02]; None for "NaN-NaN" and for nothing."""
    if not ts:
        return None, None
    start, end = (float(part) for part in (ts.split("-") if isinstance(ts, str) else ts))
    return (None, None) if math.isnan(start) or math.isnan(end) else (start, max(start, end))
