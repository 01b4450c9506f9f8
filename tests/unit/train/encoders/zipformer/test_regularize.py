"""Regularisers: nothing in the forward pass, in the backward pass what the reference does."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from captionstew.train.encoders.zipformer.regularize import (
    Balancer,
    Whiten,
    limit_param_value,
    penalize_abs_values_gt,
    scale_grad,
    whitening_metric,
)
from captionstew.train.encoders.zipformer.schedule import Chance, Schedule
from captionstew.train.encoders.zipformer.stochastic import dropout_shared


class Reference:
    """One case of the reference data: an input, a gradient and what becomes of it."""

    def __init__(self, folder: Path, name: str) -> None:
        with np.load(folder / "zipformer_parts_a.npz") as arrays:
            self.x, self.grad_out, self.grad_in = (
                torch.tensor(arrays[f"{name}.{part}"]) for part in ("x", "grad_out", "grad_in")
            )
            self.metric = float(arrays[f"{name}.metric"]) if f"{name}.metric" in arrays else None
        self.settings: dict[str, Any] = json.loads((folder / "zipformer_parts_a.json").read_text())["cases"][
            name
        ]


def passed(module: Any, x: Tensor, grad: Tensor) -> Tensor:
    """The gradient of `x` when `grad` comes in above; the forward pass changes nothing."""
    leaf = x.clone().requires_grad_()
    out = module(leaf)
    assert torch.equal(out, leaf)
    out.backward(grad)
    assert leaf.grad is not None
    return leaf.grad


@pytest.mark.parametrize("name", ["balancer0", "balancer1", "balancer2", "balancer3"])
def test_the_balancer_adds_the_reference_gradient(golden: Path, name: str) -> None:
    case = Reference(golden, name)
    dim = case.settings.pop("channel_dim")
    balancer = Balancer(case.x.shape[dim], dim, **case.settings, prob=1.0)
    grad = passed(lambda x: balancer(x, Chance()), case.x, case.grad_out)
    torch.testing.assert_close(grad, case.grad_in, rtol=0, atol=1e-5)
    assert not torch.allclose(grad, case.grad_out, atol=1e-3)


@pytest.mark.parametrize("name", ["whiten0", "whiten1", "whiten2"])
def test_whitening_adds_the_reference_gradient(golden: Path, name: str) -> None:
    case = Reference(golden, name)
    groups, limit = case.settings["num_groups"], case.settings["whitening_limit"]
    whiten = Whiten(groups, limit, case.settings["grad_scale"], often=1.0)
    assert whitening_metric(case.x, groups).item() == pytest.approx(case.metric, abs=1e-5)
    grad = passed(lambda x: whiten(x, Chance()), case.x, case.grad_out)
    torch.testing.assert_close(grad, case.grad_in, rtol=0, atol=1e-5)


def slow_whiten(x: Tensor, grad: Tensor, num_groups: int, grad_scale: float) -> Tensor:
    """What whitening does, by differentiating the metric."""
    leaf = x.clone().requires_grad_()
    whitening_metric(leaf, num_groups).backward()  # type: ignore[no-untyped-call]
    assert leaf.grad is not None
    slope: Tensor = leaf.grad / torch.linalg.vector_norm(leaf.grad)
    pushed: Tensor = grad + slope * grad_scale * torch.linalg.vector_norm(grad)
    return pushed


@pytest.mark.parametrize("num_groups", [1, 3])
def test_whitening_follows_the_slope_of_its_metric(num_groups: int) -> None:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, 50, 12, generator=generator) @ torch.randn(12, 12, generator=generator) + 5
    grad = torch.randn(2, 50, 12, generator=generator)
    whiten = Whiten(num_groups, 1.0, 0.3, often=1.0)
    expected = slow_whiten(x, grad, num_groups, 0.3)
    torch.testing.assert_close(passed(lambda x: whiten(x, Chance()), x, grad), expected, rtol=0, atol=1e-5)


def test_score_penalty_and_range_limit_give_the_reference_gradients(golden: Path) -> None:
    case = Reference(golden, "penalize")
    grad = passed(lambda x: penalize_abs_values_gt(x, **case.settings), case.x, case.grad_out)
    torch.testing.assert_close(grad, case.grad_in, rtol=0, atol=1e-6)
    case = Reference(golden, "limit_param")
    low, high = case.settings["min"], case.settings["max"]
    limited = passed(lambda x: limit_param_value(x, low, high, Chance(), prob=1.0), case.x, case.grad_out)
    assert torch.equal(limited, case.grad_in)


def test_scale_grad_scales_the_gradient_alone() -> None:
    assert passed(lambda x: scale_grad(x, 0.2), torch.ones(3), torch.full((3,), 5.0)).tolist() == [1.0] * 3


def wild() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    x = 9 * torch.randn(3, 40, 1, generator=generator) + torch.randn(3, 40, 8, generator=generator)
    return x, torch.randn(3, 40, 8, generator=generator)


def test_nothing_happens_outside_training() -> None:
    x, grad = wild()
    inactive = Chance()
    inactive.active = False
    for chance in (None, inactive):
        assert torch.equal(passed(lambda x, c=chance: Balancer(8, -1, prob=1.0)(x, c), x, grad), grad)
        assert torch.equal(passed(lambda x, c=chance: Whiten(1, 1.0, often=1.0)(x, c), x, grad), grad)
        assert torch.equal(passed(lambda x, c=chance: limit_param_value(x, 0.0, 0.1, c, 1.0), x, grad), grad)


def test_balancing_follows_its_probability_and_limits_follow_the_batch_count() -> None:
    x, grad = wild()
    chance = Chance(1)
    often = [
        torch.equal(passed(lambda x: Balancer(8, -1, max_abs=1.0)(x, chance), x, grad), grad)
        for _ in range(200)
    ]
    assert sum(often) == pytest.approx(100, abs=30)
    balancer = Balancer(8, -1, 0.0, 1.0, 0.0, Schedule((0, 100.0), (10, 1.0)), prob=1.0)
    assert torch.equal(passed(lambda x: balancer(x, chance), x, grad), grad)
    chance.batch_count = 10
    assert not torch.equal(passed(lambda x: balancer(x, chance), x, grad), grad)


def test_whitening_looks_seldom_once_it_is_under_its_limit_and_often_when_over() -> None:
    x, grad = wild()
    chance, whiten = Chance(1), Whiten(1, 100.0)
    assert whiten.num_groups == 1

    def share(number: int) -> float:
        looks = 0
        for _ in range(number):
            out = whiten(x.clone().requires_grad_(), chance)
            looks += type(out.grad_fn).__name__ == "_WhiteningBackward"
            out.backward(grad)
        return looks / number

    assert share(400) == pytest.approx(0.25, abs=0.07)
    chance.batch_count = 1
    chance.batch_count = 2
    whiten.limit = 1.0  # over it from now on, as the next look will find
    assert share(800) == pytest.approx(0.025, abs=0.02)
    chance.batch_count = 3
    chance.batch_count = 4
    assert share(400) == pytest.approx(0.25, abs=0.07)


def test_a_pass_without_gradients_draws_what_its_replay_draws() -> None:
    x, grad = wild()
    modules = [Balancer(8, -1, max_abs=1.0), Whiten(1, 1.0, 0.5), Balancer(8, -1, 0.6)]

    def forward(x: Tensor, chance: Chance) -> Tensor:
        for module in modules:
            x = module(x, chance)
        return limit_param_value(x, 0.0, 0.1, chance)

    chance = Chance(4)
    draws = chance.draws()
    with torch.no_grad():
        forward(x, chance)
    after = [chance.flip(0.5) for _ in range(50)]
    with chance.replay(draws):
        first = passed(lambda x: forward(x, chance), x, grad)
        assert [chance.flip(0.5) for _ in range(50)] == after
    with chance.replay(draws):
        assert torch.equal(passed(lambda x: forward(x, chance), x, grad), first)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_widened_inside_and_keeps_its_type(dtype: torch.dtype) -> None:
    x, grad = wild()
    x, grad = x.to(dtype), grad.to(dtype)
    for module in (Balancer(8, -1, max_abs=1.0, prob=1.0), Whiten(2, 1.0, 0.5, often=1.0)):
        wide = passed(lambda x, m=module: m(x, Chance()), x.float(), grad.float())
        leaf = x.clone().requires_grad_()
        with torch.autocast("cpu", dtype):
            module(leaf, Chance()).backward(grad)
        assert leaf.grad is not None
        assert leaf.grad.dtype == dtype
        torch.testing.assert_close(leaf.grad.float(), wide, rtol=1e-2, atol=1e-2)


def test_dead_and_constant_channels_give_finite_gradients() -> None:
    x, grad = wild()
    x[..., 0], x[..., 1], x[..., 2] = 0.0, 3.0, 1e-30
    for module in (Balancer(8, -1, 0.45, 0.55, 0.2, 1.0, prob=1.0), Whiten(1, 1.0, 0.5, often=1.0)):
        assert passed(lambda x, m=module: m(x, Chance()), x, grad).isfinite().all()
    assert (
        passed(lambda x: Whiten(1, 1.0, 0.5, often=1.0)(x, Chance()), torch.zeros_like(x), grad)
        .isfinite()
        .all()
    )


def test_a_constant_channel_is_pushed_as_a_whole() -> None:
    x, grad = wild()
    x[..., 1] = 3.0
    balancer = Balancer(8, -1, 0.45, 0.55, 0.2, 1.0, prob=1.0)
    pushed = passed(lambda x: balancer(x, Chance()), x, grad)
    torch.testing.assert_close(pushed[..., 1], grad[..., 1] + 0.04 * grad[..., 1].abs())


def test_compiling_changes_nothing() -> None:
    x, grad = wild()
    balancer, whiten = Balancer(8, -1, max_abs=1.0), Whiten(1, Schedule((0, 1.0), (99, 2.0)), 0.5)

    def forward(x: Tensor, chance: Chance) -> Tensor:
        return torch.tanh(whiten(balancer(dropout_shared(x, 0.1, 1, chance), chance) + 1, chance))

    def gradients(function: Any) -> list[Tensor]:
        leaves, chance = [x.clone().requires_grad_() for _ in range(12)], Chance(1)
        for number, leaf in enumerate(leaves):
            chance.batch_count = number
            function(leaf, chance).backward(grad)
        assert chance.state()["over"] == [[whiten.number, True]]
        return [leaf.grad for leaf in leaves if leaf.grad is not None]

    expected = gradients(forward)
    assert len({float(each.sum()) for each in expected}) == 12
    compiled = gradients(torch.compile(forward, backend="aot_eager"))
    for one, other in zip(compiled, expected, strict=True):
        torch.testing.assert_close(one, other)
