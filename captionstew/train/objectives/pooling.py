"""Many frames to one vector per item, and into the space that audio and text share; padding never counts."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

How = Literal["mean", "max", "mean+max", "attention", "first", "last"]
Kind = Literal["linear", "mlp"]


class Pooling(nn.Module):
    """Frames (B, T, width) and lengths to (B, width); "mean+max" is their sum (PANNs §3.2)."""

    def __init__(self, how: How, width: int, heads: int = 8) -> None:
        super().__init__()
        self.how = how
        self.scores = nn.Linear(width, heads) if how == "attention" else None

    def forward(self, frames_BTD: Tensor, lengths_B: Tensor) -> Tensor:
        """One vector per item, of its valid frames alone; an item without any counts its first frame."""
        lengths_B = lengths_B.clamp(min=1)
        if self.how == "first":
            return frames_BTD[:, 0]
        if self.how == "last":
            return frames_BTD[torch.arange(len(frames_BTD), device=frames_BTD.device), lengths_B - 1]
        padding_BT1 = _padding(frames_BTD, lengths_B)
        if self.scores is not None:
            return _attended(frames_BTD, self.scores(frames_BTD), padding_BT1)
        if self.how == "mean":
            return _mean(frames_BTD, lengths_B, padding_BT1)
        most_BD = frames_BTD.masked_fill(padding_BT1, -torch.inf).amax(1)
        return most_BD if self.how == "max" else most_BD + _mean(frames_BTD, lengths_B, padding_BT1)


class Projection(nn.Module):
    """A vector of one width to one of another: "linear", or Auden's "mlp" (linear, ReLU, linear)."""

    def __init__(self, kind: Kind, width: int, embedding: int) -> None:
        super().__init__()
        first = nn.Linear(width, embedding)
        mlp = [nn.ReLU(), nn.Linear(embedding, embedding)] if kind == "mlp" else []
        self.layers = nn.Sequential(first, *mlp)

    def forward(self, x: Tensor) -> Tensor:
        """The projected vectors, along the last axis."""
        projected: Tensor = self.layers(x)
        return projected


def unit(x_BD: Tensor) -> Tensor:
    """Rows of length one, at least in float32: similarities are scaled by up to 100."""
    return normalize(x_BD.to(torch.promote_types(x_BD.dtype, torch.float32)), dim=-1)


def _padding(frames_BTD: Tensor, lengths_B: Tensor) -> Tensor:
    return (torch.arange(frames_BTD.shape[1], device=frames_BTD.device) >= lengths_B[:, None])[:, :, None]


def _mean(frames_BTD: Tensor, lengths_B: Tensor, padding_BT1: Tensor) -> Tensor:
    wide = torch.promote_types(frames_BTD.dtype, torch.float32)
    total_BD = frames_BTD.masked_fill(padding_BT1, 0).sum(1, dtype=wide)
    return total_BD / lengths_B[:, None].to(wide)


def _attended(frames_BTD: Tensor, scores_BTH: Tensor, padding_BT1: Tensor) -> Tensor:
    """Each head weighs the frames for its own part of the channels."""
    weights_BTH = scores_BTH.float().masked_fill(padding_BT1, -torch.inf).softmax(1).to(frames_BTD.dtype)
    heads_BTHC = frames_BTD.masked_fill(padding_BT1, 0).view(*scores_BTH.shape, -1)
    return torch.einsum("bth,bthc->bhc", weights_BTH, heads_BTHC).flatten(1)
