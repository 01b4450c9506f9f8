"""Captions that occur more than once in a batch, and what the losses make of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from captionstew.train.objectives.gather import gather_rows, max_over_ranks, row_counts, sum_over_ranks
from captionstew.train.objectives.objective import Text
from captionstew.train.ranks import rank

Duplicates = Literal["positives", "mask", "ignore"]

_ODD = (
    -0x61C8864680B583EB,
    -0x40A7B892E31B1A47,
    -0x6B2FB644ECCEEE15,
)  # splitmix64's increment and multipliers


def caption_keys(text: Text) -> Tensor:
    """A number per caption (B,), equal where the tokens are: what the text tower cannot tell apart.

    Computed where the ids are. Products wrap at 64 bits, so that two captions of a run collide by chance alone.
    """
    places_L = torch.arange(1, text.ids_BL.shape[1] + 1, device=text.ids_BL.device) * _ODD[0]
    for multiplier in _ODD[1:]:
        places_L = (places_L ^ (places_L >> 30)) * multiplier
    return ((text.ids_BL + 1) * places_L * text.mask_BL()).sum(1)


def num_distinct(keys_B: Tensor) -> Tensor:
    """How many different numbers there are; a tensor, as nobody has to wait for it."""
    return (keys_B.sort().values.diff() != 0).sum() + 1


@dataclass(frozen=True)
class Pairs:
    """Which audio row belongs to which text column, when this rank has some of the rows and all of the columns.

    Audio i and text j are a pair where i = j, and where one of their keys (captions, clips) is the same:
    "positives" counts these as further right answers, "mask" leaves them out, "ignore" takes them for wrong ones.
    """

    keys_bK: Tensor
    keys_BK: Tensor
    counts: tuple[int, ...]  # rows of each rank
    duplicates: Duplicates
    chunk: int  # rows of similarities in memory at a time

    @classmethod
    def of(cls, keys_bK: Tensor, duplicates: Duplicates = "positives", chunk: int = 1024) -> "Pairs":
        """The pairs of a batch that lies on all ranks, of which this one has rows with these keys."""
        counts = row_counts(len(keys_bK), keys_bK.device)
        return cls(keys_bK, gather_rows(keys_bK, counts), counts, duplicates, chunk)

    def rows(self) -> Iterator[slice]:
        """This rank's rows, a chunk at a time."""
        return (slice(at, at + self.chunk) for at in range(0, len(self.keys_bK), self.chunk))

    @property
    def num_all(self) -> int:
        """Pairs of all ranks."""
        return len(self.keys_BK)

    @property
    def own(self) -> slice:
        """This rank's rows among all."""
        first = sum(self.counts[: rank()])
        return slice(first, first + len(self.keys_bK))

    def block(self, rows: slice) -> tuple[Tensor, Tensor | None]:
        """Right answers (c, B) of some rows, and the entries that are left out, or None."""
        keys_cK = self.keys_bK[rows]
        numbers_c = torch.arange(len(keys_cK), device=keys_cK.device) + (self.own.start + rows.start)
        own_cB = numbers_c[:, None] == torch.arange(self.num_all, device=keys_cK.device)
        if self.duplicates == "ignore":
            return own_cB, None
        same_cB = own_cB.clone()
        for k in range(keys_cK.shape[1]):
            same_cB |= keys_cK[:, k, None] == self.keys_BK[:, k]
        return (same_cB, None) if self.duplicates == "positives" else (own_cB, same_cB ^ own_cB)


@torch.no_grad()
def hits(audio_bD: Tensor, text_BD: Tensor, pairs: Pairs) -> tuple[Tensor, Tensor]:
    """Of all clips the share whose nearest caption is a right one, and of all captions likewise.

    A right answer must be nearer than every wrong one: a model that says the same of everything scores nothing.
    """
    columns_2B = text_BD.new_full((2, pairs.num_all), -torch.inf)
    found = text_BD.new_zeros(())
    for rows in pairs.rows():
        similar_cB = audio_bD[rows] @ text_BD.T
        right_cB, out_cB = pairs.block(rows)
        wrong_cB = ~right_cB if out_cB is None else ~(right_cB | out_cB)
        both_2cB = torch.stack([similar_cB.masked_fill(~mask, -torch.inf) for mask in (right_cB, wrong_cB)])
        found += torch.gt(*both_2cB.amax(2)).sum()
        columns_2B = torch.maximum(columns_2B, both_2cB.amax(1))
    right_B, wrong_B = max_over_ranks(columns_2B)
    return sum_over_ranks(found) / pairs.num_all, (right_B > wrong_B).float().mean()
