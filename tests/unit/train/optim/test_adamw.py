"""AdamW: torch's own, behind a guard and a bound on the norm."""

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from captionstew.train.optim.adamw import AdamW


def made() -> tuple[list[nn.Parameter], list[list[Tensor]]]:
    generator = torch.Generator().manual_seed(1)
    params = [nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((4, 3), (5,))]
    return params, [[torch.randn(p.shape, generator=generator) for p in params] for _ in range(6)]


def stepped(optimizer: torch.optim.Optimizer, params: list[nn.Parameter], grads: list[Tensor]) -> None:
    for param, grad in zip(params, grads, strict=True):
        param.grad = grad.clone()
    optimizer.step()


def test_small_gradients_step_as_torch_s_own() -> None:
    (params, grads), (others, _) = made(), made()
    ours, theirs = AdamW(params, 0.01), torch.optim.AdamW(others, 0.01, foreach=False, fused=False)
    for now in grads:
        stepped(ours, params, now)
        stepped(theirs, others, now)
    for one, other in zip(params, others, strict=True):
        torch.testing.assert_close(one, other)
    assert ours.clipped_share == 0.0


def test_large_gradients_are_scaled_to_the_bound() -> None:
    (params, grads), (others, _) = made(), made()
    ours, theirs = AdamW(params, 0.01, max_norm=0.5), torch.optim.AdamW(others, 0.01)
    for now in grads:
        stepped(ours, params, now)
        norm = math.sqrt(sum(float(grad.square().sum()) for grad in now))
        assert ours.last_norm == pytest.approx(norm)
        stepped(theirs, others, [grad * 0.5 / norm for grad in now])
    for one, other in zip(params, others, strict=True):
        torch.testing.assert_close(one, other)
    assert ours.clipped_share == 1.0


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_skips_the_step(value: float) -> None:
    (params, grads), (others, _) = made(), made()
    optimizer, twin = AdamW(params, 0.01), AdamW(others, 0.01)
    for now in grads:
        stepped(optimizer, params, now)
        stepped(twin, others, now)
        stepped(optimizer, params, [now[0], torch.full_like(now[1], value)])
    assert optimizer.num_skipped == len(grads)
    assert all(torch.equal(one, other) for one, other in zip(params, others, strict=True))


def test_a_saved_state_continues_bit_for_bit() -> None:
    (params, grads), (others, _) = made(), made()
    optimizer = AdamW(params, 0.01, max_norm=1.0)
    for now in grads[:3]:
        stepped(optimizer, params, now)
    twin = AdamW(others, 0.5, max_norm=1.0)
    twin.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for param, other in zip(params, others, strict=True):
        other.data.copy_(param.data)
    for now in grads[3:]:
        stepped(optimizer, params, now)
        stepped(twin, others, now)
    assert all(torch.equal(one, other) for one, other in zip(params, others, strict=True))
    assert twin.clipped_share == optimizer.clipped_share


def test_parameters_without_gradients_stay() -> None:
    params, _ = made()
    before = [param.detach().clone() for param in params]
    optimizer = AdamW(params)
    optimizer.step()
    assert optimizer.last_norm == 0.0
    assert all(torch.equal(one, other) for one, other in zip(params, before, strict=True))
