"""What is probably wrong with a root in which something was not found.

The folder above or below is meant, a name is misspelled, or an archive was not unpacked.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

from vdata.records import printable

__all__ = ["hint", "is_archive"]

_ARCHIVE = re.compile(r"\.(zip|z\d\d|tar|tgz|gz|bz2|xz|rar|7z)(\.\d+|\.[a-z]{2})?$", re.IGNORECASE)
"""The end of an archive's name, or of a part of one."""
_PATH = re.compile(r"[\w-]+(?:[./][\w.-]+)+|[\w-]+/")
"""What looks like a file or a folder in words such as "train.csv or annotations/val.csv"."""
_ALIKE = 0.8
_MOST_FOLDERS = 200


def is_archive(name: str) -> bool:
    """Whether a name ends as an archive's, or as a part of one."""
    return _ARCHIVE.search(name) is not None


def hint(looked_for: str, where: Path, names: Sequence[str]) -> str:
    """What to do, as "; give 'k400', which holds train.csv"; empty where nothing comes to mind.

    Args:
        looked_for: what was not found, in words that hold its path.
        where: the folder in which it was looked for.
        names: what lies there.
    """
    paths = _PATH.findall(looked_for)
    for folder in names[:_MOST_FOLDERS]:
        if path := _found(where / folder, paths):
            return f"; give '{printable(folder)}', which holds {path}"
    if path := _found(where.absolute().parent, paths):
        return f"; give the folder above, which holds {path}"
    for path in paths:
        first = path.partition("/")[0]
        near = _nearest(first, names)
        if near and near != first:
            return f"; is '{printable(near)}' meant? it must be named '{first}'"
    return _unpack([name for name in names if is_archive(name)])


def _found(folder: Path, paths: Sequence[str]) -> str:
    return next((path for path in paths if _is_there(folder / path)), "")


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _nearest(name: str, names: Sequence[str]) -> str:
    """That of the names that is the same but for case, or nearly the same; "" for none."""
    spelled = {other.casefold(): other for other in reversed(names) if not is_archive(other)}
    near = difflib.get_close_matches(name.casefold(), spelled, n=1, cutoff=_ALIKE)
    return spelled[near[0]] if near else ""


def _unpack(archives: Sequence[str]) -> str:
    if not archives:
        return ""
    others = f" and {len(archives) - 1} more" if len(archives) > 1 else ""
    return f"; unpack '{printable(archives[0])}'{others} first"
