"""Numbers drawn by arithmetic from an item's seed: the same on every device, in any batch and any order."""

import torch
from torch import Tensor

# SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), its constants as signed numbers.
_GOLDEN, _FIRST, _SECOND = -0x61C8864680B583EB, -0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15


def split(seeds_B: Tensor, number: int) -> Tensor:
    """Other seeds, one for each, that have nothing to do with those of other numbers."""
    return _bits(seeds_B, number, 1)[:, 0]


def uniform(seeds_B: Tensor, number: int, count: int = 1) -> Tensor:
    """The draws `number` of each item, (B, count) float32 in 0..1 without 1."""
    return _right(_bits(seeds_B, number, count), 40).float() * 2.0**-24


def below(seeds_B: Tensor, number: int, limits: Tensor | int, count: int = 1) -> Tensor:
    """The draws `number` of each item, (B, count) int64 from zero to under `limits`, but zero where that is nothing.

    Limits, also as (B, 1) or (B, count), stay under 2^31.
    """
    limits = max(limits, 1) if isinstance(limits, int) else limits.clamp(min=1)
    return (_right(_bits(seeds_B, number, count), 33) * limits) >> 31


def _bits(seeds_B: Tensor, number: int, count: int) -> Tensor:
    """64 random bits for each item, number and place."""
    place = torch.arange(1, count + 1, device=seeds_B.device)
    return _mixed(_mixed(seeds_B + (number + 1) * 0x9E3779B9)[:, None] + place * _GOLDEN)


def _mixed(state: Tensor) -> Tensor:
    state = (state ^ _right(state, 30)) * _FIRST
    state = (state ^ _right(state, 27)) * _SECOND
    return state ^ _right(state, 31)


def _right(bits: Tensor, places: int) -> Tensor:
    """Shifted to the right, with zeros coming in as if there were no sign."""
    return (bits >> places) & ((1 << (64 - places)) - 1)
