"""The motion-vector-extractor package beside the motion pass: what its users call, on the same clips.

Its `read` gives a frame's picture as BGR with its vectors. It starts frame threads that cannot be turned off: hence CPU seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vdata.bench.case import Bench, Skip, Variant
from vdata.bench.timing import on_cpu
from vdata.media.vectors import ROW_COLUMNS, read_motion

__all__ = ["mvextractor"]

NAME = "mvextractor"


def mvextractor(bench: Bench, clips: Sequence[bytes]) -> Variant | Skip:
    """The package on the clips, by CPU seconds, its rows found equal to ours; or why it cannot run.

    Raises:
        ValueError: its rows of a clip differ from ours.
    """
    if not bench.peers:
        return Skip(NAME, "asked for by --peers")
    try:
        import mvextractor.videocap  # noqa: F401, PLC0415 - a peer that may be absent
    except ImportError:
        return Skip(NAME, "pip install --no-deps motion-vector-extractor")
    paths = [_written(bench.scratch / f"{number}.mp4", clip) for number, clip in enumerate(clips)]
    for path, clip in zip(paths, clips, strict=True):
        rows = [found.reshape(-1, len(ROW_COLUMNS)) for found in _rows(path)]
        if not np.array_equal(np.concatenate(rows), read_motion(clip).rows):
            msg = f"motion-vector-extractor's rows of {path.name} differ from ours"
            raise ValueError(msg)
    return Variant(NAME, on_cpu(lambda: float(sum(len(_rows(path)) for path in paths))))


def _written(path: Path, clip: bytes) -> Path:
    path.write_bytes(clip)
    return path


def _rows(path: Path) -> list[npt.NDArray[np.int32]]:
    """The vectors of every frame."""
    from mvextractor.videocap import VideoCap  # noqa: PLC0415 - a peer that may be absent

    capture, found = VideoCap(), []
    capture.open(str(path))
    while (read := capture.read())[0]:
        found.append(read[2])
    capture.release()
    return found
