"""Where the values of a binary Parquet column lie in the file, found from the file's own structure.

The footer (read by pyarrow) says where a column chunk begins; from there on page headers, levels and the
four bytes of length before each PLAIN value lead from value to value. Files may be hostile: every number is
checked before it is used.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from captionstew.errors import StewError
from captionstew.shards.columns import damaged, readable
from captionstew.shards.remote import RemoteFile
from captionstew.shards.thrift import Compact, ThriftError

Spans = npt.NDArray[np.int64]  # one row (offset, length) for each value; (-1, 0) for a null
Lengths = npt.NDArray[np.int64]  # bytes of each value, in file order
Read = Callable[[int, int], bytes]  # from byte, so many bytes

_DATA, _DICTIONARY, _DATA_V2 = 0, 2, 3  # PageType; an index page (1) is skipped
_BODY = {_DATA: 5, _DICTIONARY: 7, _DATA_V2: 8}  # field of PageHeader that describes such a page
_PLAIN, _PLAIN_DICTIONARY, _RLE, _RLE_DICTIONARY = 0, 2, 3, 8  # Encoding
_HEADER_WINDOWS = (1 << 10, 1 << 16, 1 << 22)  # a header is tens of bytes unless it carries statistics
_NULL = (-1, 0)
_REQUESTS = 16  # at a time to a server


def value_spans(path: Path | RemoteFile, leaf: str, lengths: Lengths | None = None) -> Spans:
    """Offset and length of each value of `leaf`, in file order; of a remote file by one small request a value.

    Whoever knows the `lengths` of all values spares a read for each: one for each page then tells the same.
    StewError if it is compressed, encoded other than PLAIN or by dictionary, or the file is damaged, or does not
    hold values of these lengths.
    """
    try:
        with readable(path) as parquet, _opened(path) as (read, size):
            metadata = parquet.metadata
            index = _leaf(metadata, leaf)
            chunks = [metadata.row_group(group).column(index) for group in range(metadata.num_row_groups)]
            level = metadata.schema.column(index).max_definition_level
            _believable([chunk.num_values for chunk in chunks], size)
            column = _Column(read, size, level)
            with ThreadPoolExecutor(1 if isinstance(path, Path) else _REQUESTS) as pool:
                parts = list(pool.map(column.chunk, chunks, _shares(lengths, chunks)))
    except (ThriftError, OSError) as error:
        raise damaged(path, error) from error
    except _Unaddressable as error:
        hint = f"write column {leaf} uncompressed and PLAIN, one value a row"
        raise StewError(f"{path.name}: {error}", where=str(path), hint=hint) from error
    return np.concatenate([np.empty((0, 2), np.int64), *parts])


def _shares(lengths: Lengths | None, chunks: list[pq.ColumnChunkMetaData]) -> list[Lengths | None]:
    """The lengths of each chunk's values."""
    if lengths is None:
        return [None] * len(chunks)
    ends = np.cumsum([chunk.num_values for chunk in chunks], dtype=np.int64)
    if len(lengths) != (ends[-1] if chunks else 0):
        raise ThriftError(f"{len(lengths)} values are expected, not {ends[-1] if chunks else 0}")
    return list(np.split(lengths, ends[:-1]))


@contextmanager
def _opened(path: Path | RemoteFile) -> Iterator[tuple[Read, int]]:
    """How to read so many bytes from a position, and the file's size."""
    if not isinstance(path, Path):
        yield path.exactly, path.bytes
        return
    with path.open("rb") as file:
        yield lambda position, size: os.pread(file.fileno(), size, position), path.stat().st_size


def _leaf(metadata: pq.FileMetaData, leaf: str) -> int:
    paths = [metadata.schema.column(i).path for i in range(len(metadata.schema))]
    if leaf not in paths:
        raise _Unaddressable(f"has no column {leaf}")
    column = metadata.schema.column(paths.index(leaf))
    if column.physical_type != "BYTE_ARRAY" or column.max_repetition_level:
        raise _Unaddressable(f"column {leaf} does not hold one byte string a row")
    return paths.index(leaf)


