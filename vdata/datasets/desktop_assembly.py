"""Desktop Assembly: 76 videos (from memory) of people who put a desktop computer together in a fixed order; 23 classes by frame.

Published by Retrocausal with TOT (github.com/trquhuytin/TOT-CVPR22 links to features and ground truth). Nobody of us has seen a
file of it: features of 512 dimensions as .npy with time first, one activity named `2020` and one label a line are what TOT's code
and tables say. We know no licence and no official split.

Source: Kumar et al., CVPR 2022; the layout of github.com/trquhuytin/TOT-CVPR22.
"""

from __future__ import annotations

from typing import ClassVar

from vdata.datasets import DATASETS, About
from vdata.datasets._segmentation import LAYOUT, Described, Segmentation

__all__ = ["DesktopAssembly"]

_LAYOUT = f"""ROOT/
{LAYOUT}  videos/VIDEO.mp4 ...        if you have them
"""


@DATASETS.add("desktop_assembly")
class DesktopAssembly(Segmentation):
    """All videos as one set, of the one activity."""

    name: ClassVar[str] = "desktop_assembly"
    activities: ClassVar[tuple[str, ...]] = ("2020",)
    video_folders: ClassVar[tuple[str, ...]] = ("videos",)
    about: ClassVar[About] = About(_LAYOUT, {"": 76})

    def described(self, video: str) -> Described | None:
        """The one activity, whatever the name."""
        del video
        return Described("2020", {})
