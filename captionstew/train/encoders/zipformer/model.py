"""The Zipformer encoder (Yao et al. 2024) under icefall's tensor names."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from captionstew.errors import StewError
from captionstew.train.encoders.encoder import Encoder
from captionstew.train.encoders.zipformer.config import ZipformerConfig
from captionstew.train.encoders.zipformer.embed import SHORTEST, Embedding
from captionstew.train.encoders.zipformer.padding import Padding, find_padding
from captionstew.train.encoders.zipformer.resample import Downsample, fit_width
from captionstew.train.encoders.zipformer.schedule import Chance
from captionstew.train.encoders.zipformer.stack import SlowStack, Stack
from captionstew.train.encoders.zipformer.stochastic import feature_masks

PaddingMode = Literal["exact", "icefall"]


class Zipformer(Encoder):
    """Log-mel (B, T, 80) at 100 Hz to frames (B, T', D) at 25 Hz, T' = ((T - 7) // 2 + 1) // 2.

    `padding` "exact" makes an item's frames independent of its batch; "icefall" lets padding reach the last frames as
    icefall does. `checkpointing` trades time for memory: layers run again in the backward pass, with the same random
    choices. What happens in training only draws from `chance`, and follows its batch count.
    """

    def __init__(
        self,
        config: ZipformerConfig | None = None,
        padding: PaddingMode = "exact",
        checkpointing: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.config = config or ZipformerConfig()
        self.padding: PaddingMode = padding
        self.width = self.config.width
        self.frame_rate = 50 / self.config.output_downsampling
        self.chance = Chance(seed)
        self.encoder_embed = Embedding(self.config)
        self.encoder = Stacks(self.config)
        self.set_checkpointing(checkpointing)
        self._front_ends: dict[torch.device, nn.Module] = {}  # not a part of the state

    def set_batch_count(self, batch_count: float) -> None:
        """All schedules stand at steps x seconds per step over all ranks / 600; once per step, before it."""
        self.chance.batch_count = batch_count

    def set_checkpointing(self, checkpointing: bool) -> None:
        """Whether layers run again in the backward pass instead of keeping their activations."""
        for module in self.modules():
            if isinstance(module, Stack):
                module.checkpointing = checkpointing

    @torch.no_grad()
    def features(self, audio_BS: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        """Kaldi-style log-mel (B, T, 80) at 100 Hz, padded with ln(1e-10), in float32 whatever autocast says."""
        from captionstew.audio.mel import zipformer_mel

        device = audio_BS.device
        if device not in self._front_ends:
            self._front_ends[device] = zipformer_mel().to(device)
        with torch.autocast(device.type, enabled=False):
            mel_BTF, frames_B = self._front_ends[device](audio_BS, lengths_B)
        return mel_BTF, frames_B

    def forward(self, features_BTF: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        """Frames (B, T', D) and how many of each item are valid; StewError under 9 mel frames."""
        stacks, padding, lengths_B = self._stacks(features_BTF, lengths_B)
        return self.encoder.output(_widest(stacks, self.width), padding), self._output_lengths(lengths_B)

    def all_stacks(self, features_BTF: Tensor, lengths_B: Tensor) -> tuple[list[Tensor], Tensor]:
        """Every stack's frames at the output's rate, padded with zeros to (B, T', D), for layer-weighted probes."""
        stacks, padding, lengths_B = self._stacks(features_BTF, lengths_B)
        outputs = [self.encoder.output(fit_width(x, self.width), padding) for x in stacks]
        return outputs, self._output_lengths(lengths_B)

    def _stacks(self, mel_BTF: Tensor, lengths_B: Tensor) -> tuple[list[Tensor], Padding | None, Tensor]:
        """Each stack's frames at 50 Hz, the padding and the lengths at that rate."""
        if mel_BTF.shape[1] < SHORTEST:
            cause = f"{mel_BTF.shape[1]} mel frames; one frame needs {SHORTEST}"
            raise StewError(
                "the audio is too short for a Zipformer", cause=cause, hint="drop clips under 0.1 s"
            )
        chance = self.chance if self.training and self.chance.active else None
        maps = self.encoder_embed.convolve(mel_BTF, chance)
        lengths = torch.div(lengths_B - 7, 2, rounding_mode="floor").clamp(min=1)
        padding = find_padding(lengths, maps.shape[2], self.padding == "exact")
        x = self.encoder_embed(maps, padding, chance)
        return self.encoder(x, padding, chance), padding, lengths

    def _output_lengths(self, lengths_B: Tensor) -> Tensor:
        factor = self.config.output_downsampling
        return torch.div(lengths_B + factor - 1, factor, rounding_mode="floor")


class Stacks(nn.Module):
    """All stacks, each fed with the one before at its own width, and the output's down-sampling."""

    def __init__(self, config: ZipformerConfig) -> None:
        super().__init__()
        self.config = config
        kinds = [Stack if factor == 1 else SlowStack for factor in config.downsampling]
        self.encoders = nn.ModuleList(kind(config, i) for i, kind in enumerate(kinds))
        self.downsample_output = Downsample(config.output_downsampling)

    def forward(self, x_NTC: Tensor, padding: Padding | None, chance: Chance | None) -> list[Tensor]:
        """What each stack makes of the frames, (N, T, its width)."""
        masks = feature_masks(x_NTC, self.config.widths, self.config.unmasked, chance)
        outputs: list[Tensor] = []
        for stack, width, mask in zip(self.encoders, self.config.widths, masks, strict=True):
            x_NTC = stack(fit_width(x_NTC, width), padding, chance, mask)
            outputs.append(x_NTC)
        return outputs

    def output(self, x_NTC: Tensor, padding: Padding | None) -> Tensor:
        """Frames at the output's rate."""
        output: Tensor = self.downsample_output(x_NTC if padding is None else padding.last_repeated(x_NTC))
        return output


def _widest(stacks: Sequence[Tensor], width: int) -> Tensor:
    """The last stack's channels, then those of earlier stacks that go beyond, from the latest that has them."""
    parts, reached = [stacks[-1]], stacks[-1].shape[-1]
    for x in reversed(stacks[:-1]):
        if x.shape[-1] > reached:
            parts.append(x[..., reached:])
            reached = x.shape[-1]
    assert reached == width, (reached, width)
    return torch.cat(parts, dim=-1)
