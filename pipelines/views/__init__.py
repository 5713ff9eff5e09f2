"""How each kind of view is drawn, read and put into the graph: one file a kind, as in vdata/views/."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from pipelines.members import Members
from pipelines.samples import Samples
from vdata.views import View

__all__ = ["Finish", "Shot", "ViewReader"]

Longs = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Finish:
    """What the CPU does to a view's pictures before they come to the graph (pipelines/convert.py)."""

    box: npt.NDArray[np.float32]
    """(4,): x0, y0, x1, y1 of the crop in pixels of the picture, even numbers."""
    size: tuple[int, int]
    """Height and width that the crop is scaled to."""
    colour: npt.NDArray[np.float32] | None = None
    """(3, 4): a colour becomes matrix @ (r, g, b, 1), in steps of 1/255; None leaves it."""
    sigma: float = 0.0
    """Of the Gaussian blur, in pixels of the view; 0 for none."""


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """Pictures that a view wants of one sample."""

    name: str
    """The graph's source for them."""
    frames: Longs
    """(T,) counted in the sample's run; a frame may come twice."""
    finish: Finish | None = None
    """None for whole pictures."""


class ViewReader(Protocol):
    """How one view is drawn, read and put into the graph. It holds no state of a batch.

    A draw is a dataclass of NumPy arrays whose first axis is the sample (`pipelines.samples.put` copies rows). Everything random
    in it comes from `samples.u[view.name]` and `samples.coins`, so that a batch can be made again.
    """

    @property
    def view(self) -> View:
        """What is read."""

    @property
    def shot_names(self) -> Sequence[str]:
        """The names of the shots, in the order of `shots`; none for views of other things than pictures."""

    def draw(self, samples: Samples, drawn: Mapping[str, Any]) -> Any:  # noqa: ANN401 - each kind has its own
        """What the view takes of the B samples; `drawn` has the draws of the views that it looks at."""

    def shots(self, drawn: Any, row: int) -> Sequence[Shot]:  # noqa: ANN401 - see draw
        """The pictures that the view wants of a sample; none for views of other things."""

    def load(self, members: Members, samples: Samples, row: int, drawn: Any) -> Any:  # noqa: ANN401 - see draw
        """What the view reads of a sample beside pictures; called in the loader's threads.

        Raises:
            MediaError: the stored bytes are no good; the loader names clip and file.
            SchemaMismatchError: the shards do not hold the field.
        """

    def feeds(self, drawn: Any, loaded: Sequence[Any]) -> dict[str, Any]:  # noqa: ANN401 - see draw
        """The inputs of a batch by the names of the graph's sources, pictures apart; `loaded` has what `load` gave, by sample."""

    def nodes(self, device: str, pictures: Mapping[str, Any]) -> Sequence[Any]:
        """The view's outputs as DALI nodes; `pictures` has the node of each shot by its name."""

    def batch(self, drawn: Any, loaded: Sequence[Any], outputs: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:  # noqa: ANN401 - see draw
        """The batch's entries, from the graph's outputs (in the order of `nodes`) and from what was loaded."""

    def meta(self, drawn: Any, samples: Samples) -> dict[str, npt.NDArray[Any]]:  # noqa: ANN401 - see draw
        """What the batch's `meta` says of the view; may be empty."""
