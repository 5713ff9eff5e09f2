"""Which unit stands where in an epoch, and which positions are a rank's. NumPy only.

The global sequence is a function of (seed, epoch, position) and of the units alone, so any batch can be made again, in any
process and by any number of ranks. What is kept of an epoch is kept for speed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from pipelines.dealing import Deal
from pipelines.deck import Shuffler
from pipelines.philox import Floats, uniforms
from pipelines.units import Units
from pipelines.weights import Weights, copies, expected_copies
from vdata.config import check

__all__ = ["OrderConfig", "Sampler", "Shuffle"]

Shuffle = Literal["global", "block", "none"]

Bools = npt.NDArray[np.bool_]
Longs = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class OrderConfig:
    """The order of an epoch."""

    shuffle: Shuffle = "global"
    """`global` mixes all units, `block` those of a window of shards at a time, `none` keeps the order of the index."""
    block_shards: int = 16
    """Shards of a window at most: a batch reads from so many files, from twice as many where two windows meet."""
    drop_last: bool = True
    """Leave out, in every epoch others, the units that do not fill the last global batch."""

    def __post_init__(self) -> None:
        """Checks the choice and the number."""
        check(self.shuffle in get_args(Shuffle), "shuffle", self.shuffle, "must be 'global', 'block' or 'none'")
        check(self.block_shards >= 1, "block_shards", self.block_shards, "must be at least 1")


class Sampler:
    """The global sequence of every epoch, and this rank's part of it.

    No batch holds two units of one video, or one unit twice, where that can be: see `pipelines.dealing`. That does not go for
    `shuffle="none"`.
    """

    def __init__(
        self,
        units: Units,
        order: OrderConfig,
        *,
        seed: int,
        batch_size: int,
        rank: int = 0,
        world_size: int = 1,
        weights: Weights | None = None,
    ) -> None:
        """Groups the units by video; an epoch is shuffled when a position of it is first asked for.

        Args:
            units: what is drawn from.
            order: how.
            seed: of everything random.
            batch_size: samples of one rank in a batch.
            rank: this process among `world_size`.
            world_size: see `rank`.
            weights: how often units come in an epoch, which has as many positions as there are units; all once by default.

        Raises:
            ConfigError: see pipelines.weights.expected_copies.
        """
        self.order, self.seed, self.batch_size, self.rank, self.world_size = order, seed, batch_size, rank, world_size
        self.global_batch = batch_size * world_size
        """Samples of all ranks in a batch."""
        self.num_samples = len(units) // self.global_batch * self.global_batch if order.drop_last else len(units)
        """Positions of an epoch, for all ranks."""
        self.num_batches = -(-self.num_samples // self.global_batch)
        """Batches of an epoch, the same on every rank."""
        self._expected = None if weights is None else expected_copies(units, weights)
        self._shuffler: Shuffler | None = None
        if order.shuffle != "none":
            self._shuffler = Shuffler.of(units.video, units.shard if order.shuffle == "block" else None, order.block_shards)
        # A loader that works ahead is in the next epoch already while the last batches of this one may be asked for again.
        self._sequence = lru_cache(maxsize=2)(self._make_sequence)

    def positions(self, batch: int) -> tuple[Longs, Bools]:
        """The positions (B,) that are this rank's rows of a batch, and which of them are valid (B,).

        Without drop_last the last batch of a single rank is a short one. That of several ranks has full size on all, and rows
        behind the epoch's end, which are not valid, repeat it from its start.
        """
        first = batch * self.global_batch + self.rank * self.batch_size
        positions = np.arange(first, first + self.batch_size)
        valid = positions < self.num_samples
        if self.world_size == 1:
            positions, valid = positions[valid], valid[valid]
        return positions % max(self.num_samples, 1), valid

    def units(self, epoch: int, positions: Longs) -> Longs:
        """(B,) the units at positions (B,) of an epoch."""
        cards, deal = self._sequence(epoch)
        places = positions if deal is None else deal.places(positions)
        return places if cards is None else cards[places].astype(np.int64)

    def uniforms(self, epoch: int, positions: Longs, view: int) -> Floats:
        """(B, NUM_UNIFORMS) numbers in [0, 1) of the samples at positions (B,), for a view or for `philox.SAMPLE`."""
        return uniforms(self.seed, epoch, positions, view)

    def replacement(self, position: int, attempt: int) -> int:
        """The position whose unit stands in for an unusable one: the same row of the next batch, of the one after, and so on.

        After a round through the epoch it is the row beside it. The unit may be of a video that the batch has already.
        """
        step = attempt * self.global_batch
        return (position + step + step // self.num_samples) % self.num_samples

    def _make_sequence(self, epoch: int) -> tuple[npt.NDArray[np.integer] | None, Deal | None]:
        """The units at the places of an epoch's deck, and the places of its positions; None where they are the same."""
        if self._shuffler is None:
            counts = self._copies(epoch)
            return None if counts is None else np.repeat(np.arange(len(counts)), counts), None
        deck = self._shuffler.deck(self.seed, epoch, self._copies(epoch))
        return deck.units, Deal.of(self.seed, epoch, deck.windows, self.global_batch, drop_last=self.order.drop_last)

    def _copies(self, epoch: int) -> Longs | None:
        return None if self._expected is None else copies(self._expected, self.seed, epoch)
