"""Reading the annotation files that dataset folders hold; what cannot be read is one error that names file, line and remedy."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import numpy as np
import numpy.typing as npt

from vdata.errors import ConfigError
from vdata.media.images import IMAGE_EXTENSIONS
from vdata.records import printable

__all__ = ["fail_file", "image_names", "parse_lines", "read_csv", "read_json", "read_lines", "read_mat", "read_text"]

T = TypeVar("T")

_SHOWN = 80
"""Characters of a line that an error quotes."""


def fail_file(dataset: str, path: Path, found: object, rule: str, line: int = 0) -> NoReturn:
    """The error of an annotation file that is not as published.

    Raises:
        ConfigError: always: "DATASET: 'PATH' line N: found ..., RULE".
    """
    where = f"'{path}' line {line}" if line else f"'{path}'"
    text = printable(str(found))
    raise ConfigError(f"{dataset}: {where}: found {text[:_SHOWN]}{'...' if len(text) > _SHOWN else ''}, {rule}")


def read_text(dataset: str, path: Path, encoding: str = "utf-8-sig") -> str:
    """The whole of a text file; a mark of byte order is left out.

    Raises:
        ConfigError: it cannot be opened, or is in another encoding.
    """
    try:
        return path.read_text(encoding=encoding)
    except OSError as error:
        raise ConfigError(f"{dataset}: '{path}' cannot be read: {error.strerror}; take the published file") from error
    except UnicodeDecodeError as error:
        fail_file(dataset, path, f"a byte that is no {encoding} at {error.start}", "it must be text: take the published file")


def read_lines(dataset: str, path: Path, encoding: str = "utf-8-sig") -> list[str]:
    """The lines of a text file without their ends (LF or CRLF), empty ones too, but for those at the end of the file."""
    lines = read_text(dataset, path, encoding).replace("\r\n", "\n").split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def parse_lines(dataset: str, path: Path, parse: Callable[[str], T], rule: str, lines: Sequence[str] | None = None) -> list[T]:
    """What `parse` makes of every line that is not blank; `lines` where they have been read.

    Raises:
        ConfigError: `parse` raised ValueError, KeyError or IndexError; it names the line, and `rule` says what it must be.
    """
    parsed = []
    for number, line in enumerate(read_lines(dataset, path) if lines is None else lines, start=1):
        if line.strip():
            try:
                parsed.append(parse(line))
            except (ValueError, KeyError, IndexError):
                fail_file(dataset, path, f"'{line}'", rule, number)
    return parsed


def read_csv(dataset: str, path: Path, columns: Iterable[str]) -> Iterator[dict[str, str]]:
    """The rows of a CSV file with a header, by column name; a column that is missing in a row is "".

    Raises:
        ConfigError: the header lacks one of `columns`, or the file cannot be read.
    """
    reader = csv.DictReader(io.StringIO(read_text(dataset, path), newline=""), restval="", skipinitialspace=True)
    missing = [name for name in columns if name not in (reader.fieldnames or ())]
    if missing:
        header = ",".join(reader.fieldnames or ()) or "an empty file"
        fail_file(dataset, path, header, f"the first line must name the columns {', '.join(columns)}", 1)
    try:
        yield from reader
    except csv.Error as error:
        fail_file(dataset, path, str(error), "it must be CSV: take the published file", reader.line_num)


def read_json(dataset: str, path: Path, kind: type[T], hook: Callable[[dict[str, Any]], Any] | None = None) -> T:
    """The content of a JSON file, which must be a `list` or a `dict`.

    `hook` makes of each object, the innermost first, what is kept of it: a file of a million objects needs the memory.

    Raises:
        ConfigError: it is no JSON, or of another kind, or `hook` raised ValueError.
    """
    try:
        found = json.loads(read_text(dataset, path), object_hook=hook)
    except ValueError as error:
        fail_file(dataset, path, str(error), "it must be JSON: take the published file")
    except RecursionError:
        fail_file(dataset, path, "brackets within brackets without end", "it must be JSON: take the published file")
    if not isinstance(found, kind):
        fail_file(dataset, path, type(found).__name__, f"it must hold a JSON {'list' if kind is list else 'object'}")
    return found


def read_mat(dataset: str, path: Path, name: str) -> npt.NDArray[Any]:
    """The array of that name in a MATLAB file of version 5 to 7.

    Raises:
        ConfigError: it is no such file, or has no such array.
    """
    # Loading it takes 0.2 s: only three datasets need it.
    import scipy.io  # noqa: PLC0415 - see above

    try:
        found: Mapping[str, Any] = scipy.io.loadmat(path)
    except OSError as error:
        raise ConfigError(f"{dataset}: '{path}' cannot be read: {error.strerror or error}; take the published file") from error
    except (ValueError, TypeError, NotImplementedError, scipy.io.matlab.MatReadError) as error:
        fail_file(dataset, path, str(error), "it must be a MATLAB file of version 5 to 7: take the published file")
    if name not in found:
        fail_file(dataset, path, [key for key in found if not key.startswith("__")], f"it must hold the variable {name}")
    return np.asarray(found[name])


def image_names(folder: Path) -> list[str]:
    """The names of the images in a folder, byte-sorted; none where the folder is not there. Nothing is opened."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if os.path.splitext(entry.name)[1].lower() in IMAGE_EXTENSIONS]  # noqa: PTH122 - a million names
    return sorted(names, key=os.fsencode)
