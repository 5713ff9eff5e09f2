"""Reading the annotation files that dataset folders hold; what cannot be read is one error that names file, line and remedy."""

from __future__ import annotations

import csv
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import numpy as np
import numpy.typing as npt

from vdata.datasets._layout import entries_in
from vdata.errors import ConfigError
from vdata.media.images import IMAGE_EXTENSIONS
from vdata.media.json_text import load_json
from vdata.records import printable

__all__ = ["fail_file", "image_names", "parse_lines", "read_csv", "read_json", "read_lines", "read_mat", "read_text"]

T = TypeVar("T")

_SHOWN = 80
"""Characters of a line that an error quotes."""
_NUMBER = re.compile(r"([0-9]+)")
_SHAPE = str.maketrans("123456789", "000000000")
"""Of two names with one shape all numbers are as wide."""


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
    except ValueError as error:  # a name with a null byte; an encoding that does not tell which byte
        fail_file(dataset, path, str(error), f"it must name a text file in {encoding}")


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
            except (ValueError, KeyError, IndexError, OverflowError):
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
    """The content of a JSON file, which must be a `list` or a `dict`; half a surrogate pair in it is U+FFFD.

    `hook` makes of each object, the innermost first, what is kept of it: a file of a million objects needs the memory.

    Raises:
        ConfigError: it is no JSON, or of another kind, or `hook` raised ValueError.
    """
    try:
        found = load_json(read_text(dataset, path), hook)
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
    if not path.is_file():
        raise ConfigError(f"{dataset}: '{path}' cannot be read: it is not there; take the published file")
    # In a child: SciPy 1.17's reader ends the whole process at some damaged files.
    done = subprocess.run([sys.executable, "-c", _READ_MAT, str(path), name], capture_output=True, check=False)
    if done.returncode == _NO_VARIABLE:
        fail_file(dataset, path, done.stdout.decode(), f"it must hold the variable {name}")
    if done.returncode:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()
        found = words[-1] if words else f"bytes at which the reader died (status {done.returncode})"
        fail_file(dataset, path, found, "it must be a MATLAB file of version 5 to 7: take the published file")
    found_array: npt.NDArray[Any] = np.load(io.BytesIO(done.stdout), allow_pickle=False)
    return found_array


_NO_VARIABLE = 3
_READ_MAT = f"""
import io, sys, numpy, scipy.io
found = scipy.io.loadmat(sys.argv[1])
if sys.argv[2] not in found:
    print(sorted(name for name in found if not name.startswith("__")), end="")
    sys.exit({_NO_VARIABLE})
data = io.BytesIO()
numpy.save(data, found[sys.argv[2]], allow_pickle=False)
sys.stdout.buffer.write(data.getvalue())
"""


def image_names(folder: Path) -> list[str]:
    """The names of the images in a folder, numbers in them in their order; none where the folder is not there.

    Nothing is opened. Of numbers of one width the order is that of the bytes; else 2.jpg stands before 10.jpg.
    """
    names = [entry.name for entry in entries_in(folder) if os.path.splitext(entry.name)[1].lower() in IMAGE_EXTENSIONS]  # noqa: PTH122 - a million names
    # Most are padded to one width: byte order is that of the numbers then, in a tenth of the time.
    is_padded = len({name.translate(_SHAPE) for name in names}) <= 1
    return sorted(names, key=os.fsencode if is_padded else _numeric)


def _numeric(name: str) -> tuple[list[str | int], bytes]:
    parts: list[str | int] = [*_NUMBER.split(name)]
    parts[1::2] = map(int, parts[1::2])
    return parts, os.fsencode(name)
