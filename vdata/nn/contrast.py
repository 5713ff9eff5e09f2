"""Contrastive losses that several methods share, each a pure function of features.

Rows are L2-normalised here, and never in half precision: it loses the small differences that a temperature of 0.07 enlarges.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from vdata.nn.gather import gather, rank

__all__ = ["cosines", "nt_xent", "nt_xent_of", "queue_nce", "unit"]


def unit(x: Tensor) -> Tensor:
    """The vectors on the last axis with length 1, float32 at least."""
    return functional.normalize(x.to(torch.promote_types(x.dtype, torch.float32)), dim=-1)


def cosines(a: Tensor, b: Tensor) -> Tensor:
    """(N, M): the cosine of every row of `a` (N, D) with every row of `b` (M, D)."""
    return unit(a) @ unit(b).T


def nt_xent(z0: Tensor, z1: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """The loss summed over both directions, and the share of rows of `z0` whose positive beats all negatives; two scalars.

    `z0` and `z1`, (B, D), are two views of the same B samples of this rank, of any length; negatives come from all ranks. For
    the 2B vectors of a batch l(i) = -log(exp(s_ij / t) / sum over k != i of exp(s_ik / t)), s the cosine and j the other view.
    Returned is mean l over view 0 + mean l over view 1: twice the mean over the 2B vectors.

    Source: Chen et al., arXiv 2002.05709, equation 1; the sum of both directions is the released code's.
    """
    z0, z1 = unit(z0), unit(z1)
    all0, all1 = gather(z0), gather(z1)
    return nt_xent_of(z0 @ all1.T, z0 @ all0.T, z1 @ all0.T, z1 @ all1.T, temperature)


def nt_xent_of(cross0: Tensor, own0: Tensor, cross1: Tensor, own1: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """As nt_xent, from similarities of this rank's B samples with those of all ranks, (B, world_size * B) each.

    Args:
        cross0: of view 0 with view 1.
        own0: of view 0 with itself; a sample's similarity with itself is left out.
        cross1: of view 1 with view 0.
        own1: of view 1 with itself.
        temperature: what similarities are divided by.
    """
    # The positive of row i of this rank is column rank * B + i of the other view's block.
    target = torch.arange(len(cross0), device=cross0.device) + rank() * len(cross0)
    logits0, logits1 = (_logits(*pair, target, temperature) for pair in ((cross0, own0), (cross1, own1)))
    loss = functional.cross_entropy(logits0, target) + functional.cross_entropy(logits1, target)
    return loss, (logits0.argmax(dim=1) == target).float().mean()


def queue_nce(
    queries: Tensor, keys: Tensor, queue: Tensor, temperature: float, hard: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The mean of -log softmax of each query's own key against a queue, and the share of queries whose key beats all; scalars.

    Args:
        queries: (B, D) of this rank; the gradient flows through them and through `hard` alone.
        keys: (B, D): the positive of each query.
        queue: (K, D): negatives.
        temperature: what cosines are divided by.
        hard: (B, D): one more negative for each query, as another window of the same video.

    Source: He et al. (MoCo), arXiv 1911.05722, equation 1; the hard negative: Wang et al. (BE), CVPR 2021, and DSM, AAAI 2021.
    """
    queries = unit(queries)
    parts = [(queries * unit(keys.detach())).sum(dim=1, keepdim=True), queries @ unit(queue.detach()).T]
    if hard is not None:
        parts.append((queries * unit(hard)).sum(dim=1, keepdim=True))
    logits = torch.cat(parts, dim=1) / temperature
    target = torch.zeros(len(logits), dtype=torch.long, device=logits.device)
    return functional.cross_entropy(logits, target), (logits.argmax(dim=1) == 0).float().mean()


def _logits(cross: Tensor, own: Tensor, target: Tensor, temperature: float) -> Tensor:
    """(B, 2 * world_size * B): the other view's block first, then the own view's with a row's similarity to itself masked."""
    return torch.cat([cross, own.scatter(1, target[:, None], -torch.inf)], dim=1) / temperature
