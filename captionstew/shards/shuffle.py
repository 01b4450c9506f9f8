"""Order and chance without state: a permutation computed point by point, and hashes in place of draws."""

from math import isqrt
from typing import Any

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]
Positions = npt.NDArray[np.int64]

_ROUNDS = 6
_STEP = np.uint64(0x9E3779B97F4A7C15)  # splitmix64 (Steele, Lea, Flood: Fast splittable generators, 2014)


def hashed(*parts: int | npt.NDArray[Any]) -> Words:
    """One word of 64 even bits for each row of the parts, which are numbers or arrays of one length.

    The same on every machine and with every NumPy, which its own generators do not promise.
    """
    word = np.zeros(1, np.uint64)
    for part in parts:
        word = _mixed((word ^ np.asarray(part).astype(np.uint64)) + _STEP)
    return word


def permuted(positions: Positions, size: int, *key: int) -> Positions:
    """What stands at those positions of a shuffled `range(size)`: a Feistel network over two digits.

    Takes no memory besides the answer, so nothing of an epoch's order has to be made or kept. The digits have the
    bases a = ceil(sqrt(size)) and b = ceil(size / a) (Black and Rogaway, Ciphers with arbitrary finite domains,
    2002); what falls into the few numbers from size to a * b is put through again.
    """
    base = np.uint64(isqrt(size - 1) + 1)
    other = np.uint64(-(-size // int(base)))
    keys = hashed(*key, np.arange(_ROUNDS))
    numbers = positions.astype(np.uint64)
    outside = np.arange(len(numbers))
    while len(outside):
        high, low = np.divmod(numbers[outside], other)
        for round_key in keys.reshape(-1, 2):
            high = (high + _mixed(low ^ round_key[0])) % base
            low = (low + _mixed(high ^ round_key[1])) % other
        numbers[outside] = high * other + low
        outside = outside[numbers[outside] >= size]
    return numbers.astype(np.int64)


def _mixed(word: Words) -> Words:
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))
