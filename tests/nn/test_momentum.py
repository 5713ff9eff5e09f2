"""What follows an encoder, and what it leaves in a queue."""

from collections import deque

import pytest
import torch
from torch import nn

from vdata.nn.momentum import MomentumEncoder, Queue, momentum_at


def encoder(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def test_parameters_follow_by_the_formula_and_buffers_do_not():
    online = encoder()
    momentum = MomentumEncoder(online, 0.9)
    before = [p.clone() for p in momentum.network.parameters()]
    with torch.no_grad():
        for p in online.parameters():
            p.add_(1.0)
        online[1].running_mean.add_(5.0)
    momentum.follow(online)
    for own, old, new in zip(momentum.network.parameters(), before, online.parameters(), strict=True):
        torch.testing.assert_close(own, 0.9 * old + 0.1 * new.detach())
    assert momentum.network[1].running_mean.abs().max() == 0
    momentum.follow(online, momentum=1.0)
    for own, old, new in zip(momentum.network.parameters(), before, online.parameters(), strict=True):
        torch.testing.assert_close(own, 0.9 * old + 0.1 * new.detach())


def test_no_gradient_reaches_it():
    online = encoder()
    momentum = MomentumEncoder(online, 0.5)
    x = torch.rand(6, 3, requires_grad=True)
    assert not momentum(x).requires_grad
    assert all(not p.requires_grad for p in momentum.parameters())
    assert all(p.requires_grad for p in online.parameters())
    assert set(momentum.state_dict()) == {f"network.{name}" for name in online.state_dict()}


def test_its_norms_see_its_own_batches():
    online = encoder()
    momentum = MomentumEncoder(online, 0.5)
    momentum(torch.rand(8, 3))
    assert momentum.network[1].num_batches_tracked == 1
    assert online[1].num_batches_tracked == 0


@pytest.mark.parametrize("batch", [1, 3, 5, 7, 12])
def test_the_queue_keeps_the_last_rows(batch):
    """Against a deque, also where the batch does not divide the size, and where it is larger."""
    queue, reference = Queue(7, 2), deque(Queue(7, 2).rows.tolist(), maxlen=7)
    for n in range(6):
        keys = torch.arange(batch * 2, dtype=torch.float32).view(batch, 2) + 100 * n
        queue.put(keys)
        reference.extend(keys.tolist())
        oldest_first = queue.rows.roll(-int(queue.place), dims=0)
        assert oldest_first.tolist() == list(reference)


def test_the_queue_is_saved_and_begins_as_noise_of_unit_length_on_average():
    queue = Queue(4096, 16, seed=3)
    assert queue.rows.norm(dim=1).mean().item() == pytest.approx(3**0.5 / 3**0.5, rel=0.02)
    assert torch.equal(queue.rows, Queue(4096, 16, seed=3).rows)
    queue.put(torch.ones(5, 16))
    other = Queue(4096, 16)
    other.load_state_dict(queue.state_dict())
    assert torch.equal(other.rows, queue.rows)
    assert other.place == 5


def test_keys_in_the_queue_hold_no_graph():
    queue = Queue(4, 2)
    queue.put(torch.rand(2, 2, requires_grad=True))
    assert not queue.rows.requires_grad


def test_the_momentum_rises_to_one():
    assert momentum_at(0, 100, 0.99) == pytest.approx(0.99)
    assert momentum_at(50, 100, 0.99) == pytest.approx(0.995)
    assert momentum_at(100, 100, 0.99) == 1
