"""A stack of Zipformer layers that runs at its own frame rate."""

from torch import Tensor, nn

from captionstew.train.encoders.zipformer.config import ZipformerConfig
from captionstew.train.encoders.zipformer.layer import Bypass, Layer
from captionstew.train.encoders.zipformer.padding import Padding
from captionstew.train.encoders.zipformer.positions import PositionTable
from captionstew.train.encoders.zipformer.replay import run
from captionstew.train.encoders.zipformer.resample import Downsample, upsample
from captionstew.train.encoders.zipformer.schedule import Chance
from captionstew.train.encoders.zipformer.stochastic import layer_skip, position_dropout


class Stack(nn.Module):
    """Layers one after the other, all at the rate of their input."""

    def __init__(self, config: ZipformerConfig, stack: int) -> None:
        super().__init__()
        num_layers, place = config.num_layers[stack], (stack, len(config.widths))
        skips = [layer_skip(*place, i, num_layers, config.downsampling[stack]) for i in range(num_layers)]
        self.layers = nn.ModuleList(Layer(config, stack, skip) for skip in skips)
        self.positions = PositionTable(config.position_width)
        self.checkpointing = False

    def forward(
        self, x_NTC: Tensor, padding: Padding | None, chance: Chance | None, mask_N1C: Tensor | None
    ) -> Tensor:
        """(N, T, C); `mask_N1C` zeroes channels at the input and after every layer."""
        table_OP = self.positions(x_NTC.shape[1], x_NTC.device).to(x_NTC.dtype)
        table_OP = position_dropout(table_OP, chance)
        x = x_NTC if mask_N1C is None else x_NTC * mask_N1C
        for layer in self.layers:
            x = run(layer, (x, table_OP, padding), chance, self.checkpointing)
            x = x if mask_N1C is None else x * mask_N1C
        return x


class SlowStack(nn.Module):
    """A stack at 1/factor of its input's rate, back at that rate and joined with its input channel by channel."""

    def __init__(self, config: ZipformerConfig, stack: int) -> None:
        super().__init__()
        self.factor = config.downsampling[stack]
        self.downsample = Downsample(self.factor)
        self.encoder = Stack(config, stack)
        self.out_combiner = Bypass(config.widths[stack])

    def forward(
        self, x_NTC: Tensor, padding: Padding | None, chance: Chance | None, mask_N1C: Tensor | None
    ) -> Tensor:
        """(N, T, C)."""
        x = self.downsample(x_NTC if padding is None else padding.last_repeated(x_NTC))
        slow_padding = None if padding is None else padding.sampled(self.factor)
        x = self.encoder(x, slow_padding, chance, mask_N1C)
        result: Tensor = self.out_combiner(x_NTC, upsample(x, self.factor, x_NTC.shape[1]), chance)
        return result
