"""Order and chance without state."""

import numpy as np
import pytest

from captionstew.shards.shuffle import hashed, permuted


@pytest.mark.parametrize("size", [1, 2, 3, 7, 10, 64, 1_000, 8_191, 8_193, 99_999])
def test_every_number_of_a_range_comes_exactly_once(size: int) -> None:
    assert np.array_equal(np.sort(permuted(np.arange(size), size, 3, 5)), np.arange(size))


def test_any_part_of_the_order_can_be_asked_for_alone() -> None:
    whole = permuted(np.arange(5_000), 5_000, 1)
    assert np.array_equal(permuted(np.arange(4_000, 4_100), 5_000, 1), whole[4_000:4_100])


def test_every_place_is_as_likely_for_every_number_and_keys_give_other_orders() -> None:
    orders = np.array([permuted(np.arange(10), 10, 7, key) for key in range(4_000)])
    counts = np.array([[np.count_nonzero(orders[:, place] == n) for n in range(10)] for place in range(10)])
    assert ((counts - 400) ** 2 / 400).sum() < 131  # chi-squared, 81 degrees of freedom, p = 0.0003
    assert len({tuple(order) for order in orders}) > 3_990


def test_neighbours_do_not_stay_neighbours() -> None:
    steps = np.diff(permuted(np.arange(100_000), 100_000, 0))
    assert np.count_nonzero(abs(steps) == 1) < 12  # 2 are expected of a random order
    assert abs(np.corrcoef(np.arange(100_000), permuted(np.arange(100_000), 100_000, 0))[0, 1]) < 0.01


def test_hashes_are_those_of_every_other_machine() -> None:
    assert [int(h) for h in hashed(1, np.array([2, 3]))] == [13608149317741381227, 9716232063330790915]
    assert permuted(np.arange(6), 1_000_000, 1, 2).tolist() == [
        633_882,
        238_858,
        133_314,
        70_277,
        21_584,
        373_131,
    ]


def test_bits_of_hashes_are_even() -> None:
    words = hashed(0, np.arange(20_000))
    shares = [np.count_nonzero(words >> np.uint64(bit) & np.uint64(1)) / 20_000 for bit in range(64)]
    assert 0.48 < min(shares) <= max(shares) < 0.52
