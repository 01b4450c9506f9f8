"""What every objective is to the training loop: frames and text in, a loss with named parts out."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Text:
    """Tokenised captions of a batch: `ids_BL` int64 padded on the right, `lengths_B` with special tokens.

    `captions` are the texts themselves; `num_truncated` counts those that were cut.
    """

    ids_BL: Tensor
    lengths_B: Tensor
    captions: tuple[str, ...]
    num_truncated: int = 0

    def to(self, device: torch.device, non_blocking: bool = True) -> "Text":
        """The same text with its tensors on a device."""
        ids, lengths = (t.to(device, non_blocking=non_blocking) for t in (self.ids_BL, self.lengths_B))
        return replace(self, ids_BL=ids, lengths_B=lengths)

    def mask_BL(self) -> Tensor:
        """True at tokens, False at padding."""
        return torch.arange(self.ids_BL.shape[1], device=self.ids_BL.device) < self.lengths_B[:, None]


@dataclass(frozen=True)
class Loss:
    """A scalar to back-propagate and detached scalars to log, by name; `weight` rows or tokens were averaged.

    Averaging the gradients of `total` over ranks gives the gradient of one process on the union of all batches.
    """

    total: Tensor
    parts: Mapping[str, Tensor]
    weight: int


class Objective(nn.Module):
    """A loss over an encoder's frames and the captions of the same clips, with the parameters it needs."""

    @abstractmethod
    def tokenize(self, captions: Sequence[str]) -> Text:
        """The captions as tensors, on the CPU; called in the loader's threads."""

    @abstractmethod
    def forward(self, frames_BTD: Tensor, lengths_B: Tensor, text: Text) -> Loss:
        """The loss of a batch, whose frames beyond `lengths_B` are padding."""

    def after_step(self) -> None:
        """To be called after each step of the optimiser: parameters with bounds are within them."""
        return

    def settings(self) -> Mapping[str, Any]:
        """What rebuilds this objective: the arguments of its constructor."""
        return {}
