"""The table of relative positions (Zipformer, Yao et al. 2024, appendix A): dense near zero, compressed far away."""

import math

import torch
from torch import Tensor


class PositionTable:
    """Encodings of the offsets -(T-1) .. T-1 as (2T-1, width) float32; made once per device and kept."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._kept: dict[torch.device, Tensor] = {}

    def __call__(self, num_frames: int, device: torch.device) -> Tensor:
        """The rows for sequences of `num_frames`, by rising offset (key's frame minus query's frame)."""
        if torch.compiler.is_compiling():
            return position_encodings(num_frames, self.width, device)
        table = self._kept.get(device)
        if table is None or table.shape[0] < 2 * num_frames - 1:
            table = position_encodings(2 * num_frames, self.width, device)
            self._kept[device] = table
        middle = table.shape[0] // 2
        return table[middle - num_frames + 1 : middle + num_frames]


def position_encodings(num_frames: int, width: int, device: torch.device | None = None) -> Tensor:
    """(2 num_frames - 1, width): cosines and sines of multiples of an angle that grows as the log of the offset."""
    offset = torch.arange(1 - num_frames, num_frames, device=device, dtype=torch.float32)
    knee = math.sqrt(width)
    compressed = knee * offset.sign() * ((offset.abs() + knee).log() - math.log(knee))
    angle = torch.atan(compressed * (2 * math.pi / width))
    angles = angle[:, None] * torch.arange(1, width // 2 + 1, device=device)
    table = torch.stack([angles.cos(), angles.sin()], dim=-1).flatten(1)
    table[:, -1] = 1.0
    return table
