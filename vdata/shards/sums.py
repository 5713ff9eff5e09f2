"""Checksum files: SHA-256 of whole files, beside them.

Every shard has one, `clips-000000.sha256`, and the folder one, `SHA256SUMS`. They are apart from the row files because no file
can hold its own hash: the members' hashes in the rows name a damaged sample, these find damage everywhere else, in a Parquet
footer or an errors file. The lines are those of sha256sum, so that `sha256sum -c` checks a folder without vdata; the last
line, which sha256sum takes for a comment, guards the others.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from vdata.errors import CorruptShardError
from vdata.shards.layout import PLAN_FILE, replacing

__all__ = ["FOLDER_SUMS", "SUMS", "file_sha256", "read_sums", "write_folder_sums", "write_sums"]

SUMS = ".sha256"
"""What follows a shard's name in the name of its checksum file."""
FOLDER_SUMS = "SHA256SUMS"
"""The checksum file of the files that belong to no shard."""
FOLDER_FILES = ("classes.json", "dataset.json", "errors.parquet", PLAN_FILE, "removed.parquet")
"""Those files; `index/` is left out, for a loader makes it anew whenever it likes."""

_LINE = re.compile(r"([0-9a-f]{64})  ([^\n/]+)")
_GUARD = "# sha256 of the lines above: "


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file, in hex, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sums(path: Path, files: Mapping[str, Path], known: Mapping[str, str] | None = None) -> None:
    """Writes a checksum file of `files`: the name that each has, or is about to get, and where its bytes are now.

    `known` are hashes of other files, by name, that go into it as they are.
    """
    sums = {name: file_sha256(place) for name, place in files.items()} | dict(known or {})
    lines = "".join(f"{sums[name]}  {name}\n" for name in sorted(sums))
    path.write_text(f"{lines}{_GUARD}{_sha256(lines)}\n", encoding="utf-8")


def write_folder_sums(folder: Path) -> None:
    """Writes SHA256SUMS, whole or not at all: the last act of everything that changes a finished folder."""
    with replacing(folder / FOLDER_SUMS) as path:
        write_sums(path, {name: folder / name for name in FOLDER_FILES if (folder / name).exists()})


def read_sums(path: Path) -> dict[str, str]:
    """SHA-256 in hex by file name.

    Raises:
        FileNotFoundError: there is no such checksum file.
        CorruptShardError: its own last line does not fit the others.
    """
    *lines, last = path.read_bytes().decode("utf-8", "replace").splitlines(keepends=True) or [""]
    if last != f"{_GUARD}{_sha256(''.join(lines))}\n":
        raise CorruptShardError(f"'{path}' is damaged: its last line is not the hash of the others")
    found = [_LINE.fullmatch(line.rstrip("\n")) for line in lines]
    return {match[2]: match[1] for match in found if match}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
