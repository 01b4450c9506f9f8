"""What every audio encoder is to the rest: audio in, frames out."""

from abc import abstractmethod

from torch import Tensor, nn


class Encoder(nn.Module):
    """Audio to frames, in two steps so that features can be augmented between them.

    `width` is D of the frames, `frame_rate` their number per second, `sample_rate` that of the audio in Hz.
    """

    width: int
    frame_rate: float
    sample_rate: int = 16_000

    @abstractmethod
    def features(self, audio_BS: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        """What `forward` takes, (B, T, F) float32 and frames per item, of samples in -1..1; no gradient."""

    @abstractmethod
    def forward(self, features_BTF: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        """Frames (B, T', D) and how many of each item are valid."""
