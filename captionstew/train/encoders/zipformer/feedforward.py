"""The feed-forward module of a Zipformer layer."""

from torch import Tensor, nn

from captionstew.train.encoders.zipformer.attention import shrink
from captionstew.train.encoders.zipformer.linear import Linear
from captionstew.train.encoders.zipformer.mlp import swoosh_linear
from captionstew.train.encoders.zipformer.regularize import Balancer, Whiten
from captionstew.train.encoders.zipformer.schedule import Chance, Schedule
from captionstew.train.encoders.zipformer.stochastic import DROPOUT, dropout_shared
from captionstew.train.encoders.zipformer.swoosh import Side


class FeedForward(nn.Module):
    """Linear, SwooshL, dropout of whole channels of an item, linear."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.in_proj = Linear(width, hidden)
        self.out_proj = shrink(Linear(hidden, width), 0.1)
        self.hidden_balancer = Balancer(hidden, -1, 0.3, 1.0, 0.75, 5.0)
        self.out_whiten = Whiten(1, Schedule((0, 7.5), (20000, 15.0)), 0.01)

    def forward(self, x_NTC: Tensor, chance: Chance | None) -> Tensor:
        """(N, T, C)."""
        hidden = self.hidden_balancer(self.in_proj(x_NTC), chance)
        ones_N1K = x_NTC.new_ones(len(x_NTC), 1, hidden.shape[-1])
        keep_N1K = None if chance is None else dropout_shared(ones_N1K, DROPOUT, None, chance)
        result: Tensor = self.out_whiten(swoosh_linear(hidden, Side.LEFT, keep_N1K, self.out_proj), chance)
        return result
