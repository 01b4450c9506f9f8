"""Merge: one clip per key, with the captions of every corpus that describes it."""

from dataclasses import dataclass

import polars as pl

from captionstew.corpora.overlap import timed
from captionstew.pipeline.stage import Context, Out, Tables, TableStage, dropped

KEY = [
    "rank",
    "origin",
    "place",
]  # of a caption: its clip, the annotation row that it comes from, its place there


@dataclass(frozen=True)
class Merge(TableStage):
    """Rows of one clip become one clip: the first corpus of the recipe keeps it, the others add their captions.

    A row whose start is not known (AudioSetCaps, WavCaps) joins the clip of the same video if there is exactly one.
    Row drops: `merged`. Caption drops: `duplicate` (the same text on the same clip).
    """

    def __call__(self, tables: Tables, context: Context) -> Out:
        """Pool by clip id; captions follow their row to the clip that keeps it."""
        keys = tables.clips.select(
            "rank", "clip_id", "source_id", "corpus", known=pl.col("start").is_not_null()
        )
        owners = _owners(keys.collect(engine="streaming"))
        moved = owners.lazy()
        kept = tables.clips.join(moved, on="rank", how="anti")
        merged = tables.clips.join(moved, on="rank", how="inner")
        captions = (
            tables.captions.join(moved.select("rank", "owner"), on="rank", how="left")
            .with_columns(pl.coalesce("owner", "rank").alias("rank"), origin="rank")
            .drop("owner")
        )
        again = repeated(captions)
        twice = captions.join(again, on=KEY, how="semi").select("rank", clip_id=pl.lit(""), corpus="source")
        return Out(
            Tables(kept, captions.join(again, on=KEY, how="anti")),
            dropped(merged, "merged", pl.col("into")),
            dropped(twice, "duplicate"),
        )


def _owners(keys: pl.DataFrame) -> pl.DataFrame:
    """The rows that another row of their clip outranks: rank, the owner's rank, and the owner's clip id."""
    adopted = _adopted(keys)
    if len(adopted):
        keys = keys.join(adopted, on="rank", how="left").with_columns(
            pl.coalesce("known_id", "clip_id").alias("clip_id")
        )
    shared = keys.filter(pl.col("clip_id").is_duplicated()).select("rank", "clip_id")
    owners = shared.group_by("clip_id").agg(owner=pl.col("rank").min())
    if len(adopted):  # the clip whose start is known keeps its id, whatever its rank
        known = (
            keys.filter(pl.col("known"))
            .select("rank", "clip_id")
            .group_by("clip_id")
            .agg(pl.col("rank").min())
        )
        with_start = known.join(shared.select("clip_id").unique(), on="clip_id").rename(
            {"rank": "known_owner"}
        )
        owners = owners.join(with_start, on="clip_id", how="left").select(
            "clip_id", owner=pl.coalesce("known_owner", "owner")
        )
    outranked = shared.join(owners, on="clip_id").filter(pl.col("rank") != pl.col("owner"))
    return outranked.select("rank", "owner", into="clip_id")


def _adopted(keys: pl.DataFrame) -> pl.DataFrame:
    """Rows without a start whose video has exactly one clip with one: rank, and that clip's id.

    A Freesound upload without a start is not meant: it is the whole recording, or another excerpt (ESC-50).
    """
    unknown = keys.filter(~pl.col("known") & timed(pl.col("source_id")))
    if not len(unknown):
        return pl.DataFrame(schema={"rank": pl.UInt64, "known_id": pl.String})
    ids = keys.filter(pl.col("known")).select("source_id", known_id="clip_id").unique()
    single = ids.filter(pl.col("source_id").is_duplicated().not_())
    return unknown.select("rank", "source_id").join(single, on="source_id").select("rank", "known_id")


def repeated(captions: pl.LazyFrame) -> pl.LazyFrame:
    """Captions that repeat another of their clip letter by letter, all but the best: rank, origin, place.

    A human caption is better than a generated one, then the earlier corpus counts.
    """
    narrow = captions.select(*KEY, key=pl.struct("rank", "text").hash()).collect(engine="streaming")
    suspects = narrow.filter(pl.col("key").is_duplicated()).lazy()
    rows = captions.join(suspects.select(KEY), on=KEY, how="semi").with_columns(
        machine=pl.col("style") != "human"
    )
    ordered = rows.select(*KEY, "text", "machine").collect().sort("machine", "rank", "origin", "place")
    return ordered.filter(~pl.struct("rank", "text").is_first_distinct()).lazy().select(KEY)
