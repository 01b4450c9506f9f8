"""SigLIP: every clip and caption of all ranks are a pair or none, each decided by itself."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from captionstew.train.objectives.duplicates import Pairs
from captionstew.train.objectives.info_nce import MOST_SCALE
from captionstew.train.ranks import world


class SigLIP(nn.Module):
    """The sum over captions of log(1 + exp(-z (s x.y + b))), mean over clips; z is 1 for pairs, -1 for others.

    SigLIP §3.2, with s = 1 / temperature; its initial values are 0.1 and b = -10.
    """

    def __init__(self, temperature: float = 0.1, learnable: bool = True, bias: float = -10.0) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)), requires_grad=learnable)
        self.bias = nn.Parameter(torch.tensor(bias))

    def forward(self, audio_bD: Tensor, text_BD: Tensor, pairs: Pairs) -> Tensor:
        """This rank's part of the loss, for unit vectors of its clips and the gathered ones of all captions.

        The mean of the parts over ranks is the loss, and so with their gradients, however many rows each rank has.
        """
        scale = self.log_scale.exp()
        part: Tensor = _Decisions.apply(audio_bD, text_BD, scale, self.bias, pairs)  # type: ignore[no-untyped-call]
        return part

    def chance(self, num_pairs: int) -> float:
        """The loss of a model to which all clips and captions are alike, with the best bias for that."""
        return math.log(num_pairs) - (num_pairs - 1) * math.log1p(-1 / num_pairs) if num_pairs > 1 else 0.0

    @torch.no_grad()
    def after_step(self) -> None:
        """The scale lies within 1..100 again."""
        self.log_scale.clamp_(0, math.log(MOST_SCALE))


class _Decisions(torch.autograd.Function):
    """The loss with its gradients in one go, a chunk of rows at a time.

    As softplus(-l) = softplus(l) - l, all entries are taken for wrong ones and the right ones' logits subtracted.
    """

    @staticmethod
    def forward(
        ctx: Any, audio_bD: Tensor, text_BD: Tensor, scale: Tensor, bias: Tensor, pairs: Pairs
    ) -> Tensor:
        weight = world() / pairs.num_all
        loss, by_scale, by_bias = (torch.zeros_like(scale) for _ in range(3))
        by_audio_bD, by_text_BD = torch.empty_like(audio_bD), torch.zeros_like(text_BD)
        with torch.autocast(audio_bD.device.type, enabled=False):
            for rows in pairs.rows():
                scaled_cD = audio_bD[rows] * scale
                terms_cB, by_logits_cB = _decide(scaled_cD @ text_BD.T + bias, *pairs.block(rows))
                loss += terms_cB.sum()
                by_bias += by_logits_cB.sum()
                pulled_cD = by_logits_cB @ text_BD
                by_scale += (pulled_cD * audio_bD[rows]).sum()
                by_audio_bD[rows] = pulled_cD * scale
                by_text_BD.addmm_(by_logits_cB.T, scaled_cD)
        ctx.save_for_backward(*(g.mul_(weight) for g in (by_audio_bD, by_text_BD, by_scale, by_bias)))
        return loss * weight

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        return *(upstream * gradient for gradient in ctx.saved_tensors), None


def _decide(logits_cB: Tensor, right_cB: Tensor, out_cB: Tensor | None) -> tuple[Tensor, Tensor]:
    """The terms of the loss and their derivatives."""
    terms_cB = softplus(logits_cB) - logits_cB * right_cB
    by_logits_cB = logits_cB.sigmoid() - right_cB.to(logits_cB.dtype)
    if out_cB is None:
        return terms_cB, by_logits_cB
    return terms_cB.masked_fill(out_cB, 0), by_logits_cB.masked_fill(out_cB, 0)
