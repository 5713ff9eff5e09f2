"""YouTube Instructions: 150 videos (from memory) of five tasks from YouTube, with the steps of the task by frame.

Published by INRIA's Willow team ("Unsupervised learning from narrated instruction videos"); ground truth by frame and features
(3,000 dimensions) come with CTE and TOT, which link to them. Nobody of us has seen a file of it: the layout is that of CTE's and
TOT's code. We know no licence and no official split.

Its raw ground truth, lines `START-END CLASS` with the end inside the span, is read as well as the one with a line a frame.
Background is `bg`, index -1 in CTE's mapping: such frames have no class here, and K counts the steps alone, as in their tables.

Source: Alayrac et al., CVPR 2016; the layout of github.com/trquhuytin/TOT-CVPR22 and github.com/Annusha/unsup_temp_embed.
"""

from __future__ import annotations

from typing import ClassVar

from vdata.datasets import DATASETS, About
from vdata.datasets._segmentation import LAYOUT, Described, Segmentation

__all__ = ["YouTubeInstructions"]

_LAYOUT = f"""ROOT/
{LAYOUT}  videos/VIDEO.mp4 ...        or in a folder for each task
"""


@DATASETS.add("youtube_instructions")
class YouTubeInstructions(Segmentation):
    """All videos as one set; the label is the task, found in the name as CTE finds it."""

    name: ClassVar[str] = "youtube_instructions"
    activities: ClassVar[tuple[str, ...]] = ("changing_tire", "coffee", "cpr", "jump_car", "repot")
    video_folders: ClassVar[tuple[str, ...]] = ("videos",)
    about: ClassVar[About] = About(_LAYOUT, {"": 150})

    def described(self, video: str) -> Described | None:
        """The task whose name the video's holds."""
        return next((Described(activity, {}) for activity in self.activities if activity in video), None)
