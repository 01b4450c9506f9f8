"""What a release says of its files (release.v1) and of its splits: counts, hours, licenses."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from captionstew.errors import BuildError
from captionstew.shards.columns import read_columns
from captionstew.shards.layout import inside, parse_shard
from captionstew.shards.write import Written


@dataclass(frozen=True)
class ReleaseFile:
    """One row of release.v1."""

    path: str
    tier: str
    corpus: str
    split: str
    schema: str
    rows: int
    captions: int
    seconds: float
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Share:
    """Part of a split."""

    clips: int
    hours: float


@dataclass(frozen=True)
class Total:
    """What one split of a corpus holds, in all and by license."""

    tier: str
    corpus: str
    split: str
    files: int
    clips: int
    captions: int
    hours: float
    licenses: Mapping[str, Share]


def release_file(folder: Path, shard: Written) -> ReleaseFile:
    """The row of a finished shard; BuildError if it does not lie where shards lie."""
    path = inside(folder, shard.path)
    if not (name := parse_shard(path)):
        hint = "name it with shard_path(tier, corpus, split, number, count)"
        raise BuildError(f"{path} is no name for a shard", where=str(folder), hint=hint)
    contract = pq.read_schema(shard.path).metadata[b"captionstew"].decode()
    counts = (shard.rows, shard.captions, shard.seconds, shard.bytes, shard.sha256)
    return ReleaseFile(path, name.tier, name.corpus, name.split, contract, *counts)


def totals(
    folder: Path, files: Iterable[ReleaseFile], places: Mapping[str, Path] | None = None
) -> tuple[Total, ...]:
    """Totals per tier, corpus and split, licenses as the rows have them; `places` are files outside the folder."""
    splits: dict[tuple[str, str, str], list[ReleaseFile]] = defaultdict(list)
    for file in files:
        splits[file.tier, file.corpus, file.split].append(file)
    return tuple(_total(folder, key, splits[key], places or {}) for key in sorted(splits))


def _total(
    folder: Path, key: tuple[str, str, str], files: list[ReleaseFile], places: Mapping[str, Path]
) -> Total:
    seconds: dict[str, list[float]] = defaultdict(list)
    for file in files:
        table = read_columns(places.get(file.path, folder / file.path), ["license", "duration"])
        for name, duration in zip(table["license"].to_pylist(), table["duration"].to_pylist(), strict=True):
            seconds[name].append(duration)
    licenses = {name: Share(len(seconds[name]), _hours(seconds[name])) for name in sorted(seconds)}
    clips, captions = sum(file.rows for file in files), sum(file.captions for file in files)
    return Total(*key, len(files), clips, captions, _hours(file.seconds for file in files), licenses)


def _hours(seconds: Iterable[float]) -> float:
    return round(math.fsum(seconds) / 3600, 6)  # to a few milliseconds; fsum does not depend on the order
