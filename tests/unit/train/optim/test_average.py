"""The average of the weights over a run and over a part of it."""

import pytest
import torch
from torch import Tensor, nn

from captionstew.errors import RecipeError
from captionstew.train.optim.average import RunningAverage, between


def moved(model: nn.BatchNorm1d, step: int) -> None:
    with torch.no_grad():
        model.weight.fill_(1 / step)
        model.bias.copy_(torch.arange(3.0) * step)
        assert model.num_batches_tracked is not None
        model.num_batches_tracked.fill_(step)


def run(period: int, steps: int, keep: tuple[int, ...] = ()) -> list[dict[str, Tensor]]:
    model = nn.BatchNorm1d(3)
    average = RunningAverage(model, period)
    kept = []
    for step in range(1, steps + 1):
        moved(model, step)
        assert average.update(model, step) is (step % period == 0)
        if step in keep:
            kept.append({name: value.clone() for name, value in average.weights().items()})
    return [*kept, average.weights()]


def test_it_is_the_mean_of_the_sampled_weights() -> None:
    (weights,) = run(5, 43)
    sampled = torch.arange(5.0, 45.0, 5.0, dtype=torch.float64)[:8]
    expected = (1 / sampled.float()).double().mean()
    torch.testing.assert_close(weights["weight"], expected.expand(3), rtol=1e-14, atol=0)
    torch.testing.assert_close(
        weights["bias"], torch.arange(3.0).double() * sampled.mean(), rtol=1e-14, atol=0
    )
    assert weights["num_batches_tracked"].item() == 40
    assert weights["num_batches_tracked"].dtype == torch.int64


def test_the_mean_over_a_range_follows_from_two_averages() -> None:
    start, end, _ = run(5, 60, keep=(20, 60))
    sampled = torch.arange(25.0, 65.0, 5.0, dtype=torch.float64)
    weights = between(start, 20, end, 60)
    torch.testing.assert_close(weights["bias"], torch.arange(3.0).double() * sampled.mean())
    assert weights["num_batches_tracked"].item() == 60
    whole = between({name: torch.full_like(value, 9) for name, value in end.items()}, 0, end, 60)
    torch.testing.assert_close(whole["bias"], end["bias"])
    with pytest.raises(RecipeError, match="no steps"):
        between(end, 60, start, 20)


def test_a_loaded_average_goes_on_bit_for_bit() -> None:
    model = nn.BatchNorm1d(3)
    average, other = RunningAverage(model, 2), RunningAverage(model, 2)
    for step in range(1, 21):
        moved(model, step)
        average.update(model, step)
        if step == 9:
            other.load({name: value.clone() for name, value in average.weights().items()})
        elif step > 9:
            other.update(model, step)
    assert all(torch.equal(value, other.weights()[name]) for name, value in average.weights().items())
