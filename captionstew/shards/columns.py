"""Columns of a finished file, with one clear error where it cannot be read."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from captionstew.errors import StewError


class ShardFile(Protocol):
    """A finished Parquet file: a Path, or one that lies elsewhere; its text is where it is."""

    @property
    def name(self) -> str:
        """The last part of its path."""


def leaf_names(path: ShardFile) -> list[str]:
    """The leaves of a Parquet file, such as `audio.bytes`; StewError if the file is missing or damaged."""
    with readable(path) as file:
        return [file.metadata.schema.column(i).path for i in range(len(file.metadata.schema))]


def read_columns(path: ShardFile, names: Sequence[str]) -> pa.Table:
    """All rows of those columns or leaves that a Parquet file has; StewError if it is missing or damaged."""
    with readable(path) as file:
        table = file.read(columns=list(names))
        table.validate(full=True)  # else text that is no UTF-8 fails later and elsewhere
        return table


@contextmanager
def readable(path: ShardFile) -> Iterator[pq.ParquetFile]:
    """The open file; what Arrow finds wrong with it inside the block becomes a StewError."""
    with reading(path), pq.ParquetFile(path) as file:
        yield file


@contextmanager
def reading(path: ShardFile) -> Iterator[None]:
    """What Arrow and the disk find wrong with a file inside the block becomes a StewError."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise damaged(path, error) from error


def damaged(path: ShardFile, cause: Exception) -> StewError:
    """The error that says a finished file is not what it was."""
    hint = "build it again, or fetch it again"
    return StewError(f"{path.name} cannot be read", cause=str(cause), where=str(path), hint=hint)
