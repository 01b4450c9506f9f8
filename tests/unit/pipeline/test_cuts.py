"""Cuts: pieces of an even size whose boundaries an edit hardly moves."""

import random
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from captionstew.pipeline.cuts import cuts

ROWS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3000)), max_size=120)


def keyed(rows: list[tuple[int, int]]) -> tuple[list[str], list[int]]:
    """Keys in order, as a sorted table has them, and sizes."""
    rows = sorted(rows, key=lambda row: row[0])
    return [f"yt:{key:011d}" for key, _ in rows], [size for _, size in rows]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(ROWS, st.integers(1, 10_000))
def test_pieces_hold_every_row_once_and_in_order(rows: list[tuple[int, int]], target: int) -> None:
    keys, sizes = keyed(rows)
    pieces = cuts(keys, sizes, target)
    assert [i for first, last in pieces for i in range(first, last)] == list(range(len(rows)))
    assert all(first < last for first, last in pieces)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(ROWS, st.integers(1, 10_000))
def test_no_piece_is_too_large_unless_it_is_one_row(rows: list[tuple[int, int]], target: int) -> None:
    keys, sizes = keyed(rows)
    for first, last in cuts(keys, sizes, target):
        assert sum(sizes[first:last]) <= 1.5 * target or last == first + 1


@settings(max_examples=200, deadline=None, derandomize=True)
@given(ROWS, st.integers(1, 10_000))
def test_a_piece_is_ended_early_only_where_its_minimum_is_reached(
    rows: list[tuple[int, int]], target: int
) -> None:
    keys, sizes = keyed(rows)
    pieces = cuts(keys, sizes, target)
    for first, last in pieces[:-1]:
        size = sum(sizes[first:last])
        assert size >= target / 2 or size + sizes[last] > 1.5 * target


@settings(max_examples=200, deadline=None, derandomize=True)
@given(ROWS, st.integers(1, 10_000))
def test_rows_of_one_key_stay_together_below_the_maximum(rows: list[tuple[int, int]], target: int) -> None:
    keys, sizes = keyed(rows)
    pieces = cuts(keys, sizes, target)
    for (first, last), (_, end) in pairwise(pieces):
        if keys[last - 1] == keys[last]:
            assert sum(sizes[first:last]) + sizes[last] > 1.5 * target
        assert end > last


def many(count: int, seed: int) -> tuple[list[str], list[int]]:
    """Keys and sizes of a corpus."""
    draw = random.Random(seed)
    keys = sorted(f"fs:{draw.randrange(10**9)}" for _ in range(count))
    return keys, [draw.randrange(20, 400) for _ in keys]


def bounds(keys: list[str], pieces: list[tuple[int, int]]) -> set[str]:
    """The keys that pieces begin with."""
    return {keys[first] for first, _ in pieces}


def test_pieces_are_about_as_large_as_asked_for() -> None:
    keys, sizes = many(20_000, 0)
    pieces = cuts(keys, sizes, 20_000)
    mean = sum(sizes) / len(pieces)
    assert 0.75 * 20_000 < mean < 1.1 * 20_000


def test_adding_or_removing_a_row_moves_only_boundaries_nearby() -> None:
    keys, sizes = many(6000, 1)
    before = bounds(keys, cuts(keys, sizes, 10_000))
    assert len(before) > 80
    moved = []
    for at in range(50, 6000, 119):
        fewer = keys[:at] + keys[at + 1 :], sizes[:at] + sizes[at + 1 :]
        more = [*keys[:at], keys[at] + "5", *keys[at:]], [*sizes[:at], 150, *sizes[at:]]
        more[0].sort()
        for changed_keys, changed_sizes in (fewer, more):
            after = bounds(changed_keys, cuts(changed_keys, changed_sizes, 10_000))
            changed = before ^ after
            moved.append(len(changed))
            assert all(abs(place(keys, key) - at) < 500 for key in changed)
    assert sum(moved) / len(moved) < 2


def place(keys: list[str], key: str) -> int:
    """Where a key stands, or would stand."""
    return sum(other < key for other in keys)


def test_cuts_are_the_same_in_every_process() -> None:
    keys, sizes = many(300, 2)
    assert cuts(keys, sizes, 8000)[:3] == [(0, 59), (59, 106), (106, 125)]


def test_nothing_is_cut_into_nothing() -> None:
    assert cuts([], [], 100) == []
