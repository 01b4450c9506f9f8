"""Faithfulness: how far generated captions say what is there, and nothing else, over a whole run."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, lgamma, log

from captionstew.enrich.evidence import evidence, label
from captionstew.enrich.item import Item
from captionstew.enrich.reading import Reading, read


@dataclass(frozen=True)
class Faithfulness:
    """Figures of one run; a share of nothing is 0."""

    texts: int
    words: float  # per text
    unsupported_event_rate: (
        float  # of the sounds that texts claim, those without support (as ECHO, Kuan et al. 2024)
    )
    coverage: float  # of the certain labels, those that are said (as Cover, ibid.)
    source_event_recall: float  # of the sounds that originals claim, those that are said again
    distinct_1: float  # different words of all words (Li et al. 2016)
    distinct_2: float  # different word pairs of all word pairs
    opener: str  # the most frequent first three words
    opener_share: float


@dataclass(frozen=True, slots=True)
class Counted:
    """The sounds of one text: what was asked for, what was said."""

    claims: int
    unsupported: int
    labels: int
    labels_said: int
    source_events: int
    source_events_said: int


def counted(item: Item, text: str) -> Counted:
    """The sounds of this text against its item."""
    return _counted(item, read(text))


def _counted(item: Item, reading: Reading) -> Counted:
    source = evidence(item, 0.0)
    labels = [claim for name in item.certain for claim in label(name).asked]
    events = {claim.bits: claim for original in source.originals for claim in original.claims}.values()
    said = [[claim.borne_out(reading.sure, reading.unsure) for claim in some] for some in (labels, events)]
    return Counted(
        len(reading.claims),
        sum(1 for claim in reading.claims if not source.supports(claim)),
        len(labels),
        sum(said[0]),
        len(events),
        sum(said[1]),
    )


def faithfulness(pairs: Iterable[tuple[Item, str]]) -> Faithfulness:
    """The figures of all (item, text) pairs, in one pass; memory grows with the vocabulary alone."""
    total: Counter[str] = Counter()
    singles: set[str] = set()
    doubles: set[tuple[str, str]] = set()
    starts: Counter[str] = Counter()
    for item, text in pairs:
        reading = read(text)
        one, words = _counted(item, reading), reading.words
        total.update({name: getattr(one, name) for name in Counted.__slots__})
        total.update(texts=1, words=len(words), pairs=max(0, len(words) - 1))
        singles.update(words)
        doubles.update(pairwise(words))
        starts[" ".join(words[:3])] += 1
    opener, most = min(starts.items(), key=lambda start: (-start[1], start[0]), default=("", 0))
    return Faithfulness(
        total["texts"],
        _share(total["words"], total["texts"]),
        _share(total["unsupported"], total["claims"]),
        _share(total["labels_said"], total["labels"]),
        _share(total["source_events_said"], total["source_events"]),
        _share(len(singles), total["words"]),
        _share(len(doubles), total["pairs"]),
        opener,
        _share(most, total["texts"]),
    )


def sign_test(first: Sequence[float], second: Sequence[float]) -> float:
    """The chance of at least this imbalance between two runs on the same items if neither is better (two-sided)."""
    pairs = list(zip(first, second, strict=True))
    better, worse = (sum(1 for a, b in pairs if a > b), sum(1 for a, b in pairs if a < b))
    count = better + worse
    if count == 0:
        return 1.0
    chances = [
        exp(lgamma(count + 1) - lgamma(k + 1) - lgamma(count - k + 1) - count * log(2))
        for k in range(min(better, worse) + 1)
    ]
    return min(1.0, 2 * sum(chances))


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
