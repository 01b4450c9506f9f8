"""Release: the rows of a captions release, in place of annotations."""

from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from captionstew.attach.names import by_annotations, with_files
from captionstew.attach.release import REMOVED, of_tier
from captionstew.corpora.ids import safe_id
from captionstew.digest import digest, file_sha256
from captionstew.pipeline.stage import Context, Out, Tables, TableStage, dropped
from captionstew.shards.manifest import Tally, read_manifest
from captionstew.stages.read import Read

_AS_THEY_ARE = ["clip_id", "source_id", "corpus", "split", "domain", "start", "end", "tags", "events", "transcript",
                "speaker", "license", "attribution", "source_url"]  # fmt: skip


@dataclass(frozen=True)
class Release(TableStage):
    """The clips and captions that a release in `folder` holds of the corpora asked for, exactly as published.

    Nothing that the release decided is decided again. Drops: `removed` (taken down since, by `removed.parquet`),
    `id` (no id that may be used), `repeated` (an id that stood there before).
    """

    folder: str = ""

    def upstream(self, context: Context) -> str:
        """Hashes of the files, and the state of the annotations that name audio files."""
        removed = Path(self.folder) / REMOVED
        gone = file_sha256(removed) if removed.is_file() else ""
        named = tuple(one for one in context.corpora if by_annotations(one))
        noted = Read().upstream(replace(context, corpora=named)) if named else ""
        facts = [one.fingerprint() for one in context.corpora]
        return digest([sha256 for _, sha256 in self._files(context)], gone, noted, facts)

    def __call__(self, tables: Tables, context: Context) -> Out:
        """All rows; the manifest's counts of leaks, repeats and enrichment go along."""
        paths = [path for path, _ in self._files(context)]
        rows = pl.scan_parquet(paths).with_row_index("rank").with_columns(pl.col("rank").cast(pl.UInt64))
        nobody = [pl.lit(None, pl.Float64).alias("duration"), pl.lit(None, pl.String).alias("artist")]
        every = with_files(rows.select("rank", *_AS_THEY_ARE, *nobody), context.corpora, context.places)
        safe = safe_id(pl.col("clip_id"))
        why = pl.when(~safe).then(pl.lit("id")).when(self._removed()).then(pl.lit("removed"))
        why = why.when(~pl.col("clip_id").is_first_distinct()).then(pl.lit("repeated"))
        judged = every.with_columns(why=why)
        kept = judged.filter(pl.col("why").is_null()).drop("why")
        gone = judged.filter(pl.col("why").is_not_null())
        words = _captions(rows)
        return Out(
            Tables(kept, words),
            dropped(gone, pl.col("why")),
            received=Tables(every, words),
            tally=self._tally(),
        )

    def _files(self, context: Context) -> list[tuple[Path, str]]:
        """The captions of the corpora of this build, each file with its hash."""
        names = {one.name for one in context.corpora}
        files = [file for file in of_tier(read_manifest(Path(self.folder))) if file.corpus in names]
        return [
            (Path(self.folder) / file.path, file.sha256) for file in sorted(files, key=lambda file: file.path)
        ]

    def _removed(self) -> pl.Expr:
        path = Path(self.folder) / REMOVED
        if not path.is_file():
            return pl.lit(False)
        ids = pl.read_parquet(path, columns=["clip_id"])["clip_id"]
        return pl.col("clip_id").is_in(ids.implode())

    def _tally(self) -> Tally:
        manifest = read_manifest(Path(self.folder))
        return Tally(manifest.leaks, manifest.repeats, manifest.enrichment)


def _captions(rows: pl.LazyFrame) -> pl.LazyFrame:
    """One row per caption, in the order of the release."""
    several = rows.select(
        "rank", "captions", place=pl.int_ranges(pl.col("captions").list.len(), dtype=pl.UInt16)
    )
    single = several.explode("captions", "place", empty_as_null=False)
    return single.with_columns(origin="rank").unnest("captions")
