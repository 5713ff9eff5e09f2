"""Two real processes under torchrun: every clip once, nobody waits for ever, gradients are shared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# What each process runs. DistributedDataParallel waits in every backward pass: ranks with different numbers of batches hang.
RANK = """
import json, sys, time
from pathlib import Path
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from pipelines import ClipIterator
from vdata.errors import ConfigError
from vdata.recipes import TrainConfig
from vdata.train import train
from vdata.views import Augment, Clip

folder, out = sys.argv[1:]
torch.set_num_threads(1)
dist.init_process_group("gloo")
rank = dist.get_rank()
VIEWS = (Clip("v", frames=2, stride=4, size=16, augment=Augment()),)


def steps(slow=None, num_epochs=2, **settings):
    torch.manual_seed(0)
    model = DistributedDataParallel(nn.Sequential(nn.Flatten(), nn.Linear(3 * 2 * 16 * 16, 1)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    epochs = []
    with ClipIterator(folder, views=VIEWS, batch_size=2, seed=1, **settings) as it:
        for _ in range(num_epochs):
            epochs.append([])
            for batch in it:
                if rank == slow:
                    time.sleep(0.1)
                optimizer.zero_grad()
                model(batch["v"])[batch["valid"]].square().sum().backward()
                optimizer.step()
                epochs[-1].append([batch["idx"].tolist(), batch["valid"].tolist()])
    weights = [float(parameter.detach().double().sum()) for parameter in model.parameters()]
    return {"epochs": epochs, "weights": weights, "invalid": it.num_invalid, "length": len(it)}


found = {
    "all": steps(drop_last=False),
    "dropped": steps(),
    "slow": steps(slow=1, drop_last=False, num_epochs=1),
    "evaluated": steps(train=False, num_epochs=1),
}
config = TrainConfig("simclr", steps=4, batch_size=4, log_every=1, settings={"frames": 2, "stride": 2, "size": 16})
with ClipIterator(folder, views=config.views, batch_size=2, seed=1) as it:
    train(config, it, Path(out) / "run")
    found["trained"] = [it.state_dict()["epoch"], it.state_dict()["position"]]
with ClipIterator(folder, views=config.views, batch_size=2, seed=1, drop_last=False) as it:
    try:
        train(config, it, Path(out) / "refused")
    except ConfigError as error:
        found["refused"] = str(error)
dist.destroy_process_group()
Path(out, f"{rank}.json").write_text(json.dumps(found))
"""

CLIPS = set(range(100, 113))


@pytest.fixture(scope="module")
def found(long_folder, tmp_path_factory) -> list[dict]:
    """What each of two ranks saw of the 13 clips, 4 a global batch."""
    out = tmp_path_factory.mktemp("ranks")
    (out / "rank.py").write_text(RANK)
    # Ports and addresses of this machine only.
    environment = os.environ | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, str(out / "rank.py"), str(long_folder), str(out)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(Path(out, f"{rank}.json").read_text()) for rank in range(2)]


def valid_numbers(found: list[dict], run: str, epoch: int) -> list[int]:
    """Of all ranks."""
    batches = [batch for one in found for batch in one[run]["epochs"][epoch]]
    return [number for numbers, valid in batches for number, is_valid in zip(numbers, valid, strict=True) if is_valid]


@pytest.mark.parametrize("run", ["all", "slow", "evaluated"])
def test_an_epoch_that_does_not_divide_ends_with_every_clip_once(found, run):
    assert [one[run]["length"] for one in found] == [4, 4]
    assert [one[run]["invalid"] for one in found] == [3, 3]
    for epoch in range(len(found[0][run]["epochs"])):
        assert all(len(one[run]["epochs"][epoch]) == 4 for one in found)
        assert sorted(valid_numbers(found, run, epoch)) == sorted(CLIPS)
        # Rows that only fill up make all batches as large as the others.
        assert all(len(numbers) == 2 for one in found for numbers, _ in one[run]["epochs"][epoch])


def test_what_does_not_fill_a_batch_can_be_left_out(found):
    assert [one["dropped"]["invalid"] for one in found] == [0, 0]
    for epoch in range(2):
        numbers = valid_numbers(found, "dropped", epoch)
        assert len(numbers) == len(set(numbers)) == 12
        assert set(numbers) < CLIPS


def test_the_ranks_read_different_clips_and_share_their_gradients(found):
    for run in ("all", "dropped", "slow"):
        first, second = ({n for batch in one[run]["epochs"][0] for n in batch[0]} for one in found)
        assert first != second
        assert found[0][run]["weights"] == found[1][run]["weights"]


def test_the_trainer_steps_over_the_end_of_an_epoch_and_refuses_filled_batches(found):
    assert [one["trained"] for one in found] == [[1, 1], [1, 1]]
    for one in found:
        assert "num_invalid (3) must be 0 to train on" in one["refused"]
