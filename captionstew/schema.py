"""The data contract: TOML files of the `schemas` room as Arrow schemas, Hub features and documentation."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pyarrow as pa

from captionstew.errors import StewError
from captionstew.rooms import room

# Nullable throughout, for `datasets` sees an Audio feature in no other struct; the writer refuses nulls in it.
AUDIO = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])
SAMPLE_RATE = 16_000  # CaptionStew, section 3: everything is resampled to 16 kHz

_SCALARS: dict[str, pa.DataType] = {
    "string": pa.string(), "bool": pa.bool_(), "binary": pa.binary(), "json": pa.string(),
    "int16": pa.int16(), "int32": pa.int32(), "int64": pa.int64(),
    "float32": pa.float32(), "float64": pa.float64(), "audio": AUDIO,
}  # fmt: skip
_COLUMN_KEYS = {"name", "type", "doc", "unit", "nullable", "field"}
_SCHEMA_KEYS = {"name", "version", "title", "column", "derive"}


@dataclass(frozen=True)
class Column:
    """One column of a schema, or one field of a struct inside it."""

    name: str
    type: str
    doc: str
    unit: str = ""
    nullable: bool = False
    fields: tuple["Column", ...] = ()

    def arrow(self) -> pa.Field:
        """The Arrow field of this column."""
        return pa.field(self.name, self._arrow_type(), nullable=self.nullable or self.type == "audio")

    def _arrow_type(self) -> pa.DataType:
        if self.type == "list<struct>":
            return pa.list_(pa.field("item", pa.struct([c.arrow() for c in self.fields]), nullable=False))
        if self.type.startswith("list<"):
            return pa.list_(pa.field("item", _SCALARS[self.type[5:-1]], nullable=False))
        return _SCALARS[self.type]

    def hub_feature(self) -> dict[str, Any]:
        """The Hub's feature for this column, as `datasets` spells it in Parquet metadata."""
        if self.type == "audio":
            return {"sampling_rate": SAMPLE_RATE, "_type": "Audio"}
        if self.type == "list<struct>":
            return {"feature": {c.name: c.hub_feature() for c in self.fields}, "_type": "List"}
        if self.type.startswith("list<"):
            return {"feature": {"dtype": self.type[5:-1], "_type": "Value"}, "_type": "List"}
        return {"dtype": "string" if self.type == "json" else self.type, "_type": "Value"}


@dataclass(frozen=True)
class Schema:
    """A versioned table contract, such as `clip.v1`."""

    name: str
    version: int
    title: str
    columns: tuple[Column, ...]

    @property
    def key(self) -> str:
        """Name and version, as written in manifests: `clip.v1`."""
        return f"{self.name}.v{self.version}"

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(c.name for c in self.columns)

    def arrow(self) -> pa.Schema:
        """The Arrow schema with the Hub's feature types and our contract's name in its metadata."""
        features = {c.name: c.hub_feature() for c in self.columns}
        metadata = {"huggingface": json.dumps({"info": {"features": features}}), "captionstew": self.key}
        return pa.schema([c.arrow() for c in self.columns], metadata=metadata)

    def markdown(self) -> str:
        """A table of the columns for people; `schemas/README.md` is made of these."""
        lines = [
            f"## {self.key}: {self.title}",
            "",
            "| column | type | null | what it holds |",
            "| --- | --- | --- | --- |",
        ]
        for column in self.columns:
            lines.append(_markdown_row(column, prefix=""))
            lines += [_markdown_row(field, prefix=f"{column.name}[].") for field in column.fields]
        return "\n".join([*lines, ""])


def _markdown_row(column: Column, prefix: str) -> str:
    unit = f" ({column.unit})" if column.unit else ""
    return f"| `{prefix}{column.name}` | {column.type}{unit} | {'yes' if column.nullable else 'no'} | {column.doc} |"


@cache
def schema(key: str) -> Schema:
    """The schema called `key` (`clip.v1`); StewError if the room has no such file."""
    path = room("schemas") / f"{key}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in room("schemas").glob("*.toml")))
        raise StewError(f"no schema {key!r}", hint=f"known: {known}")
    return parse(tomllib.loads(path.read_text("utf-8")), str(path))


def parse(facts: Mapping[str, Any], where: str) -> Schema:
    """A Schema from parsed TOML; unknown keys and types are refused with their place."""
    if unknown := set(facts) - _SCHEMA_KEYS:
        raise StewError(
            f"unknown key {sorted(unknown)}", where=where, hint=f"allowed: {sorted(_SCHEMA_KEYS)}"
        )
    columns = tuple(_column(c, where) for c in facts.get("column", ()))
    if derive := facts.get("derive"):
        base = schema(derive["from"])
        without = set(derive.get("without", ()))
        if missing := without - set(base.names):
            raise StewError(f"{sorted(missing)} is not in {base.key}", where=where)
        columns = tuple(c for c in base.columns if c.name not in without) + columns
    return Schema(facts["name"], facts["version"], facts["title"], columns)


def _column(facts: Mapping[str, Any], where: str) -> Column:
    if unknown := set(facts) - _COLUMN_KEYS:
        raise StewError(f"unknown key {sorted(unknown)} in column {facts.get('name')}", where=where)
    column = Column(
        name=facts["name"], type=facts["type"], doc=facts["doc"], unit=facts.get("unit", ""),
        nullable=facts.get("nullable", False), fields=tuple(_column(f, where) for f in facts.get("field", ())),
    )  # fmt: skip
    kind = column.type[5:-1] if column.type.startswith("list<") else column.type
    if kind not in {*_SCALARS, "struct"} or (kind == "struct") != bool(column.fields):
        raise StewError(f"column {column.name}: type {column.type!r} is not one we know", where=where)
    return column


def schemas() -> tuple[Schema, ...]:
    """Every schema in the room, by name."""
    return tuple(schema(path.stem) for path in sorted(room("schemas").glob("*.toml")))
