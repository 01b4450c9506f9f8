"""Regularisers that leave the forward pass alone and act on gradients (Zipformer, Yao et al. 2024, §3.5).

They act only where a `Chance` is handed in, which the encoder does in training. Whether they act is drawn in the
forward pass, before anything depends on gradients, so that a replayed pass draws the same.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from captionstew.train.encoders.zipformer.schedule import Chance, Schedule, uncompiled

TINY = 1e-20
PROBABILITY = Schedule((0, 0.5), (8000, 0.125))


class Balancer(nn.Module):
    """`x` unchanged; now and then its gradient pushes each channel into limits on sign and size.

    `min_positive`..`max_positive` bound the share of positive values, `min_abs`..`max_abs` the mean magnitude, per
    channel over all other axes, padding included. The push has `grad_scale` of the gradient's size.
    """

    def __init__(
        self,
        num_channels: int,
        channel_dim: int,
        min_positive: Schedule | float = 0.05,
        max_positive: Schedule | float = 0.95,
        min_abs: Schedule | float = 0.2,
        max_abs: Schedule | float = 100.0,
        prob: Schedule | float = PROBABILITY,
        grad_scale: float = 0.04,
    ) -> None:
        super().__init__()
        self.num_channels, self.channel_dim, self.grad_scale = num_channels, channel_dim, grad_scale
        self.positive, self.size, self.prob = (min_positive, max_positive), (min_abs, max_abs), prob

    def forward(self, x: Tensor, chance: Chance | None = None) -> Tensor:
        """`x`; in training, with probability `prob`, with the push in its backward pass."""
        assert x.shape[self.channel_dim] == self.num_channels, (tuple(x.shape), self.num_channels)
        if chance is None or not chance.active or not chance.flip(chance.value(self.prob)):
            return x
        low, high = (_mean_over_deviation(chance.value(share)) for share in self.positive)
        small, large = (_rms(chance.value(magnitude)) for magnitude in self.size)
        return _balanced(x, self.channel_dim, (low, high, small, large), self.grad_scale)


class Whiten(nn.Module):
    """`x` (..., C) unchanged; now and then its gradient pushes the channels' covariance towards a multiple of one.

    Acts where the whitening metric of a group of channels (1 = white) is over `limit`; it is looked at on a share
    `often` of the calls after it was found over the limit, else on a share `seldom`. To be called in every training
    pass of the encoder.
    """

    def __init__(
        self,
        num_groups: int,
        limit: Schedule | float,
        grad_scale: float = 0.01,
        often: float = 0.25,
        seldom: float = 0.025,
    ) -> None:
        super().__init__()
        self.num_groups, self.limit, self.grad_scale = num_groups, limit, grad_scale
        self.often, self.seldom = often, seldom
        self.number: int | None = None

    def forward(self, x: Tensor, chance: Chance | None = None) -> Tensor:
        """`x`; in training, now and then, with the push in its backward pass."""
        if chance is None or not chance.active:
            return x
        if self.number is None:
            self.number = chance.enrol()
        if not chance.flip(self.often if chance.was_over(self.number) else self.seldom):
            return x
        limit = chance.value(self.limit)
        return _whitened(x, self.num_groups, limit, self.grad_scale, chance, self.number)


def penalize_abs_values_gt(x: Tensor, limit: float, penalty: float) -> Tensor:
    """`x`, whose gradient gets `penalty` x sign where its magnitude is over `limit`.

    As if a term were added to the loss, so its weight depends on how the loss is scaled.
    """
    return _apply(_Penalty, x, limit, penalty)


def limit_param_value(
    param: Tensor, minimum: float, maximum: float, chance: Chance | None, prob: float = 0.6
) -> Tensor:
    """`param`; on a share `prob` of calls, gradients that would move out-of-range entries further out are negated."""
    if chance is None or not chance.active or not chance.flip(prob):
        return param
    return _apply(_Range, param, minimum, maximum)


def scale_grad(x: Tensor, factor: float) -> Tensor:
    """`x`, whose gradient is multiplied by `factor`."""
    return _apply(_Scale, x, factor)


def whitening_metric(x: Tensor, num_groups: int) -> Tensor:
    """How far the covariance of `x` (..., C) is from a multiple of one: mean squared over squared mean eigenvalue."""
    with torch.autocast(x.device.type, enabled=False):
        return _whiteness(_centred(x, num_groups))[1]


def _mean_over_deviation(positive: float) -> float:
    # A normal variable is positive with this probability at this mean / deviation; an approximate inverse of erf.
    share = 2 * positive - 1
    return 0.8139535143 * 0.5 * (math.log1p(share + 1e-10) - math.log1p(-share + 1e-10))


def _rms(magnitude: float) -> float:
    return 1.25331413732 * magnitude  # sqrt(pi / 2): rms over mean magnitude of a normal variable


def _apply(function: type[torch.autograd.Function], *arguments: object) -> Tensor:
    result: Tensor = function.apply(*arguments)  # type: ignore[no-untyped-call]
    return result


@uncompiled
def _balanced(
    x: Tensor, channel_dim: int, limits: tuple[float, float, float, float], grad_scale: float
) -> Tensor:
    return _apply(_Balance, x, channel_dim, limits, grad_scale)


@uncompiled
def _whitened(
    x: Tensor, num_groups: int, limit: float, grad_scale: float, chance: Chance, number: int
) -> Tensor:
    return _apply(_Whitening, x, num_groups, limit, grad_scale, chance, number)


def _centred(x: Tensor, num_groups: int) -> Tensor:
    grouped = x.float().reshape(-1, num_groups, x.shape[-1] // num_groups).transpose(0, 1)
    return grouped - grouped.mean(dim=1, keepdim=True)


def _whiteness(x_GRK: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    covariance_GKK = x_GRK.transpose(1, 2) @ x_GRK
    num_channels = x_GRK.shape[0] * x_GRK.shape[2]
    mean = covariance_GKK.diagonal(dim1=1, dim2=2).sum() / num_channels
    mean_square = covariance_GKK.square().sum() / num_channels
    return covariance_GKK, mean_square / (mean * mean + TINY), mean


class _Balance(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any,
        x: Tensor,
        channel_dim: int,
        limits: tuple[float, float, float, float],
        grad_scale: float,
    ) -> Tensor:
        context.save_for_backward(x)
        context.settings = channel_dim, limits, grad_scale
        return x

    @staticmethod
    def backward(context: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = context.saved_tensors
        channel_dim, limits, grad_scale = context.settings
        x = x.float()
        others = [axis for axis in range(x.ndim) if axis != channel_dim % x.ndim]
        centred = x - (mean := x.mean(others, keepdim=True))
        level, slope = _push(mean, centred.square().mean(others, keepdim=True), limits)
        push = torch.addcmul(level, centred, slope) * grad_scale
        wide = grad.float()
        return torch.addcmul(wide, wide.abs(), push).to(grad.dtype), None, None, None


def _push(mean: Tensor, variance: Tensor, limits: tuple[float, float, float, float]) -> tuple[Tensor, Tensor]:
    """`level`, `slope` per channel: level + slope x (x - mean) has rms 1 and is the slope of the penalty.

    The penalty is |ratio - clamped ratio| + |ln(clamped rms / rms)|, where ratio is mean / deviation.
    """
    low, high, small, large = limits
    square = (variance + mean * mean).clamp(min=TINY)
    deviation, rms = variance.clamp(min=TINY).sqrt(), square.sqrt()
    ratio = mean / deviation
    turn = (ratio - ratio.clamp(low, high)).sign()
    growth = (rms - rms.clamp(small, large)).sign()
    # along 1 and along (x - mean) / deviation, which are orthogonal and of rms 1
    along_mean = turn / deviation + growth * mean / square
    along_rest = growth * deviation / square - turn * ratio / deviation * (variance > TINY)
    size = torch.hypot(along_mean, along_rest).clamp(min=TINY)
    return along_mean / size, along_rest / (size * deviation)


class _Whitening(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any,
        x: Tensor,
        num_groups: int,
        limit: float,
        grad_scale: float,
        chance: Chance,
        number: int,
    ) -> Tensor:
        context.save_for_backward(x)
        context.settings = num_groups, limit, grad_scale, chance, number
        return x

    @staticmethod
    def backward(context: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = context.saved_tensors
        num_groups, limit, grad_scale, chance, number = context.settings
        with torch.autocast(x.device.type, enabled=False):
            x_GRK = _centred(x, num_groups)
            covariance_GKK, metric, mean = _whiteness(x_GRK)
            chance.report(number, over := metric >= limit)
            # slope of the metric: x_GRK @ slope_GKK; its norm comes from the small matrices
            slope_GKK = covariance_GKK.clone()
            slope_GKK.diagonal(dim1=1, dim2=2).sub_(metric * mean)
            slope_GKK *= 4 / (x.shape[-1] * (mean * mean + TINY))
            norm = ((covariance_GKK @ slope_GKK) * slope_GKK).sum().clamp(min=0).sqrt()
            strength = grad_scale * torch.linalg.vector_norm(grad, dtype=torch.float32) / (norm + TINY)
            slope_GKK *= torch.where(over, strength, 0)
            grad_GRK = grad.float().reshape(-1, *x_GRK.shape[::2]).transpose(0, 1)
            pushed = torch.baddbmm(grad_GRK, x_GRK, slope_GKK).transpose(0, 1).reshape(grad.shape)
        return pushed.to(grad.dtype), None, None, None, None, None


class _Penalty(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, limit: float, penalty: float) -> Tensor:
        context.save_for_backward(x.sign().mul_(x.abs() > limit).to(torch.int8))
        context.penalty = penalty
        return x

    @staticmethod
    def backward(context: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (over,) = context.saved_tensors
        return grad + over.to(grad.dtype) * context.penalty, None, None


class _Range(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, param: Tensor, minimum: float, maximum: float) -> Tensor:
        context.save_for_backward(param)
        context.limits = minimum, maximum
        return param

    @staticmethod
    def backward(context: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (param,) = context.saved_tensors
        minimum, maximum = context.limits
        outward = ((param < minimum) & (grad > 0)) | ((param > maximum) & (grad < 0))
        return torch.where(outward, -grad, grad), None, None


class _Scale(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, factor: float) -> Tensor:
        context.factor = factor
        return x

    @staticmethod
    def backward(context: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return grad * context.factor, None
