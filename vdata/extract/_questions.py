"""Questions and answers that the user names a file for, by video."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from vdata.errors import ConfigError
from vdata.media.questions import read_questions
from vdata.media.text_codec import Question

__all__ = ["Questions", "load_questions"]

Questions = Mapping[str, tuple[Question, ...]]
"""The questions of each video, by `vid_name`; times in seconds of the video."""


def load_questions(path: str) -> Questions:
    """The questions of a file, in its order.

    Raises:
        ConfigError: the file cannot be read, or a row is none of TVQA's; names the row.
    """
    try:
        status = Path(path).stat()
    except OSError as error:
        raise ConfigError(f"text.questions: '{path}' cannot be read: {error.strerror}") from error
    return _loaded(path, status.st_mtime_ns, status.st_size)


# A worker makes an extractor for every shard: TVQA's 122,039 questions take a second and a half.
@lru_cache(maxsize=4)
def _loaded(path: str, _modified: int, _num_bytes: int) -> Questions:
    found = dict[str, list[Question]]()
    for row, question in read_questions("text.questions", Path(path)):
        found.setdefault(row["vid_name"], []).append(question)
    return {name: tuple(questions) for name, questions in found.items()}
