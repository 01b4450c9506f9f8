"""Where a row of clips, sorted from long to short, is cut into batches."""

import numpy as np

from captionstew.shards.sources import Integers

WEIGHED = 4096  # clips; in longer windows neighbours are so alike that full batches leave next to no padding
_PRICE = 16  # a batch more has to save this part of one in padding


def batch_sizes(longest: Integers, room: Integers, samples: int) -> list[int]:
    """How many clips make each batch, in order: no batch beginning at clip i holds more than `room[i]`.

    `longest` (samples) does not rise; a batch costs its length times that of its first clip, and a sixteenth of
    `samples` for itself. Of up to `WEIGHED` clips the cuts have the least cost there is; of more, every batch is full.
    """
    return _least(longest, room, samples // _PRICE) if len(room) <= WEIGHED else _full(room.tolist())


def _full(room: list[int]) -> list[int]:
    """Batches as long as they may be; the last two share what is left."""
    sizes: list[int] = []
    start = 0
    while start < len(room):
        sizes.append(min(room[start], len(room) - start))
        start += sizes[-1]
    if len(sizes) > 1 and sizes[-1] < sizes[-2]:  # a remainder shares with the batch before it
        both = sizes[-1] + sizes[-2]
        sizes[-2:] = both - both // 2, both // 2
    return sizes


def _least(longest: Integers, room: Integers, price: int) -> list[int]:
    """The cheapest cuts by dynamic programming over their ends, in whole samples: the same on every machine."""
    count = len(room)
    cost = np.full(count + 1, np.iinfo(np.int64).max)
    cost[0] = 0
    begins = np.zeros(count + 1, np.int64)
    steps = np.arange(1, int(room.max()) + 1)
    for start, (length, most) in enumerate(zip(longest.tolist(), room.tolist(), strict=True)):
        most = min(most, count - start)
        ends = cost[start + 1 : start + most + 1]
        offered = cost[start] + price + length * steps[:most]
        better = offered < ends
        np.copyto(ends, offered, where=better)
        np.copyto(begins[start + 1 : start + most + 1], start, where=better)
    cuts = [count]
    while cuts[-1]:
        cuts.append(int(begins[cuts[-1]]))
    return np.diff(cuts[::-1]).tolist()
