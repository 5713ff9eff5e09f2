"""What is probably wrong with a root in which something was not found.

The folder above or below is meant, a name is misspelled, or an archive was not unpacked.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
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
    # Words such as "the videos of the rows of train.csv" name what was found, too.
    paths = _PATH.findall(looked_for) if _PATH.match(looked_for) else []
    firsts = [path.partition("/")[0] for path in paths]
    return (
        _misspelled(firsts, {name.casefold(): name for name in names}, alike=1.0)
        or _unpack([name for name in names if is_archive(name)])
        or _elsewhere(paths, where, names)
        or _misspelled(firsts, {name.casefold(): name for name in names}, alike=_ALIKE)
    )


def _elsewhere(paths: Sequence[str], where: Path, names: Sequence[str]) -> str:
    """The folder below or above that holds one of the paths."""
    for folder in names[:_MOST_FOLDERS]:
        if path := _found(where / folder, paths):
            return f"; give '{printable(folder)}', which holds {path}"
    path = _found(where.absolute().parent, paths)
    return f"; give the folder above, which holds {path}" if path else ""


def _found(folder: Path, paths: Sequence[str]) -> str:
    return next((path for path in paths if _is_there(folder / path)), "")


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _misspelled(wanted: Sequence[str], spelled: Mapping[str, str], alike: float) -> str:
    """That of the names, by their folded form, that is one of the wanted but for case, or nearly so."""
    for name in wanted:
        near = difflib.get_close_matches(name.casefold(), spelled, n=1, cutoff=alike)
        if near and spelled[near[0]] != name:
            return f"; is '{printable(spelled[near[0]])}' meant? it must be named '{name}'"
    return ""


def _unpack(archives: Sequence[str]) -> str:
    if not archives:
        return ""
    others = f" and {len(archives) - 1} more" if len(archives) > 1 else ""
    return f"; unpack '{printable(archives[0])}'{others} first"
