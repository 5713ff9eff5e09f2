"""The generated dataset on which every method can show that it works.

960 videos of 96 pixels, 25 frames a second, 4 seconds, made on the spot in about 75 seconds of CPU time: a sprite moves in one
of six ways over a photograph, to a sound in time with it. The label is the motion. One frame does not tell it; the scene does
not either, but for train, where it is biased on purpose. The photographs come with scikit-image: nothing is downloaded.
`--set sample.scale=tiny` makes 120 videos. The truth of every frame: `vdata.datasets._sample.truth.load(root, video_id)`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import pyarrow as pa

from vdata.config import check
from vdata.datasets import DATASETS, About, Classes
from vdata.datasets._layout import check_split
from vdata.records import Column, Skipped, Video

__all__ = ["Sample", "SampleConfig"]

_LAYOUT = """ROOT/   made by vdata itself; without --root in OUT/source
"""


@dataclass(frozen=True, slots=True)
class SampleConfig:
    """What the generator makes."""

    seed: int = 0
    scale: Literal["full", "tiny"] = "full"
    """`full`: 480, 240 and 240 videos; `tiny`: 60, 30 and 30."""

    def __post_init__(self) -> None:
        """Checks the seed and the scale."""
        check(self.seed >= 0, "sample.seed", self.seed, "must be 0 or more")
        check(self.scale in ("full", "tiny"), "sample.scale", self.scale, "must be 'full' or 'tiny'")


@DATASETS.add("sample")
class Sample:
    """480 train, 240 val and 240 test videos; the last 8 of train are edge cases without a label."""

    Config: ClassVar[type] = SampleConfig
    splits: ClassVar[tuple[str, ...]] = ("train", "val", "test")
    columns: ClassVar[tuple[Column, ...]] = (
        Column("scene", pa.int32(), "The photograph behind the sprites, 0 to 11; -1 for a constant video."),
        Column("sprite", pa.int32(), "Texture of the main sprite, 0 to 11; -1 for a constant video."),
        Column("shape", pa.int32(), "Shape of the main sprite: 0 square, 1 disc, 2 ring; -1 for a constant video."),
        Column("speed", pa.int32(), "0 slow, 1 twice as fast; -1 for a sprite that stays still."),
        Column("timbre", pa.int32(), "Timbre of the sound, 0 to 5; -1 for no track."),
        Column("flash_seconds", pa.float64(), "When the one white frame starts, in the source; -1 for none."),
        Column("camera", pa.string(), "What the background does: none, pan or zoom."),
        Column("tags", pa.string(), "Words about the video, some of them noise, with spaces between."),
        Column("edge", pa.string(), "Empty, or why the video is left out of metrics: short, constant or portrait."),
    )
    build_settings: ClassVar[dict[str, Any]] = {"clip": {"short_side": 96}}
    extract: ClassVar[tuple[str, ...]] = ()
    about: ClassVar[About] = About(_LAYOUT, {"train": 480, "val": 240, "test": 240})

    def __init__(self, config: SampleConfig) -> None:
        self.config = config

    def prepare(self, root: Path) -> None:
        """Makes the videos below `root`, unless they are there already.

        Raises:
            ConfigError: other files of the same names lie there.
        """
        # Not at the top: listing the datasets should not load OpenCV, PyAV and scikit-image.
        from vdata.datasets._sample.collection import make  # noqa: PLC0415 - see above

        make(root, self.config.seed, self.config.scale)

    def videos(self, root: Path, split: str) -> Iterator[Video | Skipped]:
        """The videos of a prepared root.

        Raises:
            ConfigError: the root is not prepared, or has no such split.
        """
        from vdata.datasets._sample.collection import rows  # noqa: PLC0415 - as in prepare

        check_split("sample", split, self.splits)
        for row in rows(root, split):
            yield Video(
                video_id=row["video_id"],
                source=row["source"],
                split=split,
                splits=(split,),
                label=row["label"],
                labels=tuple(row["labels"]),
                label_name=row["label_name"],
                facts={column.name: row[column.name] for column in self.columns},
            )

    def classes(self, root: Path) -> Classes:
        """Nothing: every class of motion has videos in every split."""
        del root
        return {}
