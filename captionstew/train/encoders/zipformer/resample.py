"""Fewer frames, more frames, other widths: what lies between the stacks."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Downsample(nn.Module):
    """Each group of `factor` frames becomes their mean under learnt weights (softmax of `bias`)."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(factor))

    def forward(self, x_NTC: Tensor) -> Tensor:
        """(N, ceil(T / factor), C); the last frame is repeated to fill the last group."""
        factor = len(self.bias)
        if missing := -x_NTC.shape[1] % factor:
            x_NTC = torch.cat([x_NTC, x_NTC[:, -1:].expand(-1, missing, -1)], dim=1)
        weights = self.bias.softmax(dim=0).to(x_NTC.dtype)
        groups_NTFC = x_NTC.view(len(x_NTC), -1, factor, x_NTC.shape[2])
        return (groups_NTFC * weights[:, None]).sum(dim=2)


def upsample(x_NTC: Tensor, factor: int, num_frames: int) -> Tensor:
    """Every frame `factor` times, cut to `num_frames`."""
    repeated = x_NTC.unsqueeze(2).expand(-1, -1, factor, -1).flatten(1, 2)
    return repeated[:, :num_frames]


def fit_width(x_NTC: Tensor, width: int) -> Tensor:
    """The first `width` channels, with zeros after the last where there are fewer."""
    missing = width - x_NTC.shape[-1]
    return F.pad(x_NTC, (0, missing)) if missing > 0 else x_NTC[..., :width]
