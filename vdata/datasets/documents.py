"""Text documents, as those of OpenWebText or WikiText-103 on which DeCLUTR is trained: one a line, or one a file.

Your own, in UTF-8; the published dumps are packed in other ways: unpack them, and write one document a line as the scripts of
JohnGiorgi/DeCLUTR do. Each document becomes a row without pictures, its text in the member `text`, at most 1 MiB of it. One that
is not UTF-8 is read as `text.encoding` (cp1252), and its row says so in `text_problem`.

DeCLUTR needs documents of 2,048 words (2 anchors x 512 tokens x 2): `--set documents.min_words=2048` leaves shorter ones out.
Those are one entry a file in the sums and in errors.parquet, `short`, with their number; bad lines have one each.
The subtitles of videos are its other source of text, and need nothing of this: they are in the member `text` of their clips.

Source: Giorgi et al. 2021, arXiv 2006.03659; README.md of JohnGiorgi/DeCLUTR: "a minimum of num_anchors * max_span_len * 2
whitespace tokens".
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any, ClassVar, Literal

from vdata.config import check
from vdata.datasets import DATASETS, About, Classes
from vdata.datasets._files import fail_file
from vdata.datasets._layout import check_split, entries_in, fail_layout, is_file, label_indices, path_id
from vdata.errors import ConfigError, MediaError
from vdata.media.document import LARGEST_DOCUMENT, is_json_lines, read_document
from vdata.records import Column, Skipped, Video, readable

__all__ = ["Documents", "DocumentsConfig"]

_LAYOUT = """ROOT is a file, or a folder of files at any depth:
  train.txt             one document a line, where ROOT is this file
  CLASS/document.txt    one document a file, where ROOT is a folder; the last folder is the class
  train.jsonl           one object {"text": "..."} a line; or .ndjson
