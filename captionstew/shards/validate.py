"""Every promise of a build, checked against the files themselves."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from captionstew.errors import StewError
from captionstew.shards.check_manifest import check_accounting, check_files, check_manifest
from captionstew.shards.check_rows import RowChecks, evaluation_spans
from captionstew.shards.check_shard import check_layout, check_schema, check_sidecar
from captionstew.shards.check_splits import check_splits
from captionstew.shards.columns import readable
from captionstew.shards.findings import Findings, Progress, Report
from captionstew.shards.layout import audio_files, inside, parse_shard, shard_files

CHECKS = (
    "manifest", "files", "schema", "ids", "subset", "audio", "durations", "captions", "licenses",
    "writer", "sidecar", "accounting", "splits", "evaluation",
)  # fmt: skip


def validate(
    folder: Path,
    *,
    evaluation: pl.DataFrame | None = None,
    sample: int | None = None,
    progress: Progress | None = None,
    apart: Mapping[str, Sequence[str]] | None = None,
) -> Report:
    """Read a build folder again, all of it, and compare it with what it promises; no failure stops it.

    `evaluation` holds source_id, start, end of clips that must not be trained on; without it that check is
    neither made nor reported. `apart` names, by `recording` and `speaker`, the splits that share none with train;
    likewise. `sample` decodes so many clips, evenly spread, instead of all.
    """
    if not folder.is_dir():
        raise StewError(f"there is no folder {folder}", hint="name the folder that the build wrote to")
    findings = Findings()
    manifest = check_manifest(folder, findings)
    check_files(folder, manifest, findings)
    check_accounting(manifest, findings)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = RowChecks(findings, evaluation_spans(evaluation), pool, _spread(folder, sample))
        for path in shard_files(folder):
            _check_shard(folder, path, rows, progress)
    rows.unique()
    check_sidecar(folder, findings)
    findings.details |= rows.details()
    if apart is not None:
        check_splits(folder, apart, findings)
    asked = {"evaluation": evaluation is not None, "splits": apart is not None}
    made = [name for name in CHECKS if asked.get(name, True)]
    return Report(str(folder), tuple(findings.check(name) for name in made), rows.different, rows.seconds)


def _check_shard(folder: Path, path: Path, rows: RowChecks, progress: Progress | None) -> None:
    name, done = inside(folder, path), 0
    try:
        file = pq.ParquetFile(path)
        check_layout(file, name, rows.findings)
        known = check_schema(file, name, rows.findings)
    except (pa.ArrowException, OSError) as error:
        rows.findings.fail("files", f"{name}: cannot be read: {error}")
        return
    with file:
        for group in rows.shard(file, name, parse_shard(name)) if known else ():
            done += len(group)
            if progress:
                progress(name, done)


def _spread(folder: Path, sample: int | None) -> Callable[[int], bool]:
    """Which clips to decode: all, or `sample` of them in equal steps."""
    if sample is None:
        return lambda number: True
    total = 0
    for path in audio_files(folder):
        try:
            with readable(path) as file:
                total += file.metadata.num_rows
        except StewError:  # counted and reported where its rows are checked
            continue
    return lambda number: number * sample % total < sample
