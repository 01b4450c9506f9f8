"""What a build will read and write, estimated before any audio is opened."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from captionstew.cli.machine import cores
from captionstew.corpora.facts import Corpus
from captionstew.pipeline.folder import Folder
from captionstew.pipeline.pipeline import Pipeline
from captionstew.pipeline.request import Request
from captionstew.pipeline.table import Files
from captionstew.pipeline.unit import Unit
from captionstew.stages.encode import Encode

# Bytes per second where nobody says how long a file is: 44.1 kHz 16-bit mono, FLAC at half of that, 128 kbit/s.
_SOURCE = {".wav": 88_200, ".aiff": 88_200, ".aif": 88_200, ".flac": 44_100, ".opus": 8_000}
_SOURCE_ELSE = 16_000
_WRITTEN = {"flac": 23_900, "opus": 3_200, "pcm-zstd": 26_700}  # bytes per second at 16 kHz mono
_SPEED = 500  # audio seconds per core and second, decode to encode with all measures
_SHARD_SPEED = 150e6  # bytes per second, hashes and page index included
_TABLES = 2_000  # bytes per clip that the tables of all stages take


@dataclass(frozen=True)
class Load:
    """One corpus: the clips whose audio was found, how much of it is still to be worked on, and what was left out."""

    corpus: str
    clips: int
    source: int  # bytes of source files
    seconds: float  # of audio, about
    left_source: int  # bytes that are still to be read
    left_seconds: float
    drops: dict[str, int]


@dataclass(frozen=True)
class Need:
    """What the rest of a build takes, about."""

    source: int  # bytes of audio to read
    hours: float
    disk: int  # bytes to write and keep: encoded audio, shards, tables
    audio_seconds: float  # s
    shard_seconds: float

    @property
    def seconds(self) -> float:
        """Time that it takes."""
        return self.audio_seconds + self.shard_seconds


def loads(request: Request, todo: Sequence[Unit]) -> list[Load]:
    """By corpus; `todo` are the units whose audio has not been worked on."""
    rows = _clips(request, todo)
    left = pl.col("left")
    sums = rows.group_by("corpus").agg(
        pl.len(), pl.sum("size"), pl.sum("seconds"),
        left_size=pl.col("size").filter(left).sum(), left_seconds=pl.col("seconds").filter(left).sum(),
    )  # fmt: skip
    by_corpus = {row["corpus"]: row for row in sums.iter_rows(named=True)}
    return [_load(request, facts, by_corpus.get(facts.name)) for facts in request.corpora]


def _load(request: Request, facts: Corpus, row: dict[str, Any] | None) -> Load:
    drops = _drops(request, facts)
    if row is None:
        return Load(facts.name, 0, 0, 0.0, 0, 0.0, drops)
    return Load(
        facts.name, row["len"], row["size"], row["seconds"], row["left_size"], row["left_seconds"], drops
    )


def need(codec: str, out: Path, found: Sequence[Load], *, shards: bool) -> Need:
    """What is still to be done and written; `shards` says whether they change."""
    left = sum(load.left_seconds for load in found)
    written = sum(load.seconds for load in found) * _WRITTEN[codec] if shards else 0.0
    replaced = sum(path.stat().st_size for path in out.glob("data/*/*/*.parquet"))
    tables = sum(load.clips for load in found) * _TABLES if shards else 0
    disk = left * _WRITTEN[codec] + max(0.0, written - replaced) + tables
    return Need(
        sum(load.left_source for load in found), left / 3600, round(disk), left / _SPEED / cores(),
        written / _SHARD_SPEED,
    )  # fmt: skip


def codec_of(pipeline: Pipeline) -> str:
    """How the audio will be encoded."""
    return next((stage.codec for stage in pipeline.audio if isinstance(stage, Encode)), "flac")


def written(load: Load, codec: str) -> int:
    """Bytes of shards that a corpus makes, about."""
    return round(load.seconds * _WRITTEN[codec])


def _clips(request: Request, todo: Sequence[Unit]) -> pl.DataFrame:
    """One row per clip: corpus, bytes of its file (0 where an earlier clip reads it), seconds, whether it is left."""
    before = request.pipeline.before
    work = Folder(request.out).work
    said = pl.scan_parquet(work / f"{len(before):02}-{before[-1].name}" / "clips.parquet").select(
        "clip_id", "duration"
    )
    plan = pl.scan_parquet(work / "units.parquet").with_row_index("at").join(said, on="clip_id", how="left")
    nominal = {facts.name: facts.audio.seconds for facts in request.corpora}
    suffix = pl.col("path").str.to_lowercase().str.extract(r"(\.[a-z0-9]+)$")
    seconds = pl.coalesce(
        pl.when("whole").then(pl.col("end") - pl.col("start")),
        "duration",
        pl.col("corpus").replace_strict(nominal, default=None, return_dtype=pl.Float64),
        pl.col("length") / suffix.replace_strict(_SOURCE, default=_SOURCE_ELSE, return_dtype=pl.Float64),
    )
    first = pl.struct("corpus", "root", "path", "offset").is_first_distinct()
    size = pl.when(first).then("length").otherwise(0)
    rows = plan.sort("at").select("corpus", size=size, seconds=seconds).collect()
    left = np.zeros(len(rows), bool)
    for unit in todo:
        left[unit.first : unit.first + unit.count] = True
    return rows.with_columns(left=pl.Series(left))


def _drops(request: Request, facts: Corpus) -> dict[str, int]:
    """What the stages over annotations dropped of a corpus."""
    work, drops = Folder(request.out).work, dict[str, int]()
    for number, stage in enumerate(request.pipeline.before, 1):
        for account in Files(work / f"{number:02}-{stage.name}").accounts():
            if (account.corpus, account.stage) == (facts.name, stage.name):
                for reason, count in account.drops.items():
                    drops[reason] = drops.get(reason, 0) + count
    return drops
