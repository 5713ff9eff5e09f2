"""Stations 1 to 4 as a job: a saved plan, one task a shard, one commit a task, on Ray."""

from __future__ import annotations

from vdata.builder.build import build
from vdata.builder.config import BuildConfig, RunConfig, resolve
from vdata.builder.report import BuildReport, SplitReport

__all__ = ["BuildConfig", "BuildReport", "RunConfig", "SplitReport", "build", "resolve"]
