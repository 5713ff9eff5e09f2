"""The loader's face: an iterator over epochs of batches that can stop and go on at any batch."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NoReturn, Self, cast

import numpy as np
import numpy.typing as npt
import torch
from nvidia.dali.pipeline import Pipeline
from torch.utils.data import IterableDataset, get_worker_info

from pipelines.batches import BatchMaker, Counts, LoaderConfig
from pipelines.clips import Clips, asked_clips, open_clips
from pipelines.prefetch import Prefetcher
from pipelines.sampler import OrderConfig, Sampler, Shuffle
from pipelines.units import Units, make_units
from pipelines.weights import Shares, Weights
from pipelines.windows import least_frames
from vdata.config import check, digest, to_mapping
from vdata.errors import ConfigError
from vdata.shards.where import Where
from vdata.views import Clip, Motion, View, check_views

__all__ = ["ClipIterator"]

_STATE_VERSION = 2

_NO_WORKERS = "must be 0: a ClipIterator has threads of its own and gives batches in no process but that which opened it"

_log = logging.getLogger(__name__)


class ClipIterator(IterableDataset[dict[str, Any]]):
    """Batches of the clips in one or several shard folders, epoch after epoch; one `for` is one epoch.

    A batch is a dictionary: under each view's name what the view's docstring says, as float32 (B, 3, T, H, W) for a Clip, or
    uint8 (B, T, H, W, 3) for one without a size; `idx` int64 (B,), the stable number of the clip, or of the video with
    `unit="video"`; `label` int64 (B,); `valid` bool (B,), False for rows that only fill up the last batch of several ranks; and
    `meta`, for each picture view a dictionary on the CPU: `frames` int64 (B, T) and `seconds` float64 (B, T) counted from the
    clip's start (with `unit="video"` from the start of an unbroken run of clips), `crop` float32 (B, 4) as x0, y0, x1, y1 in
    pixels of the picture, `flip` and `reversed` bool (B,), `speed` int64 (B,), and `inside` bool (B, T), False for frames that a
    pad has put there. The tensors are the caller's own.

    Every random number comes from (seed, epoch, position in the global sequence, view), so for one seed and one global batch
    size the sequence of batches is the same on any number of ranks and after any resume. A `for` that was left early is
    continued by the next one.

    It is a torch IterableDataset, for loops that want a DataLoader: `DataLoader(it, batch_size=None)`, without workers, since it
    has threads of its own.

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
        unit: Literal["clip", "video"] = "clip",
        shuffle: str = "global",
        drop_last: bool = True,
        weights: Weights | None = None,
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
            train: False keeps the samples in order, each once an epoch, whatever `shuffle` and `drop_last` say.
            unit: what a sample is: a clip, or a video, in whose clips the views take their windows; a window may lie across clips
                that follow one another.
            shuffle: `global` mixes all samples anew in every epoch; `block` mixes whole shards and the samples of 16 of them at a
                time (`block:32` of 32), for disks and object stores; `none` keeps their order.
            drop_last: leave out what does not fill the last global batch. Otherwise that is a short one; on several ranks it is
                filled up on all of them with rows from the epoch's start, whose `valid` is False.
            weights: how often samples come in an epoch of the same length: a Shares, or an array of one number a clip.
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
        check(seed >= 0, "seed", seed, "must not be negative")
        check(unit in ("clip", "video"), "unit", unit, "must be 'clip' or 'video'")
        self.unit = unit
        """What a sample is, and `idx` the number of: "clip" or "video"."""
        check(on_error in ("raise", "skip"), "on_error", on_error, "must be 'raise' or 'skip'")
        self.index: Clips = open_clips(path)
        """All clips of the folders, used or not, as flat arrays."""
        self.views = _views(method, views)
        used = np.flatnonzero(asked_clips(self.index, where)).astype(np.int64)
        units = _units(unit, self.index, used, self.views)
        order = _order(shuffle, drop_last=drop_last, train=train)
        rank, world_size = _ranks(rank, world_size)
        self._sampler = Sampler(
            units, order, seed=seed, batch_size=batch_size, rank=rank, world_size=world_size, weights=weights if train else None
        )
        rule = f"must not exceed the {len(units)} {unit}s that are used: lower it, or set drop_last=False"
        check(self._sampler.num_samples > 0, "batch_size x world_size", self._sampler.global_batch, rule)
        self.num_skipped = 0
        """Unusable clips that were replaced in batches handed out so far. Each is logged, and an epoch's end says how many."""
        self._skipped_in_epoch = self._epoch = self._position = 0
        what = {"unit": unit, "order": to_mapping(order), "weights": _spelled(weights)}
        self._digest = _digest(self.index, used, self.views, {**what, "global_batch": self._sampler.global_batch})
        maker = BatchMaker(
            units, self.views, self._sampler, _device(device), config or LoaderConfig(), skip=on_error == "skip", train=train
        )
        self._maker = maker
        _say_sizes(maker, used)
        # An evaluation is one epoch; in training the next epoch's first batches are made during the last steps of this one.
        self._prefetcher = Prefetcher(lambda place: maker.stream(place, endless=train))
        self._left = weakref.finalize(self, _abandon, self._prefetcher, maker)

    def __len__(self) -> int:
        """The batches of an epoch on this rank."""
        return self._sampler.num_batches

    @property
    def num_invalid(self) -> int:
        """Rows of an epoch, of all ranks, that only fill up its last batch: their `valid` is False."""
        sampler = self._sampler
        return 0 if sampler.world_size == 1 else sampler.num_batches * sampler.global_batch - sampler.num_samples

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The rest of the current epoch's batches.

        Raises:
            CorruptShardError: a clip cannot be read or decoded; names its tar and key.
            ConfigError: the iterator is closed, or in a DataLoader's worker.
        """
        worker = get_worker_info()
        if worker is not None:
            # Forked, it has this object, but none of its threads.
            raise ConfigError(f"num_workers ({worker.num_workers}) {_NO_WORKERS}")
        if self._position == len(self):
            # The last loop was left at the epoch's last batch: as after a resume there, the next epoch begins.
            self.set_epoch(self._epoch + 1)
        epoch = self._epoch
        while self._epoch == epoch and self._position < len(self):
            check(self._left.alive, "ClipIterator", "closed", "cannot give batches any more: make another")
            made = self._prefetcher.take((epoch, self._position))
            self._position += 1
            self._count_skipped(made.skipped)
            yield made.batch
        if self._epoch == epoch:
            self.set_epoch(epoch + 1)

    def _count_skipped(self, skipped: Sequence[str]) -> None:
        for reason in skipped:
            _log.warning("another clip was taken in the place of an unusable one: %s", reason)
        self.num_skipped += len(skipped)
        self._skipped_in_epoch += len(skipped)
        if self._skipped_in_epoch and self._position == len(self):
            count, rank = self._skipped_in_epoch, self._sampler.rank
            _log.warning("%d unusable clips were replaced in epoch %d on rank %d", count, self._epoch, rank)

    def __reduce__(self) -> NoReturn:
        """Never comes back: see Raises.

        Raises:
            ConfigError: always; there is no way to send threads and open files to another process.
        """
        raise ConfigError(f"num_workers (of the DataLoader) {_NO_WORKERS}")

    @property
    def epoch(self) -> int:
        """The epoch that the next batch, or the batch just handed out, belongs to."""
        return self._epoch

    @property
    def pipeline(self) -> Pipeline | None:
        """The DALI pipeline; None for views that need no graph. `describe()` prints its nodes."""
        return self._maker.graph.pipeline

    def describe(self, device: str = "cpu") -> str:
        """The nodes of the graph as it is built for a device, one line each; needs no driver."""
        return self._maker.describe(device)

    @property
    def counts(self) -> Counts:
        """What was read and decoded so far, for batches made ahead too."""
        return self._maker.counts

    def keys(self, idx: torch.Tensor) -> list[str]:
        """The keys of the clips, or of the videos' first clips, whose numbers a batch has as `idx`.

        `vdata.open_shards(path)[key]` is the sample. The numbers are stable, but neither dense nor positions.
        """
        numbers = np.asarray(self.index.video if self.unit == "video" else self.index.index)
        order = np.argsort(numbers, kind="stable")
        return [self.index.key(int(clip)) for clip in order[np.searchsorted(numbers, idx.cpu().numpy(), sorter=order)]]

    def set_epoch(self, epoch: int) -> None:
        """Goes to the first batch of another epoch; if it is the current one, stays where it is."""
        check(epoch >= 0, "epoch", epoch, "must not be negative")
        if epoch != self._epoch:
            self._epoch, self._position, self._skipped_in_epoch = epoch, 0, 0

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
        missing = [key for key in ("seed", "epoch", "position", "digest") if key not in state]
        check(not missing, "state", sorted(state), f"must have {', '.join(missing)}: give all that state_dict returned")
        check(
            state["seed"] == self._sampler.seed, "state.seed", state["seed"], f"must be the iterator's own, {self._sampler.seed}"
        )
        rule = f"differs from this iterator's {self._digest}: open the same shards with the same views and global batch size"
        check(state["digest"] == self._digest, "state.digest", state["digest"], rule)
        self._epoch, self._position, self._skipped_in_epoch = int(state["epoch"]), int(state["position"]), 0

    def close(self) -> None:
        """Ends the threads. Happens by itself when the iterator is dropped and at the interpreter's end."""
        self._left.detach()
        _close(self._prefetcher, self._maker)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Closes."""
        self.close()


def _abandon(prefetcher: Prefetcher, maker: BatchMaker) -> None:
    """What becomes of an iterator that was dropped.

    The collector may find it in any thread, in one that a loader waits for as well: only the main thread may wait for the others.
    """
    if threading.current_thread() is threading.main_thread():
        _close(prefetcher, maker)
    else:
        prefetcher.abandon()
        maker.abandon()


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


def _units(unit: Literal["clip", "video"], clips: Clips, used: npt.NDArray[np.int64], views: Sequence[View]) -> Units:
    """The units that are long enough for every view."""
    windowed = [view for view in views if isinstance(view, Clip | Motion)]
    # A row without frames (text or features) has nothing for any pad to repeat. Whatever else wants pictures or sound names one
    # of these views.
    span = max(1, least_frames(windowed)) if windowed else 0
    units = make_units(unit, clips, used, span)
    if units.num_short_clips:
        without = int((clips.num_frames[used] == 0).sum())
        none = f", {without} of them without any picture," if without else ""
        short = f"{units.num_short_clips} of {len(used)} clips"
        _log.warning("%s are shorter than the %d frames of a window%s and left out", short, span, none)
    check(len(used) > 0, "where", f"{len(clips)} clips", "must leave at least one of them; it leaves none")
    longest = int(clips.num_frames[used].max(initial=0))
    rule = f"has no {unit} left: {len(used)} clips are asked for, windows span {span} frames and the longest clip has {longest}"
    check(len(units) > 0, "path", str(clips.folder), rule)
    return units


def _order(shuffle: str, *, drop_last: bool, train: bool) -> OrderConfig:
    """The order of an epoch, from "global", "block", "block:32" or "none"."""
    name, _, shards = str(shuffle).partition(":")
    rule = "must be 'global', 'block', 'block:SHARDS' or 'none'"
    check(
        name in ("global", "block", "none") and (not shards or (name == "block" and shards.isdigit())), "shuffle", shuffle, rule
    )
    if not train:
        return OrderConfig("none", drop_last=False)
    kind = cast("Shuffle", name)
    return OrderConfig(kind, int(shards), drop_last) if shards else OrderConfig(kind, drop_last=drop_last)


def _digest(clips: Clips, used: npt.NDArray[np.int64], views: Sequence[View], settings: Mapping[str, Any]) -> str:
    """What a state must have been taken with: the clips, those that are used, and everything that says what a batch is."""
    spelled = [{"kind": type(view).__name__, **to_mapping(view)} for view in views]
    chosen = hashlib.sha256(used.tobytes()).hexdigest()
    return digest({"index": clips.digest, "used": chosen, "views": spelled, **settings})


def _say_sizes(maker: BatchMaker, used: npt.NDArray[np.int64]) -> None:
    """Logs how many decoders a GPU will make."""
    if maker.on_cuda:
        clips = maker.clips
        count = len(np.unique(clips.width[used].astype(np.int64) << 32 | clips.height[used]))
        _log.warning("%d coded sizes: NVDEC makes a decoder for each, and keeps 100", count)


def _spelled(weights: Weights | None) -> object:
    """Weights as a digest takes them."""
    if weights is None or isinstance(weights, Shares):
        return None if weights is None else to_mapping(weights)
    return hashlib.sha256(np.ascontiguousarray(weights, np.float64).tobytes()).hexdigest()


def _ranks(rank: int | None, world_size: int | None) -> tuple[int, int]:
    world_size = int(os.environ.get("WORLD_SIZE", "1")) if world_size is None else world_size
    rank = int(os.environ.get("RANK", "0")) if rank is None else rank
    check(0 <= rank < world_size, "rank", rank, f"must lie in [0, world_size), world_size is {world_size}")
    return rank, world_size


def _device(device: str | torch.device) -> torch.device:
    name = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if str(device) == "cuda" else str(device)
    check(name.partition(":")[0] in ("cpu", "cuda"), "device", name, "must be cpu or cuda")
    there = not name.startswith("cuda") or torch.cuda.is_available()
    check(there, "device", name, "needs an NVIDIA GPU, its driver and a torch with CUDA: `vdata doctor` says what is missing")
    return torch.device(name)
