"""Which clips lie on evaluation recordings: by the key of the recording, and by time where that is known."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from captionstew.corpora import ids
from captionstew.corpora.facts import Corpus
from captionstew.corpora.find import missing_file, paths_of
from captionstew.corpora.read import read

KEYS: dict[str, pl.DataType] = {"source_id": pl.String(), "start": pl.Float64(), "end": pl.Float64()}
CLIP_SECONDS = 10.0  # of a YouTube clip whose end nobody states (AudioSet, VGGSound, MusicCaps all cut 10 s)


def timed(source_id: pl.Expr) -> pl.Expr:
    """Whether a recording is a video, long enough to hold unrelated clips; elsewhere the same upload is enough.

    The sampler's recordings stand for videos.
    """
    return source_id.str.contains("^(yt|sampler):")


def keys(clips: pl.LazyFrame) -> pl.LazyFrame:
    """The recordings and spans of clips, each once."""
    return clips.select(pl.col(name).cast(kind) for name, kind in KEYS.items()).unique(maintain_order=True)


def evaluation_keys(corpus: Corpus, places: Sequence[Path]) -> pl.LazyFrame:
    """The recordings and spans of a corpus' evaluation splits; none where it has no such split.

    An evaluation split without its file is an error: what it holds could not be excluded.
    """
    if not corpus.splits.evaluation:
        return pl.LazyFrame(schema=KEYS)
    annotations = read(corpus, places, corpus.splits.evaluation)
    for file in annotations.missing:
        if file.role == "annotations" and not file.optional:
            raise missing_file(corpus, file, places)
    return keys(annotations.clips)


def blocked(corpus: Corpus, places: Sequence[Path], names: Sequence[str] | None = None) -> pl.LazyFrame:
    """The recordings on the block lists that a corpus publishes: all, or those named so in its facts."""
    lists = [
        file for file in corpus.files if file.role == "blocklist" and (names is None or file.name in names)
    ]
    tables = [pl.LazyFrame(schema=KEYS)]
    for file in lists:
        paths = paths_of(file, places)
        if not paths:
            raise missing_file(corpus, file, places)
        tables += [_blocklist(path) for path in paths]
    return pl.concat(tables).filter(~pl.col("source_id").str.starts_with("?")).unique(maintain_order=True)


def list_name(text: str) -> tuple[str, tuple[str, ...] | None]:
    """A corpus and the names of its block lists, from `corpus` (all of them) or `corpus:name`."""
    corpus, colon, name = text.partition(":")
    return corpus, (name,) if colon else None


def _blocklist(path: Path) -> pl.LazyFrame:
    """WavCaps' layout: `{"AudioSet": ["Y<id>.wav", ...], "FreeSound": ["<n>" or "Not found", ...]}`."""
    lists = pl.read_json(path, infer_schema_length=None)
    tables = []
    for column, form in (("AudioSet", "youtube-y"), ("FreeSound", "freesound")):
        key = ids.key(form, [pl.col(column).cast(pl.String)], ids.scheme_of(form, "", ""))
        if column in lists.columns:
            tables.append(lists.lazy().select(pl.col(column).explode()).select(source_id=key.source))
    nothing = [pl.lit(None, dtype=pl.Float64).alias(name) for name in ("start", "end")]
    return pl.concat(tables).with_columns(nothing)


def overlapping(clips: pl.LazyFrame, others: pl.LazyFrame) -> pl.LazyFrame:
    """The rows of `clips` on a recording of `others`; of a YouTube video only if they overlap in time.

    An unknown start on either side counts as overlap; a clip without an end lasts `CLIP_SECONDS`.
    """
    mine = clips.with_row_index("row of clips")
    theirs = keys(others).rename({"start": "their start", "end": "their end"})
    pairs = mine.select("row of clips", *KEYS).join(theirs, on="source_id", how="inner")
    end = pl.col("end").fill_null(pl.col("start") + CLIP_SECONDS)
    their_end = pl.col("their end").fill_null(pl.col("their start") + CLIP_SECONDS)
    in_time = (pl.col("start") < their_end) & (pl.col("their start") < end)
    same = ~timed(pl.col("source_id")) | in_time.fill_null(True)
    hits = pairs.filter(same).select("row of clips").unique()
    return mine.join(hits, on="row of clips", how="semi").drop("row of clips")
