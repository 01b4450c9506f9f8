"""What is done to a batch in training, first to its audio, then to its features."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from captionstew.train.augment.draws import split

Step = Callable[
    [Tensor, Tensor, Tensor], Tensor
]  # batch, lengths and one seed per item to a batch of the same lengths


@dataclass(frozen=True)
class Augmentation:
    """Steps for audio (B, S) and for features (B, T, F), one after the other.

    All that is drawn follows from an item's seed and a step's place in the list: the same item gets the same changes
    in any batch, process and run.
    """

    waves: tuple[Step, ...] = ()
    spectra: tuple[Step, ...] = ()

    def audio(self, audio_BS: Tensor, lengths_B: Tensor, seeds_B: Tensor) -> Tensor:
        """The audio, float32 in -1..1, after all steps."""
        for number, step in enumerate(self.waves):
            audio_BS = step(audio_BS, lengths_B, split(seeds_B, number))
        return audio_BS

    def features(self, features_BTF: Tensor, lengths_B: Tensor, seeds_B: Tensor) -> Tensor:
        """The features after all steps."""
        for number, step in enumerate(self.spectra):
            features_BTF = step(features_BTF, lengths_B, split(seeds_B, -1 - number))
        return features_BTF
