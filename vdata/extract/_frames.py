"""Which frames of a clip an extractor looks at: `keyframes`, `every:N` or `all`."""

from __future__ import annotations

from vdata.config import check
from vdata.media.clip import EncodedClip

__all__ = ["check_frames", "chosen_frames"]

_RULE = "must be 'keyframes', 'all', or 'every:N' with a whole N of 1 or more"


def check_frames(rule: str, key: str) -> None:
    """Nothing, or the error of a rule that is none.

    Raises:
        ConfigError: names the setting `key`.
    """
    name, colon, step = rule.partition(":")
    check(name in ("keyframes", "all", "every") and bool(colon) == (name == "every"), key, rule, _RULE)
    check(not colon or (step.isascii() and step.isdigit() and int(step) >= 1), key, rule, _RULE)


def chosen_frames(rule: str, clip: EncodedClip) -> tuple[int, ...]:
    """Numbers of the frames, ascending. `every:N` are frames 0, N, 2N ... of each clip."""
    if rule == "keyframes":
        return tuple(keyframe.frame for keyframe in clip.keyframes)
    step = int(rule.partition(":")[2] or 1)
    return tuple(range(0, clip.num_frames, step))
