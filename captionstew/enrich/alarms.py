"""Alarms: faults that no single caption shows, over a table of many answers (`source`, `text`, in the order asked)."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from captionstew.enrich.lexicon import lists
from captionstew.enrich.reading import words


@dataclass(frozen=True)
class Alarm:
    """One fault of a batch: `same-answer`, `row-shift` or `opener`, how large it is, and what it is about."""

    kind: str
    rows: int
    share: float
    detail: str


def alarms(
    table: pl.DataFrame, *, most_sources: int = 20, most_opener: float = 0.2, window: int = 64
) -> tuple[Alarm, ...]:
    """All alarms of a table with the columns `source` (what the prompt was made of) and `text`."""
    return (*same_answers(table, most_sources), *openers(table, most_opener), *row_shifts(table, window))


def same_answers(table: pl.DataFrame, most_sources: int) -> tuple[Alarm, ...]:
    """Texts that answer more than so many different sources (LVD-2M had one caption 4,000 times)."""
    plain = pl.col("text").str.to_lowercase().str.strip_chars(" .!?")
    found = table.group_by(plain.alias("said")).agg(rows=pl.len(), sources=pl.col("source").n_unique())
    worst = found.filter(pl.col("sources") > most_sources).sort(["sources", "said"], descending=[True, False])
    return tuple(
        Alarm("same-answer", row["rows"], row["rows"] / len(table), row["said"])
        for row in worst.iter_rows(named=True)
    )


def openers(table: pl.DataFrame, most: float, fewest_rows: int = 100) -> tuple[Alarm, ...]:
    """The three words that more than this share of the texts begin with (Auto-ACD and LP-MusicCaps: a third)."""
    if len(table) < fewest_rows:
        return ()
    first = pl.col("text").str.to_lowercase().str.extract_all(r"[\p{L}\p{N}']+").list.head(3).list.join(" ")
    found = table.select(first.alias("opener"))["opener"].value_counts(sort=True)
    opener, rows = found.sort(["count", "opener"], descending=[True, False]).row(0)
    share = rows / len(table)
    return (Alarm("opener", rows, share, opener),) if share > most else ()


def row_shifts(table: pl.DataFrame, window: int) -> tuple[Alarm, ...]:
    """Windows whose texts fit the source of the row before or after better than their own; neighbours count once."""
    said = [_content(text) for text in table["text"]]
    sources = [_content(text) for text in table["source"]]
    found: list[Alarm] = []
    for begin in range(0, len(said) - window + 1, window):
        rows = range(begin, begin + window)
        fits = {shift: _fit(said, sources, rows, shift) for shift in (0, -1, 1)}
        best = max(fits, key=lambda shift: (fits[shift], shift == 0))
        if best and fits[best] > 2 * fits[0]:
            detail = f"rows {begin} to {begin + window}: texts fit {'the next' if best > 0 else 'the previous'} source"
            found.append(Alarm("row-shift", window, fits[best], detail))
    return tuple(found)


def _content(text: str) -> frozenset[str]:
    return frozenset(words(text)) - lists()["small"]


def _fit(said: Sequence[frozenset[str]], sources: Sequence[frozenset[str]], rows: range, shift: int) -> float:
    """The mean share of the texts' words that the source so many rows on has."""
    pairs = [
        (said[row], sources[row + shift]) for row in rows if 0 <= row + shift < len(sources) and said[row]
    ]
    return sum(len(text & source) / len(text) for text, source in pairs) / max(1, len(pairs))
