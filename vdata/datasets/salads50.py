"""50 Salads: 50 videos of 25 people who each make a mixed salad twice, filmed from above at 30 frames a second; 4.5 hours.

Published by the University of Dundee (cvip.computing.dundee.ac.uk, "50 Salads"), CC BY-NC-SA 4.0 (from memory). Ground truth by
frame and features come with MS-TCN (2,048 dimensions, I3D, 17 actions and `action_start`, `action_end`; five folds) or CTE (64
dimensions; one activity `rgb`; two numberings, `mappingeval.txt` and `mappingmid.txt`, which may give several names one index).

Seen: MS-TCN's lists and the start of a ground truth. From others' code alone: CTE's layout and its mappings. Of the videos we
have the names `rgb-PP-T.avi`, not their folder.

Source: Stein, McKenna, UbiComp 2013; the layouts of github.com/trquhuytin/TOT-CVPR22 and github.com/yabufarha/ms-tcn.
"""

from __future__ import annotations

import re
from typing import ClassVar, Literal

import pyarrow as pa

from vdata.datasets import DATASETS, About
from vdata.datasets._segmentation import LAYOUT, Described, Segmentation
from vdata.records import Column

__all__ = ["Salads50"]

_LAYOUT = f"""ROOT/
{LAYOUT}  rgb/rgb-01-1.avi ...        or videos/
"""
_NAME = re.compile(r"rgb-(\d+)-(\d+)")


@DATASETS.add("50salads")
class Salads50(Segmentation):
    """The videos of a fold (40 to train, 10 to test), or all. Persons 08 and 12 do not exist."""

    name: ClassVar[str] = "50salads"
    activities: ClassVar[tuple[str, ...]] = ("rgb",)
    video_folders: ClassVar[tuple[str, ...]] = ("rgb", "videos")
    flat_axes: ClassVar[Literal["TD", "DT"]] = "DT"
    columns: ClassVar[tuple[Column, ...]] = (
        *Segmentation.columns,
        Column("person", pa.string(), "Who is filmed, as `01`; everybody is filmed twice."),
    )
    about: ClassVar[About] = About(_LAYOUT, {"": 50, "train": 40, "test": 10})

    def described(self, video: str) -> Described | None:
        """The person."""
        match = _NAME.fullmatch(video)
        return Described("rgb", {"person": match[1]}) if match else None
