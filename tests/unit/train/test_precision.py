"""Loss scales and number formats."""

from pathlib import Path

import pytest
import torch
from torch import nn

from captionstew.errors import StewError
from captionstew.train.precision import Precision, Scaler
from captionstew.train.seeds import seed_of


def test_gradients_come_back_from_their_scale() -> None:
    weight = nn.Parameter(torch.zeros(2))
    weight.grad = torch.tensor([3.0, 4.0]) * 8
    Scaler(active=True, scale=8.0).unscale([weight])
    assert weight.grad.tolist() == [3.0, 4.0]


def test_a_scale_halves_on_overflow_and_doubles_while_it_is_small() -> None:
    scaler = Scaler(active=True, scale=4.0)
    scaler.move(taken=False)
    assert scaler.scale == 2.0
    for _ in range(399):
        scaler.move(taken=True)
    assert scaler.scale == 16.0  # doubled at steps 100, 200 and 400: 2, 4, 8, then under 32
    again = Scaler(active=True)
    again.restore(scaler.state())
    assert again == scaler


def test_a_scale_that_falls_for_ever_stops_the_run(tmp_path: Path) -> None:
    scaler = Scaler(active=True)
    scaler.check(tmp_path)
    for _ in range(20):
        scaler.move(taken=False)
    with pytest.raises(StewError, match="the loss scale fell"):
        scaler.check(tmp_path)


def test_without_float16_no_scale_moves() -> None:
    scaler = Scaler(active=False)
    scaler.move(taken=False)
    assert scaler.scale == 1.0


def test_the_cpu_trains_in_float32_unless_told() -> None:
    cpu = torch.device("cpu")
    assert Precision.of("auto", cpu).dtype == torch.float32
    assert Precision.of("bfloat16", cpu).dtype == torch.bfloat16
    with pytest.raises(StewError, match="GPUs only"):
        Precision.of("float16", cpu)


def test_seeds_depend_on_each_number_and_their_order() -> None:
    seeds = {seed_of(0, 1, 2), seed_of(0, 2, 1), seed_of(1, 1, 2), seed_of(0, 12), seed_of(0, 1, 3)}
    assert len(seeds) == 5
    assert all(0 <= seed < 2**63 for seed in seeds)
