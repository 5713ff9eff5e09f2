"""The iterator where other loops expect a dataset or a dataloader of torch's. Lightning is in tests/examples."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset

from pipelines import ClipIterator
from vdata.errors import ConfigError
from vdata.views import Augment, Clip

VIEWS = (Clip("v", frames=2, stride=4, size=16, augment=Augment()),)


def opened(folder, **settings) -> ClipIterator:
    return ClipIterator(folder, views=VIEWS, batch_size=4, seed=3, **settings)


def test_a_dataloader_hands_the_batches_through(folder):
    with opened(folder) as it, opened(folder) as alone:
        assert isinstance(it, IterableDataset)
        loader = DataLoader(it, batch_size=None)
        assert len(loader) == len(it) == 3
        for _ in range(2):
            for batch, expected in zip(loader, alone, strict=True):
                assert set(batch) == set(expected)
                assert torch.equal(batch["v"], expected["v"])
                assert torch.equal(batch["meta"]["v"]["frames"], expected["meta"]["v"]["frames"])
        assert it.epoch == 2
        assert it.state_dict() == alone.state_dict()


@pytest.mark.parametrize("send", [pickle.dumps, copy.copy, copy.deepcopy])
def test_it_is_not_copied_or_sent_to_another_process(folder, send):
    with opened(folder) as it, pytest.raises(ConfigError, match=r"num_workers \(of the DataLoader\) must be 0"):
        send(it)


WORKERS = """
import sys, warnings
sys.path.insert(0, {tests!r})
warnings.simplefilter("ignore")
from test_interop import opened
from torch.utils.data import DataLoader
from vdata.errors import ConfigError
with opened({folder!r}) as it:
    next(iter(it))
    for start in ("fork", "spawn"):
        try:
            next(iter(DataLoader(it, batch_size=None, num_workers=1, multiprocessing_context=start)))
        except ConfigError as error:
            print(start, str(error).splitlines()[-1])
        print(next(iter(it))["idx"].shape)
"""


def test_a_worker_says_that_there_are_to_be_none(folder, request):
    """In a process of its own: a fork takes the locks of this one's threads along."""
    code = WORKERS.format(tests=str(request.path.parent), folder=str(folder))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 4
    for start, said, went_on in zip(("fork", "spawn"), lines[::2], lines[1::2], strict=True):
        assert said.startswith(start)
        assert "must be 0: a ClipIterator has threads of its own" in said
        assert went_on == "torch.Size([4])"
