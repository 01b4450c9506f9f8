"""What validation makes of what the ranks have seen."""

import pytest
import torch

from captionstew.train.validate import _distinct, _figures, _Seen


def seen(first: int, captions: list[str], vectors: list[list[float]]) -> _Seen:
    clips = torch.arange(first, first + len(captions))
    one = _Seen(clips, captions, torch.tensor(vectors), torch.tensor(vectors))
    one.loss, one.weight = 2.0 * (first + 1), len(captions)
    return one


def test_clips_that_share_their_words_count_once() -> None:
    assert _distinct(["a", "b", "a", "c", "b"]).tolist() == [0, 1, 3]


def test_figures_are_of_distinct_pairs_and_losses_by_their_weight() -> None:
    figures = _figures(
        [seen(0, ["a", "b"], [[1, 0, 0], [0, 1, 0]]), seen(2, ["a", "c"], [[0.9, 0.1, 0], [0, 0, 1]])]
    )
    assert figures["pairs"] == 3
    assert figures["audio_to_text/R@1"] == 1.0
    assert figures["loss"] == pytest.approx((2.0 * 2 + 6.0 * 2) / 4)


def test_without_a_contrastive_part_there_is_no_retrieval() -> None:
    one = _Seen(torch.arange(2), ["a", "b"])
    one.loss, one.weight = 1.5, 2
    assert _figures([one]) == {"loss": 1.5}
