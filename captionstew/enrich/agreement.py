"""Agreement: how far two people judge alike, and how sure a share is that was counted on a sample."""

from collections.abc import Hashable, Sequence
from math import sqrt

_Z = 1.959964  # of a normal distribution, 95 % lie within


def kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float | None:
    """Cohen's kappa (1960) of two people about the same things: 1 is full agreement, 0 what chance would give.

    None where it is not defined: there is nothing, or both give one and the same answer throughout.
    """
    assert len(first) == len(second), (len(first), len(second))
    count = len(first)
    answers = {*first, *second}
    by_chance = sum(first.count(answer) * second.count(answer) for answer in answers)
    if by_chance == count * count:
        return None
    alike = count * sum(one == other for one, other in zip(first, second, strict=True))
    return (alike - by_chance) / (count * count - by_chance)


def wilson(hits: int, count: int, z: float = _Z) -> tuple[float, float]:
    """The 95 % interval of a share of which `hits` of `count` were seen (Wilson 1927); of nothing, 0 to 1."""
    assert 0 <= hits <= count, (hits, count)
    if not count:
        return 0.0, 1.0
    share, more = hits / count, z * z / count
    middle = share + more / 2
    half = z * sqrt(share * (1 - share) / count + more / (4 * count))
    return max(0.0, (middle - half) / (1 + more)), min(1.0, (middle + half) / (1 + more))
