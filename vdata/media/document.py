"""The text of a document: a whole file, a line of a text file, or the `text` of a line of JSON Lines.

Here because the dataset that lists documents and the extractor that stores them must agree on what one is.
"""

from __future__ import annotations

import json

from vdata.errors import MediaError
from vdata.media.subtitles import read_text

__all__ = ["LARGEST_DOCUMENT", "is_json_lines", "read_document"]

LARGEST_DOCUMENT = 2**20
"""Bytes."""

_JSON_LINES = (".jsonl", ".ndjson")


def is_json_lines(name: str) -> bool:
    """Whether each line of a file of that name is a JSON object."""
    return name.lower().endswith(_JSON_LINES)


def read_document(data: bytes, name: str, encoding: str) -> str:
    """The text of the bytes of one document from a file of that name, without blanks around it.

    Raises:
        MediaError: `bad_json`: a line of JSON Lines is no object with the string `text`.
    """
    if not is_json_lines(name):
        return read_text(data, encoding).strip()
    try:
        row = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise MediaError("bad_json", "the line is no JSON") from error
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        raise MediaError("bad_json", "the line is no object with the string `text`")
    return str(row["text"]).strip()
