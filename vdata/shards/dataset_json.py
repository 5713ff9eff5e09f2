"""dataset.json: what a shard folder was built from, with what, and how far the build is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from vdata.config import check
from vdata.errors import CorruptShardError
from vdata.shards.layout import replacing
from vdata.shards.schema import FORMAT_VERSION, check_version

__all__ = ["DATASET_JSON", "DatasetJson", "count_problems", "read_dataset_json", "write_dataset_json"]

DATASET_JSON = "dataset.json"


@dataclass(frozen=True, slots=True)
class DatasetJson:
    """The content of dataset.json."""

    dataset: str
    """The name after `--dataset`."""
    split: str
    """Empty where a dataset has none."""
    state: Literal["building", "complete"]
    config: Mapping[str, Any]
    """Every setting of the build, defaults too."""
    tools: Mapping[str, str]
    """Versions of what decides the bytes: name to version. A resumed build must have the same."""
    counts: Mapping[str, Any] = field(default_factory=dict)
    """The sums of the build, once it is complete; see count_problems."""
    root: str = ""
    """Where the sources were when the folder was last built; they may have moved since."""
    added: Mapping[str, Any] = field(default_factory=dict)
    """Fields that `vdata add` has added or begun to add: with what settings and tools, by name."""
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        """Checks the state."""
        check(self.state in ("building", "complete"), "dataset.json state", self.state, "must be 'building' or 'complete'")


def read_dataset_json(folder: Path) -> DatasetJson | None:
    """What the folder's dataset.json says; None where there is none.

    Raises:
        SchemaMismatchError: another format version.
        CorruptShardError: the file is not what write_dataset_json writes.
    """
    path = folder / DATASET_JSON
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        check_version(values.get("format_version"), path)
        return DatasetJson(**values)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, AttributeError) as error:
        raise CorruptShardError(
            f"'{path}' is not as vdata writes it ({error}): restore it, or build into a new folder"
        ) from error


def write_dataset_json(folder: Path, content: DatasetJson) -> None:
    """Writes dataset.json, whole or not at all."""
    with replacing(folder / DATASET_JSON) as path:
        path.write_text(json.dumps(asdict(content), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def count_problems(counts: Mapping[str, Any]) -> list[str]:
    """The sums that do not hold, in words: every listed video and every planned clip must be accounted for once."""
    sums = {
        "videos_listed": ("videos_built", "videos_partial", "videos_skipped", "videos_failed"),
        "clips_planned": ("clips_written", "clips_failed", "clips_removed"),
    }
    problems = []
    for total, parts in sums.items():
        missing = [name for name in (total, *parts) if name not in counts]
        if missing:
            problems.append(f"{missing[0]} is not counted")
        elif counts[total] != sum(counts[part] for part in parts):
            terms = " + ".join(f"{counts[part]} {part}" for part in parts)
            problems.append(f"{counts[total]} {total} are not {terms}")
    return problems
