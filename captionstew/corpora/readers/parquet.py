"""Parquet: one file or many of one schema."""

from typing import TYPE_CHECKING

import polars as pl

from captionstew.corpora.find import Found
from captionstew.errors import CorpusError

if TYPE_CHECKING:
    from captionstew.corpora.find import Shelf


def rows(found: Found, shelf: "Shelf") -> pl.LazyFrame:
    """The columns as they are; files that are no Parquet are named."""
    tables = []
    for path in found.paths:
        table = pl.scan_parquet(path, glob=False)
        try:
            table.collect_schema()
        except pl.exceptions.PolarsError as error:
            cause = str(error).splitlines()[0]
            message = f"{shelf.corpus.name}: no Parquet"
            raise CorpusError(message, cause=cause, where=str(path), hint="get the file again") from error
        tables.append(table)
    return pl.concat(tables, how="diagonal_relaxed")
