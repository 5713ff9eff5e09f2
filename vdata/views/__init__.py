"""Views: what a method reads of a sample, as data.

A view names a batch key and says which frames, boxes, sound or text it wants, and which augmentation. `pipelines` draws every
random number for it in NumPy and compiles the tuple of views into one DALI graph; nothing here knows of DALI, torch or files.
One kind of view is one file here and one in pipelines/views/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vdata.config import check
from vdata.views.audio import Audio
from vdata.views.augment import Augment
from vdata.views.boxes import Boxes, Tracklets
from vdata.views.clip import CENTRE_SHARE, Clip, Keyframe, Size
from vdata.views.fact import Fact
from vdata.views.features import Features
from vdata.views.motion import Motion
from vdata.views.numbers import Numbers
from vdata.views.text import Text
from vdata.views.window import parse_start

__all__ = [
    "CENTRE_SHARE",
    "Audio",
    "Augment",
    "Boxes",
    "Clip",
    "Fact",
    "Features",
    "Keyframe",
    "Motion",
    "Numbers",
    "Size",
    "Text",
    "Tracklets",
    "View",
    "check_views",
    "looks_at",
]

View = Clip | Keyframe | Motion | Boxes | Tracklets | Audio | Text | Features | Fact | Numbers
"""Any view."""

_KEPT = ("idx", "label", "valid", "meta")
"""Keys that every batch has."""
_BESIDE: Mapping[type, tuple[str, ...]] = {
    Audio: ("mask", "shifted"),
    Boxes: ("mask", "class"),
    Features: ("time",),
    Motion: ("mask",),
    Text: ("mask", "seconds", "answer", "span"),
    Tracklets: ("mask", "id"),
}
"""What follows a view's name in the other keys that it may write."""


def looks_at(view: View) -> tuple[str, ...]:
    """The names of the views that this one's draw depends on."""
    names = [getattr(view, "of", ""), getattr(view, "pair", "") or "", getattr(view, "follow", "")]
    if isinstance(view, Clip | Motion):
        names += [parse_start(view.start, f"views.{view.name}.start").of, view.speed_unlike]
    return tuple(dict.fromkeys(name for name in names if name))


def check_views(views: Sequence[View]) -> None:
    """Nothing, if the views can make one batch.

    Raises:
        ConfigError: no view, two of one name, a name that the batch keeps for itself, or one that looks at a view which is not
            there, is no Clip, or looks back at it.
    """
    for view in views:
        check(isinstance(view, View), "views", view, "must be a sequence of views, as (Clip('clip'),)")
        check(isinstance(view.name, str) and bool(view.name), "views.name", view.name, "must be a name, as 'clip'")
    names = [view.name for view in views]
    check(bool(views), "views", names, "must hold at least one view")
    check(len(set(names)) == len(names), "views", names, "must have different names")
    known = {view.name: view for view in views}
    beside = {f"{view.name}_{word}": view.name for view in views for word in _BESIDE.get(type(view), ())}
    for view in views:
        check(view.name not in beside, "views", view.name, f"is a key that the view '{beside.get(view.name)}' writes")
        check(view.name not in _KEPT, "views", view.name, "is a key that every batch has already")
        for name in looks_at(view):
            fits = isinstance(known.get(name), Clip) and name != view.name
            clips = ", ".join(other.name for other in views if isinstance(other, Clip) and other is not view)
            check(fits, f"views.{view.name}", name, f"must name a Clip among the views: {clips or 'there is none'}")
        _check_relation(view, known)
    _check_circles(known)
    _check_pairs([view for view in views if isinstance(view, Clip)], known)


def _check_relation(view: View, known: Mapping[str, View]) -> None:
    """What a view may ask of those that it looks at."""
    if isinstance(view, Clip | Motion) and view.speed_unlike:
        other = known[view.speed_unlike]
        same = isinstance(other, Clip) and other.speeds == view.speeds and len(view.speeds) > 1
        check(same, f"views.{view.name}.speeds", view.speeds, f"must be those of '{other.name}', two or more")
    for other in (known[name] for name in looks_at(view)):
        start = getattr(other, "start", "")
        check(
            getattr(other, "num_windows", 1) == 1,
            f"views.{other.name}.start",
            start,
            f"must take one window: '{view.name}' looks at it",
        )
        follows = isinstance(view, Clip | Motion) and view.start.startswith(f"consecutive_after:{other.name}:")
        reverse = getattr(other, "reverse", 0.0)
        rule = f"must be 0: '{view.name}' is behind it in the video's time, which would be before it in the time shown"
        check(not (follows and reverse), f"views.{other.name}.reverse", reverse, rule)
    crop = view.follow if isinstance(view, Motion) else view.of if isinstance(view, Boxes | Tracklets) else ""
    seen = known.get(crop)
    if isinstance(seen, Clip):
        rule = f"where '{view.name}' goes through the same crop"
        angle = seen.augment.rotate if seen.augment else 0.0
        check(angle == 0, f"views.{seen.name}.augment.rotate", angle, f"must be 0 {rule}")
        check(seen.crops == "one", f"views.{seen.name}.crops", seen.crops, f"must be one {rule}")


def _check_circles(known: Mapping[str, View]) -> None:
    """No view may look at itself by way of others."""
    for name in known:
        seen, ahead = set[str](), list(looks_at(known[name]))
        while ahead:
            other = ahead.pop()
            check(other != name, "views", name, "must not look at itself by way of others")
            ahead += [] if other in seen else looks_at(known[other])
            seen.add(other)


def _check_pairs(clips: Sequence[Clip], known: Mapping[str, View]) -> None:
    """A CVRL pair is one draw for two views."""
    pairs = [view.pair for view in clips if view.pair is not None]
    for pair in pairs:
        start = getattr(known[pair], "start", "")
        check(start == "uniform", "views.start", f"cvrl_gap:{pair}", f"must name a view whose start is uniform, not {start}")
    check(len(set(pairs)) == len(pairs), "views.start", pairs, "must not name one view twice: a pair is one draw")
