"""vdata: raw videos to self-supervised training.

`open_shards(path)` reads finished shards; `vdata build` makes them; `from pipelines import ClipIterator` feeds them to torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["__version__", "open_shards"]
__version__ = "0.1.0"

if TYPE_CHECKING:
    from vdata.shards import open_shards


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's attributes are any
    """Loads pyarrow and PyAV on the first use of `open_shards`, so that `import vdata` costs milliseconds."""
    if name == "open_shards":
        from vdata.shards import open_shards  # noqa: PLC0415 - lazily on purpose

        return open_shards
    msg = f"module 'vdata' has no attribute '{name}'"
    raise AttributeError(msg)
