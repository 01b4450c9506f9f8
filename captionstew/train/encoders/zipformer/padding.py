"""Which frames of a batch are padding, at one frame rate."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Padding:
    """Where padding lies in (N, T): True in `masked_NT` at and beyond each item's length in frames.

    With `exact`, padding never reaches a valid frame; without, it does as in icefall, so that an item's embedding
    depends on the batch (models trained there have seen only that).
    """

    masked_NT: Tensor
    lengths_N: Tensor
    exact: bool

    def sampled(self, factor: int) -> "Padding":
        """The same for every `factor`-th frame: a group of frames counts as valid where its first one is."""
        if factor == 1:
            return self
        lengths = torch.div(self.lengths_N + factor - 1, factor, rounding_mode="floor")
        return Padding(self.masked_NT[:, ::factor], lengths, self.exact)

    def zeroed(self, x_NTC: Tensor) -> Tensor:
        """`x_NTC`, or (N, T, ..) of any rank, with zeros at padded frames."""
        valid = self.masked_NT.logical_not().to(x_NTC.dtype)
        return x_NTC * valid.reshape(*valid.shape, *(1,) * (x_NTC.ndim - 2))

    def last_repeated(self, x_NTC: Tensor) -> Tensor:
        """`x_NTC` with each item's last frame in place of its padding, as if the item were alone; only if `exact`."""
        if not self.exact:
            return x_NTC
        last = (self.lengths_N - 1)[:, None, None].expand(-1, 1, x_NTC.shape[-1])
        return torch.where(self.masked_NT[..., None], x_NTC.gather(1, last), x_NTC)


def find_padding(lengths_N: Tensor, num_frames: int, exact: bool) -> Padding | None:
    """The padding of a batch; None where there surely is none (lengths on another device are not waited for)."""
    if (
        lengths_N.device.type == "cpu"
        and not torch.compiler.is_compiling()
        and int(lengths_N.min()) == num_frames
    ):
        return None
    masked = torch.arange(num_frames, device=lengths_N.device) >= lengths_N[:, None]
    return Padding(masked, lengths_N, exact)
