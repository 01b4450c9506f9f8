"""Dedupe: one clip per sound, by its samples and by its fingerprint."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from captionstew.audio.fingerprint import SILENT, Words, same_sound
from captionstew.pipeline.stage import DROPS, Context, Out, Tables, TableStage


@dataclass(frozen=True)
class Dedupe(TableStage):
    """Of clips with the same sound keep the one that ranks first (the recipe's order of corpora).

    Drops: `duplicate` (the same PCM), `near-duplicate` (the same recording in another encoding, at another level or
    cut elsewhere). The detail names the clip that is kept. Windows of one recording are never near-duplicates.
    """

    near: bool = True
    most_common: int = 50  # clips that may share a fingerprint word before it counts as saying nothing

    def __call__(self, tables: Tables, context: Context) -> Out:
        """Exact first; fingerprints are compared only between clips that share a word."""
        assert context.audio is not None, "Dedupe needs the audio stages before it"
        clips = tables.clips.select("rank", "clip_id", "corpus", "source_id")
        rows = (
            clips.join(context.audio.select("clip_id", "audio_sha256"), on="clip_id").collect().sort("rank")
        )
        first = rows.group_by("audio_sha256").agg(
            owner=pl.col("clip_id").first(), keeper=pl.col("rank").min()
        )
        exact = rows.join(first, on="audio_sha256").filter(pl.col("rank") != pl.col("keeper"))
        drops = [exact.select("rank", "clip_id", "corpus", reason=pl.lit("duplicate"), detail="owner")]
        if self.near:
            drops.append(self._near(rows.join(exact, on="rank", how="anti"), context.audio))
        table = pl.concat(drops).cast(DROPS).lazy()  # type: ignore[arg-type]
        return Out(Tables(tables.clips.join(table, on="rank", how="anti"), tables.captions), table)

    def _near(self, rows: pl.DataFrame, audio: pl.LazyFrame) -> pl.DataFrame:
        words = (
            audio.join(rows.lazy().select("rank", "clip_id"), on="clip_id")
            .select("rank", "fingerprint")
            .collect()
        )
        prints = {rank: np.frombuffer(data, "<u4") for rank, data in words.iter_rows()}
        source = dict(rows.select("rank", "source_id").iter_rows())
        gone: dict[int, int] = {}
        for earlier, later in self._suspects(prints):
            keeper = gone.get(earlier, earlier)
            if later in gone or source[later] in {source[earlier], source[keeper]}:
                continue
            if same_sound(prints[earlier], prints[later]):
                gone[later] = keeper
        pairs = pl.DataFrame(
            list(gone.items()), schema={"rank": pl.UInt64, "keeper": pl.UInt64}, orient="row"
        )
        named = rows.join(pairs, on="rank").join(rows.select(keeper="rank", detail="clip_id"), on="keeper")
        return named.select("rank", "clip_id", "corpus", reason=pl.lit("near-duplicate"), detail="detail")

    def _suspects(self, prints: dict[int, Words]) -> list[tuple[int, int]]:
        """Pairs of ranks, lower first, that share a word which few clips have; in order."""
        ranks = np.concatenate(
            [np.full(len(w), r, np.uint64) for r, w in prints.items()] or [np.empty(0, np.uint64)]
        )
        words = np.concatenate([*prints.values(), np.empty(0, np.uint32)])
        table = (
            pl.DataFrame({"rank": ranks, "word": words.astype(np.uint32)})
            .filter(pl.col("word") != SILENT)
            .unique()
        )
        shared = table.filter(pl.col("word").is_duplicated() & (pl.len().over("word") <= self.most_common))
        pairs = shared.join(shared, on="word").filter(pl.col("rank") < pl.col("rank_right"))
        return list(pairs.select("rank", "rank_right").unique().sort("rank", "rank_right").iter_rows())
