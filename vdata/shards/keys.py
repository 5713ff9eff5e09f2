"""Keys: names for samples that are safe in a tar, a shell and a WebDataset, and that no two clips share."""

from __future__ import annotations

import hashlib
import re

from vdata.config import check

__all__ = ["check_key", "clip_key"]

_MAX_STEM = 64
_HASH_DIGITS = 12
_MAX_KEY = 76
"""A USTAR name holds 100 bytes; the rest is for the dot and the longest extension, felzenszwalb.boxes.npy."""
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


def clip_key(video_id: str, clip_in_video: int) -> str:
    """The key of one clip, as `v_Archery_g01_c01-00000`.

    A video_id of safe characters is kept. Any other is made safe and gets 12 digits of its hash, so that "a/b" and
    "a_b" stay two videos.
    """
    stem = _UNSAFE.sub("_", video_id)
    if stem != video_id or not 0 < len(stem) <= _MAX_STEM:
        digest = hashlib.sha256(video_id.encode("utf-8", "surrogateescape")).hexdigest()[:_HASH_DIGITS]
        stem = f"{stem[: _MAX_STEM - 1 - _HASH_DIGITS]}-{digest}"
    return f"{stem}-{clip_in_video:05d}"


def check_key(key: str) -> None:
    """Nothing, or the error of a key that a WebDataset reader would split or misplace.

    Raises:
        ConfigError: the key has a dot, a slash or another unsafe character, or is empty or too long.
    """
    ok = 0 < len(key) <= _MAX_KEY and not _UNSAFE.search(key)
    check(ok, "key", key, f"must be 1 to {_MAX_KEY} letters, digits, '_' or '-': make it with clip_key(video_id, number)")
