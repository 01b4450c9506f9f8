"""Quality: no clip that is silent, clipped through or off centre."""

from dataclasses import dataclass

import polars as pl

from captionstew.pipeline.stage import Context, Out, Tables, TableStage, dropped


@dataclass(frozen=True)
class Quality(TableStage):
    """Judge clips by their measures, so that a changed threshold decodes nothing again.

    Drops: `silent`, `clipped`, `dc` (samples off centre), `narrow` (effective bandwidth).
    """

    most_silence: float = 0.98  # share of 64 ms frames below -60 dBFS
    most_clipping: float = 0.25  # share of samples at full scale
    most_dc: float = 0.25  # of full scale
    least_bandwidth: float = 0.0  # Hz

    def __call__(self, tables: Tables, context: Context) -> Out:
        """The first reason that applies counts."""
        assert context.audio is not None, "Quality needs the audio stages before it"
        reason = (
            pl.when(pl.col("silence") > self.most_silence).then(pl.lit("silent"))
            .when(pl.col("clipping") > self.most_clipping).then(pl.lit("clipped"))
            .when(pl.col("dc_offset").abs() > self.most_dc).then(pl.lit("dc"))
            .when(pl.col("bandwidth") < self.least_bandwidth).then(pl.lit("narrow"))
        )  # fmt: skip
        bad = context.audio.select("clip_id", why=reason).filter(pl.col("why").is_not_null())
        rows = tables.clips.select("rank", "clip_id", "corpus").join(bad, on="clip_id", how="inner")
        return Out(
            Tables(tables.clips.join(bad, on="clip_id", how="anti"), tables.captions),
            dropped(rows, pl.col("why")),
        )
