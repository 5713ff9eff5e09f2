"""JSON that others have written, as text that can be stored.

JSON may have one half of a surrogate pair, as an escape, which Python reads and no file of UTF-8 can hold. Here because two sides
read such files that do not know each other: datasets and extractors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

__all__ = ["BAD_VALUE", "load_json"]

BAD_VALUE = (KeyError, ValueError, TypeError, OverflowError)
"""What Python raises where a value that was read is not what its place wants: OverflowError at int(inf) and float(10**400)."""

_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
"""Any escape, taken whole, so that a backslash which is escaped itself begins none; the group is a half without its other."""


def load_json(text: str, hook: Callable[[dict[str, Any]], Any] | None = None) -> Any:  # noqa: ANN401 - JSON is any
    """The value of a JSON text; half a surrogate pair in it is U+FFFD.

    `hook` makes of each object, the innermost first, what is kept of it.

    Raises:
        ValueError: it is no JSON.
        RecursionError: it has brackets within brackets without end.
    """
    if _HALF.search(text):
        text = _ESCAPE.sub(lambda match: r"\ufffd" if match[1] else match[0], text)
    return json.loads(text, object_hook=hook)
