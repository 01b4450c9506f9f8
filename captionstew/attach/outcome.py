"""What came of attaching, corpus by corpus and clip by clip."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from captionstew.attach.release import CaptionsRelease
from captionstew.shards.atomic import disk_errors, replacing
from captionstew.shards.layout import shard_files
from captionstew.shards.manifest import Account

LISTS = (".csv", ".parquet")  # kinds of tables that clips can be listed in
COPY = "copy"  # a clip that is kept, of another copy of its recording
_LIST = ["corpus", "clip_id", "reason", "detail", "source_url", "source_id", "start", "end"]
_LISTED = {"corpus": pl.String, "clip_id": pl.String, "reason": pl.String, "detail": pl.String}


@dataclass(frozen=True)
class Attached:
    """One corpus: published = kept + all drops; `copies` of those kept have other samples than were published."""

    corpus: str
    published: int
    kept: int
    copies: int = 0
    drops: Mapping[str, int] = field(default_factory=dict)

    @property
    def missing(self) -> int:
        """Clips without a file."""
        return self.drops.get("missing", 0)


def attached(accounts: Iterable[Account], copies: pl.DataFrame | None = None) -> tuple[Attached, ...]:
    """Every corpus, in the order of its first account; `copies` as `other_copies` has them."""
    found: dict[str, list[Account]] = {}
    for account in accounts:
        if "." not in account.stage:  # `release.captions` counts captions
            found.setdefault(account.corpus, []).append(account)
    counts = dict(copies.group_by("corpus").len().iter_rows()) if copies is not None else {}
    return tuple(_attached(corpus, made, counts.get(corpus, 0)) for corpus, made in found.items())


def _attached(corpus: str, made: Sequence[Account], copies: int) -> Attached:
    drops: dict[str, int] = {}
    for account in made:
        for reason, number in account.drops.items():
            drops[reason] = drops.get(reason, 0) + number
    return Attached(corpus, made[0].received, made[-1].kept, copies, drops)


def other_copies(out: Path, release: CaptionsRelease) -> pl.DataFrame:
    """The clips of a finished build whose samples are not those that were published (columns as `left_out`)."""
    ours = pl.scan_parquet(shard_files(out, "audio")).select("corpus", "clip_id", "audio_sha256")
    pairs = ours.join(
        _rows(release, ours).select("clip_id", "audio_sha256"), on="clip_id", suffix=" published"
    )
    other = pairs.filter(pl.col("audio_sha256") != pl.col("audio_sha256 published"))
    return other.select("corpus", "clip_id", reason=pl.lit(COPY), detail=pl.lit("kept")).collect(
        engine="streaming"
    )


def left_out(out: Path) -> pl.LazyFrame:
    """The clips of a release that are not in a finished build of it, with the reason."""
    paths = sorted(out.glob("drops/*/*.parquet"))
    tables = [pl.scan_parquet(path).with_columns(corpus=pl.lit(path.stem)) for path in paths]
    blank = pl.LazyFrame(schema=_LISTED)
    return pl.concat([blank, *(table.select(list(_LISTED)) for table in tables)])


def write_list(path: Path, clips: pl.LazyFrame, release: CaptionsRelease) -> int:
    """These clips, each with its source, as CSV or, by the suffix, as Parquet; how many there are."""
    wanted = clips.select(list(_LISTED)).collect(engine="streaming")
    more = _rows(release, wanted.lazy()).select("clip_id", "source_url", "source_id", "start", "end")
    rows = (
        wanted.lazy().join(more, on="clip_id", how="left").select(_LIST).sort("corpus", "clip_id", "reason")
    )
    table = rows.collect(engine="streaming")
    with replacing(path, "--list") as temporary, disk_errors(path, "--list"), temporary.open("wb") as file:
        table.write_parquet(file) if path.suffix == ".parquet" else table.write_csv(file)
    return len(wanted)


def _rows(release: CaptionsRelease, clips: pl.LazyFrame) -> pl.LazyFrame:
    """The release's rows of the corpora that these clips are of."""
    names = set(clips.select(pl.col("corpus").unique()).collect(engine="streaming")["corpus"])
    paths = [release.folder / file.path for file in release.files if file.corpus in names]
    return pl.scan_parquet(paths or [release.folder / release.files[0].path])
