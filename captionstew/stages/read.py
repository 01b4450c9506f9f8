"""Read: the annotations of every corpus, as clips and captions."""

from dataclasses import dataclass

import polars as pl

from captionstew.corpora.facts import Corpus
from captionstew.corpora.find import shelf
from captionstew.corpora.ids import safe_id
from captionstew.corpora.read import Annotations, read
from captionstew.digest import digest
from captionstew.pipeline.stage import Context, Out, Tables, TableStage, dropped

RANK_BITS = 40  # of a rank: the row; above them the corpus' place in the recipe


@dataclass(frozen=True)
class Read(TableStage):
    """Annotation rows of all corpora, numbered in the recipe's order.

    Drops rows whose id is unsafe (`id`), and captions without text (`empty`).
    """

    splits: tuple[str, ...] = ()  # train, val, test; empty means all

    def upstream(self, context: Context) -> str:
        """Facts and annotation files of each corpus."""
        parts = []
        for corpus in context.corpora:
            found = shelf(corpus, context.places.get(corpus.name, ()), self.splits or None).files
            states = [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for file in found for p in file.paths]
            parts.append((corpus.name, corpus.fingerprint(), states))
        return digest(parts)

    def __call__(self, tables: Tables, context: Context) -> Out:
        """All rows; what came in is what the annotation files hold."""
        clips, captions = [], []
        for place, corpus in enumerate(context.corpora):
            found = self._annotations(corpus, context)
            rank = (pl.lit(place << RANK_BITS, pl.UInt64) + pl.col("row")).alias("rank")
            clips.append(found.clips.with_columns(rank).drop("row"))
            captions.append(found.captions.with_columns(rank).drop("row", "clip_id"))
        every, words = pl.concat(clips), pl.concat(captions).with_columns(pl.col("text").str.strip_chars())
        safe, filled = safe_id(pl.col("clip_id")), pl.col("text").str.len_bytes() > 0
        empty = words.filter(~filled).select("rank", clip_id=pl.lit(""), corpus="source")
        return Out(
            Tables(every.filter(safe), words.filter(filled)),
            dropped(every.filter(~safe), "id"),
            dropped(empty, "empty"),
            received=Tables(every, words),
        )

    def _annotations(self, corpus: Corpus, context: Context) -> Annotations:
        return read(corpus, context.places.get(corpus.name, ()), self.splits or None)
