"""One pass over all rows: lengths, words, events, and the draw of the clips to listen to."""

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from captionstew.enrich.items import GENERATED
from captionstew.errors import StewError
from captionstew.report.source import Source
from captionstew.shards.columns import readable
from captionstew.shards.release import ReleaseFile

ROWS = 1 << 15  # at a time: some 10 MB
_COLUMNS = ("clip_id", "duration", "source_sample_rate", "captions", "events")
_WORD = r"[\p{L}\p{N}']+"
_EVENTS = 4096  # different labels that are counted; AudioSet has 527


@dataclass
class Spoken:
    """Captions of one kind."""

    captions: int = 0
    lengths: Counter[int] = field(default_factory=Counter)  # words -> captions
    vocabulary: set[str] = field(default_factory=set)


@dataclass(frozen=True, order=True)
class Place:
    """Where a drawn clip stands; the order is that of the draw."""

    drawn: bytes
    clip_id: str
    path: str
    row: int


@dataclass
class CorpusRows:
    """The rows of one corpus. A clip's length takes four bytes, so ten million clips take 40 MB."""

    lengths: list[npt.NDArray[np.float32]] = field(default_factory=list)
    rates: Counter[int] = field(default_factory=Counter)
    per_clip: Counter[int] = field(default_factory=Counter)  # captions -> clips
    drawn: list[Place] = field(default_factory=list)

    @property
    def durations(self) -> npt.NDArray[np.float32]:
        """All lengths (s), in the order of files and rows."""
        return np.concatenate(self.lengths) if self.lengths else np.empty(0, np.float32)


@dataclass
class Rows:
    """All rows of a build: by corpus, and their captions by kind (`human`, `machine`, ..., `generated`)."""

    corpora: dict[str, CorpusRows] = field(default_factory=dict)
    kinds: dict[str, Spoken] = field(default_factory=dict)
    events: Counter[str] = field(default_factory=Counter)  # label -> clips

    @property
    def durations(self) -> npt.NDArray[np.float32]:
        """The lengths of all clips (s)."""
        parts = [one.durations for one in self.corpora.values()]
        return np.concatenate(parts) if parts else np.empty(0, np.float32)


def rows(source: Source, clips: int = 0) -> Rows:
    """Counted over every row, each clip once; of each corpus `clips` are drawn by a hash of their id."""
    found, seen, before = Rows(), set[bytes](), ("", "")
    for file, shared in source.files():
        if (file.corpus, file.split) != before:
            seen, before = set(), (file.corpus, file.split)
        corpus = found.corpora.setdefault(file.corpus, CorpusRows())
        first = 0
        for part in parts(source, file):
            here = part.with_row_index("row", first)
            first += len(part)
            _count(_new(here, seen) if shared else here, file, corpus, found, clips)
    return found


def parts(source: Source, file: ReleaseFile, columns: Sequence[str] = _COLUMNS) -> Iterator[pl.DataFrame]:
    """A shard's rows, `ROWS` at a time; StewError if it lacks a column."""
    with readable(source.shard(file.path)) as parquet:
        if missing := [name for name in columns if name not in parquet.schema_arrow.names]:
            hint = "another version made it: build it again with this one"
            raise StewError(f"{file.path} has no column {missing[0]}", where=str(source.folder), hint=hint)
        for batch in parquet.iter_batches(ROWS, columns=list(columns)):
            frame = pl.from_arrow(batch)
            assert isinstance(frame, pl.DataFrame)
            yield frame


def _new(part: pl.DataFrame, seen: set[bytes]) -> pl.DataFrame:
    keys = [drawn(clip_id) for clip_id in part["clip_id"]]
    fresh = pl.Series([key not in seen for key in keys], dtype=pl.Boolean)
    seen.update(keys)
    return part.filter(fresh)


def _count(part: pl.DataFrame, file: ReleaseFile, corpus: CorpusRows, found: Rows, clips: int) -> None:
    corpus.lengths.append(part["duration"].cast(pl.Float32).to_numpy())
    corpus.rates.update(dict(part.group_by("source_sample_rate").len().iter_rows()))
    corpus.per_clip.update(dict(part.group_by(pl.col("captions").list.len()).len().iter_rows()))
    labels = part.select(pl.col("events").list.eval(pl.element().struct.field("label")).list.unique())
    for label, number in labels.explode("events").drop_nulls().group_by("events").len().iter_rows():
        if label in found.events or len(found.events) < _EVENTS:
            found.events[label] += number
    _speak(part, found)
    if clips:
        more = (
            Place(drawn(name), name, file.path, row)
            for row, name in part.select("row", "clip_id").iter_rows()
        )
        corpus.drawn = heapq.nsmallest(clips, [*corpus.drawn, *more])


def _speak(part: pl.DataFrame, found: Rows) -> None:
    """Lengths and words of the captions, by kind."""
    several = part.select("captions").explode("captions").drop_nulls().unnest("captions")
    generated = pl.col("source") == GENERATED
    kind = pl.when(generated).then(pl.lit("generated")).otherwise("style").alias("kind")
    words = several.select(kind, words=pl.col("text").str.to_lowercase().str.extract_all(_WORD))
    for name, length, number in words.group_by("kind", pl.col("words").list.len()).len().iter_rows():
        one = found.kinds.setdefault(name, Spoken())
        one.captions += number
        one.lengths[length] += number
    for name, word in words.explode("words").drop_nulls().unique().iter_rows():
        found.kinds[name].vocabulary.add(word)


def drawn(clip_id: str) -> bytes:
    """The number that decides whether a clip is shown: by its id alone, the same everywhere."""
    return hashlib.blake2b(clip_id.encode(), digest_size=8, person=b"report").digest()
