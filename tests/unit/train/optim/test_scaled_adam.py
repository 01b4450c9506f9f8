"""ScaledAdam against reference data and a slow twin, through faults and interruptions."""

import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from captionstew.train.optim.eden import Eden
from captionstew.train.optim.history import Settings
from captionstew.train.optim.scaled_adam import ScaledAdam
from captionstew.train.optim.schedules import Scheduler

SHAPES: list[tuple[int, ...]] = [(4, 3), (4, 3), (5,), (), (2, 3, 3), (1,), (3, 6)]


def test_every_step_gives_the_reference_parameters_and_rates(golden: Path) -> None:
    facts = json.loads((golden / "scaled_adam_a.json").read_text())
    with np.load(golden / "scaled_adam_a.npz") as arrays:
        reference = {name: torch.tensor(arrays[name]) for name in arrays}
    params = {name: nn.Parameter(reference[f"param.{name}"][0].clone()) for name in facts["shapes"]}
    optimizer = ScaledAdam(params.values(), facts["base_lr"])
    eden = facts["eden"]
    rates = Eden(eden["lr_batches"], eden["lr_epochs"], eden["warmup_batches"], eden["warmup_start"])
    scheduler = Scheduler((optimizer, rates))
    for step in range(facts["steps"]):
        for name, param in params.items():
            param.grad = reference[f"grad.{name}"][step].clone()
        scheduler.set(step + 1, step // facts["epoch_every"])
        assert optimizer.param_groups[0]["lr"] == pytest.approx(float(reference["lr"][step, 0]), abs=1e-9)
        optimizer.step()
        for name, param in params.items():
            expected = reference[f"param.{name}"][step + 1]
            torch.testing.assert_close(param.detach(), expected, rtol=0, atol=1e-5)
    (history,) = optimizer.state_dict()["histories"]
    assert history["threshold"] == pytest.approx(facts["last_clipping_threshold"][0], rel=1e-5)
    assert history["num_clipped"] == facts["clipped_since_last_update"][0]


def slow_threshold(t: int, norms: list[float], scale: float) -> float | None:
    """The clipping threshold, if it is set at step `t`."""
    if t % len(norms) == 0:
        return scale * sorted(norms)[2 * (len(norms) // 4)]
    if t in (10, 20, 40) and t < len(norms):
        return 2 * scale * sorted(norms)[-t:][2 * (t // 4)]
    return None


def slow_steps(
    params: list[Tensor], grads: list[list[Tensor]], lr: float, settings: Settings
) -> Iterator[None]:
    """The same, a tensor at a time in float64, word by word from the description of the algorithm."""
    beta1, beta2 = settings.betas
    period, window = settings.size_period, settings.clipping_period
    lower, upper = settings.rms_bounds
    seconds, momenta = ([torch.zeros_like(p) for p in params] for _ in range(2))
    moments, pushes, sizes = [0.0] * len(params), [[0.0] * period for _ in params], [0.0] * len(params)
    norms, threshold = [0.0] * window, math.inf
    for t, now in enumerate(grads):
        clip = 1.0
        if t > 0:
            weights = [
                settings.scalar_factor if p.numel() == 1 else s for p, s in zip(params, sizes, strict=True)
            ]
            norm = math.sqrt(sum(float((g * w).square().sum()) for g, w in zip(now, weights, strict=True)))
            norms[t % window] = norm
            threshold = slow_threshold(t, norms, settings.clipping_scale) or threshold
            clip = min(1.0, threshold / (norm + 1e-20))
        for i, p in enumerate(params):
            g = now[i] * clip if math.isfinite(float(now[i].sum())) else torch.zeros_like(p)
            pushes[i][t % period] = float((p * g).sum())
            closes = t % period == period - 1
            if t == 0 or closes:
                sizes[i] = float(p.square().mean().sqrt())
            seconds[i] = beta2 * seconds[i] + (1 - beta2) * g * g
            bias = 1 - beta2 ** (t + 1)
            root = (seconds[i] / (bias if bias < 0.99 else 1)).sqrt() + settings.eps
            delta = -lr * g / root * (settings.scalar_factor if p.numel() == 1 else max(sizes[i], lower))
            if p.numel() > 1 and closes and t > 0:
                beta = beta2**period
                moments[i] = beta * moments[i] + (1 - beta) * sum(x * x for x in pushes[i]) / period
                grow = -0.1 * lr * math.sqrt(1 - beta ** ((t + 1) // period)) * sum(pushes[i])
                grow = 0.0 if sizes[i] < lower else grow / (math.sqrt(moments[i]) + settings.eps)
                delta = delta + p * min(max(-0.1, min(0.1, grow)), (upper - sizes[i]) / sizes[i])
            momenta[i] = beta1 * momenta[i] + (1 - beta1) * delta
            p += momenta[i]
            if p.numel() == 1:
                p.clamp_(-settings.scalar_bound, settings.scalar_bound)
        yield


def drawn(seed: int, steps: int) -> tuple[list[Tensor], list[list[Tensor]]]:
    generator = torch.Generator().manual_seed(seed)

    def tensors(scale: float) -> list[Tensor]:
        return [scale * torch.randn(shape, generator=generator) for shape in SHAPES]

    return tensors(0.5), [tensors(20.0 if step in (13, 27) else 1.0) for step in range(steps)]


def stepped(optimizer: ScaledAdam, params: list[nn.Parameter], grads: list[Tensor]) -> None:
    for param, grad in zip(params, grads, strict=True):
        param.grad = grad.clone()
    optimizer.step()


@pytest.mark.parametrize(
    ("rate", "settings"),
    [
        (0.05, Settings()),
        (0.05, Settings(clipping_period=15, clipping_scale=1.0)),
        (
            0.05,
            Settings((0.8, 0.95), size_period=3, scalar_factor=0.3, rms_bounds=(0.4, 0.6), scalar_bound=0.5),
        ),
        (
            1.0,
            Settings(size_period=2, rms_bounds=(1e-5, 50.0), scalar_bound=0.3),
        ),  # so fast that growth meets its bound
    ],
)
def test_it_equals_a_slow_twin(rate: float, settings: Settings) -> None:
    start, grads = drawn(1, 60)
    slow = [p.double() for p in start]
    params = [nn.Parameter(p.clone()) for p in start]
    optimizer = ScaledAdam(params, rate, settings)
    twin = slow_steps(slow, [[g.double() for g in now] for now in grads], rate, settings)
    for now, _ in zip(grads, twin, strict=True):
        stepped(optimizer, params, now)
        for param, expected in zip(params, slow, strict=True):
            torch.testing.assert_close(param.detach().double(), expected, rtol=1e-5, atol=1e-5)


def test_the_share_of_clipped_steps_is_told() -> None:
    start, grads = drawn(1, 20)
    params = [nn.Parameter(p.clone()) for p in start]
    optimizer = ScaledAdam(params)
    for now in grads:
        stepped(optimizer, params, now)
    assert optimizer.clipped_share == 0.1, "one of the ten steps since the threshold was set at step 10"


def test_work_in_pieces_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    start, grads = drawn(2, 9)
    results = []
    for limit in (1 << 18, 4):
        monkeypatch.setattr("captionstew.train.optim.scaled_adam.CACHE_BLOCK", limit)
        params = [nn.Parameter(p.clone()) for p in start]
        optimizer = ScaledAdam(params)
        for now in grads:
            stepped(optimizer, params, now)
        results.append(params)
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


@pytest.mark.parametrize("at", [1, 12, 21])
def test_a_saved_state_continues_bit_for_bit(at: int) -> None:
    start, grads = drawn(3, 30)
    params = [nn.Parameter(p.clone()) for p in start]
    optimizer, file = ScaledAdam(params), io.BytesIO()
    for now in grads[:at]:
        stepped(optimizer, params, now)
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    others = [nn.Parameter(p.detach().clone()) for p in params]
    other = ScaledAdam(others, 0.1)
    other.load_state_dict(torch.load(file, weights_only=True))
    for now in grads[at:]:
        stepped(optimizer, params, now)
        stepped(other, others, now)
    assert all(torch.equal(one, other) for one, other in zip(params, others, strict=True))
    assert other.clipped_share == optimizer.clipped_share


@pytest.mark.parametrize("other", [math.inf, 1.0])
def test_a_nan_skips_the_step_and_is_counted(other: float) -> None:
    start, grads = drawn(4, 24)
    params, undisturbed = ([nn.Parameter(p.clone()) for p in start] for _ in range(2))
    optimizer, twin = ScaledAdam(params), ScaledAdam(undisturbed)
    for number, now in enumerate(grads):
        stepped(optimizer, params, now)
        stepped(twin, undisturbed, now)
        if number in (0, 5, 22):
            broken = [grad.clone() for grad in now]
            broken[2][1], broken[0][0, 0] = math.nan, other
            stepped(optimizer, params, broken)
            assert math.isnan(optimizer.last_norm)
    assert optimizer.num_skipped == 3
    twin.load_state_dict(optimizer.state_dict())
    assert twin.num_skipped == 3
    assert all(torch.equal(one, other) for one, other in zip(params, undisturbed, strict=True))


@pytest.mark.parametrize("at", [0, 5, 15])
def test_an_infinite_gradient_counts_as_zero(at: int) -> None:
    start, grads = drawn(5, 20)
    grads[at][4][0, 0, 0] = math.inf
    params, zeroed = ([nn.Parameter(p.clone()) for p in start] for _ in range(2))
    optimizer, twin = ScaledAdam(params), ScaledAdam(zeroed)
    for number, now in enumerate(grads[: at + 1]):
        stepped(optimizer, params, now)
        stepped(twin, zeroed, [torch.zeros_like(g) for g in now] if number == at else now)
    assert optimizer.num_skipped == 0
    assert optimizer.last_norm == math.inf
    assert all(torch.equal(one, other) for one, other in zip(params, zeroed, strict=True))


def test_a_missing_gradient_is_one_of_zeros() -> None:
    start, grads = drawn(6, 12)
    params, zeroed = ([nn.Parameter(p.clone()) for p in start] for _ in range(2))
    optimizer, twin = ScaledAdam(params), ScaledAdam(zeroed)
    for number, now in enumerate(grads):
        if number % 3 == 2:
            now[0] = torch.zeros_like(now[0])
        for param, other, grad in zip(params, zeroed, now, strict=True):
            param.grad, other.grad = grad.clone(), grad.clone()
        if number % 3 == 2:
            params[0].grad = None
        optimizer.step()
        twin.step()
    assert all(torch.equal(one, other) for one, other in zip(params, zeroed, strict=True))


def test_the_scale_of_the_loss_does_not_matter() -> None:
    start, grads = drawn(7, 30)
    results = []
    for scale in (1.0, 1024.0):
        params = [nn.Parameter(p.clone()) for p in start]
        optimizer = ScaledAdam(params)
        for now in grads:
            stepped(optimizer, params, [grad * scale for grad in now])
        results.append(params)
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_groups_clip_on_their_own() -> None:
    start, grads = drawn(8, 30)
    params, alone = ([nn.Parameter(p.clone()) for p in start] for _ in range(2))
    groups: list[dict[str, Any]] = [{"params": params[:3]}, {"params": params[3:], "lr": 0.01}]
    together = ScaledAdam(groups, 0.05)
    first, second = ScaledAdam(alone[:3], 0.05), ScaledAdam(alone[3:], 0.01)
    for now in grads:
        stepped(together, params, now)
        stepped(first, alone[:3], now[:3])
        stepped(second, alone[3:], now[3:])
        assert together.last_norm == pytest.approx(math.hypot(first.last_norm, second.last_norm))
    assert all(torch.equal(one, other) for one, other in zip(params, alone, strict=True))


def test_it_learns_whatever_the_scale_of_the_parameters() -> None:
    generator = torch.Generator().manual_seed(9)
    x, target = torch.randn(64, 8, generator=generator), torch.randn(8, 4, generator=generator)
    weight = nn.Parameter(0.01 * torch.randn(8, 4, generator=generator))
    optimizer = ScaledAdam([weight], 0.03)
    losses = []
    for _ in range(400):
        optimizer.zero_grad()
        loss = (x @ (weight - target)).square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.01 * losses[0]
