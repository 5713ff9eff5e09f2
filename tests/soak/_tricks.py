"""Files made to be misread, each by its name: a table that is filled by the modules that make them."""

from __future__ import annotations

import _entries
import _lies
import _scripts
from _table import TRICKS, Bait

__all__ = ["MAKERS", "TRICKS", "Bait"]

MAKERS = (_entries, _lies, _scripts)
"""Imported for what they add to the table."""
