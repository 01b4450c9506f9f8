"""Locate: find each clip's audio among the files at hand."""

from dataclasses import dataclass

import polars as pl

from captionstew.audio.files import audio_files, stem
from captionstew.corpora.facts import Corpus
from captionstew.corpora.names import names
from captionstew.digest import digest
from captionstew.pipeline.stage import DROPS, Context, Out, Tables, TableStage

_FOUND = ["rank", "root", "path", "offset", "length", "modified"]


@dataclass(frozen=True)
class Locate(TableStage):
    """Give each clip the file that holds its audio, by the corpus' own file names.

    An exact relative path wins, then the bare name in any folder. Drops: `missing` (no such file), `ambiguous` (two
    folders hold that name), `limit` (beyond the number of clips asked for, in the order of clip ids).
    """

    def upstream(self, context: Context) -> str:
        """The listing of all folders: files may come and go between runs."""
        listings = [(c.name, *_listing(c, context).hash_rows(seed=0).to_list()) for c in context.corpora]
        return digest(listings, context.limit)

    def __call__(self, tables: Tables, context: Context) -> Out:
        """Corpus by corpus, since each has its own names and folders."""
        clips, drops = [], []
        for corpus in context.corpora:
            rows = tables.clips.filter(pl.col("corpus") == corpus.name)
            found, lost = _locate(rows, corpus, context)
            clips.append(rows.join(found.lazy(), on="rank", how="inner"))
            drops.append(lost)
        return Out(Tables(pl.concat(clips), tables.captions), pl.concat(drops).lazy())


def _locate(rows: pl.LazyFrame, corpus: Corpus, context: Context) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Where the rows of one corpus lie (rank and file), and the rows that lie nowhere, as drops."""
    wanted = rows.select("rank", "clip_id", "corpus", name=names(corpus)).collect(engine="streaming")
    choices = wanted.with_columns(choice=pl.int_ranges(pl.col("name").list.len())).explode("name", "choice")
    choices = choices.filter(pl.col("name").is_not_null()).with_columns(stem=stem(pl.col("name")))
    exact, by_stem, unclear = _indexes(_listing(corpus, context))
    hits = [choices.join(exact, on="name").select(*_FOUND, "choice", way=pl.lit(0)),
            choices.join(by_stem, on="stem").select(*_FOUND, "choice", way=pl.lit(1))]  # fmt: skip
    found = pl.concat(hits).sort("rank", "choice", "way").unique("rank", keep="first", maintain_order=True)
    lost = wanted.join(found, on="rank", how="anti")
    doubtful = choices.join(unclear, on="stem", how="semi").select("rank").unique()
    ambiguous, missing = (
        lost.join(doubtful, on="rank", how="semi"),
        lost.join(doubtful, on="rank", how="anti"),
    )
    here = wanted.join(found, on="rank", how="semi").sort("clip_id", "rank")
    beyond = here.clear() if context.limit is None else here.slice(context.limit)
    reasons = [(missing, "missing"), (ambiguous, "ambiguous"), (beyond, "limit")]
    first = pl.col("name").list.first()
    drops = [r.select("rank", "clip_id", "corpus", reason=pl.lit(why), detail=first) for r, why in reasons]
    return found.select(_FOUND).join(beyond, on="rank", how="anti"), pl.concat(drops).cast(DROPS)  # type: ignore[arg-type]


def _indexes(files: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Files by relative path, by bare name, and the bare names that files in several folders have."""
    folder = pl.struct("root", pl.col("name").str.replace(r"[^/]*$", ""))
    keyed = files.with_columns(stem=stem(pl.col("name")), folder=folder)
    unclear = (
        keyed.group_by("stem").agg(pl.col("folder").n_unique()).filter(pl.col("folder") > 1).select("stem")
    )
    single = keyed.join(unclear, on="stem", how="anti").unique("stem", keep="first", maintain_order=True)
    exact = files.unique("name", keep="first", maintain_order=True)
    return exact.select("name", *_FOUND[1:]), single.select("stem", *_FOUND[1:]), unclear


def _listing(corpus: Corpus, context: Context) -> pl.DataFrame:
    return audio_files(context.places.get(corpus.name, ()))
