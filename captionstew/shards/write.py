"""The only place that writes published Parquet: fixed settings, checked rows, same rows to same bytes."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from captionstew.digest import file_sha256
from captionstew.schema import AUDIO, schema
from captionstew.shards.atomic import replacing
from captionstew.shards.columns import read_columns
from captionstew.shards.hashed import HashedFile

ROWS_PER_GROUP = 100  # benchmarks/shard_layout.md
AUDIO_LEAF = "audio.bytes"

_CHUNKING = {"min_chunk_size": 256 << 10, "max_chunk_size": 4 << 20, "norm_level": 0}  # same place
_FEW_VALUES = {
    "corpus", "split", "domain", "codec", "license", "source_container",
    *(f"captions.list.element.{name}" for name in ("source", "style", "model", "prompt", "language")),
}  # fmt: skip


@dataclass(frozen=True)
class Written:
    """A finished shard: where it is and what it holds."""

    path: Path
    rows: int
    captions: int
    seconds: float
    bytes: int
    sha256: str


def write_shard(
    path: Path, tables: Iterable[pa.Table], schema_key: str = "clip.v1", expected_bytes: int = 0
) -> Written:
    """Write rows, in the order given, as one Parquet file that is either whole or absent.

    Tables may have any number of rows. AssertionError, naming the row, if they break the contract: other
    columns than the schema's, a null where none is allowed, ids that do not ascend, two corpora or splits.
    BuildError if the disk is full or the folder closed.
    """
    contract, tally = schema(schema_key).arrow(), _Tally(path.name, _required(schema_key))
    with replacing(path) as temporary, HashedFile(temporary, path, expected_bytes) as file:
        with pq.ParquetWriter(file, contract, **parquet_settings(contract)) as writer:
            for group in tally.checked(_groups(tables, contract)):
                writer.write_table(group, row_group_size=ROWS_PER_GROUP)
                file.check()
        if not tally.rows:
            raise AssertionError(f"{path.name}: a shard needs a row")
    return Written(path, tally.rows, tally.captions, math.fsum(tally.seconds), file.size, file.sha256())


def written(path: Path, sha256: str = "") -> Written:
    """What `write_shard` said of a finished shard, from the file; hashes it if `sha256` is not given."""
    table = read_columns(path, ["duration", "captions.list.element.style"])
    seconds = math.fsum(table["duration"].to_pylist())
    captions = pc.sum(pc.list_value_length(table["captions"])).as_py() or 0
    return Written(path, len(table), captions, seconds, path.stat().st_size, sha256 or file_sha256(path))


def parquet_settings(contract: pa.Schema) -> dict[str, Any]:
    """The arguments of every ParquetWriter: what is measured in `benchmarks/shard_layout.md`."""
    leaves = [leaf for column in contract for leaf in _leaves(column.name, column.type)]
    return {
        "compression": {leaf: "NONE" if leaf == AUDIO_LEAF else "ZSTD" for leaf in leaves},
        "use_dictionary": [leaf for leaf in leaves if leaf in _FEW_VALUES],
        "use_content_defined_chunking": _CHUNKING,
        "write_page_index": True,
        "store_schema": True,
    }


def _leaves(path: str, kind: pa.DataType) -> list[str]:
    if pa.types.is_struct(kind):
        return [leaf for child in kind for leaf in _leaves(f"{path}.{child.name}", child.type)]
    if pa.types.is_list(kind):
        return _leaves(f"{path}.list.element", kind.value_type)
    return [path]


def _groups(tables: Iterable[pa.Table], contract: pa.Schema) -> Iterator[pa.Table]:
    """The rows in contiguous pieces of ROWS_PER_GROUP, the last one shorter: pages depend on rows alone."""
    parts: list[pa.Table] = []
    waiting = 0
    for table in tables:
        _same_columns(table.schema, contract)
        while waiting + len(table) >= ROWS_PER_GROUP:
            yield _join([*parts, table[: ROWS_PER_GROUP - waiting]], contract)
            table, parts, waiting = table[ROWS_PER_GROUP - waiting :], [], 0
        if len(table):
            parts.append(table)
            waiting += len(table)
    if waiting:
        yield _join(parts, contract)


def _join(parts: list[pa.Table], contract: pa.Schema) -> pa.Table:
    same = [part.replace_schema_metadata(contract.metadata) for part in parts]
    one_piece = len(same) == 1 and all(column.num_chunks == 1 for column in same[0].columns)
    return same[0] if one_piece else pa.concat_tables(same).combine_chunks()  # combining copies the audio


def _same_columns(got: pa.Schema, contract: pa.Schema) -> None:
    if got.equals(contract, check_metadata=False):
        return
    wrong = [str(column) for column in got if column not in list(contract)]
    missing = [column.name for column in contract if column.name not in got.names]
    raise AssertionError(
        f"a shard takes exactly the contract's columns; not in it: {wrong}; missing: {missing}"
        if wrong or missing
        else f"columns in another order than the contract's: {got.names}"
    )


@dataclass
class _Tally:
    """Counts the rows that pass and refuses those that break the contract."""

    name: str
    columns: pa.Schema
    rows: int = 0
    captions: int = 0
    seconds: list[float] = field(default_factory=list)
    last_id: str = ""
    home: tuple[str, str] | None = None

    def checked(self, groups: Iterable[pa.Table]) -> Iterator[pa.Table]:
        for group in groups:
            self._sound(group)
            self._no_nulls(group)
            self._ascending(group["clip_id"].to_pylist())
            self._one_home(group["corpus"].to_pylist(), group["split"].to_pylist())
            self.rows += len(group)
            self.captions += len(group["captions"].combine_chunks().flatten())
            self.seconds += group["duration"].to_pylist()
            yield group

    def _sound(self, group: pa.Table) -> None:
        try:
            group.validate(full=True)  # a string that is no UTF-8 would fail every other reader
        except pa.ArrowInvalid as error:
            end = self.rows + len(group)
            raise AssertionError(f"{self.name}: rows {self.rows} to {end}: {error}") from error

    def _no_nulls(self, group: pa.Table) -> None:
        for column in self.columns:
            if found := _first_null(_whole(group[column.name]), column, column.name):
                leaf, row = found
                where = f"{self.name}: row {self.rows + row} ({group['clip_id'][row]})"
                raise AssertionError(f"{where}: {leaf} is null")

    def _ascending(self, ids: list[str]) -> None:
        for row, value in enumerate(ids, self.rows):
            if row and value <= self.last_id:
                fault = f"id {value!r} does not come after {self.last_id!r}"
                raise AssertionError(f"{self.name}: row {row}: {fault}")
            self.last_id = value

    def _one_home(self, corpora: list[str], splits: list[str]) -> None:
        for row, home in enumerate(zip(corpora, splits, strict=True), self.rows):
            self.home = self.home or home
            if home != self.home:
                raise AssertionError(f"{self.name}: row {row}: {home} in a shard of {self.home}")


def _required(schema_key: str) -> pa.Schema:
    """The contract with audio that is there: in Arrow it may be nullable, as the Hub's Audio feature is."""
    present = pa.struct([field.with_nullable(False) for field in AUDIO])
    columns = schema(schema_key).columns
    return pa.schema([pa.field(c.name, present, False) if c.type == "audio" else c.arrow() for c in columns])


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _first_null(array: pa.Array, column: pa.Field, path: str) -> tuple[str, int] | None:
    """Leaf and row of the first null that the contract forbids."""
    if array.null_count and not column.nullable:
        return path, pc.index(array.is_null(), True).as_py()
    if pa.types.is_struct(column.type):
        found = (_first_null(array.field(child.name), child, f"{path}.{child.name}") for child in column.type)
        return next(filter(None, found), None)
    if pa.types.is_list(column.type):
        inner = _first_null(array.flatten(), column.type.value_field, f"{path}[]")
        return (inner[0], pc.list_parent_indices(array)[inner[1]].as_py()) if inner else None
    return None