def _believable(counts: list[int], file_size: int) -> None:
    """Only nulls take less than a byte, and a lying footer must not cost all memory."""
    if min(counts, default=0) < 0 or sum(counts) > file_size + (1 << 20):
        raise ThriftError(f"{sum(counts)} values in a file of {file_size} bytes")


class _Unaddressable(Exception):
    """The file is sound, but the column's values do not lie in it as they are."""


@dataclass(frozen=True)
class _Header:
    """What is needed of a page header; only v2 pages say how many bytes of levels precede the values."""

    kind: int
    size: int
    values: int = 0
    encoding: int = _PLAIN
    level_encoding: int = _RLE
    repetition_bytes: int = 0
    definition_bytes: int = 0


@dataclass(frozen=True)
class _Column:
    """A column of an open file whose definition level is `level` where a value is present."""

    read: Read
    file_size: int
    level: int

    def chunk(self, chunk: pq.ColumnChunkMetaData, lengths: Lengths | None) -> Spans:
        """The spans of all values of one row group; quicker where their `lengths` are known."""
        if chunk.compression != "UNCOMPRESSED":
            raise _Unaddressable(f"column {chunk.path_in_schema} is compressed ({chunk.compression})")
        position = chunk.dictionary_page_offset or chunk.data_page_offset
        end = self._bounded(position, chunk.total_compressed_size, self.file_size)
        spans, filled, dictionary = np.full((chunk.num_values, 2), _NULL, np.int64), 0, None
        while position < end:
            header, start = self._header(position, end)
            position = self._bounded(start, header.size, end)
            if header.kind == _DICTIONARY:
                dictionary = self._plain(start, position, header.values)
            elif header.kind in _BODY:
                page = spans[filled : filled + header.values]
                if len(page) != header.values:
                    raise ThriftError(f"more values than the {chunk.num_values} of the row group")
                known = lengths[filled : filled + len(page)] if lengths is not None else None
                self._page(header, start, position, dictionary, page, known)
                filled += header.values
        if filled != chunk.num_values:
            raise ThriftError(f"{filled} values in the pages, {chunk.num_values} in the footer")
        return spans

    def _page(
        self,
        header: _Header,
        start: int,
        end: int,
        dictionary: Spans | None,
        page: Spans,
        lengths: Lengths | None,
    ) -> None:
        """Fill `page` with the spans of one data page."""
        start, present = self._present(header, start, end)
        count = int(present.sum())
        if header.encoding == _PLAIN:
            known = lengths[present] if lengths is not None else None
            page[present] = (
                self._plain(start, end, count) if known is None else self._known(start, end, known)
            )
        elif header.encoding in (_PLAIN_DICTIONARY, _RLE_DICTIONARY) and dictionary is not None:
            if not count:
                return
            width, *_ = self._read(start, self._bounded(start, 1, end) - start)
            index = _hybrid(self._read(start + 1, end - start - 1), width, count)
            if index.max() >= len(dictionary):
                raise ThriftError("a value that is not in the dictionary")
            page[present] = dictionary[index]
        else:
            raise _Unaddressable(f"encoding {header.encoding} does not keep values as they are")

    def _present(self, header: _Header, start: int, end: int) -> tuple[int, npt.NDArray[np.bool_]]:
        """Where the values begin after the levels, and which rows have one."""
        size = header.definition_bytes
        start = self._bounded(start, header.repetition_bytes, end)
        if header.kind == _DATA and self.level:
            if header.level_encoding != _RLE:
                raise _Unaddressable(f"level encoding {header.level_encoding} is out of use")
            size = int.from_bytes(self._read(start, 4), "little")
            start = self._bounded(start, 4, end)
        begin = self._bounded(start, size, end)
        if not self.level:
            return begin, np.ones(header.values, np.bool_)
        return begin, _hybrid(self._read(start, size), self.level.bit_length(), header.values) == self.level

    def _plain(self, position: int, end: int, count: int) -> Spans:
        """The spans of `count` values that fill the bytes up to `end`, each after its length."""
        if count * 4 > end - position:
            raise ThriftError(f"{count} values in {end - position} bytes")
        spans = np.empty((count, 2), np.int64)
        for row in range(count):
            start = self._bounded(position, 4, end)
            length = int.from_bytes(self.read(position, 4), "little")
            position = self._bounded(start, length, end)
            spans[row] = start, length
        if position != end:
            raise ThriftError(f"{end - position} bytes left over before byte {end}")
        return spans

    def _known(self, position: int, end: int, lengths: Lengths) -> Spans:
        """As `_plain`, for values of these lengths: the first one's is read, and together they must fill the page."""
        ends = position + np.cumsum(lengths + 4)
        filled = int(ends[-1]) if len(ends) else position
        first = int.from_bytes(self._read(position, 4), "little") if len(ends) else 0
        if filled != end or (len(ends) and first != lengths[0]):
            raise ThriftError(f"the values before byte {end} do not have the lengths that were expected")
        return np.stack([ends - lengths, lengths], axis=1)

    def _header(self, position: int, end: int) -> tuple[_Header, int]:
        """The page header at `position` and where it ends."""
        for window in _HEADER_WINDOWS:
            reader = Compact(self._read(position, min(window, end - position)))
            try:
                return _parsed(reader.struct()), position + reader.position
            except ThriftError:
                if window >= min(end - position, _HEADER_WINDOWS[-1]):
                    raise
        raise AssertionError("the last window either parses or raises")

    def _read(self, position: int, size: int) -> bytes:
        data = self.read(position, size)
        if len(data) != size:
            raise ThriftError(f"the file ends before byte {position + size}")
        return data

    @staticmethod
    def _bounded(position: int, size: int, end: int) -> int:
        """`position + size`, if that is inside the enclosing `end`."""
        if position < 0 or size < 0 or position + size > end:
            raise ThriftError(f"{size} bytes from byte {position} do not end by byte {end}")
        return position + size


