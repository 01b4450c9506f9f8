"""Symmetric InfoNCE over the pairs of all ranks, in memory for a few rows of similarities at a time."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from captionstew.train.objectives.duplicates import Pairs
from captionstew.train.objectives.gather import max_over_ranks, sum_over_ranks
from captionstew.train.ranks import world

MOST_SCALE = 100.0  # CLIP §2.5


class InfoNCE(nn.Module):
    """Each clip finds its caption among those of all ranks, each caption its clip; the mean of both.

    A clip with several right captions has them as its targets in equal parts. The temperature divides cosines.
    """

    def __init__(self, temperature: float = 0.07, learnable: bool = True) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)), requires_grad=learnable)

    def forward(self, audio_bD: Tensor, text_BD: Tensor, pairs: Pairs) -> Tensor:
        """This rank's part of the loss, for unit vectors of its clips and the gathered ones of all captions.

        The mean of the parts over ranks is the loss, and so with their gradients, however many rows each rank has.
        """
        part: Tensor = _Cross.apply(audio_bD, text_BD, self.log_scale.exp(), pairs)  # type: ignore[no-untyped-call]
        return part

    def chance(self, num_pairs: int) -> float:
        """The loss of a model to which all clips and captions are alike."""
        return math.log(num_pairs)

    @torch.no_grad()
    def after_step(self) -> None:
        """The scale lies within 1..100 again."""
        self.log_scale.clamp_(0, math.log(MOST_SCALE))


class _Cross(torch.autograd.Function):
    """The loss with its gradients in one go, so that no similarity is kept for the backward pass."""

    @staticmethod
    def forward(ctx: Any, audio_bD: Tensor, text_BD: Tensor, scale: Tensor, pairs: Pairs) -> Tensor:
        with torch.autocast(audio_bD.device.type, enabled=False):
            logits = _Logits(audio_bD, text_BD, scale, pairs)
            loss, gradients = _loss(logits, _norms(logits), any(ctx.needs_input_grad))
        ctx.save_for_backward(*gradients)
        return loss

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        return *(upstream * gradient for gradient in ctx.saved_tensors), None


@dataclass
class _Logits:
    audio_bD: Tensor
    text_BD: Tensor
    scale: Tensor
    pairs: Pairs
    _kept: tuple[Tensor, Tensor] | None = None

    def __getitem__(self, rows: slice) -> tuple[Tensor, Tensor]:
        """Scaled similarities of some rows to all columns, -inf where left out, and which are right."""
        if self._kept is not None:
            return self._kept
        logits_cB = (self.audio_bD[rows] * self.scale) @ self.text_BD.T
        right_cB, out_cB = self.pairs.block(rows)
        if out_cB is not None:
            logits_cB.masked_fill_(out_cB, -torch.inf)
        if len(logits_cB) == len(self.audio_bD):  # all rows fit at once, and the second look is free
            self._kept = logits_cB, right_cB
        return logits_cB, right_cB


@dataclass(frozen=True)
class _Norms:
    rows_b: Tensor  # log-sum-exp of each local row
    columns_B: Tensor  # and of each column, over the rows of all ranks
    shares_B: Tensor  # one over the number of right answers


def _norms(logits: _Logits) -> _Norms:
    pairs = logits.pairs
    rows_b = logits.audio_bD.new_empty(len(logits.audio_bD))
    columns_B = logits.audio_bD.new_full((pairs.num_all,), -torch.inf)
    num_right_B = torch.zeros_like(columns_B)
    for rows in pairs.rows():
        logits_cB, right_cB = logits[rows]
        rows_b[rows] = logits_cB.logsumexp(1)
        columns_B = torch.logaddexp(columns_B, logits_cB.logsumexp(0))
        num_right_B += right_cB.sum(0)
    most_B = max_over_ranks(columns_B)
    sums_B, num_right_B = sum_over_ranks(torch.stack([(columns_B - most_B).exp(), num_right_B]))
    return _Norms(rows_b, most_B + sums_B.log(), 1 / num_right_B)


def _loss(logits: _Logits, norms: _Norms, differentiate: bool) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The loss, and its gradients by audio, text and scale if asked for."""
    audio_bD, text_BD, pairs = logits.audio_bD, logits.text_BD, logits.pairs
    terms_b = norms.rows_b + norms.columns_B[pairs.own]
    gradients = torch.empty_like(audio_bD), torch.zeros_like(text_BD), torch.zeros_like(logits.scale)
    for rows in pairs.rows():
        logits_cB, right_cB = logits[rows]
        target_cB = right_cB * (norms.shares_B[pairs.own][rows, None] + norms.shares_B)  # both directions'
        terms_b[rows] -= (logits_cB.masked_fill(~right_cB, 0) * target_cB).sum(1)
        if differentiate:
            by_logits_cB = (logits_cB - norms.rows_b[rows, None]).exp_()
            by_logits_cB += (logits_cB - norms.columns_B).exp_()
            _pull(by_logits_cB.sub_(target_cB), logits, rows, gradients)
    weight = world() / (2 * pairs.num_all)
    return terms_b.sum() * weight, tuple(g.mul_(weight) for g in gradients) if differentiate else ()


def _pull(by_logits_cB: Tensor, logits: _Logits, rows: slice, gradients: tuple[Tensor, ...]) -> None:
    by_audio_bD, by_text_BD, by_scale = gradients
    pulled_cD = by_logits_cB @ logits.text_BD
    by_audio_bD[rows] = pulled_cD * logits.scale
    by_text_BD.addmm_(by_logits_cB.T, logits.audio_bD[rows] * logits.scale)
    by_scale += (pulled_cD * logits.audio_bD[rows]).sum()
