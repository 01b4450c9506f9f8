"""Cuts into batches against every cut there is."""

from itertools import combinations

import numpy as np
import pytest

from captionstew.shards.partition import WEIGHED, batch_sizes
from captionstew.shards.sources import Integers

SAMPLES = 64


def _room(longest: Integers) -> Integers:
    room: Integers = np.maximum(SAMPLES // longest, 1)
    return room


def _cost(longest: Integers, sizes: list[int]) -> int:
    firsts = np.cumsum([0, *sizes[:-1]])
    return sum(int(longest[first]) * size + SAMPLES // 16 for first, size in zip(firsts, sizes, strict=True))


@pytest.mark.parametrize("seed", range(8))
def test_no_other_cuts_cost_less(seed: int) -> None:
    longest = np.sort(np.random.default_rng(seed).integers(3, 40, 11))[::-1]
    room = _room(longest)
    every = (
        np.diff([0, *cuts, len(longest)]).tolist()
        for count in range(len(longest))
        for cuts in combinations(range(1, len(longest)), count)
    )
    allowed = [
        sizes
        for sizes in every
        if all(n <= room[s] for s, n in zip(np.cumsum([0, *sizes[:-1]]), sizes, strict=True))
    ]
    sizes = batch_sizes(longest, room, SAMPLES)
    assert sizes in allowed
    assert _cost(longest, sizes) == min(_cost(longest, other) for other in allowed)


def test_a_long_window_is_cut_into_full_batches() -> None:
    longest = np.sort(np.random.default_rng(1).integers(3, 40, WEIGHED + 1))[::-1]
    sizes = batch_sizes(longest, _room(longest), SAMPLES)
    firsts = np.cumsum([0, *sizes[:-3]])
    assert sum(sizes) == len(longest)
    assert all(size == _room(longest)[first] for first, size in zip(firsts, sizes[:-2], strict=True))
