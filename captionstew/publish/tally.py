"""What became of the rows and captions of a build on their way into a release, by corpus and reason."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from captionstew.publish.choice import WITHDRAWN, Choice
from captionstew.publish.contents import Refusal, Tier
from captionstew.shards.manifest import Account

STAGE = "publish"  # of the accounts that go on where the build's end


@dataclass
class Tally:
    """Counts, shard by shard."""

    _rows: Counter[str] = field(default_factory=Counter)  # by corpus
    _drops: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    _captions: Counter[str] = field(default_factory=Counter)  # on rows that stay, by source
    _lost: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    _refused: dict[tuple[Tier, str, str, str], tuple[int, float]] = field(default_factory=dict)

    def add(self, rows: pa.Table, choice: Choice) -> None:
        """Count the rows of a shard; what was withdrawn is refused by nobody."""
        names, gone = rows["corpus"].to_pylist(), choice.withdrawn.tolist()
        self._rows.update(names)
        refused: dict[tuple[Tier, str, str, str], list[float]] = defaultdict(list)
        lines = zip(
            names, rows["license"].to_pylist(), rows["duration"].to_pylist(), choice.places, gone, strict=True
        )
        for corpus, license, seconds, place, withdrawn in lines:
            if reason := WITHDRAWN if withdrawn else place.refused:
                self._drops[corpus][reason] += 1
            if place.rule and not withdrawn:
                tier: Tier = "captions" if place.refused else "audio"
                refused[tier, corpus, license, place.rule].append(seconds)
        for key, several in refused.items():
            clips, total = self._refused.get(key, (0, 0.0))
            self._refused[key] = clips + len(several), math.fsum((total, *several))
        self._count_captions(rows, choice)

    def accounts(self, order: Iterable[str]) -> tuple[Account, ...]:
        """Rows by corpus, in this order, then captions by who published them: received = kept + dropped."""
        made = []
        for stage, received, lost in (
            (STAGE, self._rows, self._drops),
            (f"{STAGE}.captions", self._captions, self._lost),
        ):
            for name in dict.fromkeys((*order, *sorted(received))):
                if name in received:
                    drops = dict(sorted(lost[name].items())) if name in lost else {}
                    made.append(
                        Account(name, stage, received[name], received[name] - sum(drops.values()), drops)
                    )
        return tuple(made)

    def refusals(self) -> tuple[Refusal, ...]:
        """What tiers do not take, by corpus, license and rule."""
        return tuple(
            Refusal(tier, corpus, license, clips, round(seconds, 3), rule)
            for (tier, corpus, license, rule), (clips, seconds) in sorted(self._refused.items())
        )

    def _count_captions(self, rows: pa.Table, choice: Choice) -> None:
        stays = np.repeat(choice.rows("captions"), choice.counts).tolist()
        sources = rows["captions"].combine_chunks().flatten().field("source").to_pylist()
        for source, reason, here in zip(sources, choice.captions, stays, strict=True):
            if here:
                self._captions[source] += 1
                if reason:
                    self._lost[source][reason] += 1
