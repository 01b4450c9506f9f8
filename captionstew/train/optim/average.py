"""The average of the weights over a run, and over any range of its steps, from two checkpoints (icefall)."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from captionstew.errors import RecipeError


class RunningAverage:
    """The mean of a module's weights over all steps so far, in float64, sampled every `period` steps.

    Entries that are not floating point are the latest. `device` is where it is kept, by default beside the weights.
    """

    def __init__(
        self, module: nn.Module, period: int = 200, device: torch.device | str | None = None
    ) -> None:
        self.period = period
        self._values = {name: _wide(value, device) for name, value in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> bool:
        """After step number `step`, from 1: the weights are taken in if it is a multiple of the period."""
        if step % self.period:
            return False
        for name, current in module.state_dict().items():
            average = self._values[name]
            if average.is_floating_point():
                average.lerp_(current.to(average), self.period / step)
            else:
                average.copy_(current)
        return True

    def weights(self) -> dict[str, Tensor]:
        """The averages by name: float64, and not copies."""
        return dict(self._values)

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Go on from what `weights` gave at the same step."""
        assert weights.keys() == self._values.keys(), weights.keys() ^ self._values.keys()
        for name, value in weights.items():
            self._values[name].copy_(value)


def between(
    start: Mapping[str, Tensor], start_step: int, end: Mapping[str, Tensor], end_step: int
) -> dict[str, Tensor]:
    """The mean weights over the steps after `start_step` up to `end_step`, in float64.

    `start` and `end` are averages taken in at these steps, multiples of the averages' period; at step 0 any will do.
    """
    if not 0 <= start_step < end_step:
        raise RecipeError(
            f"no steps lie between {start_step} and {end_step}", hint="give the earlier checkpoint first"
        )
    share = end_step / (end_step - start_step)
    return {
        name: last.double() * share + start[name].to(last.device).double() * (1 - share)
        if last.is_floating_point()
        else last
        for name, last in end.items()
    }


def _wide(value: Tensor, device: torch.device | str | None) -> Tensor:
    kind = torch.float64 if value.is_floating_point() else value.dtype
    return value.detach().to(device or value.device, kind, copy=True)