"""
_EXPECTED = "text: a .txt or .jsonl file with one document a line, or a folder of such files, each .txt one document"
_TEXT = ".txt"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NOTHING: Mapping[str, Any] = {}
"""Shared: an empty dict of its own for each of a million documents takes 128 MB."""
_MOST_TOLD = 100
"""Documents of a file that are left out and told one by one, of a reason; those behind are one entry with their number."""
_HEAD = 4096
"""Bytes of a file that are read to know that it has a word."""
_WHY = {
    "too_large": f"larger than {LARGEST_DOCUMENT} bytes, the most that is stored of one document",
    "bad_json": "no JSON object with the string `text`",
}


@dataclass(frozen=True)
class DocumentsConfig:
    """What a document is, and which are wanted."""

    unit: Literal["auto", "line", "file"] = "auto"
    """What of a .txt is one document; `auto` is a line where --root is a file, and the file where it is a folder."""
    min_words: int = 0
    """Words, between blanks, of the shortest document that is kept; 0 keeps all, and counts none."""

    def __post_init__(self) -> None:
        """Checks the number."""
        check(self.min_words >= 0, "documents.min_words", self.min_words, "must be 0 or more")


@DATASETS.add("documents")
class Documents:
    """Documents without splits; those of each file in their order, files byte-sorted by path.

    The id is the path, and for one of many the number of its line, from 1, behind a colon. The class is the folder, as in
    `folder`. Blank lines are none. A document that is left out is a Skipped with the number of its line, `too_large` or
    `bad_json`; those behind the first hundred of a file and reason are one, with their number. Documents that are `short`, of no
    word or of fewer than `documents.min_words`, are one Skipped a file that says how many of how many, and so count as one in the
    sums of a build: it may be nine of ten. Links to folders are not followed.

    A million lines are listed, planned and saved with 0.73 GB in 24 s of one core (November 2026): build what is ten times that
    in parts.
    """

    Config: ClassVar[type] = DocumentsConfig
    splits: ClassVar[tuple[str, ...]] = ()
    columns: ClassVar[tuple[Column, ...]] = ()
    build_settings: ClassVar[dict[str, Any]] = {}
    extract: ClassVar[tuple[str, ...]] = ("text",)
    about: ClassVar[About] = About(_LAYOUT, needs="Documents as plain text in UTF-8, unpacked.")

    def __init__(self, config: DocumentsConfig) -> None:
        self.config = config

    def prepare(self, root: Path) -> None:
        """Nothing to make.

        Raises:
            ConfigError: the root is not there, or is a file that is no text.
        """
        if not root.is_dir() and not (root.is_file() and _is_text(root.name)):
            found = "a file that is neither .txt nor .jsonl; unpack it if it is packed" if root.is_file() else "nothing"
            raise ConfigError(f"documents: looked for text at '{root}', found {found}; --root must be {_EXPECTED}")

    def videos(self, root: Path, split: str) -> Iterator[Video | Skipped]:
        """Every document, as a row without pictures; files that are no text are Skipped, `not_text`.

        Raises:
            ConfigError: there is no text below the root, a file of lines is not as it must be, or `split` is not empty.
        """
        check_split("documents", split, self.splits)
        self.prepare(root)
        sources, skipped = ([root.name], []) if root.is_file() else _sources(root)
        if not sources:
            fail_layout("documents", "files .txt or .jsonl at any depth", root, _EXPECTED)
        labels = label_indices(_class_of(source) for source in sources)
        by_line = self.config.unit == "line" or (self.config.unit == "auto" and root.is_file())
        for source in sources:
            name = _class_of(source)
            file = _File(root if root.is_file() else root / source, source, labels[name], readable(name), self.config)
            try:
                yield from file.lines() if by_line or is_json_lines(source) else file.whole()
            except OSError as error:
                skipped.append(Skipped(readable(source), "unreadable", f"it cannot be read: {error.strerror}"))
        yield from skipped

    def classes(self, root: Path) -> Classes:
        """Nothing: the classes are those of the documents."""
        del root
        return {}


def _is_text(name: str) -> bool:
    return name.lower().endswith(_TEXT) or is_json_lines(name)


def _class_of(source: str) -> str:
    return source.rpartition("/")[0].rpartition("/")[2]


def _sources(root: Path) -> tuple[list[str], list[Skipped]]:
    """Paths below the root of all files of text, byte-sorted, and everything else."""
    found, skipped, folders = list[str](), list[Skipped](), [""]
    while folders:
        folder = folders.pop()
        for entry in entries_in(root / folder, on_error=partial(_skip_unreadable, skipped, folder)):
            source = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                folders.append(source)
            elif fault := _not_listed(entry):
                skipped.append(Skipped(readable(source), *fault))
            else:
                found.append(source)
    return sorted(found, key=os.fsencode), sorted(skipped, key=lambda entry: entry.source)


def _skip_unreadable(skipped: list[Skipped], folder: str, error: OSError) -> None:
    skipped.append(Skipped(readable(folder), "unreadable", f"the folder cannot be listed: {error.strerror}"))


def _not_listed(entry: os.DirEntry[str]) -> tuple[str, str] | None:
    """Reason and message of what is no file of text."""
    if not _is_text(entry.name):
        return "not_text", "neither .txt nor .jsonl; unpack it if it is packed"
    # Opening a FIFO would wait for its writer.
    return None if is_file(entry) else ("not_regular", "no regular file, or a link that leads to none")


@dataclass
class _File:
    """One file of text."""

    path: Path
    source: str
    label: int
    label_name: str
    config: DocumentsConfig
    counts: Counter[str] = field(default_factory=Counter)
    """How many documents are left out, by reason."""

    def whole(self) -> Iterator[Video | Skipped]:
        """The file as one document.

        Raises:
            OSError: it cannot be read.
        """
        with self.path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > LARGEST_DOCUMENT:
                yield Skipped(readable(self.source), "too_large", f"the file is {_WHY['too_large']}")
                return
            data = file.read(-1 if self.config.min_words > 1 else _HEAD).removeprefix(_BYTE_ORDER_MARK)
            words = (data if data.strip() else file.read()).split()
        yield self._short(1) if self._is_short(words) else self._video(path_id(self.source), None)

    def lines(self) -> Iterator[Video | Skipped]:
        """Every line that is a document, and what was left out.

        Raises:
            ConfigError: the file is in UTF-16, or no line of JSON Lines is an object with `text`.
            OSError: it cannot be read.
        """
        stem, kept, first_bad = path_id(self.source), 0, 0
        with self.path.open("rb") as file:
            if file.peek(2)[:2] in _UTF16_MARKS:
                fail_file("documents", self.path, "UTF-16", "it must be UTF-8: convert it with `iconv -f UTF-16 -t UTF-8`")
            for number, offset, line in _numbered(file):
                if reason := self._fault(line):
                    first_bad = first_bad or (number if reason == "bad_json" else 0)
                    yield from self._left_out(reason, number)
                else:
                    kept += 1
                    yield self._video(f"{stem}:{number}", (offset, len(line)))
        if first_bad and not kept:
            fail_file("documents", self.path, "no object", 'each line must be an object {"text": "..."}', first_bad)
        yield from self._untold(kept + self.counts.total())

    def _left_out(self, reason: str, number: int) -> Iterator[Skipped]:
        """Counts a line, and tells it if that is not left to `_untold`."""
        self.counts[reason] += 1
        if reason in _WHY and self.counts[reason] <= _MOST_TOLD:
            message = f"line {number} is {_WHY[reason]}"
            yield Skipped(readable(self.source), reason, message, f"{path_id(self.source)}:{number}")

    def _untold(self, total: int) -> Iterator[Skipped]:
        """One for all that were left out and not told one by one, for each reason."""
        for reason, why in _WHY.items():
            if (more := self.counts[reason] - _MOST_TOLD) > 0:
                yield Skipped(readable(self.source), reason, f"{more} more of {total} documents are {why}")
        if self.counts["short"]:
            yield self._short(total)

    def _short(self, total: int) -> Skipped:
        least = self.config.min_words
        why = f"fewer words than documents.min_words ({least}) asks for" if least > 1 else "no word"
        return Skipped(readable(self.source), "short", f"{self.counts['short'] or 1} of {total} documents have {why}")

    def _is_short(self, words: Sequence[object]) -> bool:
        return len(words) < max(self.config.min_words, 1)

    def _fault(self, line: bytes) -> str:
        """Why a document is left out; empty where it is kept."""
        if len(line) > LARGEST_DOCUMENT:
            return "too_large"
        if is_json_lines(self.source):
            try:
                return "short" if self._is_short(read_document(line, self.source, "utf-8").split()) else ""
            except MediaError as error:
                return error.reason
        # A line that is not blank has a word.
        return "short" if self.config.min_words > 1 and self._is_short(line.split()) else ""

    def _video(self, video_id: str, byte_range: tuple[int, int] | None) -> Video:
        return Video(
            video_id,
            self.source,
            label=self.label,
            label_name=self.label_name,
            facts=_NOTHING,
            text=_NOTHING,
            medium="text",
            byte_range=byte_range,
        )


def _numbered(file: IO[bytes]) -> Iterator[tuple[int, int, bytes]]:
    """Number from 1, offset and bytes, without its end, of every line that is not blank; of a long one as much as tells that."""
    offset = number = 0
    while line := file.readline(LARGEST_DOCUMENT + 2):
        number += 1
        start, length = offset, len(line)
        rest = line
        while not rest.endswith(b"\n") and (rest := file.readline(LARGEST_DOCUMENT)):
            length += len(rest)
        offset += length
        if start == 0 and line.startswith(_BYTE_ORDER_MARK):
            line, start = line[len(_BYTE_ORDER_MARK) :], len(_BYTE_ORDER_MARK)
        line = line.rstrip(b"\r\n")
        if line and not line.isspace():
            yield number, start, line
