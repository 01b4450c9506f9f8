"""Limit: at most so many clips of each corpus, for trying things out where no audio is looked for."""

from dataclasses import dataclass

import polars as pl

from captionstew.pipeline.stage import Context, Out, Tables, TableStage, dropped


@dataclass(frozen=True)
class Limit(TableStage):
    """Keep the first clips of each corpus, in the order of their ids, as many as were asked for; drops: `limit`.

    Stands for Locate where captions are made without audio: there it is Locate that counts, among clips that are here.
    """

    def upstream(self, context: Context) -> str:
        """How many were asked for."""
        return str(context.limit)

    def __call__(self, tables: Tables, context: Context) -> Out:
        """All of them, if no number was."""
        if context.limit is None:
            return Out(tables)
        narrow = (
            tables.clips.select("rank", "clip_id", "corpus")
            .collect(engine="streaming")
            .sort("clip_id", "rank")
        )
        place = pl.int_range(pl.len()).over("corpus")
        beyond = narrow.filter(place >= context.limit).lazy()
        kept = tables.clips.join(beyond, on="rank", how="anti")
        return Out(Tables(kept, tables.captions), dropped(beyond, "limit"))
