"""What every text decoder is to the rest: token ids over encoder frames in, hidden vectors out."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional


class Draft(ABC):
    """Captions in the making, `num_beams` for each clip, with the keys and values of what they hold so far."""

    @abstractmethod
    def extend(self, ids_N: Tensor) -> Tensor:
        """One more token stands at the end of every caption; the hidden vectors (N, D) that predict the next."""

    @abstractmethod
    def select(self, rows_N: Tensor) -> None:
        """Caption i is now what caption `rows_N[i]` was, of the same clip."""


class Decoder(nn.Module):
    """Token ids to hidden vectors that look at an encoder's frames, and the output layer that reads them.

    `width` is D of the hidden vectors, `size` that of the vocabulary, `max_positions` the longest input, and `start`
    what stands before the caption: <s>, or as BART has it </s> <s>. Frames of another width pass a linear map
    without bias (CaptionStew §3).
    """

    width: int
    size: int
    max_positions: int
    start: Literal["bos", "eos"] = "bos"

    @staticmethod
    def bridge(frames_width: int, width: int) -> nn.Module:
        """What brings frames to the decoder's width."""
        return nn.Identity() if frames_width == width else nn.Linear(frames_width, width, bias=False)

    @abstractmethod
    def forward(
        self, ids_BL: Tensor, frames_BTD: Tensor, lengths_B: Tensor, visible_BLL: Tensor | None = None
    ) -> Tensor:
        """Hidden vectors (B, L, D), where a position sees those before it or, if given, those that are `visible_BLL`.

        Frames beyond `lengths_B` are not looked at.
        """

    @abstractmethod
    def begin(self, frames_BTD: Tensor, lengths_B: Tensor, num_beams: int = 1) -> Draft:
        """Empty captions over these frames, those of a clip beside each other."""

    @abstractmethod
    def output(self) -> tuple[Tensor, Tensor | None]:
        """Weight (V, D) and bias (V) of the output layer, for a loss that never holds all logits."""

    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """What rebuilds this decoder, without its weights; JSON takes it."""

    def logits(self, hidden_ND: Tensor) -> Tensor:
        """Scores of all tokens (N, V), float32."""
        return functional.linear(hidden_ND, *self.output()).float()


def mask_BT(lengths_B: Tensor, most: int) -> Tensor:
    """True at the first `lengths_B` of `most` positions."""
    return torch.arange(most, device=lengths_B.device) < lengths_B[:, None]
