"""Dealing: against cards put down one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from pipelines.dealing import Deal


def by_hand(deal: Deal, global_batch: int) -> list[int]:
    """The card, counted among those that are kept, of every position."""
    cards = [-1] * int(deal.windows[-1])
    for window, (first, stop) in enumerate(itertools.pairwise(deal.windows.tolist())):
        batches: dict[int, list[int]] = {}
        for position in range(first, stop):
            batches.setdefault(position // global_batch, []).append(position)
        full = [batch for batch, places in batches.items() if len(places) == global_batch]
        hands = deal.hands[deal.first_hand[window] :][: len(full)].tolist()
        assert sorted(hands) == list(range(len(full)))
        # A batch's place in the turn; the smaller of two that are not full stands last.
        turn = dict(zip(hands, full, strict=True))
        partial = sorted((batch for batch in batches if batch not in full), key=lambda batch: -len(batches[batch]))
        turn.update(dict(enumerate(partial, len(full))))
        card = first
        for row in range(global_batch):
            for _, batch in sorted(turn.items()):
                if row < len(batches[batch]):
                    cards[batches[batch][row]] = card
                    card += 1
    return cards


@pytest.mark.parametrize("drop_last", [True, False])
@pytest.mark.parametrize("seed", range(40))
def test_positions_get_the_cards_that_were_put_down_for_them(seed, drop_last):
    rng = np.random.default_rng(seed)
    windows = np.concatenate([[0], np.cumsum(rng.integers(0, 40, rng.integers(1, 7)))])
    global_batch, num_cards = int(rng.integers(1, 9)), int(windows[-1])
    deal = Deal.of(seed, 2, windows, global_batch, drop_last=drop_last)
    num_kept = num_cards // global_batch * global_batch if drop_last else num_cards
    assert deal.windows[-1] == num_kept
    places = deal.places(np.arange(num_kept))
    kept = sorted(places.tolist())
    assert places.tolist() == [kept[card] for card in by_hand(deal, global_batch)]
    assert len(set(kept)) == num_kept
    assert not kept or 0 <= kept[0] <= kept[-1] < num_cards
    # What is left out lies in one piece, the deck taken as a ring, and every window keeps the rest.
    gaps = sum(place not in kept and (place - 1) % num_cards in kept for place in range(num_cards))
    assert gaps <= 1
    counts = [sum(start <= place < stop for place in kept) for start, stop in itertools.pairwise(windows.tolist())]
    assert counts == np.diff(deal.windows).tolist()
    some = rng.integers(0, max(num_kept, 1), 5 if num_kept else 0)
    assert deal.places(some).tolist() == places[some].tolist()


def test_each_card_is_left_out_as_often_and_each_batch_stands_anywhere():
    left_out, first = np.zeros(11), np.zeros(5)
    for epoch in range(3000):
        places = Deal.of(1, epoch, np.array([0, 11]), 2, drop_last=True).places(np.arange(10))
        left_out[np.setdiff1d(np.arange(11), places)] += 1
        first[np.flatnonzero(places == places.min())[0] // 2] += 1
    assert left_out.sum() == 3000
    assert stats.chisquare(left_out).pvalue > 0.01
    assert stats.chisquare(first).pvalue > 0.01


@pytest.mark.parametrize("drop_last", [True, False])
@pytest.mark.parametrize("seed", range(20))
def test_a_batchs_cards_lie_as_many_apart_as_the_window_has_full_batches(seed, drop_last):
    rng = np.random.default_rng(seed)
    windows = np.concatenate([[0], np.cumsum(rng.integers(20, 90, 4))])
    global_batch = int(rng.integers(2, 9))
    deal = Deal.of(seed, 0, windows, global_batch, drop_last=drop_last)
    places = deal.places(np.arange(deal.windows[-1]))
    for first, window in itertools.product(range(0, len(places), global_batch), range(4)):
        batch = places[first : first + global_batch]
        own = np.sort(batch[(batch >= windows[window]) & (batch < windows[window + 1])])
        num_full = deal.windows[window + 1] // global_batch - -(-deal.windows[window] // global_batch)
        assert len(own) < 2 or np.diff(own).min() >= num_full
