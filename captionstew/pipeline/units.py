"""The audio work of a build: which clips make up a unit, and what all units together know."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from captionstew.digest import digest
from captionstew.errors import BuildError
from captionstew.pipeline.cuts import cuts
from captionstew.pipeline.disk import replacing_table
from captionstew.pipeline.request import Request
from captionstew.pipeline.stage import ClipStage
from captionstew.pipeline.unit import PLAN, Unit

_SLICE = 1 << 16
_AUDIO_ROWS = [
    "clip_id",
    "first",
    "last",
    "path",
    "offset",
    "length",
    "modified",
]  # what a unit's output depends on


def audio_label(stages: Sequence[ClipStage]) -> str:
    """How the ledger calls the audio pass: `probe..encode`."""
    return f"{stages[0].name}..{stages[-1].name}"


def plan_units(work: Path, request: Request, clips: pl.LazyFrame) -> list[Unit]:
    """Cut the clips into units by corpus; a unit's name hashes its rows and the stages, and nothing else.

    Captions have no part in it: editing a rule about them decodes nothing again.
    """
    plan = work / "units.parquet"
    rows = clips.select(PLAN).sort("corpus", "split", "clip_id").collect(engine="streaming")
    with replacing_table(plan) as path:
        rows.write_parquet(path, row_group_size=_SLICE)
    identities = [stage.identity() for stage in request.pipeline.audio]
    roots = tuple((corpus.name, tuple(request.places.get(corpus.name, ()))) for corpus in request.corpora)
    units: list[Unit] = []
    at = 0
    for _, group in rows.group_by("corpus", "split", maintain_order=True):
        lines = _lines(group)
        fresh = pl.struct("root", "path", "offset").is_first_distinct()  # windows of one file are read once
        sizes = group.select(pl.when(fresh).then("length").otherwise(0)).to_series().to_list()
        for first, last in cuts(group["source_id"].to_list(), sizes, request.unit_bytes):
            name = digest(identities, hashlib.sha256("\n".join(lines[first:last]).encode()).hexdigest())
            units.append(
                Unit(name, plan, at + first, last - first, roots, request.pipeline.audio, work / "audio")
            )
        at += len(group)
    if not units:
        raise BuildError(
            "no clip has its audio here, so there is nothing to build",
            where=", ".join(f"{name}={folder}" for name, folders in roots for folder in folders)
            or "no folder was given",
            hint=f"say where the audio lies: --audio {request.corpora[0].name}=DIR",
        )
    return units


def _lines(rows: pl.DataFrame) -> list[str]:
    cut = rows.with_columns(first=pl.when("whole").then("start"), last=pl.when("whole").then("end"))
    return (
        cut.select(
            pl.concat_str([pl.col(c).cast(pl.String).fill_null("") for c in _AUDIO_ROWS], separator="\t")
        )
        .to_series()
        .to_list()
    )


def audio_table(units: Sequence[Unit]) -> pl.LazyFrame:
    """One row per clip of all units (columns `AUDIO`), with the name of its unit; dropped clips too."""
    paths = [unit.folder / f"{unit.name}.parquet" for unit in units]
    table = pl.scan_parquet(paths, include_file_paths="unit")
    return table.with_columns(pl.col("unit").str.split("/").list.last().str.strip_suffix(".parquet"))
