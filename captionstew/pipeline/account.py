"""The account of a build: what every stage received of every corpus, kept, and dropped for which reason."""

from collections.abc import Iterable, Iterator

import polars as pl

from captionstew.pipeline.stage import Stage
from captionstew.shards.manifest import Account

Counts = dict[str, int]  # corpus or reason -> rows
CAPTIONS = ".captions"  # of an account's stage: it counts captions, not clips


def counted(rows: pl.LazyFrame, column: str = "corpus") -> Counts:
    """Rows by corpus."""
    return dict(rows.group_by(column).len().collect(engine="streaming").sort(column).iter_rows())


def accounts(stage: str, received: Counts, kept: Counts, drops: pl.LazyFrame) -> list[Account]:
    """One account per corpus; AssertionError if a row is neither kept nor dropped."""
    table = drops.group_by("corpus", "reason").len().collect(engine="streaming").sort("corpus", "reason")
    reasons: dict[str, Counts] = {}
    for corpus, reason, count in table.iter_rows():
        reasons.setdefault(corpus, {})[reason] = count
    made = []
    for corpus in sorted({*received, *kept, *reasons}):
        lost = reasons.get(corpus, {})
        account = Account(corpus, stage, received.get(corpus, 0), kept.get(corpus, 0), lost)
        assert account.received == account.kept + sum(lost.values()), f"rows were lost: {account}"
        made.append(account)
    return made


def audio_accounts(stages: Iterable[Stage], received: Counts, drops: pl.LazyFrame) -> Iterator[Account]:
    """The accounts of the stages that run clip by clip, each receiving what the one before kept."""
    for stage in stages:
        here = drops.filter(pl.col("stage") == stage.name)
        gone = counted(here)
        kept = {corpus: count - gone.get(corpus, 0) for corpus, count in received.items()}
        yield from accounts(stage.name, received, kept, here)
        received = kept


def reasons(made: Iterable[Account]) -> str:
    """Why clips were dropped, most frequent first: `missing 51305, merged 5880`."""
    total: Counts = {}
    for account in made:
        if not account.stage.endswith(CAPTIONS):
            for reason, count in account.drops.items():
                total[reason] = total.get(reason, 0) + count
    return ", ".join(
        f"{reason} {count}" for reason, count in sorted(total.items(), key=lambda item: -item[1])
    )
