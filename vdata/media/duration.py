"""How long a source says it is: its header alone, for planning. The cut goes by the frames that are there."""

from __future__ import annotations

import re

import ffmpeg

from vdata.media.config import LimitConfig
from vdata.media.ffmpeg import INPUT, running
from vdata.media.source import is_remote, open_video
from vdata.media.url import Root
from vdata.records import Video

__all__ = ["described_seconds"]

_DURATION = re.compile(r"^  Duration: (\d+):(\d\d):(\d\d\.\d+)", re.MULTILINE)


def described_seconds(root: Root, video: Video, limits: LimitConfig) -> float:
    """The duration in a container's header, in seconds; 0 where it has none, or is no video, or is on another machine.

    Of images, their number by their rate.

    Raises:
        OpenError: the file cannot be opened.
        MediaError: a limit was reached.
    """
    if video.frames:
        return float(len(video.frames) / video.frame_rate)
    if not video.has_pictures or is_remote(root, video.source):
        # It would be downloaded whole, once to plan it and once more by each task that cuts a part of it.
        return 0.0
    # An output of no length: ffmpeg describes its input and reads on no further than it must.
    arguments = ffmpeg.input(**INPUT)["V:0"].output("pipe:", format="null", codec="copy", t=0).get_args()
    with open_video(root, video, limits) as file, running(["-v", "info", *arguments], limits, file) as child:
        child.stdout.read()
    told = _DURATION.search(child.words)
    if not told:
        return 0.0
    hours, minutes, seconds = told.groups()
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
