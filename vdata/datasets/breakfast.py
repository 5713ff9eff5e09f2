"""Breakfast: 1,712 videos (77 hours) of 52 people who make one of 10 breakfasts, filmed by 3 to 5 cameras; 48 actions by frame.

Published by the Serre lab of Brown University (serre-lab.clps.brown.edu, "Breakfast Actions Dataset"): the videos as
BreakfastII_15fps_qvga_sync.tar.gz, 3.6 GB; CC BY 4.0 (from memory). The ground truth by frame and the features come with CTE
(64 dimensions, reduced dense trajectories) or MS-TCN (2,048, I3D), which link to them.

Seen: CTE's ground truth, mapping and one feature file, MS-TCN's lists and ground truth. From others' code alone: that videos are
`P03/cam01/P03_coffee.avi`, and that `P03_stereo01_P03_coffee` is `P03/stereo/P03_coffee_ch0.avi`; where ch0 is not there, ch1
is taken, which is our choice. From memory: that MS-TCN's features have time last.

Source: Kuehne, Arslan, Serre, CVPR 2014; the layouts of github.com/trquhuytin/TOT-CVPR22 and github.com/yabufarha/ms-tcn.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import pyarrow as pa

from vdata.datasets import DATASETS, About
from vdata.datasets._layout import names_in
from vdata.datasets._segmentation import LAYOUT, Described, Segmentation
from vdata.records import Column

__all__ = ["Breakfast"]

_LAYOUT = f"""ROOT/
{LAYOUT}  BreakfastII_15fps_qvga_sync/P03/cam01/P03_coffee.avi ...  or P03/ ... in ROOT, or videos/P03_cam01_P03_coffee.avi
"""
_NAME = re.compile(r"(P\d+)_([a-z]+\d+)_\1_([a-z]+)")
_PERSON = re.compile(r"P\d+")
_CHANNEL = re.compile(r"_ch\d$")


@DATASETS.add("breakfast")
class Breakfast(Segmentation):
    """The videos of a fold, or all; the label is the breakfast that is made, and SIL (class 0) stands for no action.

    Lines of the ground truth are frames at 15 a second.
    """

    name: ClassVar[str] = "breakfast"
    activities: ClassVar[tuple[str, ...]] = (
        *("cereals", "coffee", "friedegg", "juice", "milk"),
        *("pancake", "salat", "sandwich", "scrambledegg", "tea"),
    )
    video_folders: ClassVar[tuple[str, ...]] = ("BreakfastII_15fps_qvga_sync", "videos")
    flat_axes: ClassVar[Literal["TD", "DT"]] = "DT"
    columns: ClassVar[tuple[Column, ...]] = (
        *Segmentation.columns,
        Column("person", pa.string(), "Who is filmed, as `P03`."),
        Column("camera", pa.string(), "The camera, as `cam01`, `webcam02` or `stereo01`."),
    )
    about: ClassVar[About] = About(_LAYOUT, {"": 1_712, "train": 1_460, "test": 252}, size_gb=3.6)

    def described(self, video: str) -> Described | None:
        """Person, camera and breakfast."""
        match = _NAME.fullmatch(video)
        if match is None or match[3] not in self.activities:
            return None
        return Described(match[3], {"person": match[1], "camera": match[2]})

    def film_folders(self, root: Path) -> Sequence[str]:
        """The flat folder, and the folders of the persons."""
        top = next((name for name in ("BreakfastII_15fps_qvga_sync", "") if (root / name).is_dir()), "")
        persons = sorted(name for name in names_in(root / top) if _PERSON.fullmatch(name))
        return [*super().film_folders(root), *(f"{top}/{name}" if top else name for name in persons)]

    def film_name(self, source: str) -> str:
        """The flat name, or that of the folders; both channels of the stereo camera are `stereo01`."""
        stem = super().film_name(source)
        folders = source.split("/")[:-1]
        if _NAME.fullmatch(stem) or len(folders) < 2:  # noqa: PLR2004 - person and camera
            return stem
        person, camera = folders[-2:]
        camera = "stereo01" if camera == "stereo" else camera
        return f"{person}_{camera}_{_CHANNEL.sub('', stem)}"
