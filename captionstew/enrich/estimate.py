"""What enrichment will take: calls, tokens and GPU hours, from a sample of the clips."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from math import sqrt
from pathlib import Path
from statistics import fmean, pvariance

import polars as pl

from captionstew.enrich.item import Item
from captionstew.enrich.items import item, rows_of
from captionstew.enrich.prompt import Prompt
from captionstew.enrich.store import Store
from captionstew.enrich.thresholds import Thresholds
from captionstew.enrich.tokens import PER_MESSAGE, Tokens
from captionstew.enrich.want import Asking, Want
from captionstew.pipeline.stage import Tables

SAMPLE = 1_000
# Words to tokens, and the middle of a prompt's word range, where no answers are there to be measured.
_PER_WORD = 1.35
# Of all asks; prompts that drop a tenth of their answers are usual (enough for a plan, and measured afterwards).
_AGAIN = 0.1
# Tokens written per second by a 7 B model on one GPU, as others report for an A100: nothing was measured here.
RATE = 3_400.0
_RECORD, _PER_TOKEN = (
    280,
    6.0,
)  # bytes on disk of one answer, compressed: keys, seeds and hashes; and of its words
_LABELS = ("Speech", "Vehicle", "Music")  # stand for what a detector will hear


@dataclass(frozen=True)
class Estimate:
    """All numbers are expected ones; `within` is the half width of the 95 % interval as a share of them."""

    clips: int  # that can be asked about
    calls: int
    known: int  # answers that are there already
    prompt_tokens: int
    completion_tokens: int
    within: float
    too_long: int  # prompts that do not fit into the context, with their answer
    seconds: float  # of one GPU
    rate: float  # tokens written per second
    cost: float  # of those hours, at the price that was given; 0: none was
    disk: int  # bytes that answers and their provenance will take
    by: str  # how tokens were counted
    sampled: int


@dataclass(frozen=True)
class Estimating:
    """How an estimate is made. `heard` says that a detector will name events for clips that have none yet."""

    asking: Asking
    tokens: Tokens
    retries: int = 1
    context: int = 4096
    rate: float = RATE
    price: float = 0.0  # of an hour of one GPU, in whatever money
    heard: bool = False
    store: Path | None = None
    thresholds: Thresholds = field(default_factory=Thresholds)
    written: Callable[[Prompt], float | None] = lambda _: (
        None
    )  # tokens of an answer, where they were measured

    def __call__(self, tables: Tables, sample: int = SAMPLE) -> Estimate:
        """From `sample` clips of the training split, the same ones each time, by domain in proportion."""
        drawn, total = _drawn(tables.clips, sample)
        rows = rows_of(tables.clips.join(drawn.lazy(), on="rank", how="semi"),
                       tables.captions.join(drawn.lazy(), on="rank", how="semi"))  # fmt: skip
        clips = [self._clip(self._as_heard(item(row, self.thresholds))) for row in rows.iter_rows(named=True)]
        scale = total / max(1, len(clips))
        again = 1 + (_AGAIN if self.retries else 0)
        sums = [sum(column) for column in zip(*clips, strict=True)] or [0.0] * 5
        calls, prompt, completion, known, long = (scale * one for one in sums)
        seconds = completion * again / self.rate
        return Estimate(
            total, round(calls * again), round(known), round(prompt * again), round(completion * again),
            _within([one[1] + one[2] for one in clips], total), round(long), seconds, self.rate,
            self.price * seconds / 3600, round(calls * again * (_RECORD + _PER_TOKEN * completion / max(1.0, calls))),
            self.tokens.by, len(clips),
        )  # fmt: skip

    def _as_heard(self, one: Item) -> Item:
        bare = self.heard and not (one.certain or one.possible)
        return replace(one, certain=_LABELS) if bare else one

    def _clip(self, one: Item) -> tuple[float, ...]:
        """Of one clip: calls, tokens to read and to write, answers that are there, and prompts that are too long."""
        wants = self.asking.wants(one)
        there = Store(self.store).known([want.ask_key(0) for want in wants]) if self.store and wants else {}
        missing = [want for want in wants if want.ask_key(0) not in there]
        read = [self._read(want) for want in missing]
        write = [self._write(want.one.prompt) for want in missing]
        limits = (want.one.prompt.sampling.max_tokens for want in missing)
        long = sum(tokens + most > self.context for tokens, most in zip(read, limits, strict=True))
        return float(len(missing)), float(sum(read)), sum(write), float(len(there)), float(long)

    def _read(self, want: Want) -> int:
        messages = want.one.prompt.filled(want.values)
        return sum(self.tokens.count(one.content) + PER_MESSAGE for one in messages)

    def _write(self, prompt: Prompt) -> float:
        measured = self.written(prompt)
        return measured if measured is not None else _PER_WORD * fmean(prompt.words)


def measured(provenance: Path) -> Callable[[Prompt], float | None]:
    """Tokens per answer, by prompt, as earlier answers of a build were long."""
    if not provenance.is_file():
        return lambda _: None
    rows = pl.scan_parquet(provenance).filter(pl.col("completion_tokens") > 0)
    means = dict(rows.group_by("prompt").agg(pl.mean("completion_tokens")).collect().iter_rows())
    return lambda prompt: means.get(prompt.label)


def _drawn(clips: pl.LazyFrame, sample: int) -> tuple[pl.DataFrame, int]:
    """The ranks of a sample, spread over the domains in proportion, and how many clips it stands for."""
    train = clips.filter(pl.col("split") == "train").select("rank", "domain").collect(engine="streaming")
    ordered = train.sort("domain", "rank")
    if len(ordered) <= sample:
        return ordered.select("rank"), len(ordered)
    places = pl.Series(list(_spread(len(ordered), sample)), dtype=pl.UInt32)
    return ordered[places].select("rank"), len(ordered)


def _spread(total: int, count: int) -> Iterator[int]:
    """Evenly, beginning in the middle of the first step."""
    return ((2 * place + 1) * total // (2 * count) for place in range(count))


def _within(tokens: list[float], total: int) -> float:
    """The half width of the 95 % interval of the mean, as a share of it; nothing is uncertain about a whole."""
    if len(tokens) < 2 or len(tokens) >= total or not (mean := fmean(tokens)):
        return 0.0
    return 1.96 * sqrt(pvariance(tokens) / len(tokens)) / mean
