"""What the datasets of pictures with tags share: a picture is a clip of one frame, its tags are text, its classes are several."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final

from vdata.records import Video

__all__ = ["PICTURE_SETTINGS", "picture"]

PICTURE_SETTINGS: Final[dict[str, Any]] = {"text": {"beside": False, "embedded": False}}
"""Their text is in their annotations: a look beside each of 269,648 pictures, and into it, would find nothing."""

_ONE = Fraction(1)


def picture(
    video_id: str, source: str, split: str, splits: tuple[str, ...], labels: tuple[int, ...], tags: Sequence[str], **facts: str
) -> Video:
    """The Video of one picture: a clip of one frame that lasts a second."""
    text: dict[str, Any] = {"tags": list(tags)} if tags else {}
    return Video(
        video_id,
        source,
        split,
        splits,
        labels=labels,
        facts=facts,
        text=text,
        frames=(source,),
        frame_rate=_ONE,
    )
