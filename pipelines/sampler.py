"""Which clip stands where in an epoch, and the random numbers of every sample. NumPy only.

Both are functions of (seed, epoch, position) and hold no state, so any batch can be made again, in any process and by any
number of ranks. Everything rests on the raw stream of the Philox counter generator, which NumPy promises never to change; its
derived methods (`permutation`, `random`) carry no such promise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["NUM_UNIFORMS", "Sampler", "epoch_order", "uniforms"]

NUM_UNIFORMS = 64
"""Random numbers that a view has for one sample: more than `windows` and `draw` take, so that a new one moves no old one."""

_ORDER = 2**64 - 1
"""The stream of the epoch's order, where a view's number stands for a sample."""

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Sampler:
    """The global sequence of an epoch, and this rank's part of it."""

    video: npt.NDArray[np.integer]
    """(N,) the video of every clip."""
    seed: int
    batch_size: int
    """Samples of one rank in a batch."""
    rank: int
    world_size: int
    shuffle: bool
    """False keeps the clips in their own order."""
    drop_last: bool
    """Leave out the clips that do not fill the last global batch."""

    @property
    def global_batch(self) -> int:
        """Samples of all ranks in a batch."""
        return self.batch_size * self.world_size

    @property
    def num_samples(self) -> int:
        """Positions of an epoch, for all ranks."""
        return len(self.video) // self.global_batch * self.global_batch if self.drop_last else len(self.video)

    @property
    def num_batches(self) -> int:
        """Batches of this rank in an epoch; one fewer for the ranks that a short last batch does not reach."""
        return max(0, -((self.rank * self.batch_size - self.num_samples) // self.global_batch))

    def positions(self, batch: int) -> range:
        """The positions in the global sequence that are this rank's rows of a batch."""
        first = batch * self.global_batch + self.rank * self.batch_size
        return range(first, min(first + self.batch_size, self.num_samples))

    def order(self, epoch: int) -> Longs:
        """(num_samples,) the clip at every position of the epoch."""
        if not self.shuffle:
            return np.arange(self.num_samples, dtype=np.int64)
        return epoch_order(self.seed, epoch, self.video, self.global_batch, drop_last=self.drop_last)

    def replacement(self, position: int, attempt: int) -> int:
        """The position whose clip stands in for an unusable one: the same row of the next batch, of the one after, and so on.

        After a round through the epoch it is the row beside it. The clip may be of a video that the batch has already.
        """
        step = attempt * self.global_batch
        return (position + step + step // self.num_samples) % self.num_samples


def uniforms(seed: int, epoch: int, first: int, count: int, view: int) -> Floats:
    """(count, NUM_UNIFORMS) numbers in [0, 1): a row for each of the positions first, first + 1, ... of the global sequence."""
    # A block of Philox is four numbers. Neighbouring positions have neighbouring counters: one call serves a batch, where
    # one generator a sample took 33 us each.
    counter = [first * (NUM_UNIFORMS // 4), 0, view, epoch]
    return _unit(_stream(seed, counter, count * NUM_UNIFORMS)).reshape(count, NUM_UNIFORMS)


def epoch_order(seed: int, epoch: int, video: npt.NDArray[np.integer], global_batch: int, *, drop_last: bool) -> Longs:
    """The clips (rows of `video`) in the order of the epoch; batch k is order[k * global_batch : (k + 1) * global_batch].

    No batch holds two clips of one video where that can be: with B batches, a video of n clips has at most ceil(n / B) in one
    (one more at the most if the last batch is a short one). With `drop_last` the clips that fill no batch are left out, others
    in every epoch.

    Source: our own choice. Clips in random order, those of a video behind one another, are dealt to the batches in turn, like
    cards; then the batches are shuffled, so that a video's clips do not come in a row. With one clip a video this is a plain
    shuffle.
    """
    clips = np.argsort(_stream(seed, [0, 0, _ORDER, epoch], len(video)), kind="stable").astype(np.int64)
    if drop_last:
        clips = clips[: len(clips) // global_batch * global_batch]
    _, first_seen, group = np.unique(video[clips], return_index=True, return_inverse=True)
    clips = clips[np.argsort(first_seen[group], kind="stable")]
    order = np.empty_like(clips)
    order[_deal(seed, epoch, len(clips), global_batch)] = clips
    return order


def _deal(seed: int, epoch: int, num_clips: int, global_batch: int) -> Longs:
    """(num_clips,) the position that each clip of the deck gets: row by row over the batches, the last of which may be short."""
    num_full, short = divmod(num_clips, global_batch)
    num_batches = num_full + (short > 0)
    card = np.arange(num_clips, dtype=np.int64)
    row, batch = np.divmod(card, max(num_batches, 1))
    # Below its last row the short batch takes no more cards.
    rest = card - short * num_batches
    late = (rest >= 0) & (num_full > 0)
    row = np.where(late, short + rest // max(num_full, 1), row)
    batch = np.where(late, rest % max(num_full, 1), batch)
    place = np.arange(num_batches, dtype=np.int64)
    # Behind the numbers of the clips' own order, in the same stream.
    place[:num_full] = np.argsort(_stream(seed, [0, 1, _ORDER, epoch], num_full), kind="stable")
    return place[batch] * global_batch + row


def _stream(seed: int, counter: list[int], count: int) -> npt.NDArray[np.uint64]:
    key = np.random.SeedSequence(seed).generate_state(2, np.uint64)
    # As an array of uint64: NumPy turns a list with a number over 2**63 into floats.
    bits = np.random.Philox(key=key, counter=np.array(counter, np.uint64))
    return np.atleast_1d(bits.random_raw(count)) if count else np.empty(0, np.uint64)


def _unit(raw: npt.NDArray[np.uint64]) -> Floats:
    """The top 53 bits as a number in [0, 1)."""
    return (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53
