"""The clips to listen to: drawn by a hash of their ids, as many of each corpus, with all that is known of them."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from captionstew.report.rows import Place, Rows
from captionstew.report.source import Source
from captionstew.shards.columns import readable

_FIELDS = (
    "clip_id",
    "corpus",
    "split",
    "domain",
    "duration",
    "codec",
    "captions",
    "events",
    "tags",
    "transcript",
    "license",
    "attribution",
    "source_url",
    "source_id",
    "start",
    "end",
    "loudness",
    "source_sample_rate",
    "source_container",
)
_PROVENANCE = (
    "clip_id",
    "text",
    "prompt",
    "model",
    "verdict",
    "detail",
    "rejected",
    "attempt",
    "certain",
    "possible",
    "finish",
    "error",
)


@dataclass(frozen=True)
class Clip:
    """A row; its audio where a tier holds it; what enrichment asked about it."""

    row: Mapping[str, Any]
    audio: bytes | None
    made: tuple[Mapping[str, Any], ...] = ()  # rows of the provenance

    @property
    def clip_id(self) -> str:
        """Its id."""
        return str(self.row["clip_id"])


def drawn(found: Rows, number: int) -> list[Place]:
    """At most `number` clips, in turn of each corpus until it has no more; in the order of the corpora."""
    waiting = {name: deque(one.drawn) for name, one in found.corpora.items()}
    chosen: dict[str, list[Place]] = {name: [] for name in waiting}
    left = number
    while left and any(waiting.values()):
        for name, queue in sorted(waiting.items(), key=lambda item: -len(found.corpora[item[0]].durations)):
            if queue and left:
                chosen[name].append(queue.popleft())
                left -= 1
    return [place for places in chosen.values() for place in places]


def clips(source: Source, places: Sequence[Place]) -> list[Clip]:
    """Those clips in full, one read of a row group each."""
    made = _made(source, [place.clip_id for place in places])
    return [_clip(source, place, tuple(made.get(place.clip_id, ()))) for place in places]


def by_id(source: Source, clip_ids: Iterable[str]) -> list[Clip]:
    """The clips of these ids that are here, in the order of ids."""
    wanted = set(clip_ids)
    found: dict[str, Place] = {}
    for file, _ in source.files():
        with readable(source.shard(file.path)) as parquet:
            for clip_id in wanted - found.keys():
                row = _find(parquet, clip_id)
                if row is not None:
                    found[clip_id] = Place(b"", clip_id, file.path, row)
    return clips(source, [found[clip_id] for clip_id in sorted(found)])


def _find(parquet: pq.ParquetFile, clip_id: str) -> int | None:
    """The row of a clip in a shard; rows ascend by id, so of most groups the statistics are enough."""
    first: int = 0
    for group in range(parquet.num_row_groups):
        about = parquet.metadata.row_group(group)
        bounds = about.column(0).statistics
        if bounds is None or not bounds.has_min_max or bounds.min <= clip_id <= bounds.max:
            ids: list[str] = parquet.read_row_group(group, columns=["clip_id"])["clip_id"].to_pylist()
            if clip_id in ids:
                return first + ids.index(clip_id)
        first += int(about.num_rows)
    return None


def _clip(source: Source, place: Place, made: tuple[Mapping[str, Any], ...]) -> Clip:
    row = _row(source, place.path, place.row)
    audio = row.pop("audio", None)
    if audio is None:  # of the captions tier: its audio may be in another
        found = _elsewhere(source, place)
        row, audio = (row, None) if found is None else (row | {"codec": found["codec"]}, found["audio"])
    return Clip(row, None if audio is None else audio["bytes"], made)


def _row(source: Source, path: str, row: int, fields: Sequence[str] = (*_FIELDS, "audio")) -> dict[str, Any]:
    with readable(source.shard(path)) as parquet:
        held = [name for name in fields if name in parquet.schema_arrow.names]
        first = 0
        for group in range(parquet.num_row_groups):
            here = parquet.metadata.row_group(group).num_rows
            if row < first + here:
                found: dict[str, Any] = (
                    parquet.read_row_group(group, columns=held).slice(row - first, 1).to_pylist()[0]
                )
                return found
            first += here
    raise AssertionError(f"{path} has no row {row}")


def _elsewhere(source: Source, place: Place) -> dict[str, Any] | None:
    """The row with the clip's audio, in the tiers that have audio."""
    name = next(file for file in source.manifest.files if file.path == place.path)
    for file in source.manifest.files:
        if (file.corpus, file.split) == (name.corpus, name.split) and file.tier != "captions":
            with readable(source.shard(file.path)) as parquet:
                row = _find(parquet, place.clip_id)
            if row is not None:
                return _row(source, file.path, row, ("codec", "audio"))
    return None


def _made(source: Source, clip_ids: Sequence[str]) -> dict[str, list[Mapping[str, Any]]]:
    """What enrichment asked about these clips."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    if source.provenance is not None:
        known = (
            pl.scan_parquet(source.provenance)
            .select(_PROVENANCE)
            .filter(pl.col("clip_id").is_in(list(clip_ids)))
        )
        for row in (
            known.collect(engine="streaming").sort("clip_id", "prompt", "attempt").iter_rows(named=True)
        ):
            found.setdefault(row["clip_id"], []).append(row)
    return found
