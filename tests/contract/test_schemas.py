"""Every schema of the room: Arrow, Parquet, the Hub's features and the generated table agree.

`python tests/contract/test_schemas.py` writes `schemas/README.md` again.
"""

from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from captionstew.rooms import room
from captionstew.schema import Column, Schema, schema, schemas
from captionstew.shards.write import write_shard

README = room("schemas") / "README.md"
INTRODUCTION = """\
# Schemas

The contract of what we publish, readable without Python: one TOML file per table and version. From each come
the Arrow schema, the Hub's features in its metadata, and the tables below.

- **A version only grows.** A new nullable column keeps the version; anything else (a removed or renamed
  column, another type, another meaning) is a new file, `clip.v2.toml`, beside the old one.
- **Null means unknown.** A column may be null only where an honest corpus can be in doubt: where a clip began
  in its recording, who speaks, what is said, whom to name, the loudness of digital silence. What a build always
  knows (ids, counts, hashes, the license) is never null, and "none" is an empty list, never null.
- **Order is part of the contract.** Rows ascend by `clip_id`; human captions stand before generated ones.

This file is made from the TOML files by `python tests/contract/test_schemas.py`.
"""

_VALUES: dict[str, Any] = {
    "string": "word", "json": '{"a": 1}', "bool": True, "binary": b"\x00\xff", "float32": 0.5, "float64": 0.1,
    "int16": -3, "int32": 44_100, "int64": 1 << 40, "audio": {"bytes": b"fLaC", "path": "a.flac"},
}  # fmt: skip

every_schema = pytest.mark.parametrize("contract", schemas(), ids=lambda contract: contract.key)
every_row_schema = pytest.mark.parametrize("key", ["clip.v1", "caption.v1"])


def readme() -> str:
    """What `schemas/README.md` has to say."""
    return "\n".join([INTRODUCTION, *(contract.markdown() for contract in schemas())])


def _value(column: Column, number: int) -> Any:
    """Something of the column's type; every third nullable value is null."""
    if column.nullable and number % 3 == 0:
        return None
    if column.type == "list<struct>":
        return [{field.name: _value(field, n) for field in column.fields} for n in range(number % 3)]
    if column.type.startswith("list<"):
        return [_VALUES[column.type[5:-1]]] * (number % 3)
    return f"fs:{number:03d}" if column.name == "clip_id" else _VALUES[column.type]


def _table(contract: Schema, rows: int = 7) -> pa.Table:
    values = [{column.name: _value(column, n) for column in contract.columns} for n in range(rows)]
    return pa.Table.from_pylist(values, contract.arrow())


def _shard(key: str, folder: Path) -> tuple[Path, pa.Table]:
    table = _table(schema(key), 230)
    return write_shard(folder / f"{key}.parquet", [table], key).path, table


@every_schema
def test_the_file_is_named_by_what_it_holds(contract: Schema) -> None:
    assert (room("schemas") / f"{contract.key}.toml").is_file()
    assert contract.title
    assert len(set(contract.names)) == len(contract.names) > 0


@every_schema
def test_parquet_keeps_types_nullability_and_metadata(contract: Schema, tmp_path: Path) -> None:
    table = _table(contract)
    pq.write_table(table, tmp_path / "a.parquet")
    back = pq.ParquetFile(tmp_path / "a.parquet")
    assert back.schema_arrow.equals(contract.arrow())  # nullability included, at every depth
    assert back.schema_arrow.metadata == contract.arrow().metadata
    assert back.read().equals(table)


@every_schema
def test_the_hub_reads_our_features_from_the_metadata(contract: Schema) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features.from_arrow_schema(contract.arrow())
    assert list(features) == list(contract.names)
    assert {name for name, feature in features.items() if isinstance(feature, datasets.Audio)} == {
        column.name for column in contract.columns if column.type == "audio"
    }
    nullable = pa.schema([_nullable(column) for column in contract.arrow()])
    assert features.arrow_schema.equals(nullable)


def _nullable(column: pa.Field) -> pa.Field:
    """The column as `datasets` has it, which knows no other than nullable ones."""
    if pa.types.is_struct(column.type):
        return pa.field(column.name, pa.struct([_nullable(child) for child in column.type]))
    if pa.types.is_list(column.type):
        return pa.field(column.name, pa.list_(_nullable(column.type.value_field)))
    return column.with_nullable(True)


@every_row_schema
@pytest.mark.parametrize("streaming", [False, True])
def test_datasets_opens_a_shard_as_it_is(key: str, streaming: bool, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    path, table = _shard(key, tmp_path)
    place = {"data_files": [str(path)], "cache_dir": str(tmp_path / "cache")}
    loaded = datasets.load_dataset("parquet", split="train", streaming=streaming, **place)
    assert list(loaded.features) == list(schema(key).names)
    if key == "clip.v1":
        assert loaded.features["audio"] == datasets.Audio(sampling_rate=16_000)
        loaded = loaded.cast_column("audio", datasets.Audio(sampling_rate=16_000, decode=False))
    assert list(loaded) == table.to_pylist()


@every_row_schema
def test_polars_opens_a_shard_as_it_is(key: str, tmp_path: Path) -> None:
    path, table = _shard(key, tmp_path)
    lazy = pl.scan_parquet(path)
    assert lazy.collect_schema().names() == list(schema(key).names)
    assert lazy.filter(pl.col("clip_id") == "fs:117").collect().to_dicts() == table[117:118].to_pylist()


def test_the_readme_is_up_to_date() -> None:
    assert README.read_text("utf-8") == readme(), "run: python tests/contract/test_schemas.py"


if __name__ == "__main__":
    README.write_text(readme(), "utf-8")
