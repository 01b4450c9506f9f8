"""One layer of a Zipformer (Yao et al. 2024, figure 2)."""

import torch
from torch import Tensor, nn

from captionstew.train.encoders.zipformer.attention import (
    AttentionWeights,
    NonlinAttention,
    SelfAttention,
    uniform_over_unmasked,
)
from captionstew.train.encoders.zipformer.config import ZipformerConfig
from captionstew.train.encoders.zipformer.convolution import Convolution
from captionstew.train.encoders.zipformer.feedforward import FeedForward
from captionstew.train.encoders.zipformer.norm import BiasNorm
from captionstew.train.encoders.zipformer.padding import Padding
from captionstew.train.encoders.zipformer.regularize import Balancer, Whiten, limit_param_value
from captionstew.train.encoders.zipformer.schedule import Chance, Schedule
from captionstew.train.encoders.zipformer.stochastic import (
    ATTENTION_SKIP,
    BYPASS_MINIMUM,
    CONSTANT_ATTENTION,
    CONV_SKIP,
    FEED_FORWARD_SKIP,
    bypass_scale,
    keep_items,
)


class Bypass(nn.Module):
    """Between what went into a part (0) and what came out (1), channel by channel, at learnt places."""

    def __init__(self, width: int, skip: Schedule | float = 0.0) -> None:
        super().__init__()
        self.bypass_scale = nn.Parameter(torch.full((width,), 0.5))
        self.skip = skip

    def forward(self, x0_NTC: Tensor, x_NTC: Tensor, chance: Chance | None) -> Tensor:
        """x0 + (x - x0) scale; in training the items that skip the part stay at x0."""
        scale: Tensor = self.bypass_scale
        if chance is not None:
            scale = limit_param_value(scale, chance.value(BYPASS_MINIMUM), 1.0, chance)
            scale = bypass_scale(scale, x_NTC.shape[0], self.skip, chance)
        return torch.lerp(x0_NTC, x_NTC, scale.to(x_NTC.dtype))


class Layer(nn.Module):
    """Attention weights from the input; two rounds of mixing over time and channels; norm; bypass."""

    def __init__(self, config: ZipformerConfig, stack: int, skip: Schedule) -> None:
        super().__init__()
        width, heads, hidden = config.widths[stack], config.num_heads[stack], config.feed_forward[stack]
        self.bypass_scale = nn.Parameter(torch.full((width,), 0.5))  # never read; public checkpoints have it
        self.bypass = Bypass(width, skip)
        self.bypass_mid = Bypass(width)
        self.self_attn_weights = AttentionWeights(
            width, heads, config.query_width, config.position_query_width, config.position_width
        )
        self.self_attn1 = SelfAttention(width, heads, config.value_width)
        self.self_attn2 = SelfAttention(width, heads, config.value_width)
        self.feed_forward1 = FeedForward(width, hidden * 3 // 4)
        self.feed_forward2 = FeedForward(width, hidden)
        self.feed_forward3 = FeedForward(width, hidden * 5 // 4)
        self.nonlin_attention = NonlinAttention(width)
        self.conv_module1 = Convolution(width, config.kernels[stack])
        self.conv_module2 = Convolution(width, config.kernels[stack])
        self.norm = BiasNorm(width)
        small, medium, large = (
            Schedule((0, 0.004), (4000, 0.02)),
            Schedule((0, 0.0), (4000, 0.1)),
            Schedule((0, 0.0), (4000, 0.2)),
        )
        self.balancer_na = Balancer(width, -1, 0.3, 0.7, small, 100.0, prob=0.05)
        self.balancer_ff2 = Balancer(width, -1, 0.3, 0.7, medium, 2.0, prob=0.05)
        self.balancer_ff3 = Balancer(width, -1, 0.3, 0.7, large, 4.0, prob=0.05)
        self.balancer1 = Balancer(width, -1, 0.45, 0.55, 0.2, 4.0)
        self.balancer2 = Balancer(width, -1, 0.45, 0.55, 0.1, 4.0)
        self.whiten = Whiten(1, Schedule((0, 4.0), (20000, 12.0)), 0.01)

    def forward(
        self, x0_NTC: Tensor, table_OP: Tensor, padding: Padding | None, chance: Chance | None
    ) -> Tensor:
        """(N, T, C)."""
        weights, first = self.self_attn_weights(x0_NTC, table_OP, padding, chance)
        if chance is not None and chance.flip(chance.value(CONSTANT_ATTENTION)):
            first = uniform_over_unmasked(first)
        x = x0_NTC + self.feed_forward1(x0_NTC, chance)
        attending = keep_items(x, ATTENTION_SKIP, chance)
        x = x + _kept(self.balancer_na(self.nonlin_attention(x, first, chance), chance), attending)
        x = x + _kept(self.self_attn1(x, weights, chance), attending)
        x = x + _kept(self.conv_module1(x, padding, chance), keep_items(x, CONV_SKIP, chance))
        x = x + _kept(
            self.balancer_ff2(self.feed_forward2(x, chance), chance), keep_items(x, FEED_FORWARD_SKIP, chance)
        )
        x = self.bypass_mid(x0_NTC, x, chance)
        x = x + _kept(self.self_attn2(x, weights, chance), attending)
        x = x + _kept(self.conv_module2(x, padding, chance), keep_items(x, CONV_SKIP, chance))
        x = x + _kept(
            self.balancer_ff3(self.feed_forward3(x, chance), chance), keep_items(x, FEED_FORWARD_SKIP, chance)
        )
        x = self.norm(self.balancer1(x, chance), chance)
        x = self.bypass(x0_NTC, x, chance)
        result: Tensor = self.whiten(self.balancer2(x, chance), chance)
        return result


def _kept(x: Tensor, keep: Tensor | None) -> Tensor:
    return x if keep is None else x * keep
