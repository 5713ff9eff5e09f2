"""Momentum contrast with one hard negative of the same video: what BE and DSM train with."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from vdata.config import check
from vdata.nn.backbones import Backbone
from vdata.nn.contrast import queue_nce, unit
from vdata.nn.gather import gather, rank
from vdata.nn.momentum import MomentumEncoder, Queue

__all__ = ["Moco", "MocoConfig", "triplet"]


@dataclass(frozen=True, slots=True)
class MocoConfig:
    """Settings of momentum contrast."""

    dim: int = 128
    """Dimensions in which clips are compared [C]."""
    queue: int = 16384
    """Keys of earlier batches that serve as negatives [C]; 3569 on UCF101 and 65536 on Kinetics-400 [C]."""
    momentum: float = 0.999
    """Of the key encoder [C]."""
    temperature: float = 0.07
    """[C]."""

    def __post_init__(self) -> None:
        """Checks the numbers."""
        check(self.dim >= 1, "moco.dim", self.dim, "must be at least 1")
        check(self.queue >= 1, "moco.queue", self.queue, "must be at least 1")
        check(0 <= self.momentum <= 1, "moco.momentum", self.momentum, "must lie in [0, 1]")
        check(self.temperature > 0, "moco.temperature", self.temperature, "must be positive")


class Moco(nn.Module):
    """A linear head, the encoder of keys that follows backbone and head, and the queue of keys.

    Source: He et al., arXiv 1911.05722; in the form of the releases of BE and DSM [C]: one linear layer, no shuffled norms, and
    the hard negative's feature is the query encoder's, with its gradient.
    """

    def __init__(self, backbone: Backbone, config: MocoConfig) -> None:
        """Copies the backbone for the keys; the backbone itself stays its owner's."""
        super().__init__()
        self.head = nn.Linear(backbone.num_features, config.dim)
        self.keys = MomentumEncoder(nn.Sequential(backbone, self.head), config.momentum)
        self.queue = Queue(config.queue, config.dim)
        self.temperature = config.temperature

    def loss(self, queries: Tensor, positives: Tensor, hard: Tensor | None = None) -> dict[str, Tensor]:
        """The queue's contrast, and the share of queries whose positive is nearest of all, and nearer than the hard negative.

        The keys then enter the queue.

        Args:
            queries: features (B, num_features) of the backbone, with their gradient.
            positives: clips (B, 3, T, H, W) for the key encoder.
            hard: features (B, num_features) of another window of the same videos, or none.
        """
        keys, asked = self.keys(positives), self.head(queries)
        far = None if hard is None else self.head(hard)
        loss, nearest = queue_nce(asked, keys, self.queue.rows, self.temperature, far)
        self.queue.put(unit(keys))
        found = {"loss": loss, "positive_nearest": nearest}
        if far is not None:
            closer = functional.cosine_similarity(asked, keys) > functional.cosine_similarity(asked, far)
            found["hard_behind"] = closer.float().mean()
        return found

    def follow(self, backbone: Backbone) -> None:
        """Moves the key encoder after the backbone and the head."""
        self.keys.follow(nn.Sequential(backbone, self.head))


def triplet(queries: Tensor, positives: Tensor, hard: Tensor, margin: float) -> Tensor:
    """The triplet loss against the own video's negative, plus that against another video's; a scalar.

    All are (B, D). The other video's is that of row B - 1 - i, over all ranks. A term is max(|q - p| - |q - n| + margin, 0), each
    norm of a difference to whose elements 1e-6 is added, as torch has it.

    Source: the releases of BE and DSM [C].
    """
    others = gather(hard).flip(0)[rank() * len(hard) : (rank() + 1) * len(hard)]
    own, other = (functional.triplet_margin_loss(queries, positives, far, margin, eps=1e-6) for far in (hard, others))
    return own + other
