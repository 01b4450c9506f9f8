"""Contrastive and captioning losses together, over the same frames of one pass of the encoder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from captionstew.train.objectives.captioning import Captioning
from captionstew.train.objectives.contrastive import Contrastive
from captionstew.train.objectives.objective import Loss, Objective, Text


@dataclass(frozen=True)
class PairedText(Text):
    """The same captions as each of two objectives has them; by itself it is the captioning one's."""

    contrastive: Text = field(kw_only=True)
    captioning: Text = field(kw_only=True)

    @classmethod
    def of(cls, contrastive: Text, captioning: Text) -> "PairedText":
        """Both texts; a caption that either cuts is counted where it is cut."""
        ids, lengths, captions = captioning.ids_BL, captioning.lengths_B, captioning.captions
        num = captioning.num_truncated
        return cls(ids, lengths, captions, num, contrastive=contrastive, captioning=captioning)

    def to(self, device: torch.device, non_blocking: bool = True) -> "PairedText":
        """Both texts with their tensors on a device."""
        return PairedText.of(
            self.contrastive.to(device, non_blocking), self.captioning.to(device, non_blocking)
        )


class Hybrid(Objective):
    """`contrastive_weight` times the one loss plus `captioning_weight` times the other (CoCa, Yu et al. 2022 §3.2).

    The parts bear their objective's name before a slash.
    """

    def __init__(
        self,
        contrastive: Contrastive,
        captioning: Captioning,
        contrastive_weight: float = 1.0,
        captioning_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.contrastive, self.captioning = contrastive, captioning
        self.contrastive_weight, self.captioning_weight = contrastive_weight, captioning_weight

    def tokenize(self, captions: Sequence[str]) -> PairedText:
        """The captions for both, each with its own tokenizer and greatest length."""
        return PairedText.of(self.contrastive.tokenize(captions), self.captioning.tokenize(captions))

    def forward(
        self, frames_BTD: Tensor, lengths_B: Tensor, text: Text, clips_B: Tensor | None = None
    ) -> Loss:
        """The weighted sum, whose `weight` is the contrastive one's: clips."""
        assert isinstance(text, PairedText), f"text for both objectives comes from tokenize, not {type(text)}"
        contrastive = self.contrastive(frames_BTD, lengths_B, text.contrastive, clips_B)
        captioning = self.captioning(frames_BTD, lengths_B, text.captioning)
        total = self.contrastive_weight * contrastive.total + self.captioning_weight * captioning.total
        parts = {f"contrastive/{name}": part for name, part in contrastive.parts.items()}
        parts |= {f"captioning/{name}": part for name, part in captioning.parts.items()}
        return Loss(total, parts, contrastive.weight)

    def after_step(self) -> None:
        """The temperature is within its bounds."""
        self.contrastive.after_step()

    def settings(self) -> Mapping[str, Any]:
        """Both objectives' settings and the weights."""
        return {
            "contrastive": self.contrastive.settings(),
            "captioning": self.captioning.settings(),
            "contrastive_weight": self.contrastive_weight,
            "captioning_weight": self.captioning_weight,
        }
