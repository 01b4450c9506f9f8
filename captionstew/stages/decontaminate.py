"""Decontaminate: no clip of an evaluation set stays in a training set."""

from dataclasses import dataclass

import polars as pl

from captionstew.corpora.facts import corpus
from captionstew.corpora.overlap import blocked, evaluation_keys, list_name, overlapping
from captionstew.digest import digest
from captionstew.pipeline.stage import DROPS, Context, Out, Tables, TableStage


@dataclass(frozen=True)
class Decontaminate(TableStage):
    """Drop clips that are, or overlap, a clip of an evaluation split.

    By key: the same YouTube video at an overlapping time, or the same Freesound upload. `against` names corpora;
    their evaluation splits count. `blocklists` names published lists that are honoured too, as `corpus:list`.
    Reasons: `evaluation` (the clip's own split is one), `contaminated`, `blocklist`. With `keep_evaluation` the
    evaluation splits themselves stay, as val and test of the result; the stage then belongs before Merge, which
    would add training captions to them.
    """

    against: tuple[str, ...] = ()
    blocklists: tuple[str, ...] = ()
    keep_evaluation: bool = False

    def needs(self) -> tuple[str, ...]:
        """The corpora that clips are compared with."""
        return tuple(dict.fromkeys([*self.against, *(list_name(text)[0] for text in self.blocklists)]))

    def upstream(self, context: Context) -> str:
        """The keys themselves: they may come from files that no other stage reads."""
        keys = self._keys(context)
        return digest([(name, kind, rows.hash_rows(seed=0).sort().to_list()) for name, kind, rows in keys])

    def __call__(self, tables: Tables, context: Context) -> Out:
        """Compare narrow key columns only; the first reason found counts."""
        keys = tables.clips.select("rank", "clip_id", "source_id", "corpus", "split", "start", "end")
        rows = keys.collect(engine="streaming")
        own = self._own(rows, context)
        found = [own.clear() if self.keep_evaluation else own]
        if self.keep_evaluation:
            rows = rows.join(own, on="rank", how="anti")
        for name, kind, listed in self._keys(context):
            hit = overlapping(rows.lazy(), listed.lazy()).collect()
            found.append(hit.select("rank", "clip_id", "corpus", reason=pl.lit(kind), detail=pl.lit(name)))
        drops = pl.concat(found).unique("rank", keep="first", maintain_order=True).cast(DROPS)  # type: ignore[arg-type]
        return Out(
            Tables(tables.clips.join(drops.lazy(), on="rank", how="anti"), tables.captions), drops.lazy()
        )

    def _own(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        evaluation = [
            (c.name, split)
            for c in context.corpora
            if c.name in self.against
            for split in c.splits.evaluation
        ]
        pairs = pl.DataFrame(evaluation, schema={"corpus": pl.String, "split": pl.String}, orient="row")
        own = rows.join(pairs, on=["corpus", "split"], how="semi")
        return own.select("rank", "clip_id", "corpus", reason=pl.lit("evaluation"), detail=pl.col("split"))

    def _keys(self, context: Context) -> list[tuple[str, str, pl.DataFrame]]:
        """(corpus, reason, keys) of every set; CorpusError where its files are not at hand."""
        places = context.places
        sets = [
            (n, "contaminated", evaluation_keys(corpus(n), places.get(n, ())).collect()) for n in self.against
        ]
        for text in self.blocklists:
            name, lists = list_name(text)
            sets.append((text, "blocklist", blocked(corpus(name), places.get(name, ()), lists).collect()))
        return sets
