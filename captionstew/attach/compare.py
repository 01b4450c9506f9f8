"""Compare: the audio at hand is the audio that was described."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from captionstew.attach.release import of_tier
from captionstew.attach.sound import alike
from captionstew.pipeline.stage import DROPS, Context, Out, Tables, TableStage
from captionstew.shards.manifest import read_manifest

_WORD = 0.064  # s of a fingerprint's word
_AT_ONCE = 200_000  # clips whose fingerprints are held, twice: some 250 MB
_NO_ORIGINAL = {"youtube", "elsewhere"}  # the ways to get audio by which no two people have the same file


@dataclass(frozen=True)
class Compare(TableStage):
    """Keep the clips whose samples have the published hash, and other copies of the same sound where that is due.

    Where a corpus gives out its files, everybody has the same ones, and a clip with other samples is dropped unless
    `other_audio`: it may be another edition, or another decoder's work. Audio of YouTube comes in as many encodings
    as there are downloads, so that there the fingerprint decides. Drops: `other-length` (by more than `seconds`),
    `other-copy` (the samples differ, the sound does not), `other-audio` (it sounds otherwise, or is too short or too
    quiet to tell).
    """

    folder: str = ""
    seconds: float = 0.5  # what cutting by key frames, and the padding of codecs, make of 10 s
    other_audio: bool = False

    def __call__(self, tables: Tables, context: Context) -> Out:
        """Only clips whose hash differs are listened to."""
        differing = list(self._differing(tables.clips, context))
        drops = pl.concat(differing).filter(pl.col("reason").is_not_null()).select(*DROPS).cast(DROPS)  # type: ignore[arg-type]
        kept = tables.clips.join(drops.lazy(), on="rank", how="anti")
        return Out(Tables(kept, tables.captions), drops.lazy())

    def _differing(self, clips: pl.LazyFrame, context: Context) -> Iterator[pl.DataFrame]:
        """Clips with other samples than were published: rank, clip_id, corpus, and why they go (null if they stay)."""
        assert context.audio is not None, "Compare needs the audio stages before it"
        mine = context.audio.select("clip_id", "audio_sha256", "duration", "fingerprint")
        pairs = clips.select("rank", "clip_id", "corpus").join(mine, on="clip_id").join(
            self._published(context), on="clip_id", suffix=" published"
        )  # fmt: skip
        other = pairs.filter(pl.col("audio_sha256") != pl.col("audio_sha256 published"))
        lenient = [c.name for c in context.corpora if self.other_audio or c.audio.access in _NO_ORIGINAL]
        yield pl.DataFrame(schema=DROPS)
        for part in other.collect_batches(chunk_size=_AT_ONCE, engine="streaming"):
            yield self._judged(part, lenient).cast(DROPS)  # type: ignore[arg-type]

    def _judged(self, pairs: pl.DataFrame, lenient: list[str]) -> pl.DataFrame:
        ours, theirs = (pairs[name].to_list() for name in ("fingerprint", "fingerprint published"))
        most = round(self.seconds / _WORD)
        heard = pl.Series(alike(ours, theirs, most), dtype=pl.Boolean)
        longer = pl.col("duration") - pl.col("duration published")
        why = (
            pl.when(longer.abs() > self.seconds).then(pl.lit("other-length"))
            .when(~heard).then(pl.lit("other-audio"))
            .when(~pl.col("corpus").is_in(lenient)).then(pl.lit("other-copy"))
        )  # fmt: skip
        lengths = pl.format(
            "{} s, published {} s", pl.col("duration").round(3), pl.col("duration published").round(3)
        )
        hashes = [pl.col(name).str.head(8) for name in ("audio_sha256", "audio_sha256 published")]
        samples = pl.format("samples {}, published {}", *hashes)
        detail = pl.when(longer.abs() > self.seconds).then(lengths).otherwise(samples)
        return pairs.select("rank", "clip_id", "corpus", reason=why, detail=detail)

    def _published(self, context: Context) -> pl.LazyFrame:
        names = {one.name for one in context.corpora}
        files = [file for file in of_tier(read_manifest(Path(self.folder))) if file.corpus in names]
        table = pl.scan_parquet([Path(self.folder) / file.path for file in files])
        return table.select("clip_id", "audio_sha256", "duration", "fingerprint")
