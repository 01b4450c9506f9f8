"""Clean: captions that say what is heard, and nothing else."""

from dataclasses import dataclass

import polars as pl

from captionstew.pipeline.stage import Context, Out, Tables, TableStage, dropped
from captionstew.stages.merge import KEY, repeated
from captionstew.text.clean import cleaned, leaks, refuses, words


@dataclass(frozen=True)
class Clean(TableStage):
    """Clean each caption, and drop those that are not captions; a clip that loses its last one goes with it.

    Caption drops: `refusal`, `residue` (of a prompt), `short`, `long`, `duplicate` (after cleaning). Clip drops:
    `no-caption`. Clips of label-only corpora never had one and stay. Comes after the audio stages, so that editing a
    rule decodes nothing again.
    """

    fewest_words: int = 1
    most_words: int = 300  # FusionAudio and UTS hold captions of over 300 words (prompt loops)

    def __call__(self, tables: Tables, context: Context) -> Out:
        """Rules in order; the first that applies counts."""
        text = tables.captions.with_columns(cleaned(pl.col("text")).alias("text")).with_columns(
            num=words(pl.col("text"))
        )
        reason = (
            pl.when(refuses(pl.col("text")) & (pl.col("style") != "human")).then(pl.lit("refusal"))
            .when(leaks(pl.col("text")) & (pl.col("style") != "human")).then(pl.lit("residue"))
            .when(pl.col("num") < self.fewest_words).then(pl.lit("short"))
            .when(pl.col("num") > self.most_words).then(pl.lit("long"))
        )  # fmt: skip
        judged = text.with_columns(why=reason)
        again = repeated(judged.filter(pl.col("why").is_null())).with_columns(again=pl.lit("duplicate"))
        judged = (
            judged.join(again, on=KEY, how="left")
            .with_columns(pl.coalesce("why", "again").alias("why"))
            .drop("again")
        )
        kept = judged.filter(pl.col("why").is_null()).drop("why", "num")
        bad = judged.filter(pl.col("why").is_not_null()).with_columns(clip_id=pl.lit(""), corpus="source")
        had = tables.captions.select("rank").unique()
        bare = had.join(kept.select("rank").unique(), on="rank", how="anti")
        clips = tables.clips.join(bare, on="rank", how="anti")
        lost = tables.clips.join(bare, on="rank", how="semi")
        return Out(
            Tables(clips, kept), dropped(lost, "no-caption"), dropped(bad, pl.col("why"), pl.col("text"))
        )
