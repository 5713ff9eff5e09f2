"""Files of questions with answers to choose from, as TVQA and TVQA+ publish them: JSON Lines, or one JSON list.

Here because two sides read them that do not know each other: datasets, and the extractor to which a user names such a file.

Source: Lei et al. 2018, arXiv 1809.01696, and 2020, arXiv 1904.11574; the published tvqa_{train,val,test_public}.jsonl (one
object a line: qid, q, a0 to a4, answer_idx but in the test set, ts "start-end" or "NaN-NaN", vid_name, show_name) and
tvqa_plus_{train,val}.json (one list: ts [start, end], answer_idx as a string, bbox).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vdata.errors import ConfigError
from vdata.media.json_text import BAD_VALUE, load_json
from vdata.media.text_codec import Question

__all__ = ["read_questions"]


def read_questions(reader: str, path: Path) -> Iterator[tuple[Mapping[str, Any], Question]]:
    """Every row of a file, in its order, with the question that it is; `vid_name` of the row is a string.

    Times are seconds of the video. "NaN-NaN" is no span; nor is one whose end is not after its start, as two of TVQA+'s
    validation set: which part was wrong is not known, so the question stays, as one about the whole video.

    Args:
        reader: who asks, for messages: a setting or a dataset.
        path: the file.

    Raises:
        ConfigError: the file cannot be read, or a row is none of TVQA's; names the row.
    """
    for number, row in _rows(reader, path):
        try:
            row["vid_name"] = str(row["vid_name"])
            question = _question(row)
        except BAD_VALUE as error:
            raise ConfigError(
                f"{reader}: row {number} of '{path}' is no question of TVQA's ({type(error).__name__}: {error}); "
                "it needs qid, q, a0 ..., ts and vid_name"
            ) from error
        yield row, question


def _rows(reader: str, path: Path) -> Iterator[tuple[int, Any]]:
    """Rows with their numbers, from 1, of a JSON list or of JSON Lines."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{reader}: '{path}' cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{reader}: '{path}' is neither JSON Lines nor a JSON list: {error}") from error
    try:
        if text.lstrip().startswith("["):
            yield from enumerate(load_json(text), 1)
            return
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield number, load_json(line)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{reader}: '{path}' is neither JSON Lines nor a JSON list: {error}") from error


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
    """Start and end in seconds of "48.62-60.02" or [48.62, 60.02]; None for what is no span."""
    if not ts:
        return None, None
    start, end = (float(part) for part in (ts.split("-") if isinstance(ts, str) else ts))
    return (None, None) if math.isnan(start) or math.isnan(end) or end <= start else (start, end)
