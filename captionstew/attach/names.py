"""What the files of released clips are called: by the release alone, or by the corpus' annotations."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl

from captionstew.corpora.columns import needed
from captionstew.corpora.facts import Corpus
from captionstew.corpora.read import read

_OF_ANNOTATIONS = {"file", "name", "bare", "stem"}  # fields of a name that a release does not have
_OWN = "folder"  # the user's own data, whose ids are paths
KEY = ["corpus", "clip_id"]


def by_annotations(facts: Corpus) -> bool:
    """Whether its files are named by columns of its annotations, which then must be at hand."""
    if facts.name == _OWN or not facts.files:
        return False
    fields = {name for text in (*facts.audio.names, *facts.audio.recordings) for name in needed(text)}
    channels = [facts.columns.channel, *(file.columns.channel for file in facts.files if file.columns)]
    return bool(fields & _OF_ANNOTATIONS) or any(channels)


def with_files(
    clips: pl.LazyFrame, corpora: Iterable[Corpus], places: Mapping[str, tuple[Path, ...]]
) -> pl.LazyFrame:
    """The clips with `file`, `channel` and `whole`, as the annotations of their corpora or their ids have them.

    Of several annotation rows of a clip the one counts that agrees with the release in split and times, then the
    first. Without one, the file is called as the recording's id.
    """
    wide = clips.with_columns(own=pl.col("source_id").str.extract("^[^:]*:(.*)$"))
    keys = clips.select("rank", *KEY, "split", "start", "end")
    tables = [
        _known(keys, one, places[one.name]) for one in corpora if by_annotations(one) and places.get(one.name)
    ]
    blank = pl.LazyFrame(schema={"rank": pl.UInt64, "file": pl.String, "channel": pl.UInt8})
    named = wide.join(pl.concat([blank, *tables]), on="rank", how="left", maintain_order="left")
    cut = [one.name for one in corpora if one.audio.whole]
    whole = pl.col("corpus").is_in(cut) & (pl.col("start").is_not_null() | pl.col("end").is_not_null())
    return named.with_columns(file=pl.coalesce("file", "own"), whole=whole).drop("own")


def _known(keys: pl.LazyFrame, facts: Corpus, places: tuple[Path, ...]) -> pl.LazyFrame:
    """rank, file and channel of the clips of a corpus that its annotations know."""
    mine = keys.filter(pl.col("corpus") == facts.name)
    rows = read(facts, places).clips.select("row", "clip_id", "split", "start", "end", "file", "channel")
    pairs = mine.join(rows, on="clip_id", how="inner", suffix=" noted")
    same = [
        pl.col(name).ne_missing(pl.col(f"{name} noted")).alias(f"other {name}")
        for name in ("split", "start", "end")
    ]
    ordered = pairs.with_columns(same).sort("rank", "other split", "other start", "other end", "row")
    return ordered.unique("rank", keep="first", maintain_order=True).select("rank", "file", "channel")
