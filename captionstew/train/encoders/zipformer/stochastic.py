"""What a training pass leaves out at random: shared dropout, skipped branches and layers, masked channels."""

from collections.abc import Sequence

import torch
from torch import Tensor

from captionstew.train.encoders.zipformer.schedule import Chance, Schedule

WARM_UP = 4000.0  # batch counts until every layer has been let in
FEATURE_MASK = 0.125
POSITION_DROPOUT = 0.15

DROPOUT = Schedule((0, 0.3), (20000, 0.1))
POSITION_SKIP = Schedule((0, 0.5), (4000, 0.0))  # whole call: scores without their position term
ATTENTION_SKIP = Schedule((0, 0.2), (4000, 0.05), (16000, 0.0))
CONV_SKIP = ATTENTION_SKIP
FEED_FORWARD_SKIP = Schedule((0, 0.1), (4000, 0.01), (50000, 0.0))
CONSTANT_ATTENTION = Schedule((0, 0.25), (4000, 0.025))
CONVNEXT_SKIP = Schedule((0, 0.2), (20000, 0.015))
BYPASS_MINIMUM = Schedule((0, 0.9), (20000, 0.2))


def dropout_shared(x: Tensor, p: Schedule | float, shared_dim: int | None, chance: Chance | None) -> Tensor:
    """`x` with a share `p` of its entries zeroed and the rest raised to keep the mean.

    One choice holds along `shared_dim` (the time axis: whole channels of an item go); None chooses each entry.
    """
    if chance is None or not chance.active or (rate := chance.value(p)) == 0.0:
        return x
    shape = list(x.shape)
    if shared_dim is not None:
        shape[shared_dim] = 1
    return x * (chance.rand(shape, x.device) > rate).to(x.dtype).mul_(1 / (1 - rate))


def position_dropout(table: Tensor, chance: Chance | None, p: float = POSITION_DROPOUT) -> Tensor:
    """The table of position encodings with dropout on each entry."""
    return dropout_shared(table, p, None, chance)


def keep_items(x: Tensor, rate: Schedule | float, chance: Chance | None) -> Tensor | None:
    """A mask (N, 1, ..) of the type and rank of `x` that is 0 on a share `rate` of the items; None where all stay."""
    if chance is None or not chance.active or (share := chance.value(rate)) == 0.0:
        return None
    shape = (x.shape[0],) + (1,) * (x.ndim - 1)
    return (chance.rand(shape, x.device) > share).to(x.dtype)


def feature_masks(
    x_NTC: Tensor,
    widths: Sequence[int],
    unmasked: Sequence[int],
    chance: Chance | None,
    rate: float = FEATURE_MASK,
) -> list[Tensor | None]:
    """One mask (N, 1, width) per stack, with one choice per item for all stacks; None where nothing is masked.

    The channels from `unmasked` to halfway up go in a share `rate` of the items, the rest in these and a share
    `rate` of the others, so that the lower channels learn to do without the higher ones.
    """
    if chance is None or not chance.active:
        return [None] * len(widths)
    keep_N2 = (chance.rand((x_NTC.shape[0], 1, 2), x_NTC.device) > rate).to(x_NTC.dtype)
    inner, outer = keep_N2[..., :1], keep_N2[..., :1] * keep_N2[..., 1:]
    masks: list[Tensor | None] = []
    for width, full in zip(widths, unmasked, strict=True):
        low = min(full, width)
        half = (width - low) // 2
        parts = (torch.ones_like(inner), low), (inner, half), (outer, width - low - half)
        masks.append(torch.cat([keep.expand(-1, -1, num_channels) for keep, num_channels in parts], dim=-1))
    return masks


def bypass_scale(scale_C: Tensor, num_items: int, skip: Schedule | float, chance: Chance | None) -> Tensor:
    """`scale_C`, or (num_items, 1, C) that is zero for the items which skip the layer, as a share `skip` does."""
    if chance is None or not chance.active or (rate := chance.value(skip)) == 0.0:
        return scale_C
    return scale_C * (chance.rand((num_items, 1, 1), scale_C.device) > rate).to(scale_C.dtype)


def layer_skip(stack: int, num_stacks: int, layer: int, num_layers: int, downsampling: int) -> Schedule:
    """The share of items that skip a layer: half of them until its own window of the warm-up, few after it.

    Stack i of n (from 0) warms up between 4000 (i+1) / (n+1) and 4000 (i+2) / (n+1), split evenly over its layers.
    """
    begin, width = WARM_UP * (stack + 1) / (num_stacks + 1), WARM_UP / (num_stacks + 1) / num_layers
    final = 0.035 * downsampling**0.5
    return Schedule((begin + layer * width, 0.5), (begin + (layer + 1) * width, final))
