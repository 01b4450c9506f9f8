"""SpecAugment on batches of log-mels: time warp and masks, each item within its own length."""

from dataclasses import dataclass

import torch
from torch import Tensor

from captionstew.train.augment.draws import below, uniform

_APPLY, _CENTER, _WARPED, _BAND, _BAND_START, _GAP, _GAP_START = range(7)  # what is drawn
_CUBIC = -0.75  # the free parameter of cubic convolution, as torch has it
_ROUNDING = 1e-4  # 0.15 x 2000 frames are 300, not 300.00001


@dataclass(frozen=True)
class SpecAugment:
    """Time warp and masks of bins and frames (Park et al., Interspeech 2019); defaults are icefall's for AudioSet.

    A share `probability` of the items is changed. Masks are up to so many bins or frames wide; those over time are made
    fewer and narrower so that they cover at most `time_share` of a clip. Masked values become `fill`, None for the
    clip's mean.
    """

    probability: float = 0.9
    time_warp: int = 80  # frames; clips of twice that or less are not warped
    num_frequency_masks: int = 2
    widest_frequency_mask: int = 27
    num_time_masks: int = 10
    widest_time_mask: int = 100
    time_share: float = 0.15
    fill: float | None = None

    @classmethod
    def flap(cls) -> "SpecAugment":
        """FLAP's: up to 192 frames and 48 bins of each item set to zero (§3.1), the mean of normalised features."""
        return cls(
            probability=1.0, time_warp=0, num_frequency_masks=1, widest_frequency_mask=48, num_time_masks=1,
            widest_time_mask=192, time_share=1.0, fill=0.0,
        )  # fmt: skip

    @torch.no_grad()
    def __call__(self, mel_BTF: Tensor, lengths_B: Tensor, seeds_B: Tensor) -> Tensor:
        """The batch (B, T, F) augmented; padding and the input stay as they are."""
        inside_BT = torch.arange(mel_BTF.shape[1], device=mel_BTF.device) < lengths_B[:, None]
        chosen_B1 = (uniform(seeds_B, _APPLY) < self.probability) & inside_BT.any(1, keepdim=True)
        changed_BTF = _warped(mel_BTF, lengths_B, seeds_B, self.time_warp) if self.time_warp else mel_BTF
        masked_BTF = self._times_BT(lengths_B, seeds_B, mel_BTF.shape[1])[:, :, None]
        masked_BTF = masked_BTF | self._frequencies_BF(seeds_B, mel_BTF.shape[2])[:, None]
        changed_BTF = torch.where(masked_BTF, self._fill_B11(changed_BTF, inside_BT), changed_BTF)
        return torch.where((chosen_B1 & inside_BT)[:, :, None], changed_BTF, mel_BTF)

    def _times_BT(self, lengths_B: Tensor, seeds_B: Tensor, width: int) -> Tensor:
        masked_B = lengths_B * self.time_share
        count_B = (masked_B / self.widest_time_mask - _ROUNDING).ceil().clamp(1, self.num_time_masks)
        widest_B = (masked_B / count_B + _ROUNDING).long().clamp(max=self.widest_time_mask)
        sizes_BK = below(seeds_B, _GAP, widest_B[:, None] + 1, self.num_time_masks)
        sizes_BK = sizes_BK * (torch.arange(self.num_time_masks, device=seeds_B.device) < count_B[:, None])
        return _spans(sizes_BK, lengths_B[:, None], seeds_B, _GAP_START, width)

    def _frequencies_BF(self, seeds_B: Tensor, width: int) -> Tensor:
        widest = min(self.widest_frequency_mask, width)
        sizes_BK = below(seeds_B, _BAND, widest + 1, self.num_frequency_masks)
        return _spans(sizes_BK, width, seeds_B, _BAND_START, width)

    def _fill_B11(self, mel_BTF: Tensor, inside_BT: Tensor) -> Tensor:
        if self.fill is not None:
            return mel_BTF.new_full((1, 1, 1), self.fill)
        total_B = mel_BTF.mean(2).masked_fill(~inside_BT, 0).sum(1)
        return (total_B / inside_BT.sum(1).clamp(min=1))[:, None, None]


def _spans(sizes_BK: Tensor, lengths: Tensor | int, seeds_B: Tensor, number: int, width: int) -> Tensor:
    """Where any of K spans of these sizes lies, at drawn places within the length."""
    starts_BK = below(seeds_B, number, lengths - sizes_BK + 1, sizes_BK.shape[1])
    after_BKT = torch.arange(width, device=seeds_B.device) - starts_BK[:, :, None]
    return ((after_BKT >= 0) & (after_BKT < sizes_BK[:, :, None])).any(1)


def _warped(mel_BTF: Tensor, lengths_B: Tensor, seeds_B: Tensor, most: int) -> Tensor:
    """A frame drawn `most` or more frames from both ends moves by up to `most`, and the two sides stretch with it."""
    center_B1 = most + 1 + below(seeds_B, _CENTER, lengths_B[:, None] - 2 * most - 1)
    target_B1 = center_B1 - most + below(seeds_B, _WARPED, 2 * most + 1)
    can_B1 = lengths_B[:, None] > 2 * most + 1
    center_B1, target_B1 = (torch.where(can_B1, frame, 0) for frame in (center_B1, target_B1))
    times_T = torch.arange(mel_BTF.shape[1], device=mel_BTF.device)
    right_BT = times_T >= target_B1
    before_BT, new_first_BT = torch.where(right_BT, center_B1, 0), torch.where(right_BT, target_B1, 0)
    old_BT = torch.where(right_BT, lengths_B[:, None] - center_B1, center_B1)
    new_BT = torch.where(right_BT, lengths_B[:, None] - target_B1, target_B1).clamp(min=1)
    # A frame's middle is at ((2 t + 1) old - new) / (2 new) of its old side: in integers, so every device agrees.
    doubled_BT = (2 * (times_T - new_first_BT) + 1) * old_BT - new_BT
    whole_BT = doubled_BT.div(2 * new_BT, rounding_mode="floor")
    part_BT = (doubled_BT - whole_BT * 2 * new_BT) / (2 * new_BT)
    warped_BTF = torch.zeros_like(mel_BTF)
    for tap, weight_BT in zip(range(-1, 3), _cubic(part_BT), strict=True):
        source_BT = before_BT + torch.minimum((whole_BT + tap).clamp(min=0), old_BT - 1).clamp(min=0)
        warped_BTF.addcmul_(_rows(mel_BTF, source_BT), weight_BT[:, :, None])
    return warped_BTF


def _rows(mel_BTF: Tensor, times_BT: Tensor) -> Tensor:
    size = mel_BTF.shape[1]
    first_B1 = torch.arange(len(mel_BTF), device=mel_BTF.device)[:, None] * size
    rows = (times_BT.clamp(max=size - 1) + first_B1).flatten()
    return mel_BTF.flatten(0, 1).index_select(0, rows).view_as(mel_BTF)


def _cubic(part: Tensor) -> list[Tensor]:
    """Weights of the four frames around a place between the second and the third (Keys 1981)."""

    def near(x: Tensor) -> Tensor:
        return ((_CUBIC + 2) * x - (_CUBIC + 3)) * x * x + 1

    def far(x: Tensor) -> Tensor:
        return ((_CUBIC * x - 5 * _CUBIC) * x + 8 * _CUBIC) * x - 4 * _CUBIC

    return [far(part + 1), near(part), near(1 - part), far(2 - part)]
