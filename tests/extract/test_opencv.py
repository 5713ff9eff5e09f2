"""OpenCV without what differs between machines, and as it was afterwards."""

from __future__ import annotations

import cv2
import pytest

from vdata.extract._opencv import plain_opencv


@pytest.mark.parametrize("optimised", [True, False])
def test_the_settings_come_back(optimised):
    before = cv2.useOptimized(), cv2.getNumThreads()
    try:
        cv2.setUseOptimized(optimised)
        cv2.setNumThreads(2)
        with plain_opencv():
            assert (cv2.useOptimized(), cv2.getNumThreads()) == (False, 1)
        assert (cv2.useOptimized(), cv2.getNumThreads()) == (optimised, 2)
    finally:
        cv2.setUseOptimized(before[0])
        cv2.setNumThreads(before[1])


def test_the_settings_come_back_after_an_error():
    before = cv2.useOptimized(), cv2.getNumThreads()
    with pytest.raises(cv2.error), plain_opencv():
        cv2.cvtColor(None, 0)
    assert (cv2.useOptimized(), cv2.getNumThreads()) == before
