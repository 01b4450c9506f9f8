"""FLAP's masking: which of a spectrogram's tokens an encoder sees while it trains."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

_ROUNDING = 1e-6  # 10 x (1 - 0.9) is 1 token, not 0.9999


@dataclass(frozen=True)
class Kept:
    """Token numbers `ids_BK` in rising order per item, and how many of each row are kept; the rest is filling."""

    ids_BK: Tensor
    lengths_B: Tensor


class Masking(Protocol):
    """Chooses tokens of a grid of `num_times` x `num_bands`, time-major, whose first `times_B` times are no padding."""

    def __call__(self, times_B: Tensor, num_times: int, num_bands: int) -> Kept:
        """The kept tokens; at least one of each item, none of them padding."""


@dataclass(frozen=True, eq=False)
class RandomMasking:
    """Leaves out `ratio` of each item's tokens, anywhere in the grid: 307 of 512 are kept at 0.4 (FLAP §3.2, 1-D)."""

    generator: torch.Generator
    ratio: float = 0.4

    def __call__(self, times_B: Tensor, num_times: int, num_bands: int) -> Kept:
        """Keep a random share of the tokens of each item."""
        ids_BK, lengths_B = _draw(times_B * num_bands, num_times * num_bands, self.ratio, self.generator)
        return Kept(_front(ids_BK, lengths_B), lengths_B)


@dataclass(frozen=True, eq=False)
class GroupMasking:
    """Leaves out `time_ratio` of the times, and `band_ratio` of the bands in those that stay: 51 x 6 of 64 x 8.

    FLAP §3.2 (2-D) does not say whether the bands are the same at all times: `independent` draws them for each time,
    else they are shared, as in AudioMAE's two-dimensional masking.
    """

    generator: torch.Generator
    time_ratio: float = 0.2
    band_ratio: float = 0.2
    independent: bool = False

    def __call__(self, times_B: Tensor, num_times: int, num_bands: int) -> Kept:
        """Keep random times of each item, and random bands of each of them."""
        times_BT, kept_B = _draw(times_B, num_times, self.time_ratio, self.generator)
        rows = times_BT.shape[1] if self.independent else 1
        full_BR = times_B.new_full((len(times_B) * rows,), num_bands)
        bands_RK, counts_R = _draw(full_BR, num_bands, self.band_ratio, self.generator)
        bands_BRK = _front(bands_RK, counts_R).view(len(times_B), rows, -1)
        ids_BTK = _front(times_BT, kept_B)[:, :, None] * num_bands + bands_BRK
        return Kept(ids_BTK.flatten(1), kept_B * bands_BRK.shape[2])


def _draw(valid_B: Tensor, size: int, ratio: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Numbers below `valid_B` in random order, those of padding last, and how many of them to keep."""
    noise_BN = torch.rand(len(valid_B), size, generator=generator, device=generator.device).to(valid_B.device)
    padding_BN = torch.arange(size, device=valid_B.device) >= valid_B[:, None]
    order_BN = noise_BN.masked_fill(padding_BN, 2.0).argsort(dim=1)
    share = 1 - ratio
    lengths_B = (valid_B * share + _ROUNDING).long().clamp(min=1)
    return order_BN[:, : max(1, int(size * share + _ROUNDING))], lengths_B


def _front(ids_BK: Tensor, lengths_B: Tensor) -> Tensor:
    """The kept numbers in rising order at the front of each row; behind them those that were not kept."""
    left_out_BK = torch.arange(ids_BK.shape[1], device=ids_BK.device) >= lengths_B[:, None]
    far = torch.iinfo(ids_BK.dtype).max // 2
    order_BK = torch.where(left_out_BK, far, ids_BK).argsort(dim=1, stable=True)
    return ids_BK.gather(1, order_BK)
