"""classes.json: the class lists of a shard folder, so that evaluation needs nothing else of the dataset."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from vdata.errors import CorruptShardError
from vdata.shards.layout import replacing
from vdata.shards.remote import Folder

__all__ = ["CLASSES_FILE", "read_classes", "write_classes"]

CLASSES_FILE = "classes.json"


def write_classes(folder: Path, classes: Mapping[str, Sequence[str]]) -> None:
    """Writes classes.json, whole or not at all: for each numbering the names in the order of their indices."""
    content = {kind: list(classes[kind]) for kind in sorted(classes)}
    with replacing(folder / CLASSES_FILE) as path:
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_classes(folder: Folder) -> dict[str, tuple[str, ...]]:
    """The names by index of each numbering, as `label`, `box`, `frame` or `tag`; nothing where the file is not there.

    "" is an index without a name.

    Raises:
        CorruptShardError: the file is not what write_classes writes.
    """
    content = _content(folder)
    if content is None:
        return {}
    try:
        return {kind: tuple(map(_name, names)) for kind, names in json.loads(content).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise CorruptShardError(
            f"'{folder / CLASSES_FILE}' is not as vdata writes it: run the same `vdata build` again, which writes it"
        ) from error


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _content(folder: Folder) -> bytes | None:
    if not isinstance(folder, Path):
        return folder.read_bytes(CLASSES_FILE)
    try:
        return (folder / CLASSES_FILE).read_bytes()
    except FileNotFoundError:
        return None
