"""CSV and its relatives: any separator, with or without a header, comments at the top."""

import csv
from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

import polars as pl

from captionstew.corpora.facts import Reading
from captionstew.corpora.fault import Fault, Numbers
from captionstew.corpora.find import Found

if TYPE_CHECKING:
    from captionstew.corpora.find import Shelf

csv.field_size_limit(1 << 24)  # a caption is short; a quote that is never closed is not


def rows(found: Found, shelf: "Shelf") -> pl.LazyFrame:
    """All fields as strings, empty ones null."""
    return pl.concat([scan(path, found.file.read) for path in found.paths])


def scan(path: Path, read: Reading) -> pl.LazyFrame:
    """One file, every field a string."""
    source = path if read.encoding == "utf-8" else _decoded(path)
    return pl.scan_csv(
        source,
        has_header=read.headed,
        schema=None if read.headed else dict.fromkeys(read.header, pl.String()),
        infer_schema=False,
        separator=read.separator,
        quote_char=read.quote or None,
        comment_prefix=read.comment or None,
        extra_columns="ignore" if read.extra == "ignore" else None,
        glob=False,
    )


def _decoded(path: Path) -> bytes:
    data = path.read_bytes()
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("iso-8859-1").encode("utf-8")
    return data


def fault(path: Path, read: Reading, numbers: Numbers) -> Fault | None:
    """The first row with too many or too few fields, an open quote, or no number where one must be."""
    encoding = "utf-8-sig" if read.encoding == "utf-8" else "iso-8859-1"
    with path.open(encoding=encoding, errors="surrogateescape", newline="") as file:
        records = _records(file, read)
        header = next(records, (1, [], ""))[1] if read.headed else list(read.header)
        for line, fields, unreadable in records:
            cause = unreadable or _cause(fields, header, read, numbers)
            if cause:
                return Fault(line, read.separator.join(fields), cause)
    return None


def _records(file: TextIO, read: Reading) -> Iterator[tuple[int, list[str], str]]:
    """The records, the lines they begin on (comments count), and why one cannot be read."""
    skipped = 0

    def lines() -> Iterator[str]:
        nonlocal skipped
        for line in file:
            if read.comment and line.startswith(read.comment):
                skipped += 1
            else:
                yield line

    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if read.quote else csv.QUOTE_NONE
    options = {"delimiter": read.separator, "quotechar": read.quote or None, "strict": True}
    reader = csv.reader(lines(), quoting=quoting, **options)  # type: ignore[arg-type]
    while True:
        before = reader.line_num
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield before + skipped + 1, [], f"quotes that do not match: {error}"
            return
        if fields:
            yield before + skipped + 1, fields, ""


def _cause(fields: list[str], header: list[str], read: Reading, numbers: Numbers) -> str:
    if len(fields) < len(header) or (len(fields) > len(header) and read.extra == "raise"):
        return f"{len(fields)} fields where {len(header)} are due ({', '.join(header)})"
    if any("\udc80" <= character <= "\udcff" for field in fields for character in field):
        return "bytes that are not UTF-8"
    row = dict(zip(header, fields, strict=False))
    for name in (*numbers.required, *numbers.optional):
        if not _is_number(row[name]) and (row[name] or name in numbers.required):
            return f"{name} is {row[name]!r}, not a number"
    return ""


def _is_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False
