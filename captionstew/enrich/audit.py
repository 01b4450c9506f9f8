"""Audit: what people found, against the guard: how far they agree, and how often it is wrong, with an interval."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from captionstew.enrich.agreement import kappa, wilson
from captionstew.enrich.guard import KEPT
from captionstew.enrich.sheet import Opinion


@dataclass(frozen=True)
class Pair:
    """Two people, by their place, about the captions that both judged."""

    first: int
    second: int
    captions: int
    alike: float  # share
    kappa: float | None  # None: both say the same of all


@dataclass(frozen=True)
class Rate:
    """How often a verdict of the guard is wrong: a caption that it kept, or one that it rejected for this reason.

    `low` to `high` is the 95 % interval (Wilson) of the share.
    """

    verdict: str
    captions: int
    wrong: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """0 of nothing."""
        return self.wrong / self.captions if self.captions else 0.0


@dataclass(frozen=True)
class Audit:
    """What came of it; `reasons` are the people's own words about captions that the guard kept, with counts."""

    judged: int
    pairs: tuple[Pair, ...]
    rates: tuple[Rate, ...]  # of what was kept; of all that was rejected; by reason
    reasons: tuple[tuple[str, int], ...]


def audit(verdicts: Mapping[str, str], opinions: Sequence[Mapping[str, Opinion]]) -> Audit:
    """From the guard's verdict and each person's opinion on the rows of a sheet.

    A caption is right if more than half of those who judged it say so: a tie counts against it.
    """
    said = {row: [one[row].right for one in opinions if row in one] for row in verdicts}
    right = {row: 2 * sum(votes) > len(votes) for row, votes in said.items() if votes}
    groups: dict[str, list[bool]] = {KEPT: [], "rejected": []}
    for row, is_right in sorted(right.items()):
        verdict = verdicts[row]
        groups[KEPT if verdict == KEPT else "rejected"].append(is_right)
        if verdict != KEPT:
            groups.setdefault(verdict, []).append(is_right)
    whole = [_rate(name, groups.pop(name)) for name in (KEPT, "rejected")]
    by_reason = sorted((_rate(name, found) for name, found in groups.items()), key=lambda one: -one.captions)
    pairs = [_pair(*places, opinions) for places in combinations(range(len(opinions)), 2)]
    return Audit(len(right), tuple(pairs), (*whole, *by_reason), _reasons(verdicts, opinions))


def _rate(verdict: str, right: Sequence[bool]) -> Rate:
    wrong = right.count(verdict != KEPT)
    return Rate(verdict, len(right), wrong, *wilson(wrong, len(right)))


def _pair(first: int, second: int, opinions: Sequence[Mapping[str, Opinion]]) -> Pair:
    both = sorted(opinions[first].keys() & opinions[second].keys())
    one, other = ([opinions[place][row].right for row in both] for place in (first, second))
    alike = sum(a == b for a, b in zip(one, other, strict=True))
    return Pair(first, second, len(both), alike / len(both) if both else 0.0, kappa(one, other))


def _reasons(
    verdicts: Mapping[str, str], opinions: Sequence[Mapping[str, Opinion]]
) -> tuple[tuple[str, int], ...]:
    """Each person's reason counts once for a caption."""
    given = Counter(
        found.reason or "none given"
        for one in opinions
        for row, found in one.items()
        if not found.right and verdicts[row] == KEPT
    )
    return tuple(sorted(given.items(), key=lambda pair: (-pair[1], pair[0])))
