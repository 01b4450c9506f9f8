"""Locate: find each clip's audio among the files at hand."""

import hashlib
from dataclasses import dataclass

import polars as pl

from captionstew.audio.files import audio_files, bare, stem
from captionstew.corpora.facts import Corpus
from captionstew.corpora.names import names, recordings
from captionstew.digest import digest
from captionstew.pipeline.stage import DROPS, Context, Out, Tables, TableStage

_FILE = ["root", "path", "offset", "length", "modified"]
_HIT = ["rank", "choice", "cut", "file"]  # a file, by its row, that one of a clip's names may mean
# Keys of a name, without audio suffix: its last part, its last two, and its last part where nothing is above it.
_LAST = stem(pl.col("name"))
_LAST_TWO = bare(pl.col("name")).str.extract("([^/]*/[^/]*)$")
_TOP = pl.format("/{}", _LAST)


@dataclass(frozen=True)
class Locate(TableStage):
    """Give each clip the file that holds its audio, by the corpus' own file names.

    An exact relative path wins, then a file of that name in any folder and any format. Where the name has folders of
    its own, the file's must agree with them as far as both go: `cat/1.wav` is not `dog/1.wav`. A clip that has no file
    of its own is cut from its whole recording, where the facts name that. Drops: `missing` (no
    such file), `ambiguous` (two folders or archives hold that name, or two names would take one file), `limit`
    (beyond the number of clips asked for, in the order of clip ids).
    """

    def upstream(self, context: Context) -> str:
        """The listing of all folders: files may come and go between runs."""
        listings = [(c.name, _sum(_listing(c, context))) for c in context.corpora]
        return digest(listings, context.limit)

    def __call__(self, tables: Tables, context: Context) -> Out:
        """Corpus by corpus, since each has its own names and folders."""
        clips, drops = [], []
        for corpus in context.corpora:
            rows = tables.clips.filter(pl.col("corpus") == corpus.name)
            found, lost = _locate(rows, corpus, context)
            whole = pl.col("whole") | pl.col("cut")
            here = rows.join(found.lazy(), on="rank", how="inner")
            clips.append(here.with_columns(whole=whole, channel=pl.when(whole).then("channel")).drop("cut"))
            drops.append(lost)
        return Out(Tables(pl.concat(clips), tables.captions), pl.concat(drops).lazy())


def _locate(rows: pl.LazyFrame, corpus: Corpus, context: Context) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Where the rows of one corpus lie (rank, file, whether to cut), and the rows that lie nowhere, as drops.

    Names are made again wherever they are looked at: those of all clips, each under several keys, would be the most
    that a build holds.
    """
    own = names(corpus)
    every = pl.concat_list(own, recordings(corpus)) if corpus.audio.recordings else own
    wanted = rows.select("rank", "clip_id", "corpus", name=every, own=own.list.len())
    files = _listing(corpus, context).with_row_index("file")
    exact, single, unclear = _indexes(files)
    choices = _choices(wanted)
    agree = _whole("name").str.ends_with(_whole("there")) | _whole("there").str.ends_with(_whole("name"))
    loose = _collected(
        _wanted_keys(choices).join(single.lazy(), on="key").filter(agree)
        .select(*_HIT, "way", "key", name=pl.col("name").hash())
    )  # fmt: skip
    contested = loose.group_by("key", "choice").agg(pl.col("name").n_unique()).filter(pl.col("name") > 1)
    hits = [_collected(choices.join(exact.lazy(), on="name").select(*_HIT, way=pl.lit(0, pl.Int64))),
            loose.join(contested, on="key", how="anti").select(*_HIT, "way")]  # fmt: skip
    found = pl.concat(hits).sort("rank", "choice", "way").unique("rank", keep="first", maintain_order=True)
    lost = _collected(wanted.join(found.lazy(), on="rank", how="anti"))
    doubt = pl.concat([unclear, contested.select("key")]).lazy()
    doubtful = _collected(
        _wanted_keys(_choices(lost.lazy())).join(doubt, on="key", how="semi").select("rank")
    ).unique()
    ambiguous, missing = (
        lost.join(doubtful, on="rank", how="semi"),
        lost.join(doubtful, on="rank", how="anti"),
    )
    beyond = lost.clear()
    if context.limit is not None:
        here = _collected(wanted.join(found.lazy(), on="rank", how="semi"))
        beyond = here.sort("clip_id", "rank").slice(context.limit)
    reasons = [(missing, "missing"), (ambiguous, "ambiguous"), (beyond, "limit")]
    first = pl.col("name").list.first()
    drops = [r.select("rank", "clip_id", "corpus", reason=pl.lit(why), detail=first) for r, why in reasons]
    found = found.join(beyond, on="rank", how="anti").select("rank", "cut", "file")
    lying = files.select(_FILE)[found["file"]]
    return pl.concat([found.drop("file"), lying], how="horizontal"), pl.concat(drops).cast(DROPS)  # type: ignore[arg-type]


def _collected(table: pl.LazyFrame) -> pl.DataFrame:
    return table.collect(engine="streaming")


def _choices(wanted: pl.LazyFrame) -> pl.LazyFrame:
    """One row for each name that a clip's file may have, most likely first; whether it is that of a whole recording."""
    each = wanted.select("rank", "name", "own", choice=pl.int_ranges(pl.col("name").list.len()))
    named = each.explode("name", "choice").filter(pl.col("name").is_not_null())
    return named.with_columns(cut=pl.col("choice") >= pl.col("own"))


def _wanted_keys(choices: pl.LazyFrame) -> pl.LazyFrame:
    return choices.with_columns(key=_keys((_LAST_TWO, _TOP), (_LAST,))).with_columns(
        way=pl.int_ranges(1, pl.col("key").list.len() + 1)
    ).explode("key", "way")  # fmt: skip


def _indexes(files: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Files by relative path and by key, and the keys that files in several folders or archives have."""
    loose = files.filter(pl.col("offset") < 0)
    packed = files.filter(pl.col("offset") >= 0).join(loose, on=["root", "name"], how="anti")
    files = pl.concat([loose, packed]).sort("root", maintain_order=True)
    archive = pl.when(pl.col("offset") >= 0).then("path")
    keyed = files.with_columns(key=_keys((_LAST, _LAST_TWO), (_LAST, _TOP))).explode("key")
    folder = pl.struct("root", archive, pl.col("name").str.replace(r"[^/]*$", ""))
    unclear = (
        keyed.group_by("key")
        .agg(folder.n_unique().alias("folders"))
        .filter(pl.col("folders") > 1)
        .select("key")
    )
    single = keyed.join(unclear, on="key", how="anti").unique("key", keep="first", maintain_order=True)
    exact = files.filter(pl.struct("root", "name").is_unique()).unique(
        "name", keep="first", maintain_order=True
    )
    return exact.select("name", "file"), single.select("key", "file", there="name"), unclear


def _keys(deep: tuple[pl.Expr, ...], top: tuple[pl.Expr, ...]) -> pl.Expr:
    """The keys of a name: one set for names with folders, one for those without."""
    inside = pl.col("name").str.contains("/", literal=True)
    return pl.when(inside).then(pl.concat_list(deep)).otherwise(pl.concat_list(top))


def _whole(column: str) -> pl.Expr:
    return pl.format("/{}", bare(pl.col(column)))


def _sum(files: pl.DataFrame) -> str:
    return hashlib.sha256(files.hash_rows(seed=0).to_numpy().tobytes()).hexdigest()


def _listing(corpus: Corpus, context: Context) -> pl.DataFrame:
    return audio_files(context.places.get(corpus.name, ()))
