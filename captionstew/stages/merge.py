"""Merge: one clip per key, with the captions of every corpus that describes it."""

from dataclasses import dataclass

import polars as pl

from captionstew.corpora.windows import SAME, alike, of_a_video
from captionstew.enrich.ontology import facts_digest
from captionstew.enrich.pooled import pooled
from captionstew.pipeline.stage import Context, Out, Tables, TableStage, dropped

KEY = [
    "rank",
    "origin",
    "place",
]  # of a caption: its clip, the annotation row that it comes from, its place there


@dataclass(frozen=True)
class Merge(TableStage):
    """Rows of one clip become one clip: the first corpus of the recipe keeps it, the others add their captions,
    events and tags (labels that mean the same class of AudioSet once).

    One clip is one id, or two windows of a video whose intersection is at least `same` of their union. A row whose
    start is not known (AudioSetCaps, WavCaps) joins the clip of the same video if there is exactly one. Other windows
    of a video stay clips of their own, with the same `source_id`. Row drops: `merged`; `other-length`: it begins
    where a clip of the same video does but ends elsewhere, by less than `same`, so that its captions are not that
    clip's and its id, which is the start, is taken. Caption drops: `duplicate` (the same text on the same clip).
    """

    version = 3

    same: float = SAME

    def upstream(self, context: Context) -> str:
        """The names of AudioSet's classes: they tell which labels are the same."""
        return facts_digest()

    def __call__(self, tables: Tables, context: Context) -> Out:
        """Pool by clip id; captions follow their row to the clip that keeps it."""
        keys = tables.clips.select("rank", "clip_id", "source_id", "start", "end")
        outranked = _outranked(keys.collect(engine="streaming"), self.same)
        moved = outranked.filter(pl.col("reason") == "merged").lazy()
        kept = _with_labels(tables.clips, tables.clips.join(outranked.lazy(), on="rank", how="anti"), moved)
        gone = tables.clips.join(outranked.lazy(), on="rank", how="inner")
        captions = (
            tables.captions.join(moved.select("rank", "owner"), on="rank", how="left")
            .with_columns(pl.coalesce("owner", "rank").alias("rank"), origin="rank")
            .drop("owner")
        )
        again = repeated(captions)
        twice = captions.join(again, on=KEY, how="semi").select("rank", clip_id=pl.lit(""), corpus="source")
        return Out(
            Tables(kept, captions.join(again, on=KEY, how="anti")),
            dropped(gone, pl.col("reason"), pl.col("into")),
            dropped(twice, "duplicate"),
        )


def _with_labels(clips: pl.LazyFrame, kept: pl.LazyFrame, moved: pl.LazyFrame) -> pl.LazyFrame:
    """The clips that stay, with the events and tags of the rows that merged into them; the others as they are."""
    labelled = (pl.col("events").list.len() > 0) | (pl.col("tags").list.len() > 0)
    rows = clips.select("rank", "corpus", "events", "tags").filter(labelled)
    given = rows.join(moved.select("rank", "owner"), on="rank").collect(engine="streaming")
    if given.is_empty():
        return kept
    owners = given.select(rank="owner").unique().lazy()
    own = rows.join(owners, on="rank", how="semi").with_columns(owner="rank").collect(engine="streaming")
    names = kept.collect_schema().names()
    found = kept.join(pooled(own, given).lazy(), on="rank", how="left", maintain_order="left")
    new = [pl.coalesce(f"{name} of all", name).alias(name) for name in ("events", "tags")]
    return found.with_columns(new).select(names)


def _outranked(keys: pl.DataFrame, same: float) -> pl.DataFrame:
    """The rows that another row of their clip outranks: rank, the owner's rank, its clip id, and the reason."""
    keys = keys.with_columns(known=pl.col("start").is_not_null(), own_id="clip_id")
    renamed = _renamed(keys, same)
    if len(renamed):
        keys = keys.join(renamed, on="rank", how="left").with_columns(
            pl.coalesce("known_id", "clip_id").alias("clip_id")
        )
    shared = keys.filter(pl.col("clip_id").is_duplicated())
    rank = pl.col("rank")  # the clip whose start is known keeps its id, whatever its rank
    owners = shared.group_by("clip_id").agg(owner=pl.coalesce(rank.filter("known").min(), rank.min()))
    ends = shared.select(owner="rank", owner_id="own_id", owner_end="end")
    rows = shared.join(owners, on="clip_id").filter(rank != pl.col("owner")).join(ends, on="owner")
    length, owner_length = pl.col("end") - pl.col("start"), pl.col("owner_end") - pl.col("start")
    differs = pl.min_horizontal(length, owner_length) < same * pl.max_horizontal(length, owner_length)
    known = pl.all_horizontal(pl.col("start", "end", "owner_end").is_not_null())
    other = (pl.col("own_id") == pl.col("owner_id")) & known & differs
    reason = pl.when(other & of_a_video(pl.col("own_id"), pl.col("source_id"))).then(pl.lit("other-length"))
    return rows.select("rank", "owner", into="clip_id", reason=reason.otherwise(pl.lit("merged")))


def _renamed(keys: pl.DataFrame, same: float) -> pl.DataFrame:
    """Rows that belong to a clip with another id: rank, and that id.

    They are windows that agree with an earlier one, and rows without a start whose video has exactly one clip with
    one. A Freesound upload without a start is not meant: it is the whole recording, or another excerpt (ESC-50).
    """
    twins = alike(keys, same)
    near = keys.select("rank", "clip_id").join(twins, on="clip_id").select("rank", known_id="into")
    own = of_a_video(pl.col("clip_id"), pl.col("source_id"))
    unknown = keys.filter(~pl.col("known") & own).select("rank", "source_id")
    if not len(unknown):
        return near
    ids = keys.filter(pl.col("known") & own).join(twins, on="clip_id", how="anti")
    ids = ids.select("source_id", known_id="clip_id").unique()
    single = ids.filter(pl.col("source_id").is_duplicated().not_())
    return pl.concat([near, unknown.join(single, on="source_id").select("rank", "known_id")])


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
