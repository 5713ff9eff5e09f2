"""From the deck of an epoch to its batches: which card a position of the global sequence gets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.deck import mixed
from pipelines.philox import ORDER, raw_numbers

__all__ = ["Deal"]

_BATCHES, _LEFT_OUT = 3, 4
"""Parts of the stream ORDER, beside those of `pipelines.deck`."""

Longs = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Deal:
    """The batches of an epoch; batch k is the positions k * global_batch to (k + 1) * global_batch.

    A window's cards are dealt in turn, like playing cards, to its full batches and to its share of the batches that it has in
    common with its neighbours; then the full batches change places. So a video of n cards, which lie side by side, comes at most
    ceil(n / B) times in any batch if the window has B full ones, since a batch's next card is at least B cards on; and cards of
    one video do not come in neighbouring batches more often than by chance.

    Source: our own choice. With one window and one card a video it is a plain shuffle.
    """

    global_batch: int
    left_out: tuple[int, int, int]
    """How many cards are left out at the deck's beginning; the first card left out behind them, and how many are there."""
    windows: Longs
    """(W + 1,) the first position of every window, and the end."""
    first_hand: Longs
    """(W,) where the full batches of each window begin in `hands`."""
    hands: Longs
    """The full batches in their order: which hand, counted within the window, each is."""

    @classmethod
    def of(cls, seed: int, epoch: int, windows: Longs, global_batch: int, *, drop_last: bool) -> Deal:
        """For a deck with these windows. `drop_last` leaves out what fills no batch, every card with the same chance."""
        num_cards = int(windows[-1])
        left_out = _left_out(seed, epoch, num_cards, num_cards % global_batch if drop_last else 0)
        head, start, count = left_out
        windows = np.maximum(windows - head, 0) - np.clip(windows - start, 0, count)
        num_full = np.maximum(windows[1:] // global_batch + -windows[:-1] // global_batch, 0)
        hands = mixed(raw_numbers(seed, [0, _BATCHES, ORDER, epoch], int(num_full.sum())), num_full)
        return cls(global_batch, left_out, windows, np.cumsum(num_full) - num_full, hands)

    def places(self, positions: Longs) -> Longs:
        """(B,) the deck's place whose card comes at each position (B,)."""
        window = np.searchsorted(self.windows, positions, "right") - 1
        first, size = self.windows[window], self.windows[window + 1] - self.windows[window]
        # The window's share of the batch in which it begins, its full batches, its share of the batch in which it ends.
        head = np.minimum(-first % self.global_batch, size)
        num_full, tail = np.divmod(size - head, self.global_batch)
        batch, row = np.divmod(positions - first - head, self.global_batch)
        in_head, in_tail = batch < 0, batch == num_full
        row = np.where(in_head, positions - first, row)
        # In every row of cards the smaller share, then the larger, stands last: as they fill up, no turn moves.
        hand = np.where(in_head, num_full + (head < tail), num_full + (tail <= head))
        is_full = ~(in_head | in_tail)
        hand[is_full] = self.hands[(self.first_hand[window] + batch)[is_full]]
        place: Longs = first + num_full * row + np.minimum(head, row) + np.minimum(tail, row) + hand + self.left_out[0]
        return place + np.where(place >= self.left_out[1], self.left_out[2], 0)


def _left_out(seed: int, epoch: int, num_cards: int, count: int) -> tuple[int, int, int]:
    """Deal.left_out: `count` cards in a row, those behind the deck's end being the ones at its beginning.

    Not simply the last ones: a video of many cards comes less often to the end of the deck than one of few.
    """
    if count == 0:
        return 0, num_cards, 0
    start = int(raw_numbers(seed, [0, _LEFT_OUT, ORDER, epoch], 1)[0]) * num_cards >> 64
    head = max(0, start + count - num_cards)
    return head, start, count - head
