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
from captionstew.pipeline.stage import ClipStage, Hearing
from captionstew.pipeline.unit import PLAN, Unit

_SLICE = 1 << 16
_AUDIO_ROWS = [
    "clip_id",
    "first",
    "last",
    "channel",
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
    rows = clips.select(PLAN).sort("corpus", "split", "clip_id").collect(engine="streaming")
    places = {corpus.name: tuple(request.places.get(corpus.name, ())) for corpus in request.corpora}
    hearing = Hearing(rows, request.pipeline.audio, places)
    units = units_of(work / "units.parquet", hearing, work / "audio", request.unit_bytes)
    if not units:
        raise BuildError(
            "no clip has its audio here, so there is nothing to build",
            where=", ".join(f"{name}={folder}" for name, folders in places.items() for folder in folders)
            or "no folder was given",
            hint=f"say where the audio lies: --audio {request.corpora[0].name}=DIR",
        )
    return units


def units_of(plan: Path, hearing: Hearing, folder: Path, unit_bytes: int) -> list[Unit]:
    """The units of these clips, sorted by corpus, split and id; their rows are written to `plan`."""
    with replacing_table(plan) as path:
        hearing.clips.write_parquet(path, row_group_size=_SLICE)
    identities = [stage.identity() for stage in hearing.stages]
    roots = tuple(hearing.places.items())
    units: list[Unit] = []
    at = 0
    for count in hearing.clips.group_by("corpus", "split", maintain_order=True).len()["len"]:
        group = hearing.clips.slice(at, count)
        sizes = _sizes(group, unit_bytes)
        for first, last in cuts(group["source_id"], sizes, unit_bytes):
            lines = "\n".join(_lines(group[first:last]))
            name = digest(identities, hashlib.sha256(lines.encode()).hexdigest())
            size = int(sizes[first:last].sum())
            units.append(Unit(name, plan, at + first, last - first, roots, hearing.stages, folder, size))
        at += count
    return units


def _sizes(rows: pl.DataFrame, unit_bytes: int) -> pl.Series:
    """What each clip weighs (bytes): its file, or its window's part of a recording as far as that is used.

    A recording of a day is thus cut into windows by several units, each of which goes to its own part of the file.
    The first window of one weighs as much as reading it, up to half a unit, since short ones are read whole.
    """
    fresh = pl.struct("root", "path", "offset").is_first_distinct()
    share = ((pl.col("end") - pl.col("start")) / pl.col("end").max().over("root", "path", "offset")).clip(
        0, 1
    )
    window = (pl.col("length") * share.fill_nan(None).fill_null(1)).cast(pl.Int64)
    first = pl.max_horizontal(window, pl.min_horizontal("length", pl.lit(unit_bytes // 2)))
    whole = pl.when(fresh).then("length").otherwise(0)
    weight = pl.when("whole").then(pl.when(fresh).then(first).otherwise(window)).otherwise(whole)
    return rows.select(weight).to_series()


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
