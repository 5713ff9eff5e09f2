"""Station 1, list: a dataset folder as its owners publish it becomes Video records. One file a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from vdata.errors import ConfigError
from vdata.media.url import RemoteRoot, Root
from vdata.records import Column, Skipped, Video
from vdata.table import Table

__all__ = ["DATASETS", "About", "Classes", "Dataset", "RemoteDataset", "SplitsInFiles", "list_videos", "splits_of"]

Classes = Mapping[str, Sequence[str]]
"""Names by index, of every numbering that a dataset has: `label` (the columns label and labels), `box`, `frame`, `tag`."""


@dataclass(frozen=True, slots=True)
class About:
    """What a person must know before building. What it is, its licence and its source stand in the docstring of its file."""

    layout: str
    """The folder that `--root` names, as a tree of several lines; `...` stands for more of the same."""
    num_videos: Mapping[str, int] = field(default_factory=dict)
    """Published numbers by split: clips, sequences, images or documents, whatever one row of the listing is."""
    size_gb: float = 0.0
    """Of the published videos, roughly; 0 where nobody says."""
    needs: str = ""
    """What must be done or installed before, in one sentence; empty for nothing."""


class Dataset(Protocol):
    """What a file of this folder registers."""

    Config: ClassVar[type]
    """A frozen dataclass of the dataset's own settings: `--set <name>.key=value`."""
    splits: ClassVar[tuple[str, ...]]
    """The splits, in the order in which they are built; empty where a dataset has none."""
    columns: ClassVar[tuple[Column, ...]]
    """Columns that `Video.facts` fills, beside the common ones."""
    build_settings: ClassVar[dict[str, Any]]
    """Settings of other sections that suit this dataset, as `{"clip": {"short_side": 96}}`; the user's own win."""
    extract: ClassVar[tuple[str, ...]]
    """Extractors that store what the dataset itself says (`text`, `dataset`, `frame_labels`, `published`): always run."""
    about: ClassVar[About]

    def __init__(self, config: Any) -> None:  # noqa: ANN401 - each dataset has its own Config
        """Takes the dataset's own Config."""

    def prepare(self, root: Path) -> None:
        """Makes what can be made (the generated dataset), checks what must be there.

        Raises:
            ConfigError: the root is not laid out as the owners publish it: what was looked for, what was found, what to do.
        """

    def videos(self, root: Path, split: str) -> Iterator[Video | Skipped]:
        """Every video of the split, and every entry that will not be built with the reason; opens no video."""

    def classes(self, root: Path) -> Classes:
        """The class lists that are kept with the shards, for a prepared root.

        `label` may be left out where names follow from the videos, as those of folders do.
        """


@runtime_checkable
class RemoteDataset(Protocol):
    """What a dataset has beside if its root may also be a URL."""

    def remote_videos(self, root: RemoteRoot, split: str) -> Iterator[Video | Skipped]:
        """As `videos`, for a root on another machine. One listing, and no request for each video."""


@runtime_checkable
class SplitsInFiles(Protocol):
    """What a dataset has beside if its splits depend on the files below the root; `splits` then is what they mostly are."""

    def splits_in(self, root: Path) -> tuple[str, ...]:
        """The splits of a prepared root, in the order in which they are built; empty where it has none."""


DATASETS: Table[type[Dataset]] = Table("dataset", package=__name__)


def splits_of(dataset: Dataset, root: Root) -> tuple[str, ...]:
    """The splits of a dataset at a prepared root; empty where it is built whole."""
    if isinstance(dataset, SplitsInFiles) and isinstance(root, Path):
        return dataset.splits_in(root)
    return dataset.splits


def list_videos(name: str, dataset: Dataset, root: Root, split: str) -> Iterator[Video | Skipped]:
    """The videos of a dataset of that name below a root of either kind.

    Raises:
        ConfigError: the root is not laid out as expected, or is a URL and the dataset reads folders only.
    """
    if isinstance(root, Path):
        return dataset.videos(root, split)
    if isinstance(dataset, RemoteDataset):
        return dataset.remote_videos(root, split)
    rule = "must be a path of this machine; the dataset `folder` takes URLs, and `urls` a list of them"
    raise ConfigError(f"{name}: --root ('{root}') {rule}")
