"""Leaks: videos of a test set, or near copies of them, that sit in the training set."""

from __future__ import annotations

from vdata.leaks.config import LeakConfig
from vdata.leaks.find import find_leaks
from vdata.leaks.report import FolderFacts, GroupLeak, Leak, LeakReport, LeakVideo, write_pairs

__all__ = ["FolderFacts", "GroupLeak", "Leak", "LeakConfig", "LeakReport", "LeakVideo", "find_leaks", "write_pairs"]
