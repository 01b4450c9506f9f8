"""Full disks and closed folders, however the library that met them puts it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from captionstew.shards.atomic import disk_errors, replacing


@contextmanager
def polars_errors(path: Path) -> Iterator[None]:
    """As `disk_errors`, and for polars too, which says `os error 28` in an error of its own."""
    with disk_errors(path):
        try:
            yield
        except pl.exceptions.PolarsError as error:
            if number := re.search(r"os error (\d+)", str(error)):
                raise OSError(int(number[1]), str(error)) from error
            raise


@contextmanager
def replacing_table(path: Path) -> Iterator[Path]:
    """As `replacing`, for a table that polars writes."""
    with replacing(path) as temporary, polars_errors(path):
        yield temporary
