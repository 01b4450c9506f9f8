"""Read: the annotations of every corpus, as clips and captions."""

from dataclasses import dataclass

import polars as pl

from captionstew.corpora.facts import Corpus
from captionstew.corpora.find import Shelf, shelf
from captionstew.corpora.ids import safe_id
from captionstew.corpora.read import Annotations, read
from captionstew.digest import digest
from captionstew.pipeline.stage import Context, Out, Tables, TableStage, dropped

RANK_BITS = 40  # of a rank: the row; above them the corpus' place in the recipe


@dataclass(frozen=True)
class Read(TableStage):
    """Annotation rows of all corpora, numbered in the recipe's order.

    Drops rows that the corpus' reader refuses (for its reason), rows whose id is unsafe (`id`), captions without
    text (`empty`), and rows that had no other (`no-caption`).
    """

    splits: tuple[str, ...] = ()  # train, val, test; empty means all

    def upstream(self, context: Context) -> str:
        """Facts and annotation files of each corpus."""
        return digest([(c.name, c.fingerprint(), _state(self._shelf(c, context))) for c in context.corpora])

    def __call__(self, tables: Tables, context: Context) -> Out:
        """All rows; what came in is what the annotation files hold."""
        clips, captions = [], []
        for place, corpus in enumerate(context.corpora):
            found = self._annotations(corpus, context)
            rank = (pl.lit(place << RANK_BITS, pl.UInt64) + pl.col("row")).alias("rank")
            clips.append(found.clips.with_columns(rank).drop("row"))
            captions.append(found.captions.with_columns(rank, rank.alias("origin")).drop("row", "clip_id"))
        every, words = pl.concat(clips), pl.concat(captions).with_columns(pl.col("text").str.strip_chars())
        filled = pl.col("text").str.len_bytes() > 0
        empty = words.filter(~filled)
        bare = empty.select("rank").join(words.filter(filled), on="rank", how="anti").unique()
        usable = every.filter(pl.col("refused").is_null())
        safe, told = usable.filter(safe_id(pl.col("clip_id"))), bare.collect(engine="streaming").lazy()
        drops = [
            dropped(every.filter(pl.col("refused").is_not_null()), *_refusal(pl.col("refused"))),
            dropped(usable.filter(~safe_id(pl.col("clip_id"))), "id"),
            dropped(safe.join(told, on="rank", how="semi"), "no-caption"),
        ]
        return Out(
            Tables(safe.join(told, on="rank", how="anti").drop("refused"), words.filter(filled)),
            pl.concat(drops),
            dropped(empty.select("rank", clip_id=pl.lit(""), corpus="source"), "empty"),
            received=Tables(every, words),
        )

    def _shelf(self, corpus: Corpus, context: Context) -> Shelf:
        return shelf(corpus, context.places.get(corpus.name, ()), self.splits or None)

    def _annotations(self, corpus: Corpus, context: Context) -> Annotations:
        return read(corpus, context.places.get(corpus.name, ()), self.splits or None)


def _refusal(text: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """The reason and the detail of a refusal, which a reader writes as `reason` or `reason: detail`."""
    return text.str.extract("^([^:]+)", 1), text.str.extract(r"^[^:]+: ([\s\S]*)$", 1).fill_null("")


def _state(shelved: Shelf) -> list[tuple[str, int, int]]:
    """Names, sizes and times of the annotation files; of every file in the folders where those stand for them."""
    paths = [(path.name, path) for found in shelved.files for path in found.paths]
    if any(not found.paths and not found.file.state for found in shelved.annotations()):
        below = [
            (place, path) for place in shelved.places for path in sorted(place.rglob("*")) if path.is_file()
        ]
        paths += [(path.relative_to(place).as_posix(), path) for place, path in below]
    return [(name, path.stat().st_size, path.stat().st_mtime_ns) for name, path in paths]
