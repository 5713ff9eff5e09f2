"""Two gloo processes on the loopback, against one process that holds all rows."""

import os
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

from vdata.nn.contrast import nt_xent
from vdata.nn.gather import gather, rank, world_size

ROWS = torch.randn(12, 5, generator=torch.Generator().manual_seed(1))
SECOND = ROWS + 0.3 * torch.randn(12, 5, generator=torch.Generator().manual_seed(2))


def encoder() -> nn.Linear:
    layer = nn.Linear(5, 4)
    with torch.no_grad():
        layer.weight.copy_(torch.linspace(-1, 1, 20).view(4, 5).sin())
        layer.bias.fill_(0.1)
    return layer


def one_rank(number: int, folder: Path) -> None:
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=number, world_size=2)
    own = slice(6 * number, 6 * number + 6)
    x = ROWS[own].clone().requires_grad_()
    # A weight of its own on every rank: a backward that forgets to sum over ranks is seen.
    (gather(x) * (number + 1)).square().sum().backward()
    model = DistributedDataParallel(encoder())
    z = model(torch.cat([ROWS[own], SECOND[own]]))
    loss, nearest = nt_xent(*z.chunk(2), 0.2)
    loss.backward()
    result = {
        "rows": gather(ROWS[own]),
        "grad": x.grad,
        "loss": loss.detach(),
        "nearest": nearest,
        "weight_grad": model.module.weight.grad,
        "place": (rank(), world_size()),
    }
    torch.save(result, folder / f"{number}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory) -> list[dict]:
    folder = tmp_path_factory.mktemp("ranks")
    multiprocessing.spawn(one_rank, args=(folder,), nprocs=2)
    return [torch.load(folder / f"{number}.pt", weights_only=True) for number in range(2)]


def test_one_process_is_the_identity():
    assert gather(ROWS) is ROWS
    assert (rank(), world_size()) == (0, 1)


def test_every_rank_sees_all_rows_in_order(ranks):
    for number, result in enumerate(ranks):
        assert torch.equal(result["rows"], ROWS)
        assert result["place"] == (number, 2)


def test_the_gradient_is_summed_over_the_losses_of_all_ranks(ranks):
    for number, result in enumerate(ranks):
        expected = 2 * ROWS[6 * number : 6 * number + 6] * (1**2 + 2**2)
        torch.testing.assert_close(result["grad"], expected)


def test_nt_xent_on_two_ranks_is_that_of_one_process_with_all_rows(ranks):
    model = encoder()
    loss, nearest = nt_xent(*model(torch.cat([ROWS, SECOND])).chunk(2), 0.2)
    loss.backward()
    torch.testing.assert_close(torch.stack([result["loss"] for result in ranks]).mean(), loss.detach())
    torch.testing.assert_close(torch.stack([result["nearest"] for result in ranks]).mean(), nearest)
    # Equal only if labels are offset by the rank and the gradient passes through gather to the other rank's rows.
    for result in ranks:
        torch.testing.assert_close(result["weight_grad"], model.weight.grad)
