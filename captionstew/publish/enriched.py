"""Enriched: the generated captions of a release as files of their own, each with what it was made of."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from captionstew.digest import digest, file_sha256
from captionstew.enrich.guard import KEPT
from captionstew.enrich.items import GENERATED
from captionstew.enrich.weights import called
from captionstew.errors import BuildError
from captionstew.figures import plural
from captionstew.publish.contents import DataFile
from captionstew.schema import schema
from captionstew.shards.columns import read_columns
from captionstew.shards.layout import parse_shard
from captionstew.shards.write import Written, write_shard, written

FOLDER = "enriched"  # in the repository; outside `data`, for the manifest does not tell of it
CONTRACT = "enriched.v1"
_TERMS = "terms"  # the license of what the model wrote, as the clip has one of its own
ROWS = 1 << 18  # clips to a file: some hundreds of MB
_AT_ONCE = 4096  # clips in memory as Python has them
_KEY = ("clip_id", "prompt", "text")
_ROW = ("clip_id", "corpus", "split", "duration", "license")
_MADE = (
    "style",
    "revision",
    "prompt_version",
    "sampling",
    "seed",
    "attempt",
    "parents",
    "detector",
    "made_with",
)


def enriched(files: Iterable[DataFile], provenance: Path, folder: Path) -> tuple[DataFile, ...]:
    """The files of the config `enriched`, made in `folder` from the tier `captions` and the build's provenance.

    Rows ascend by clip id, corpus by corpus; nothing generated, or no provenance, makes no file. `folder` is this
    function's own: what lies there already is not made again, and what is of no use any more is removed. BuildError
    where a generated caption has no provenance.
    """
    if not provenance.is_file():
        return ()
    sha256, found = file_sha256(provenance), []
    texts = [file for file in files if (shard := parse_shard(file.path)) and shard.tier == "captions"]
    for corpus, group in groupby(sorted(texts, key=_place), key=lambda file: _place(file)[0]):
        shards = [file for file in group if _place(file)[1] == "train"]
        name = digest(CONTRACT, ROWS, sha256, [file.sha256 for file in shards])
        parts = [
            _written(rows, provenance, folder / f"{name}-{number:05d}.parquet")
            for number, rows in enumerate(_portions(shards))
        ]
        for number, part in enumerate(parts):
            path = f"{FOLDER}/{corpus}/train-{number:05d}-of-{len(parts):05d}.parquet"
            found.append(DataFile(path, part.path, part.bytes, part.sha256))
    for unused in set(folder.glob("*.parquet")) - {file.source for file in found}:
        unused.unlink()
    return tuple(found)


def _place(file: DataFile) -> tuple[str, str, int]:
    name = parse_shard(file.path)
    assert name, f"no shard: {file.path}"
    return name.corpus, name.split, name.number


def _portions(shards: Iterable[DataFile]) -> Iterator[pl.DataFrame]:
    """The generated captions, a row each, of about ROWS clips at a time."""
    waiting: list[pl.DataFrame] = []
    clips = 0
    for shard in shards:
        rows = _generated(read_columns(shard.source, [*_ROW, "captions"]))
        waiting.append(rows)
        clips += rows["clip_id"].n_unique()
        if clips >= ROWS:
            yield pl.concat(waiting)
            waiting, clips = [], 0
    if clips:
        yield pl.concat(waiting)


def _generated(table: pa.Table) -> pl.DataFrame:
    frame = pl.DataFrame(table).explode("captions").unnest("captions", separator=".")
    made = frame.filter(pl.col("captions.source") == GENERATED)
    names = ("text", "source", "model", "prompt", "language")
    return made.select(*_ROW, *(pl.col(f"captions.{name}").alias(name) for name in names))


def _written(rows: pl.DataFrame, provenance: Path, path: Path) -> Written:
    """The file of a portion; one that is there is whole."""
    if path.exists():
        return written(path)
    told = _told(rows, provenance)
    if orphans := told.filter(pl.col("made_with").is_null()).select("clip_id", "text").rows():
        clip_id, text = orphans[0]
        raise BuildError(
            f"{plural(len(orphans), 'generated caption')} without provenance",
            cause=f'such as that of {clip_id}: "{text[:60]}"', where=str(provenance),
            hint="in the recipe, put Enrich and Guard after all that changes captions, and build again",
        )  # fmt: skip
    return write_shard(path, _tables(told), CONTRACT)


def _tables(told: pl.DataFrame) -> Iterator[pa.Table]:
    """The rows of the contract, some at a time."""
    contract = schema(CONTRACT).arrow()
    clips = (
        _clip(list(group)) for _, group in groupby(told.iter_rows(named=True), key=lambda row: row["clip_id"])
    )
    while some := list(islice(clips, _AT_ONCE)):
        yield pa.Table.from_pylist(some, contract)


def _told(rows: pl.DataFrame, provenance: Path) -> pl.DataFrame:
    """Each caption with its provenance, in the order of the rows."""
    ids = pl.lit(rows["clip_id"].min()), pl.lit(rows["clip_id"].max())
    kept = pl.col("clip_id").is_between(*ids) & pl.col("text").is_not_null() & (pl.col("verdict") == KEPT)
    columns = [*_KEY, *_MADE, "events", "certain", "possible", pl.col("license").alias(_TERMS)]
    known = pl.scan_parquet(provenance).filter(kept).select(columns)
    made = known.unique(_KEY, keep="first", maintain_order=True)
    return rows.lazy().join(made, on=list(_KEY), how="left", maintain_order="left").collect()


def _clip(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One row of the contract, from those of its captions."""
    return {name: rows[0][name] for name in _ROW} | {"captions": [_caption(row) for row in rows]}


def _caption(row: dict[str, Any]) -> dict[str, Any]:
    events = {name: list(row[name] or ()) for name in ("certain", "possible")}
    scores = {event["label"]: round(event["score"], 4) for event in row["events"] or ()}
    same = {name: row[name] for name in ("text", "source", "model", "prompt", "language", *_MADE)}
    return same | {
        "detector": called(row["detector"]), "revision": row["revision"] or None,
        "license": row[_TERMS], "parents": json.dumps(row["parents"]),
        "events": json.dumps(events | {"scores": scores}, ensure_ascii=False),
    }  # fmt: skip
