"""Rates over the steps, and their way into the optimisers."""

import pytest
import torch
from torch import nn

from captionstew.train.optim.schedules import Constant, Cosine, Scheduler


def test_the_cosine_rises_then_falls_to_its_end() -> None:
    rates = Cosine(steps=1000, warm_up=100, final=0.1)
    assert [rates.rate(step) for step in (1, 50, 100)] == pytest.approx([0.01, 0.5, 1.0])
    assert rates.rate(550) == pytest.approx(0.55)
    assert [rates.rate(step) for step in (1000, 5000)] == pytest.approx([0.1, 0.1])


def test_the_constant_rate_may_warm_up() -> None:
    assert [Constant().rate(step) for step in (1, 10**6)] == [1.0, 1.0]
    assert [Constant(10).rate(step) for step in (1, 5, 10, 11)] == pytest.approx([0.1, 0.5, 1.0, 1.0])


def optimizer() -> torch.optim.SGD:
    groups = [{"params": [nn.Parameter(torch.zeros(1))], "lr": rate} for rate in (0.1, 0.02)]
    return torch.optim.SGD(groups, lr=1.0)


def test_groups_keep_their_proportion_and_optimisers_their_schedule() -> None:
    first, second = optimizer(), optimizer()
    scheduler = Scheduler((first, Cosine(100, 10)), (second, Constant()))
    for _ in range(2):
        scheduler.set(5)
        assert [group["lr"] for group in first.param_groups] == pytest.approx([0.05, 0.01])
        assert [group["lr"] for group in second.param_groups] == pytest.approx([0.1, 0.02])


def test_a_loaded_schedule_stands_where_it_was_saved() -> None:
    class ByEpoch:
        def rate(self, step: int, epoch: int = 0) -> float:
            return step + 1000 * epoch

    scheduler = Scheduler((optimizer(), ByEpoch()))
    scheduler.set(4, 2)
    scheduler.set(5)
    other = optimizer()
    Scheduler((other, ByEpoch())).load_state_dict(scheduler.state_dict())
    assert other.param_groups[0]["lr"] == pytest.approx(0.1 * 2005)
