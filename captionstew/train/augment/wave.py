"""Changes to batches of audio that need nothing but the audio: gain, roll and crop."""

from dataclasses import dataclass

import torch
from torch import Tensor

from captionstew.train.augment.draws import below, uniform

_BETA = 10  # AudioMAE: beta(10, 10)


@dataclass(frozen=True)
class Gain:
    """Each item louder or softer by `lowest` to `highest` dB."""

    lowest: float = -6.0
    highest: float = 6.0

    def __call__(self, audio_BS: Tensor, lengths_B: Tensor, seeds_B: Tensor) -> Tensor:
        """The batch with gains."""
        decibels_B1 = self.lowest + (self.highest - self.lowest) * uniform(seeds_B, 0)
        return audio_BS * 10 ** (decibels_B1 / 20)


@dataclass(frozen=True)
class BetaGain:
    """Each item times 0.5 to 1.5, mostly near 1: beta(10, 10) + 0.5, as AudioMAE does in pre-training."""

    def __call__(self, audio_BS: Tensor, lengths_B: Tensor, seeds_B: Tensor) -> Tensor:
        """The batch with gains."""
        # The tenth smallest of 19 uniform numbers is distributed as beta(10, 10).
        draws_BK = uniform(seeds_B, 0, 2 * _BETA - 1)
        return audio_BS * (draws_BK.sort(1).values[:, _BETA - 1 : _BETA] + 0.5)


@dataclass(frozen=True)
class Roll:
    """Each item rotated by a drawn number of samples within its own length, as AudioMAE does in pre-training."""

    def __call__(self, audio_BS: Tensor, lengths_B: Tensor, seeds_B: Tensor) -> Tensor:
        """The batch rolled; padding stays in its place."""
        lengths_B1, time_S = (
            lengths_B[:, None].clamp(min=1),
            torch.arange(audio_BS.shape[1], device=audio_BS.device),
        )
        rolled_BS = (time_S - below(seeds_B, 0, lengths_B1)).remainder(lengths_B1)
        return audio_BS.gather(1, torch.where(time_S < lengths_B1, rolled_BS, time_S))


@dataclass(frozen=True)
class Crop:
    """Items longer than `longest` samples are cut to that at a drawn place; the batch gets no wider than that."""

    longest: int

    def __call__(self, audio_BS: Tensor, lengths_B: Tensor, seeds_B: Tensor) -> tuple[Tensor, Tensor]:
        """The batch and its lengths."""
        width = min(audio_BS.shape[1], self.longest)
        start_B1 = below(seeds_B, 0, lengths_B[:, None] - self.longest + 1)
        return (
            audio_BS.gather(1, start_B1 + torch.arange(width, device=audio_BS.device)),
            lengths_B.clamp(max=width),
        )