def _parsed(fields: dict[int, Any]) -> _Header:
    kind, size = _number(fields, 1), _number(fields, 3)
    if kind not in _BODY:
        return _Header(kind, size)
    body = fields.get(_BODY[kind])
    if not isinstance(body, dict):
        raise ThriftError("a page header without its body")
    if kind == _DATA_V2:
        levels = {"definition_bytes": _number(body, 5), "repetition_bytes": _number(body, 6)}
        return _Header(kind, size, _number(body, 1), _number(body, 4), **levels)
    encoding = _number(body, 2)
    return _Header(kind, size, _number(body, 1), encoding, _number(body, 3) if kind == _DATA else _RLE)


def _number(fields: dict[int, Any], field: int) -> int:
    value = fields.get(field)
    if not isinstance(value, int) or value < 0:
        raise ThriftError(f"field {field} of a page header is {value!r}")
    return value


def _hybrid(data: bytes, width: int, count: int) -> npt.NDArray[np.int64]:
    """The first `count` numbers of `width` bits in Parquet's mix of runs and packed bits."""
    if width > 32:
        raise ThriftError(f"numbers of {width} bits")
    out, filled, reader = np.zeros(count, np.int64), 0, Compact(data)
    while filled < count:
        head = reader.varint()
        if head & 1:
            packed = np.frombuffer(reader.take((head >> 1) * width), np.uint8)
            bits = np.unpackbits(packed, bitorder="little").reshape(-1, max(width, 1)).astype(np.int64)
            run = bits @ (1 << np.arange(width, dtype=np.int64)) if width else out[filled:]
        else:
            value = int.from_bytes(reader.take((width + 7) // 8), "little")
            run = np.full(min(head >> 1, count - filled), value)
        run = run[: count - filled]
        out[filled : filled + len(run)] = run
        filled += len(run)
    return out
