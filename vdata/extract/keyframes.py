"""Keyframes as byte ranges: a keyframe is the IDR packet that opens a fragment, so no byte is stored twice."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import ClassVar

import pyarrow as pa

from vdata.extract import EXTRACTORS, Extracted
from vdata.media.clip import EncodedClip
from vdata.records import Column, Field

__all__ = ["KeyframesConfig", "KeyframesExtractor"]

_COLUMN = Column(
    "keyframes",
    pa.list_(pa.struct([("frame", pa.int32()), ("offset", pa.int64()), ("size", pa.int64())])),
    "Every IDR picture: its frame number and the byte range of its packet within the MP4.",
)


@dataclass(frozen=True)
class KeyframesConfig:
    """No settings: what a keyframe is follows from the clip's structure."""


@EXTRACTORS.add("keyframes")
class KeyframesExtractor:
    """The clip's keyframes as a column; with the init segment's avcC box, one packet decodes by itself."""

    Config: ClassVar[type] = KeyframesConfig

    def __init__(self, config: KeyframesConfig) -> None:
        self.config = config

    @property
    def fields(self) -> tuple[Field, ...]:
        """None: the pictures are in the MP4."""
        return ()

    @property
    def columns(self) -> tuple[Column, ...]:
        """The byte ranges."""
        return (_COLUMN,)

    def __call__(self, clip: EncodedClip) -> Extracted:
        """One entry a fragment."""
        return Extracted(columns={_COLUMN.name: [asdict(keyframe) for keyframe in clip.keyframes]})
