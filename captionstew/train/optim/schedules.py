"""How the learning rate goes over the steps, and what sets it in the optimisers."""

import math
from dataclasses import dataclass
from typing import Any, Protocol

from torch.optim.optimizer import Optimizer


class Rates(Protocol):
    """Factors on a base rate."""

    def rate(self, step: int, epoch: int = 0) -> float:
        """The factor of `step` (from 1) in `epoch` (from 0)."""


@dataclass(frozen=True)
class Constant:
    """The base rate at every step, after `warm_up` steps of linear growth."""

    warm_up: int = 0

    def rate(self, step: int, epoch: int = 0) -> float:
        """Step / warm-up, at most one."""
        return min(1.0, step / self.warm_up) if self.warm_up else 1.0


@dataclass(frozen=True)
class Cosine:
    """Linear growth over `warm_up` steps, then half a cosine down to `final` of the base rate at step `steps`."""

    steps: int
    warm_up: int = 2000
    final: float = 0.0

    def rate(self, step: int, epoch: int = 0) -> float:
        """The factor of `step`; `final` after the last."""
        if step < self.warm_up:
            return step / self.warm_up
        done = min(1.0, (step - self.warm_up) / max(1, self.steps - self.warm_up))
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * done))


class Scheduler:
    """Sets the rate of every group to its base rate times its schedule's factor.

    The base rate of a group is its rate when it was first seen. Per step: backward, `set`, optimiser.
    """

    def __init__(self, *pairs: tuple[Optimizer, Rates]) -> None:
        self.pairs, self.step, self.epoch = pairs, 0, 0
        for optimizer, _ in pairs:
            for group in optimizer.param_groups:
                group.setdefault("base_rate", group["lr"])

    def set(self, step: int, epoch: int | None = None) -> None:
        """The optimisers hold the rates of `step`, counted from 1; the epoch stays where none is given."""
        self.step, self.epoch = step, self.epoch if epoch is None else epoch
        for optimizer, rates in self.pairs:
            factor = rates.rate(self.step, self.epoch)
            for group in optimizer.param_groups:
                group["lr"] = group["base_rate"] * factor

    def state_dict(self) -> dict[str, Any]:
        """Where the schedule stands."""
        return {"step": self.step, "epoch": self.epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Stand where `state` was taken; the rates are those of that step."""
        self.set(state["step"], state["epoch"])
