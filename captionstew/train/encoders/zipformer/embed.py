"""From log-mel at 100 Hz to the first stack's frames at 50 Hz."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from captionstew.train.encoders.zipformer.attention import shrink
from captionstew.train.encoders.zipformer.config import ZipformerConfig
from captionstew.train.encoders.zipformer.linear import Linear, linear
from captionstew.train.encoders.zipformer.mlp import swoosh_mlp
from captionstew.train.encoders.zipformer.norm import BiasNorm
from captionstew.train.encoders.zipformer.padding import Padding
from captionstew.train.encoders.zipformer.regularize import PROBABILITY, Balancer, Whiten, scale_grad
from captionstew.train.encoders.zipformer.schedule import Chance, Schedule
from captionstew.train.encoders.zipformer.stochastic import CONVNEXT_SKIP, DROPOUT, dropout_shared, keep_items
from captionstew.train.encoders.zipformer.swoosh import Side, swoosh

SHORTEST = 9  # mel frames that give one frame
_FIRST_GRADIENT = 0.2  # into the first convolution, for the range of fp16


class Embedding(nn.Module):
    """Three convolutions over time and frequency, a ConvNeXt block, a linear layer, a norm."""

    def __init__(self, config: ZipformerConfig) -> None:
        super().__init__()
        a, b, c = config.embed_channels
        convolutions = {  # numbered as in icefall, where balancers and activations lie between
            "0": nn.Conv2d(1, a, 3, padding=(0, 1)),
            "4": nn.Conv2d(a, b, 3, stride=2),
            "7": nn.Conv2d(b, c, 3, stride=(1, 2)),
        }
        self.conv = nn.ModuleDict(convolutions)
        self.balancers = nn.ModuleList(
            Balancer(width, 1, max_abs=most) for width, most in ((a, 1.0), (b, 4.0), (c, 4.0))
        )
        self.convnext = ConvNeXt(c)
        self.out = Linear(c * config.frequencies, config.widths[0])
        self.out_whiten = Whiten(1, Schedule((0, 4.0), (20000, 8.0)), 0.02)
        self.out_norm = BiasNorm(config.widths[0])

    def convolve(self, mel_NTF: Tensor, chance: Chance | None) -> Tensor:
        """(N, C, T1, F1) in channels-last memory, T1 = (T - 7) // 2."""
        x = mel_NTF.unsqueeze(1)
        for (number, convolution), balancer in zip(self.conv.items(), self.balancers, strict=True):
            x = convolution(x.contiguous(memory_format=torch.channels_last))
            if number == "0" and chance is not None:
                x = scale_grad(x, _FIRST_GRADIENT)
            x = swoosh(balancer(x, chance), Side.RIGHT)
        return x

    def forward(self, x_NCTF: Tensor, padding: Padding | None, chance: Chance | None) -> Tensor:
        """Frames (N, T1, width) of what `convolve` returned."""
        x_NTFC = x_NCTF.permute(0, 2, 3, 1)
        if padding is not None and padding.exact:
            x_NTFC = padding.zeroed(x_NTFC)
        x_NTFC = self.convnext(x_NTFC, chance)
        x_NTC = linear(x_NTFC.flatten(2), self._frequency_major(), self.out.bias)
        x_NTC = self.out_norm(self.out_whiten(x_NTC, chance), chance)
        return dropout_shared(x_NTC, DROPOUT, 1, chance)

    def _frequency_major(self) -> Tensor:
        # the weights are stored channel-major; moving them is cheaper than moving the maps
        by_channel = self.out.weight.view(len(self.out.weight), self.convnext.width, -1)
        return by_channel.transpose(1, 2).flatten(1)


class ConvNeXt(nn.Module):
    """Depthwise 7x7, to three times the channels, SwooshL, and back, beside the input (Liu et al. 2022)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.depthwise_conv = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.pointwise_conv1 = nn.Conv2d(width, 3 * width, 1)
        self.pointwise_conv2 = shrink(nn.Conv2d(3 * width, width, 1), 0.01)
        self.hidden_balancer = Balancer(3 * width, -1, 0.3, 1.0, 0.75, 5.0, prob=1.0)
        self.out_balancer = Balancer(width, -1, 0.4, 0.6, 1.0, 6.0)
        self.out_whiten = Whiten(1, 5.0, 0.01)

    def forward(self, x_NTFC: Tensor, chance: Chance | None) -> Tensor:
        """(N, T, F, C)."""
        h = self.depthwise_conv(x_NTFC.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        balanced = chance is not None and chance.flip(chance.value(PROBABILITY))
        h = (
            self._balanced(h, chance)
            if balanced
            else swoosh_mlp(h, self.pointwise_conv1, self.pointwise_conv2)
        )
        keep = keep_items(h, CONVNEXT_SKIP, chance)
        x = x_NTFC + (h if keep is None else h * keep)
        result: Tensor = self.out_whiten(self.out_balancer(x, chance), chance)
        return result

    def _balanced(self, x: Tensor, chance: Chance | None) -> Tensor:
        hidden = F.linear(x, self.pointwise_conv1.weight.flatten(1), self.pointwise_conv1.bias)
        active = swoosh(self.hidden_balancer(hidden, chance), Side.LEFT)
        return F.linear(active, self.pointwise_conv2.weight.flatten(1), self.pointwise_conv2.bias)
