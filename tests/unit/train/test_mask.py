"""FLAP's masking of tokens."""

from collections.abc import Callable

import pytest
import torch

from captionstew.train.mask import GroupMasking, Kept, Masking, RandomMasking

FULL = torch.full((5,), 64)


def _seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _kept_sets(kept: Kept) -> list[list[int]]:
    return [row[:length].tolist() for row, length in zip(kept.ids_BK, kept.lengths_B.tolist(), strict=True)]


def test_random_masking_keeps_307_of_512_other_ones_in_each_item() -> None:
    kept = RandomMasking(_seeded())(FULL, 64, 8)
    assert kept.ids_BK.shape == (5, 307)
    assert kept.lengths_B.tolist() == [307] * 5
    rows = _kept_sets(kept)
    assert all(row == sorted(set(row)) and row[0] >= 0 and row[-1] < 512 for row in rows)
    assert len({tuple(row) for row in rows}) == 5


@pytest.mark.parametrize("independent", [False, True])
def test_group_masking_keeps_6_bands_at_51_times(independent: bool) -> None:
    kept = GroupMasking(_seeded(), independent=independent)(FULL, 64, 8)
    assert kept.lengths_B.tolist() == [306] * 5
    for row in _kept_sets(kept):
        assert row == sorted(set(row))
        bands = [{i % 8 for i in row if i // 8 == time} for time in sorted({i // 8 for i in row})]
        assert [len(b) for b in bands] == [6] * 51
        assert (len({frozenset(b) for b in bands}) > 1) == independent


MASKINGS: list[Callable[[torch.Generator], Masking]] = [
    RandomMasking,
    GroupMasking,
    lambda generator: GroupMasking(generator, independent=True),
]


@pytest.mark.parametrize("make", MASKINGS)
def test_short_items_keep_the_same_share_and_never_padding(
    make: Callable[[torch.Generator], Masking],
) -> None:
    times_B = torch.tensor([64, 20, 5, 1])
    kept = make(_seeded())(times_B, 64, 8)
    for row, times in zip(_kept_sets(kept), times_B.tolist(), strict=True):
        assert row == sorted(set(row))
        assert row[-1] < times * 8
        assert 0.4 < len(row) / (times * 8) < 0.8


@pytest.mark.parametrize("make", MASKINGS)
def test_the_generator_alone_decides(make: Callable[[torch.Generator], Masking]) -> None:
    torch.manual_seed(1)
    first = make(_seeded(7))(FULL, 64, 8).ids_BK
    torch.manual_seed(2)
    assert torch.equal(first, make(_seeded(7))(FULL, 64, 8).ids_BK)
    assert not torch.equal(first, make(_seeded(8))(FULL, 64, 8).ids_BK)


def test_every_token_is_equally_likely_to_stay() -> None:
    kept = RandomMasking(_seeded(), ratio=0.5)(torch.full((4000,), 4), 4, 2)
    counts = torch.bincount(kept.ids_BK.flatten(), minlength=8) / 4000
    assert counts.sub(0.5).abs().max() < 0.04


def test_nearly_everything_masked_still_leaves_a_token() -> None:
    kept = RandomMasking(_seeded(), ratio=0.999)(torch.tensor([1, 2]), 2, 1)
    assert kept.ids_BK.shape == (2, 1)
    assert kept.lengths_B.tolist() == [1, 1]
