"""Eden (Zipformer, Yao et al. 2024, §3.6) and its kin: rates that fall with the steps and with the epochs."""

import math
from dataclasses import dataclass

from captionstew.errors import RecipeError


@dataclass(frozen=True)
class Eden:
    """Falls with step^-1/2 beyond `steps` and with epoch^-1/2 beyond `epochs`, after a short linear warm-up."""

    steps: float = 7500
    epochs: float = 3.5
    warm_up: float = 500
    warm_start: float = 0.5

    def rate(self, step: int, epoch: int = 0) -> float:
        """The factor of `step` in `epoch`."""
        falling = _falling(step, self.steps) * _falling(epoch, self.epochs)
        return math.pow(falling, -0.25) * _warming(step, self.warm_up, self.warm_start)


@dataclass(frozen=True)
class Eden2:
    """Falls with 1 / step beyond `steps`, whatever the epoch."""

    steps: float = 7500
    warm_up: float = 500
    warm_start: float = 0.5

    def rate(self, step: int, epoch: int = 0) -> float:
        """The factor of `step`."""
        return math.pow(_falling(step, self.steps), -0.5) * _warming(step, self.warm_up, self.warm_start)


@dataclass(frozen=True)
class Eden3:
    """Eden for data without epochs: an epoch is `steps_per_epoch` steps (Auden's setting for CaptionStew 400k)."""

    steps: float = 7500
    epochs: float = 3.5
    steps_per_epoch: int = 10_000
    warm_up: float = 500
    warm_start: float = 0.5

    def __post_init__(self) -> None:
        if self.steps_per_epoch <= 0:
            raise RecipeError(
                "Eden3 needs steps_per_epoch above 0", hint="for a rate without epochs take Eden2"
            )

    def rate(self, step: int, epoch: int = 0) -> float:
        """The factor of `step`."""
        falling = _falling(step, self.steps) * _falling(step, self.epochs * self.steps_per_epoch)
        return math.pow(falling, -0.25) * _warming(step, self.warm_up, self.warm_start)


def _falling(count: float, scale: float) -> float:
    return (count * count + scale * scale) / (scale * scale)


def _warming(step: int, length: float, start: float) -> float:
    return 1.0 if step >= length else start + (1 - start) * step / length
