"""Station 3, extract: a clip becomes named fields. One file an extractor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from vdata.media.clip import EncodedClip
from vdata.records import Column, Field
from vdata.table import Table

__all__ = ["EXTRACTORS", "Extracted", "Extractor"]


@dataclass(frozen=True, slots=True)
class Extracted:
    """What one extractor found in one clip."""

    members: Mapping[str, bytes] = field(default_factory=dict)
    """Bytes of each member, by the extension of its declared Field."""
    columns: Mapping[str, Any] = field(default_factory=dict)
    """Plain values for the declared columns."""


class Extractor(Protocol):
    """What a file of this folder registers."""

    Config: ClassVar[type]
    """A frozen dataclass of the extractor's settings: `--set <name>.key=value`."""
    packages: ClassVar[tuple[str, ...]]
    """Distributions beside NumPy and PyAV that decide its bytes, as "scikit-image"; a resumed build needs the same versions."""
    reads_source: ClassVar[bool]
    """Whether it reads the source's own bytes, not the clip alone."""
    reads_motion: ClassVar[bool]
    """Whether it asks for `clip.motion`: clips with B pictures are then encoded a second time."""
    needs_pictures: ClassVar[bool]
    """Whether it has nothing to say of a row without an MP4, as a document."""

    def __init__(self, config: Any) -> None:  # noqa: ANN401 - each extractor has its own Config
        """Takes the extractor's own Config; heavy set-up belongs here, it runs once a worker."""

    @property
    def fields(self) -> tuple[Field, ...]:
        """The members that this extractor adds under its config."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that it adds to the rows."""

    def __call__(self, clip: EncodedClip) -> Extracted:
        """The clip's members and columns.

        Raises:
            MediaError: the clip's own fault, with a reason; it becomes a row of errors.parquet.
        """


EXTRACTORS: Table[type[Extractor]] = Table("extractor", package=__name__)
