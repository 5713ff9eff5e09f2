"""A finished shard in the stead of another, so that a crash at no moment loses both.

ShardWriter.commit takes the old shard away before the new one is there: harmless where the sources can be cut again, not
where a shard is all that is left of them. Here the new one waits complete in `.ready`, and whoever works on the folder next
puts it into place.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from vdata.shards.layout import ROWS, TAR, shard_files, shard_name, shard_path, sync_folder
from vdata.shards.sums import SUMS, read_sums

__all__ = ["READY", "finish_replacements", "replace_shard"]

READY = ".ready"


def replace_shard(folder: Path, shard: int, made: Path) -> None:
    """Puts a shard that lies finished in the folder `made`, on the same disk, into `folder`; `made` is gone afterwards."""
    place = folder / READY / shard_name(shard)
    place.parent.mkdir(exist_ok=True)
    if place.exists():
        # Of a worker that died in the middle of this: it must be in place before another comes.
        finish_replacements(folder)
        place.parent.mkdir(exist_ok=True)
    sync_folder(made)
    made.rename(place)
    sync_folder(place.parent)
    sync_folder(folder)
    finish_replacements(folder)


def finish_replacements(folder: Path) -> list[int]:
    """The shards that wait in `.ready`, put into place: what a crash has interrupted goes on. Needs the folder's lock."""
    ready = folder / READY
    if not ready.is_dir():
        return []
    done = []
    for place in sorted(ready.iterdir()):
        shards = {shard for shard, _, _ in shard_files(place)}
        for shard in shards:
            _put(folder, shard, place)
        done += sorted(shards)
        shutil.rmtree(place)
    with suppress(OSError):
        ready.rmdir()
    return done


def _put(folder: Path, shard: int, place: Path) -> None:
    """Moves a shard's files; every step may be done again after a crash. The row file comes last.

    The old row file leaves first where one that holds members is replaced: its rows would name bytes that are others. A field
    that is added changes none of those, and a reader always finds the shard.
    """
    rows = shard_path(place, shard, ROWS)
    if not rows.exists():
        return  # The last step was done.
    if _old_rows_are_done(folder, shard, place):
        shard_path(folder, shard, ROWS).unlink(missing_ok=True)
        sync_folder(folder)
    for _, suffix, path in shard_files(place):
        if suffix != ROWS:
            path.replace(folder / path.name)
    sums = shard_path(folder, shard, SUMS)
    known = {*read_sums(sums), sums.name}
    for found, _, path in shard_files(folder):
        if found == shard and path.name not in known:
            path.unlink()
    sync_folder(folder)
    rows.rename(folder / rows.name)
    sync_folder(folder)


def _old_rows_are_done(folder: Path, shard: int, place: Path) -> bool:
    """Whether a tar that holds members is about to be replaced, or to go."""
    sums = shard_path(place, shard, SUMS)
    kept = read_sums(sums if sums.exists() else shard_path(folder, shard, SUMS))
    made = {path.name for path in place.iterdir()}
    tars = [path.name for found, suffix, path in shard_files(folder) if found == shard and suffix.endswith(TAR)]
    return any(name in made or name not in kept for name in tars)
