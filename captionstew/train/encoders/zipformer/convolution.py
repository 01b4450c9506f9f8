"""The convolution module of a Zipformer layer."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from captionstew.train.encoders.zipformer.attention import shrink
from captionstew.train.encoders.zipformer.linear import Linear
from captionstew.train.encoders.zipformer.mlp import swoosh_linear
from captionstew.train.encoders.zipformer.padding import Padding
from captionstew.train.encoders.zipformer.regularize import Balancer, Whiten
from captionstew.train.encoders.zipformer.schedule import Chance, Schedule
from captionstew.train.encoders.zipformer.swoosh import Side


class Convolution(nn.Module):
    """Gated linear unit, depthwise convolution over time that sees padding as zeros, SwooshR, linear."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.in_proj = Linear(width, 2 * width)
        self.depthwise_conv = nn.Conv1d(width, width, kernel, groups=width, padding=kernel // 2)
        self.out_proj = shrink(Linear(width, width), 0.05)
        gate = Schedule((0, 0.05), (8000, 0.025)), 1.0, 1.5, Schedule((0, 5.0), (8000, 10.0))
        after = Schedule((0, 0.1), (8000, 0.05)), 1.0, Schedule((0, 0.2), (20000, 0.5)), 10.0
        self.balancer1 = Balancer(width, -1, *gate)
        self.balancer2 = Balancer(width, -1, *after)
        self.whiten = Whiten(1, Schedule((0, 7.5), (20000, 15.0)), 0.01)

    def forward(self, x_NTC: Tensor, padding: Padding | None, chance: Chance | None) -> Tensor:
        """(N, T, C)."""
        both = self.in_proj(x_NTC)
        u, gate = both.chunk(2, dim=-1)
        balanced = self.balancer1(gate, chance)
        x = F.glu(both) if balanced is gate else u * balanced.sigmoid()
        if padding is not None:
            x = padding.zeroed(x)
        x = depthwise(x, self.depthwise_conv)
        return swoosh_linear(self.whiten(self.balancer2(x, chance), chance), Side.RIGHT, None, self.out_proj)


def depthwise(x_NTC: Tensor, convolution: nn.Conv1d) -> Tensor:
    """`convolution` over the time axis of (N, T, C), channels last throughout.

    As a 2-d convolution in that layout it takes a tenth of conv1d's time on a CPU, which would transpose twice.
    Which axis is of length one decides between the faster forward and the faster backward kernels of oneDNN.
    """
    axis = 1 if torch.is_grad_enabled() else 2
    weight = convolution.weight.unsqueeze(3 if axis == 1 else 2)
    image_NCHW = x_NTC.unsqueeze(3 - axis).permute(0, 3, 1, 2)
    reach = convolution.kernel_size[0] // 2
    padding = (reach, 0) if axis == 1 else (0, reach)
    result = F.conv2d(image_NCHW, weight, convolution.bias, padding=padding, groups=x_NTC.shape[2])
    return result.permute(0, 2, 3, 1).squeeze(3 - axis)
