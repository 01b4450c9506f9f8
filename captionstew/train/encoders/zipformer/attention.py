"""Attention whose weights are made once per layer and used three times (Zipformer, Yao et al. 2024, §3.2)."""

from typing import TypeVar

import torch
from torch import Tensor, nn

from captionstew.train.encoders.zipformer.linear import Linear
from captionstew.train.encoders.zipformer.padding import Padding
from captionstew.train.encoders.zipformer.regularize import Balancer, Whiten, penalize_abs_values_gt
from captionstew.train.encoders.zipformer.schedule import Chance, Schedule
from captionstew.train.encoders.zipformer.scores import attention_weights, masked_softmax, relative_scores
from captionstew.train.encoders.zipformer.stochastic import POSITION_SKIP

L = TypeVar("L", nn.Linear, nn.Conv2d)
_LARGE_SCORE, _SCORE_PENALTY, _PENALTY_SHARE = 25.0, 1e-4, 0.1


class AttentionWeights(nn.Module):
    """(N, H, T, T) weights of queries over keys, from contents and relative positions; no 1/sqrt(width)."""

    def __init__(self, width: int, num_heads: int, query: int, position_query: int, position: int) -> None:
        super().__init__()
        self.num_heads, self.query, self.position_query = num_heads, query, position_query
        self.in_proj = Linear(width, num_heads * (2 * query + position_query))
        self.linear_pos = Linear(position, num_heads * position_query, bias=False)
        shrink(self.in_proj, query**-0.25, biased=False)
        shrink(self.linear_pos, 0.05)
        keys = num_heads * query
        self.balance_keys = Balancer(keys, -1, 0.4, 0.6, 0.0, 100.0, prob=0.025)
        self.whiten_keys = Whiten(num_heads, Schedule((0, 3.0), (20000, 6.0)), 0.025)

    def forward(
        self, x_NTC: Tensor, table_OP: Tensor, padding: Padding | None, chance: Chance | None
    ) -> tuple[Tensor, Tensor]:
        """All heads (N, H, T, T), and the first alone (N, T, T)."""
        content = self.num_heads * self.query
        q, k, p = self.in_proj(x_NTC).split([content, content, self.num_heads * self.position_query], dim=-1)
        k = self.whiten_keys(self.balance_keys(k, chance), chance)
        q, k, p = (by_head(part, self.num_heads) for part in (q, k, p))
        r_HEO = self.linear_pos(table_OP).unflatten(-1, (self.num_heads, -1)).permute(1, 2, 0)
        masked_NT = None if padding is None else padding.masked_NT
        if chance is None:
            return attention_weights(q, k, p, r_HEO, masked_NT)
        skips, limits = chance.flip(chance.value(POSITION_SKIP)), chance.flip(_PENALTY_SHARE)
        if not (skips or limits):
            return attention_weights(q, k, p, r_HEO, masked_NT)
        scores = q @ k.transpose(2, 3) if skips else relative_scores(q, k, p, r_HEO)
        scores = penalize_abs_values_gt(scores, _LARGE_SCORE, _SCORE_PENALTY) if limits else scores
        return masked_softmax(scores, masked_NT)


class SelfAttention(nn.Module):
    """Values averaged under given weights, head by head."""

    def __init__(self, width: int, num_heads: int, value: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.in_proj = Linear(width, num_heads * value)
        self.out_proj = shrink(Linear(num_heads * value, width), 0.05)
        self.whiten = Whiten(1, Schedule((0, 7.5), (20000, 22.5)), 0.01)

    def forward(self, x_NTC: Tensor, weights_NHTT: Tensor, chance: Chance | None) -> Tensor:
        """(N, T, C)."""
        values = weights_NHTT @ by_head(self.in_proj(x_NTC), self.num_heads)
        result: Tensor = self.whiten(self.out_proj(values.transpose(1, 2).flatten(2)), chance)
        return result


class NonlinAttention(nn.Module):
    """A wide average over time under one head's weights, gated before and after (§3.2)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = 3 * width // 4
        self.in_proj = Linear(width, 3 * hidden)
        self.out_proj = shrink(Linear(hidden, width), 0.05)
        least, most = Schedule((0, 0.25), (20000, 0.05)), Schedule((0, 0.75), (20000, 0.95))
        self.balancer = Balancer(hidden, -1, least, most, 0.5, 5.0)
        self.whiten1 = Whiten(1, Schedule((0, 5.0), (20000, 10.0)), 0.01)
        self.whiten2 = Whiten(1, Schedule((0, 5.0), (20000, 15.0)), 0.01)

    def forward(self, x_NTC: Tensor, weights_NTT: Tensor, chance: Chance | None) -> Tensor:
        """(N, T, C)."""
        s, u, y = self.in_proj(x_NTC).chunk(3, dim=-1)
        gate = self.balancer(s, chance).tanh()
        averaged = weights_NTT @ (self.whiten1(u, chance) * gate)
        result: Tensor = self.whiten2(self.out_proj(averaged * y), chance)
        return result


def shrink(layer: L, scale: float, biased: bool = True) -> L:
    """`layer` with its initial weights times `scale` and, if `biased`, its bias uniform within +-0.1 x `scale`."""
    with torch.no_grad():
        layer.weight *= scale
        if layer.bias is not None and biased:
            layer.bias.uniform_(-0.1 * scale, 0.1 * scale)
    return layer


def by_head(x_NTC: Tensor, num_heads: int) -> Tensor:
    """(N, H, T, C / H)."""
    return x_NTC.view(*x_NTC.shape[:2], num_heads, -1).transpose(1, 2)


def uniform_over_unmasked(weights_NTT: Tensor) -> Tensor:
    """Equal weights wherever there are any."""
    unmasked = (weights_NTT > 0).to(weights_NTT.dtype)
    return unmasked / unmasked.sum(dim=-1, keepdim=True)
