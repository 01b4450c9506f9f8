"""From the tables of a build to items: the clips in portions, each with its original captions."""

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from captionstew.enrich.item import Item
from captionstew.enrich.thresholds import Thresholds
from captionstew.pipeline.stage import Tables

GENERATED = "llm"  # the source of captions that enrichment wrote
ROWS = ("rank", "clip_id", "corpus", "domain", "events", "tags", "transcript", "originals")
_TIMELINE = "timeline"  # a column that Events leaves where it is asked to


def portions(tables: Tables, count: int, split: str = "train") -> Iterator[pl.DataFrame]:
    """The clips of a split by rank, `count` at a time: only their ranks are held for all of them.

    Columns `ROWS`, and `timeline` where the clips have it.
    """
    ranks = (
        tables.clips.filter(pl.col("split") == split)
        .select("rank")
        .collect(engine="streaming")["rank"]
        .sort()
    )
    for first in range(0, len(ranks), count):
        part = ranks.slice(first, count)
        inside = pl.col("rank").is_between(part[0], part[-1])
        yield rows_of(
            tables.clips.filter(inside & (pl.col("split") == split)), tables.captions.filter(inside)
        )


def rows_of(clips: pl.LazyFrame, captions: pl.LazyFrame) -> pl.DataFrame:
    """Clips with their originals, human ones first, then in the order of a shard."""
    order = [pl.col("rank"), pl.col("style") != "human", pl.col("origin"), pl.col("place")]
    originals = captions.filter(pl.col("source") != GENERATED).sort(order)
    texts = originals.group_by("rank", maintain_order=True).agg(originals=pl.col("text"))
    names = [name for name in ROWS if name != "originals"]
    names += [_TIMELINE] if _TIMELINE in clips.collect_schema() else []
    found = clips.select(names).join(texts, on="rank", how="left")
    return found.sort("rank").collect()


def items(rows: pl.DataFrame, thresholds: Thresholds) -> Iterator[Item]:
    """An item for each of these rows."""
    return (item(row, thresholds) for row in rows.iter_rows(named=True))


def item(row: Mapping[str, Any], thresholds: Thresholds) -> Item:
    """One clip as enrichment sees it."""
    tiers = thresholds.tiers((event["label"], event["score"]) for event in row["events"] or ())
    captions, tags = tuple(row["originals"] or ()), tuple(row["tags"] or ())
    order = tuple(one["label"] for one in row.get(_TIMELINE) or ())
    known = (tiers.certain, tiers.possible, tags, row["domain"], row["transcript"])
    return Item(row["clip_id"], captions, *known, order)
