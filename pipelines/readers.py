"""Which reader reads which view."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

from pipelines.views import ViewReader
from pipelines.views.audio import AudioReader
from pipelines.views.boxes import BoxesReader
from pipelines.views.fact import FactReader
from pipelines.views.features import FeaturesReader
from pipelines.views.motion import MotionReader
from pipelines.views.numbers import NumbersReader
from pipelines.views.pictures import PictureReader
from pipelines.views.text import TextReader
from pipelines.views.tracklets import TrackletsReader
from vdata.views import Audio, Boxes, Clip, Fact, Features, Keyframe, Motion, Numbers, Text, Tracklets, View

__all__ = ["READERS", "make_readers"]

_Maker = Callable[[Any, Mapping[str, View]], ViewReader]

READERS: Mapping[type, _Maker] = {
    Audio: AudioReader,
    Boxes: BoxesReader,
    Clip: PictureReader,
    Fact: FactReader,
    Features: FeaturesReader,
    Keyframe: PictureReader,
    Motion: MotionReader,
    Numbers: NumbersReader,
    Text: TextReader,
    Tracklets: TrackletsReader,
}
"""By the view's class."""


def make_readers(views: Sequence[View], *, shortcuts: Collection[str]) -> tuple[ViewReader, ...]:
    """A reader for each view; `shortcuts` are done to its pictures on the CPU (see pipelines/convert.py)."""
    makers: dict[type, _Maker] = {**READERS, **dict.fromkeys((Clip, Keyframe), partial(PictureReader, shortcuts=shortcuts))}
    known = {view.name: view for view in views}
    return tuple(makers[type(view)](view, known) for view in views)
