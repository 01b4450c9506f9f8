"""Retrieval between clips and captions, any number of captions per clip: the validation of contrastive training."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Recall:
    """How well one side finds the other: shares of queries whose first right answer is in the top 1, 5, 10; ranks."""

    at_1: float
    at_5: float
    at_10: float
    median_rank: float
    mean_rank: float

    @classmethod
    def of(cls, ranks_Q: Tensor) -> "Recall":
        """The figures of ranks that count from 1."""
        ranks_Q = ranks_Q.double()
        at_1, at_5, at_10 = ((ranks_Q <= k).double().mean().item() for k in (1, 5, 10))
        return cls(at_1, at_5, at_10, ranks_Q.quantile(0.5).item(), ranks_Q.mean().item())


@dataclass(frozen=True)
class Retrieval:
    """Both directions of a retrieval."""

    audio_to_text: Recall
    text_to_audio: Recall

    def figures(self) -> Mapping[str, float]:
        """All numbers by name, audio_to_text/R@1 and so on."""
        sides = {"audio_to_text": self.audio_to_text, "text_to_audio": self.text_to_audio}
        return {
            f"{side}/{name}": value
            for side, recall in sides.items()
            for name, value in (
                ("R@1", recall.at_1), ("R@5", recall.at_5), ("R@10", recall.at_10),
                ("median_rank", recall.median_rank), ("mean_rank", recall.mean_rank),
            )
        }  # fmt: skip


def retrieval(audio_ND: Tensor, text_MD: Tensor, owners_M: Tensor, chunk: int = 256) -> Retrieval:
    """Every caption looks for its clip, every clip for any of its captions; `owners_M` is each caption's clip.

    Vectors are compared by their product. R@k is the hit rate of the audio-text literature, and a tie with a wrong
    answer counts as lost, so that a model that says the same of everything scores nothing. `chunk` rows of
    similarities are in memory at a time. AssertionError if a clip has no caption.
    """
    assert torch.equal(torch.unique(owners_M).cpu(), torch.arange(len(audio_ND))), "a clip without caption"
    return Retrieval(
        Recall.of(_first_right(audio_ND, text_MD, torch.arange(len(audio_ND)).to(owners_M), owners_M, chunk)),
        Recall.of(_first_right(text_MD, audio_ND, owners_M, torch.arange(len(audio_ND)).to(owners_M), chunk)),
    )


@torch.no_grad()
def _first_right(
    queries_QD: Tensor, answers_AD: Tensor, labels_Q: Tensor, labels_A: Tensor, chunk: int
) -> Tensor:
    """The rank of each query's best right answer: 1 and the wrong ones that are as good or better."""
    ranks = []
    for queries_cD, labels_c in zip(
        torch.split(queries_QD, chunk), torch.split(labels_Q, chunk), strict=True
    ):
        similar_cA = queries_cD @ answers_AD.T
        right_cA = labels_c[:, None] == labels_A
        best_c1 = similar_cA.masked_fill(~right_cA, -torch.inf).amax(1, keepdim=True)
        ranks.append(1 + (~(similar_cA < best_c1) & ~right_cA).sum(1))  # NaN is no hit
    return torch.cat(ranks)
