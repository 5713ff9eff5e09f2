"""The loader's face: an iterator over epochs of batches that can stop and go on at any batch."""

from __future__ import annotations

import hashlib
import logging
import os
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from nvidia.dali.pipeline import Pipeline

from pipelines.batches import BatchMaker, LoaderConfig
from pipelines.clips import Clips, asked_clips, open_clips
from pipelines.prefetch import Prefetcher
from pipelines.sampler import Sampler
from vdata.config import check, digest, to_mapping
from vdata.shards.where import Where
from vdata.views import View, check_views

__all__ = ["ClipIterator"]

_STATE_VERSION = 1

_log = logging.getLogger(__name__)


class ClipIterator:
    """Batches of the clips in one or several shard folders, epoch after epoch; one `for` is one epoch.

    A batch is a dictionary: under each view's name float32 (B, 3, T, H, W), normalised, or uint8 (B, T, H, W, 3) where the view
    has no size; `idx` int64 (B,), the clips' stable index; `label` int64 (B,); and `meta`, for each view a dictionary of
    `frames` int64 (B, T) and `seconds` float64 (B, T) counted from the clip's start, `crop` float32 (B, 4) as x0, y0, x1, y1
    in pixels of the picture, and `flip` bool (B,), on the CPU. The tensors are the caller's own.

    Every random number comes from (seed, epoch, position in the global sequence, view), so for one seed and one global batch
    size the sequence of batches is the same on any number of ranks and after any resume. A `for` that was left early is
    continued by the next one.

    `device="cuda"` has never run on a GPU.
    """

    def __init__(  # noqa: PLR0913 - the one call that users write; each has its line below
        self,
        path: str | Path | Sequence[str | Path],
        *,
        method: str | None = None,
        views: Sequence[View] | None = None,
        batch_size: int,
        device: str | torch.device = "cpu",
        seed: int = 0,
        rank: int | None = None,
        world_size: int | None = None,
        train: bool = True,
        shuffle: Literal["global", "none"] = "global",
        drop_last: bool = True,
        where: Where | npt.NDArray[np.bool_] | None = None,
        on_error: Literal["raise", "skip"] = "raise",
        config: LoaderConfig | None = None,
    ) -> None:
        """Opens the index; reads no clip yet.

        Args:
            path: a shard folder, or several as one.
            method: takes the views of this method's default settings.
            views: takes these, whatever `method` says.
            batch_size: samples of one rank; rank r gets rows [r * batch_size : (r + 1) * batch_size] of the global batch.
            device: where the batches lie; "cuda" takes the number of torchrun's LOCAL_RANK.
            seed: of everything random.
            rank: this process among `world_size`; both come from torchrun's environment if not given.
            world_size: see `rank`.
            train: False keeps the clips in order, each once an epoch, in a smaller last batch if they do not fill it (a rank
                that has no row of that one ends a batch earlier).
            shuffle: `global` mixes all clips anew in every epoch, `none` keeps their order.
            drop_last: leave out what does not fill the last global batch; of no effect if `train` is False.
            where: which clips to use: a filter as "motion_score > 0.2 and label in (1, 2)" (docs/filters.md), or bool
                (num_clips,), one entry a clip of the index; all by default. A state knows which clips it was taken with.
            on_error: `raise`, or `skip` to put another clip in the place of one that cannot be read or decoded.
            config: threads and depth.

        Raises:
            ConfigError: a setting breaks its rule, or no clip is left.
            UnknownNameError: `where` names a column that no folder has.
            ShardError: a folder without finished shards.
        """
        check(batch_size >= 1, "batch_size", batch_size, "must be at least 1")
        check(shuffle in ("global", "none"), "shuffle", shuffle, "must be 'global' or 'none'")
        check(on_error in ("raise", "skip"), "on_error", on_error, "must be 'raise' or 'skip'")
        self.index: Clips = open_clips(path)
        """All clips of the folders, used or not, as flat arrays."""
        self.views = _views(method, views)
        used = _used(self.index, self.views, asked_clips(self.index, where))
        rank, world_size = _ranks(rank, world_size)
        drop_last = drop_last and train
        self._sampler = Sampler(
            self.index.video[used], seed, batch_size, rank, world_size, shuffle=train and shuffle == "global", drop_last=drop_last
        )
        rule = f"must not exceed the {len(used)} clips that are used: lower it, or set drop_last=False"
        check(self._sampler.num_samples > 0, "batch_size x world_size", self._sampler.global_batch, rule)
        self.num_skipped = 0
        """Unusable clips that were replaced in the batches handed out so far."""
        self._epoch = self._position = 0
        self._digest = digest(
            {
                "index": self.index.digest,
                "used": hashlib.sha256(used.tobytes()).hexdigest(),
                "views": [to_mapping(view) for view in self.views],
                "global_batch": self._sampler.global_batch,
                "shuffle": self._sampler.shuffle,
                "drop_last": drop_last,
            }
        )
        maker = BatchMaker(
            self.index, used, self.views, self._sampler, _device(device), config or LoaderConfig(), skip=on_error == "skip"
        )
        self._pipeline = maker.pipeline
        # An evaluation is one epoch; in training the next epoch's first batches are made during the last steps of this one.
        self._prefetcher = Prefetcher(lambda place: maker.stream(place, endless=train))
        self._close = weakref.finalize(self, _close, self._prefetcher, maker)

    def __len__(self) -> int:
        """The batches of an epoch on this rank."""
        return self._sampler.num_batches

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The rest of the current epoch's batches.

        Raises:
            CorruptShardError: a clip cannot be read or decoded; names its tar and key.
            ConfigError: the iterator is closed.
        """
        epoch = self._epoch
        while self._epoch == epoch and self._position < len(self):
            check(self._close.alive, "ClipIterator", "closed", "cannot give batches any more: make another")
            made = self._prefetcher.take((epoch, self._position))
            self._position += 1
            self.num_skipped += made.num_skipped
            yield made.batch
        if self._epoch == epoch:
            self.set_epoch(epoch + 1)

    @property
    def epoch(self) -> int:
        """The epoch that the next batch, or the batch just handed out, belongs to."""
        return self._epoch

    @property
    def pipeline(self) -> Pipeline:
        """The DALI pipeline; `pipelines.graph.describe(it.views, device)` prints its nodes."""
        return self._pipeline

    def set_epoch(self, epoch: int) -> None:
        """Goes to the first batch of another epoch; if it is the current one, stays where it is."""
        check(epoch >= 0, "epoch", epoch, "must not be negative")
        if epoch != self._epoch:
            self._epoch, self._position = epoch, 0

    def state_dict(self) -> dict[str, Any]:
        """Where the run stands, as a small mapping that JSON can hold. Batches handed out count, those made ahead do not."""
        epoch, position = (self._epoch, self._position) if self._position < len(self) else (self._epoch + 1, 0)
        return {
            "version": _STATE_VERSION,
            "seed": self._sampler.seed,
            "epoch": epoch,
            "position": position,
            "digest": self._digest,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues with the batch behind the last that was handed out before the state was taken.

        Raises:
            ConfigError: the state is of another format, seed, index, choice of clips, views or global batch size.
        """
        check(state.get("version") == _STATE_VERSION, "state.version", state.get("version"), f"must be {_STATE_VERSION}")
        check(
            state["seed"] == self._sampler.seed, "state.seed", state["seed"], f"must be the iterator's own, {self._sampler.seed}"
        )
        rule = f"differs from this iterator's {self._digest}: open the same shards with the same views and global batch size"
        check(state["digest"] == self._digest, "state.digest", state["digest"], rule)
        self._epoch, self._position = int(state["epoch"]), int(state["position"])

    def close(self) -> None:
        """Ends the threads. Happens by itself when the iterator is dropped and at the interpreter's end."""
        self._close()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Closes."""
        self.close()


def _close(prefetcher: Prefetcher, maker: BatchMaker) -> None:
    prefetcher.close()
    maker.close()


def _views(method: str | None, views: Sequence[View] | None) -> tuple[View, ...]:
    if views is None:
        check(method is not None, "views", None, "must be given, or method= to take a method's own")
        # Here, since only this way of opening needs the methods and their models.
        from vdata.methods import METHODS  # noqa: PLC0415

        entry = METHODS[method or ""]
        views = entry.views(entry.Config())
    check_views(views)
    return tuple(views)


def _used(clips: Clips, views: Sequence[View], asked: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """The numbers of the clips that are asked for and long enough for every view."""
    # A clip without frames (a row of text or features) has nothing for any pad to repeat.
    span = max(view.span if view.pad == "none" else 1 for view in views)
    used = np.flatnonzero(asked & (np.asarray(clips.num_frames) >= span)).astype(np.int64)
    num_short = int(asked.sum()) - len(used)
    if num_short:
        _log.warning("%d of %d clips are shorter than the %d frames of a window and left out", num_short, asked.sum(), span)
    longest = int(clips.num_frames[asked].max(initial=0))
    rule = f"has no clip left: {asked.sum()} are asked for, windows span {span} frames and the longest clip has {longest}"
    check(len(used) > 0, "path", str(clips.folder), rule)
    return used


def _ranks(rank: int | None, world_size: int | None) -> tuple[int, int]:
    world_size = int(os.environ.get("WORLD_SIZE", "1")) if world_size is None else world_size
    rank = int(os.environ.get("RANK", "0")) if rank is None else rank
    check(0 <= rank < world_size, "rank", rank, f"must lie in [0, world_size), world_size is {world_size}")
    return rank, world_size


def _device(device: str | torch.device) -> torch.device:
    name = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if str(device) == "cuda" else str(device)
    check(name.partition(":")[0] in ("cpu", "cuda"), "device", name, "must be cpu or cuda")
    return torch.device(name)
