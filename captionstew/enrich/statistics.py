"""Statistics of a run of enrichment, prompt by prompt: what was asked, what passed, and how the texts read."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappush, heappushpop
from pathlib import Path

import polars as pl

from captionstew.enrich.alarms import alarms
from captionstew.enrich.attempts import Made
from captionstew.enrich.faithfulness import faithfulness
from captionstew.enrich.guard import KEPT
from captionstew.enrich.item import Item
from captionstew.enrich.want import Asking, Weighed, key_of
from captionstew.shards.manifest import Enrichment

SAMPLED = 1 << 12  # texts whose sounds are counted: a share of half is then known to three in two hundred


@dataclass
class _Prompted:
    """The counts of one prompt. The texts with the lowest hashes are kept as its sample, whatever the order."""

    clips: int = 0
    asked: int = 0
    passed: int = 0
    failed: int = 0
    retried: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    sample: list[tuple[int, int, Item, str]] = field(default_factory=list)

    def add(self, made: Made) -> None:
        self.asked += 1
        self.retried += bool(made.rejected)
        self.prompt_tokens += made.answer.prompt_tokens
        self.completion_tokens += made.answer.completion_tokens
        self.rejected.update(made.rejected)
        if made.failed:
            self.failed += 1
        elif not made.verdict.kept:
            self.rejected[made.verdict.reason] += 1
        else:
            self.passed += 1
            drawn = -int(key_of(made.want.item.clip_id, made.want.base)[:15], 16)
            push = heappush if len(self.sample) < SAMPLED else heappushpop
            push(self.sample, (drawn, self.asked, made.want.item, made.text))


class Counting:
    """Takes in what was made, portion by portion; holds counts and samples only."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._by_prompt = {one.prompt.name: _Prompted() for one in asking.prompts}

    def clips(self, items: Iterable[Item]) -> None:
        """Clips that could be asked about, whether or not they were drawn."""
        for item in items:
            for one in self._asking.prompts:
                self._by_prompt[one.prompt.name].clips += one.prompt.fits(item)

    def add(self, made: Iterable[Made]) -> None:
        """What came of a portion."""
        for one in made:
            self._by_prompt[one.want.one.prompt.name].add(one)

    def rejected(self) -> dict[str, int]:
        """Why texts were rejected so far, over all prompts."""
        return dict(sum((one.rejected for one in self._by_prompt.values()), Counter[str]()))

    def result(self, provenance: Path) -> tuple[Enrichment, ...]:
        """One row for each prompt, in the order of the recipe; vocabularies are counted in the finished provenance."""
        return tuple(self._row(one, provenance) for one in self._asking.prompts)

    def _row(self, one: Weighed, provenance: Path) -> Enrichment:
        counts = self._by_prompt[one.prompt.name]
        sample = [(item, text) for _, _, item, text in sorted(counts.sample, key=lambda row: -row[0])]
        rates = faithfulness(sample)
        words, distinct = vocabulary(provenance, one.prompt.label)
        return Enrichment(
            one.prompt.label, one.prompt.style, self._asking.writer, self._asking.revision, counts.clips, counts.asked,
            counts.passed, counts.failed, counts.retried, dict(sorted(counts.rejected.items())),
            counts.prompt_tokens, counts.completion_tokens, _rounded(words / max(1, counts.passed)), distinct,
            len(sample), _rounded(rates.distinct_1), _rounded(rates.distinct_2),
            _rounded(rates.unsupported_event_rate), _rounded(rates.coverage), _rounded(rates.source_event_recall),
            tuple(f"{alarm.kind}: {alarm.detail} ({alarm.rows} texts)" for alarm in alarms(_table(sample))),
        )  # fmt: skip


def vocabulary(provenance: Path, prompt: str) -> tuple[int, int]:
    """Words of all texts of a prompt that passed, and how many of them are different."""
    passed = pl.scan_parquet(provenance).filter(pl.col("prompt") == prompt, pl.col("verdict") == KEPT)
    words = passed.select(pl.col("text").str.to_lowercase().str.extract_all(r"[\p{L}\p{N}']+").alias("word"))
    counts = words.explode("word").group_by("word").len().select(pl.sum("len"), pl.len().alias("distinct"))
    total, distinct = counts.collect(engine="streaming").row(0)
    return total or 0, distinct


def _table(sample: Sequence[tuple[Item, str]]) -> pl.DataFrame:
    """The sample as alarms read it."""
    rows = [(" ".join((*item.captions, *item.certain)), text) for item, text in sample]
    return pl.DataFrame(rows, schema={"source": pl.String(), "text": pl.String()}, orient="row")


def _rounded(number: float) -> float:
    return round(number, 4)
