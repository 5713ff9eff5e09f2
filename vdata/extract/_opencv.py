"""OpenCV as it computes on every x86 CPU and with any number of threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["plain_opencv"]


@contextmanager
def plain_opencv() -> Iterator[None]:
    """While the block runs, OpenCV uses one thread, and the instructions that every x86-64 CPU has.

    With AVX2 the scores of the HOG detector have other last bits than without, and with two threads yet others (three hashes of
    559 boxes on one machine); so they all have the same, for 2 % more time.
    """
    import cv2  # noqa: PLC0415 - heavy, and not for those who only read

    optimised, threads = cv2.useOptimized(), cv2.getNumThreads()
    cv2.setUseOptimized(False)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setUseOptimized(optimised)
        cv2.setNumThreads(threads)
