"""Which reader reads which view."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

from pipelines.views import ViewReader
from pipelines.views.audio import AudioReader
from pipelines.views.boxes import BoxesReader
from pipelines.views.features import FeaturesReader
from pipelines.views.motion import MotionReader
from pipelines.views.numbers import NumbersReader
from pipelines.views.pictures import PictureReader
from pipelines.views.text import TextReader
from pipelines.views.tracklets import TrackletsReader
from vdata.views import Audio, Boxes, Clip, Features, Keyframe, Motion, Numbers, Text, Tracklets, View

__all__ = ["READERS", "make_readers"]

READERS: Mapping[type, Callable[[Any, Mapping[str, View]], ViewReader]] = {
    Audio: AudioReader,
    Boxes: BoxesReader,
    Features: FeaturesReader,
    Motion: MotionReader,
    Numbers: NumbersReader,
    Text: TextReader,
    Tracklets: TrackletsReader,
}
"""By the view's class, of all but pictures."""


def make_readers(views: Sequence[View], *, shortcuts: Collection[str]) -> tuple[ViewReader, ...]:
    """A reader for each view; `shortcuts` are done to its pictures on the CPU (see pipelines/convert.py)."""
    pictures = partial(PictureReader, shortcuts=shortcuts)
    readers: dict[type, Callable[[Any, Mapping[str, View]], ViewReader]] = {**READERS, Clip: pictures, Keyframe: pictures}
    known = {view.name: view for view in views}
    return tuple(readers[type(view)](view, known) for view in views)
