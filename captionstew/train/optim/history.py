"""What ScaledAdam remembers of a group's tensors rather than of their elements: on the host, in float64."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

EARLY = (10, 20, 40)  # steps after which the clipping threshold is set from the few norms there are


@dataclass(frozen=True)
class Settings:
    """ScaledAdam's numbers, with icefall's defaults."""

    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-8
    size_period: int = 4
    scalar_factor: float = 0.1
    rms_bounds: tuple[float, float] = (1e-5, 3.0)
    scalar_bound: float = 10.0
    clipping_scale: float = 2.0
    clipping_period: int = 100


DEFAULTS = Settings()


class History:
    """Sizes of a group's tensors, what pushed on them lately, and the norms that clipping goes by.

    `counts` are elements per tensor; `step` is the number of steps taken.
    """

    def __init__(self, counts: Sequence[int], settings: Settings) -> None:
        self.counts_N, self.settings = torch.tensor(counts, dtype=torch.float64), settings
        self.scalar_N = self.counts_N == 1
        self.step, self.num_clipped, self.num_seen, self.threshold = 0, 0, 0, math.inf
        self.rms_N, self.moment_N = (torch.zeros_like(self.counts_N) for _ in range(2))
        self.pushes_SN = self.counts_N.new_zeros(settings.size_period, len(counts))
        self.norms_W = self.counts_N.new_zeros(settings.clipping_period)

    @property
    def renews(self) -> bool:
        """Whether the step to come takes the tensors' sizes anew."""
        return self.step == 0 or self._closes

    @property
    def _closes(self) -> bool:
        return self.step % self.settings.size_period == self.settings.size_period - 1

    def norm(self, grad_norms_N: Tensor) -> float:
        """The norm of the gradients, each weighted with its tensor's size; NaN or infinite if one of them is."""
        if grad_norms_N.isnan().any():
            return math.nan
        if grad_norms_N.isinf().any():
            return math.inf
        weights_N = torch.where(self.scalar_N, self.settings.scalar_factor, self.rms_N)
        return float(torch.linalg.vector_norm(weights_N * grad_norms_N))

    def clip(self, norm: float) -> float:
        """What the step's gradients are to be multiplied with, after `norm` has been noted."""
        if self.step > 0:
            self.norms_W[self.step % len(self.norms_W)] = norm
            self._set_threshold()
        factor = 0.0 if math.isinf(norm) else min(1.0, self.threshold / (norm + 1e-20))
        self.num_seen += 1
        self.num_clipped += factor < 1.0
        return factor

    def _set_threshold(self) -> None:
        # The early norms change quickly, so the threshold is wider then.
        early = self.step in EARLY and self.step < len(self.norms_W)
        if not early and self.step % len(self.norms_W):
            return
        ordered = self.norms_W.sort().values[-self.step if early else 0 :]
        median = float(ordered[2 * (len(ordered) // 4)])
        if math.isfinite(median):
            self.threshold = self.settings.clipping_scale * median * (2 if early else 1)
        self.num_clipped = self.num_seen = 0

    def relative_steps(self, lr: float) -> Tensor:
        """The rate of each tensor: in proportion to its size, and a fixed small one for single numbers."""
        lower, _ = self.settings.rms_bounds
        return lr * torch.where(self.scalar_N, self.settings.scalar_factor, self.rms_N.clamp(min=lower))

    def size_steps(self, pushes_N: Tensor, lr: float) -> Tensor | None:
        """By which share each tensor is to grow; `pushes_N` is sum(parameter x gradient). None between updates."""
        now, period = self.step, self.settings.size_period
        self.pushes_SN[now % period] = pushes_N
        if not self._closes or now == 0:
            return None
        beta = self.settings.betas[1] ** period
        self.moment_N = beta * self.moment_N + (1 - beta) * self.pushes_SN.square().mean(dim=0)
        bias = math.sqrt(1 - beta ** ((now + 1) // period))
        growth_N = -0.1 * lr * bias * self.pushes_SN.sum(dim=0) / (self.moment_N.sqrt() + self.settings.eps)
        lower, upper = self.settings.rms_bounds
        growth_N = growth_N.masked_fill(self.rms_N < lower, 0.0).clamp(-0.1, 0.1)
        growth_N = torch.minimum(growth_N, (upper - self.rms_N) / self.rms_N.clamp(min=1e-20))
        return growth_N.masked_fill(self.scalar_N, 0.0)

    def state(self) -> dict[str, Any]:
        """What `restore` takes back."""
        names = ("step", "num_clipped", "num_seen", "threshold", "rms_N", "moment_N", "pushes_SN", "norms_W")
        return {name: getattr(self, name) for name in names}

    def restore(self, state: dict[str, Any]) -> None:
        """Be as the history was that `state` was taken of."""
        for name, value in state.items():
            old = getattr(self, name)
            assert not isinstance(old, Tensor) or old.shape == value.shape, (name, old.shape, value.shape)
            setattr(self, name, value.clone() if isinstance(value, Tensor) else value)
