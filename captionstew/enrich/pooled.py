"""Labels of several rows about one clip, as one: each class of AudioSet once, whatever a corpus calls it."""

import polars as pl

from captionstew.enrich.ontology import ontology


def pooled(own: pl.DataFrame, given: pl.DataFrame) -> pl.DataFrame:
    """By clip (`rank`) the `events of all` and `tags of all`: those of the row that keeps it, then the others' by rank.

    Both tables have rank, owner, corpus, events, tags. An event has the highest score that a row gives it, and the
    name that the first row gives it; names of other rows are AudioSet's where they have one.
    """
    rows = pl.concat([one.select("rank", "owner", "corpus", "events", "tags") for one in (own, given)])
    rows = rows.sort("owner", pl.col("rank") != pl.col("owner"), "rank")
    owners = rows.select(rank="owner").unique(maintain_order=True)
    tags = rows.select("owner", "tags").explode("tags").drop_nulls().unique(maintain_order=True)
    every = tags.group_by("owner", maintain_order=True).agg(pl.col("tags").alias("tags of all"))
    found = owners.join(_events(rows), left_on="rank", right_on="owner", how="left", maintain_order="left")
    return found.join(every, left_on="rank", right_on="owner", how="left", maintain_order="left")


def _events(rows: pl.DataFrame) -> pl.DataFrame:
    """`owner` and `events of all`."""
    each = rows.select("rank", "owner", "corpus", "events").explode("events").drop_nulls("events")
    each = _named(each.unnest("events"))
    kept = each.group_by("owner", "canonical", maintain_order=True).agg(
        pl.first("label"), pl.max("score"), mine=(pl.col("rank") == pl.col("owner")).any()
    )
    label = pl.when("mine").then("label").otherwise("canonical").alias("label")
    event = pl.struct(label, "score").alias("events of all")
    return kept.group_by("owner", maintain_order=True).agg(event)


def _named(each: pl.DataFrame) -> pl.DataFrame:
    """With the class of AudioSet that a label of its corpus means, or the label, as `canonical`."""
    pairs, known = each.select("corpus", "label").unique(maintain_order=True), ontology()
    names = [known.canonical(label, corpus) for corpus, label in pairs.iter_rows()]
    canonical = pl.Series("canonical", names, dtype=pl.String)
    return each.join(pairs.with_columns(canonical), on=["corpus", "label"], maintain_order="left")
