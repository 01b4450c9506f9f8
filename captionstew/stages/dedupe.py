"""Dedupe: one clip per sound, by its samples and by its fingerprint."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from captionstew.audio.fingerprint_index import Matches
from captionstew.pipeline.prints import prints_of
from captionstew.pipeline.stage import DROPS, Context, Out, Tables, TableStage

_PAIR = {"rank": pl.UInt64, "keeper": pl.UInt64}


@dataclass(frozen=True)
class Dedupe(TableStage):
    """Of clips with the same sound keep the one that ranks first (the recipe's order of corpora).

    Drops: `duplicate` (the same PCM), `near-duplicate` (the same recording in another encoding, at another level or
    cut elsewhere). The detail names the clip that is kept. Windows of one recording are never near-duplicates.
    """

    version = 3

    near: bool = True

    def __call__(self, tables: Tables, context: Context) -> Out:
        """Exact first; then the pairs that the search for equal fingerprints finds, in the order of rank.

        Of all clips memory holds numbers; ids are looked up for those that go.
        """
        assert context.audio is not None, "Dedupe needs the audio stages before it"
        exact = _equal(tables.clips, context.audio)
        found = [exact.with_columns(reason=pl.lit("duplicate"))]
        if self.near:
            rest = tables.clips.join(exact.lazy(), on="rank", how="anti")
            near = _alike(rest, context.audio, context.work if context.work != Path() else None)
            found.append(near.with_columns(reason=pl.lit("near-duplicate")))
        drops = _named(pl.concat(found), tables.clips).lazy()
        return Out(Tables(tables.clips.join(drops, on="rank", how="anti"), tables.captions), drops)


def _equal(clips: pl.LazyFrame, audio: pl.LazyFrame) -> pl.DataFrame:
    """Clips (rank) whose samples an earlier clip has too, and the first that has them (keeper)."""
    ranks = clips.select("rank", "clip_id")
    sums = audio.select("clip_id", sum=pl.col("audio_sha256").hash())  # 8 bytes for its 64 letters
    known = ranks.join(sums, on="clip_id").select("rank", "sum").collect(engine="streaming")
    twice = known.filter(pl.col("sum").is_duplicated()).select("rank").lazy()
    few = ranks.join(twice, on="rank", how="semi").join(audio.select("clip_id", "audio_sha256"), on="clip_id")
    rows = few.select("rank", "audio_sha256").collect(engine="streaming")
    keepers = rows.with_columns(keeper=pl.col("rank").min().over("audio_sha256"))
    return keepers.filter(pl.col("rank") != pl.col("keeper")).select(list(_PAIR))


def _alike(clips: pl.LazyFrame, audio: pl.LazyFrame, folder: Path | None) -> pl.DataFrame:
    """Clips (rank) that sound like an earlier one, and the one that stays for each (keeper)."""
    ranks = clips.select("rank", "clip_id")
    # In this order the fingerprints pass by, and the ids are held.
    heard = audio.select("clip_id", "fingerprint").join(ranks, on="clip_id", maintain_order="left")
    sources = clips.select("rank", source=pl.col("source_id").hash()).collect(engine="streaming").sort("rank")
    with prints_of(heard, folder) as prints:
        source = sources["source"].to_numpy()[np.searchsorted(sources["rank"].to_numpy(), prints.keys)]
        gone = _keepers(prints.pairs(), source)
        columns = (np.fromiter(places, np.int64, len(gone)) for places in (gone.keys(), gone.values()))
        return pl.DataFrame(
            {name: prints.keys[places] for name, places in zip(_PAIR, columns, strict=True)}, schema=_PAIR
        )


def _keepers(pieces: Iterator[Matches], recording: npt.NDArray[np.uint64]) -> dict[int, int]:
    """Each clip (place) that goes, and the one that stays for it; a chain of pairs ends at one clip."""
    gone = dict[int, int]()
    for piece in pieces:
        first, second = piece.first, piece.second
        other = recording[first] != recording[second]
        for earlier, later in zip(first[other].tolist(), second[other].tolist(), strict=True):
            keeper = gone.get(earlier, earlier)
            if later not in gone and recording[later] != recording[keeper]:
                gone[later] = keeper
    return gone


def _named(pairs: pl.DataFrame, clips: pl.LazyFrame) -> pl.DataFrame:
    """The drops with the ids of both clips."""
    involved = pl.concat([pairs["rank"], pairs["keeper"]]).unique().to_frame("rank").lazy()
    ids = (
        clips.select("rank", "clip_id", "corpus")
        .join(involved, on="rank", how="semi")
        .collect(engine="streaming")
    )
    named = pairs.join(ids, on="rank").join(ids.select(keeper="rank", detail="clip_id"), on="keeper")
    return named.select(list(DROPS)).cast(DROPS)  # type: ignore[arg-type]
