"""JSON: a list of objects, or an object that holds the list under one key."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from captionstew.corpora.facts import Reading
from captionstew.corpora.find import Found
from captionstew.errors import CorpusError

if TYPE_CHECKING:
    from captionstew.corpora.find import Shelf


def rows(found: Found, shelf: "Shelf") -> pl.LazyFrame:
    """The objects of the list; JSON cannot be scanned, so the file is read here."""
    tables = [_read(path, found.file.read, shelf.corpus.name) for path in found.paths]
    return pl.concat([table.lazy() for table in tables], how="diagonal_relaxed")


def _read(path: Path, read: Reading, corpus: str) -> pl.DataFrame:
    try:
        table = pl.read_json(path, infer_schema_length=None)
    except pl.exceptions.PolarsError as error:
        raise _broken(path, corpus) from error
    if not read.path:
        return table
    if read.path not in table.columns or not isinstance(table.schema[read.path], pl.List):
        cause = f"there is no list under `{read.path}`; the keys are {', '.join(table.columns)}"
        raise CorpusError(
            f"{corpus}: not the layout of the corpus", cause=cause, where=str(path), hint="get it again"
        )
    return table.select(pl.col(read.path).explode()).drop_nulls().unnest(read.path)


def _broken(path: Path, corpus: str) -> CorpusError:
    cause, line = "polars cannot read it", 0
    try:
        json.loads(path.read_text(encoding="utf-8", errors="replace"))
    except json.JSONDecodeError as error:
        cause, line = error.msg, error.lineno
    where = f"{path}, line {line}" if line else str(path)
    return CorpusError(f"{corpus}: no JSON", cause=cause, where=where, hint="get the file again")
