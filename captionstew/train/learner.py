"""An encoder with its objective: from a batch of audio and text to a loss."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from captionstew.train.augment import Augmentation
from captionstew.train.data import Batch
from captionstew.train.encoders.encoder import Encoder
from captionstew.train.encoders.zipformer.model import Zipformer
from captionstew.train.objectives.captioning import Captioning
from captionstew.train.objectives.contrastive import Contrastive
from captionstew.train.objectives.grad_cache import grad_cache_step
from captionstew.train.objectives.objective import Loss, Objective, Text

_FULL_SCALE = 1 / 32768  # of 16-bit samples


class Learner(nn.Module):
    """What one step differentiates. Everything random in it follows from `begin`, once per step."""

    def __init__(self, encoder: Encoder, objective: Objective, augmentation: Augmentation) -> None:
        super().__init__()
        self.encoder, self.objective, self.augmentation = encoder, objective, augmentation

    def forward(self, batch: Batch) -> Loss:
        """The loss of a batch, whose int16 samples and text lie on this module's device."""
        features_BTF, lengths_B = self.features(batch)
        frames_BTD, lengths_B = self.encoder(features_BTF, lengths_B)
        if isinstance(self.objective, Captioning):
            return self.objective.forward(frames_BTD, lengths_B, batch.text)
        loss: Loss = self.objective(frames_BTD, lengths_B, batch.text, _numbers(batch))
        return loss

    @torch.no_grad()
    def features(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The encoder's features of a batch; in training, of its augmented audio."""
        audio_BS, lengths_B = batch.audio_BS.float() * _FULL_SCALE, batch.lengths_B
        if not self.training:
            return self.encoder.features(audio_BS, lengths_B)
        audio_BS = self.augmentation.audio(audio_BS, lengths_B, batch.seeds_B)
        features_BTF, lengths_B = self.encoder.features(audio_BS, lengths_B)
        return self.augmentation.features(features_BTF, lengths_B, batch.seeds_B), lengths_B

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Audio (B, T, D) frames and how many are valid, of a batch on this module's device."""
        frames: tuple[Tensor, Tensor] = self.encoder(*self.features(batch))
        return frames

    def begin(self, seed: int, batch_count: float) -> None:
        """A step begins: all draws of its forward passes follow from the seed, and schedules stand at the count."""
        torch.manual_seed(seed)
        for source in self._sources():
            source.reseed(seed)
        if isinstance(self.encoder, Zipformer):
            self.encoder.set_batch_count(batch_count)

    def cached_backward(self, batches: Sequence[Batch], scale: float) -> Loss:
        """The gradients of one contrastive loss over all batches are in place (GradCache, Gao et al. 2021)."""
        assert isinstance(self.objective, Contrastive), f"{type(self.objective).__name__} has no cached loss"
        few: list[tuple[Tensor, Tensor, Text]] = [(*self.features(batch), batch.text) for batch in batches]
        clips = [_numbers(batch) for batch in batches]
        return grad_cache_step(self.encoder, self.objective, few, clips, scale)

    def after_step(self) -> None:
        """Parameters with bounds, such as the temperature, are within them."""
        self.objective.after_step()

    def random_state(self) -> list[Any]:
        """What decides the draws to come beside the seed of each step; for `torch.save`."""
        return [source.state() for source in self._sources()]

    def restore_random_state(self, states: Sequence[Any]) -> None:
        """Go on as the learner did that these were taken of."""
        for source, state in zip(self._sources(), states, strict=True):
            source.restore(state)

    def _sources(self) -> list[Any]:
        held = [getattr(module, "chance", None) for module in self.modules()]
        return list({id(one): one for one in held if hasattr(one, "restore")}.values())


def _numbers(batch: Batch) -> Tensor:
    """Of each row, the number of its clip: all captions of one clip are right for it."""
    return torch.from_numpy(batch.clips).to(batch.audio_BS.device, non_blocking=True)
