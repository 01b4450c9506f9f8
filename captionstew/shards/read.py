"""Finished clips at random: audio bytes by one read at a known address, everything else by row group."""

import os
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from captionstew.errors import StewError
from captionstew.shards.columns import damaged, readable, reading
from captionstew.shards.remote import Remote, RemoteFile, url_of
from captionstew.shards.sidecar import open_sidecar, remote_sidecar

Numbers = npt.NDArray[np.unsignedinteger[Any]]

_MOST_OPEN = 256  # files for audio; a process may often have 1,024
_MOST_PARQUET = 16


class Clips:
    """The clips of a build folder's audio tier, numbered in the order of files and of rows in them.

    `folder` may be a URL, such as `hf://datasets/OWNER/NAME`: clips are then read by range requests through a cache
    on this disk, or, with `download`, each shard is fetched whole when it is first needed, once, and verified.
    `clip_bytes` may be called from many threads at once, and after a fork; the object can be pickled.
    """

    def __init__(self, folder: str | Path, *, download: bool = False) -> None:
        url = url_of(folder)
        self._remote, self._download = (Remote(url) if url else None), download
        self.folder = self._remote.folder if self._remote else Path(folder)
        self.sidecar = remote_sidecar(self._remote) if self._remote else open_sidecar(self.folder)
        self.num_samples = self._values("num_samples")
        self.num_captions = self._values("num_captions")
        # A memoryview hands out plain integers three times as fast as an array does.
        self._file = self._values("file").data
        self._offset = self._values("offset").data
        self._length = self._values("length").data
        self._starts = list(accumulate((file.rows for file in self.sidecar.files), initial=0))
        self._open: dict[int, _Descriptor | _Ranges] = {}
        self._parquet: dict[int, Groups] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.sidecar.table)

    def __reduce__(self) -> tuple[Any, tuple[str | Path, bool]]:
        return _reopened, (self._remote.url if self._remote else self.folder, self._download)

    def clip_bytes(self, index: int) -> bytes:
        """The encoded audio of a clip: one `pread`, or a request."""
        number, length = self._file[index], self._length[index]
        file = self._open.get(number) or self._opened(number)
        data = file.read(self._offset[index], length)
        if len(data) != length:
            raise damaged(self._path(number), EOFError(f"it ends inside clip {index}"))
        return data

    def sample_rate(self, index: int) -> int:
        """The rate of a clip in Hz."""
        uniform = self.sidecar.sample_rate
        return uniform if uniform is not None else int(self.sidecar.table["sample_rate"][index].as_py())

    def row(self, index: int, columns: Sequence[str] | None = None) -> pa.Table:
        """One row, with all columns or those named (leaves such as `captions.list.element.text` too)."""
        index = range(len(self))[index]
        number = bisect_right(self._starts, index) - 1
        with self._lock:
            return self._groups(number).row(index - self._starts[number], columns)

    def captions(self, index: int) -> list[str]:
        """The texts of a clip's captions, human ones first."""
        row = self.row(index, ["captions.list.element.text"])
        return [caption["text"] for caption in row["captions"][0].as_py()]

    def find(self, clip_id: str) -> int:
        """The number of the clip with this id; StewError if there is none."""
        for number, file in enumerate(self.sidecar.files):
            if file.first_id <= clip_id <= file.last_id:
                with self._lock:
                    row = self._groups(number).find(clip_id)
                if row is not None:
                    return self._starts[number] + row
        hint = "ids look like yt:<id>@<start> or fs:<n>"
        raise StewError(f"no clip {clip_id!r}", where=str(self.folder), hint=hint)

    def ranges(self, corpus: str = "", split: str = "") -> list[range]:
        """The numbers of the clips of a corpus and a split, all where it is not named, one range per file."""
        return [
            range(start, start + file.rows)
            for start, file in zip(self._starts, self.sidecar.files, strict=False)
            if corpus in {"", file.corpus} and split in {"", file.split}
        ]

    def groups(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Every row group in order: the way through all rows that holds one group in memory."""
        for number in range(len(self.sidecar.files)):
            with readable(self._path(number)) as parquet:
                for group in range(parquet.num_row_groups):
                    yield parquet.read_row_group(group, columns=columns)

    def tables(
        self, first: int, last: int, columns: Sequence[str] | None = None
    ) -> Iterator[tuple[int, pa.Table]]:
        """The clips from number `first` to before `last`, a row group at a time, each with its first clip's number."""
        for number, start in enumerate(self._starts[:-1]):
            if start < last and first < self._starts[number + 1]:
                with readable(self._path(number)) as parquet:
                    for group in range(parquet.num_row_groups):
                        stop = start + parquet.metadata.row_group(group).num_rows
                        low, high = max(first, start), min(last, stop)
                        if low < high:
                            table = parquet.read_row_group(group, columns=columns)
                            yield low, table.slice(low - start, high - low)
                        start = stop

    def _values(self, name: str) -> Numbers:
        chunks = self.sidecar.table[name].chunks
        values: Numbers = chunks[0].to_numpy() if chunks else np.empty(0, np.uint32)
        return values

    def _path(self, number: int) -> Path | RemoteFile:
        path = self.sidecar.files[number].path
        if self._remote is None:
            return self.folder / path
        return self._remote.fetched(path) if self._download else RemoteFile(self._remote, path)

    def _opened(self, number: int) -> "_Descriptor | _Ranges":
        path = self._path(number)
        with self._lock:
            while len(self._open) >= _MOST_OPEN:  # a thread that reads from it keeps it open until it is done
                del self._open[next(iter(self._open))]
            opened = _Descriptor(path) if isinstance(path, Path) else _Ranges(path)
            return self._open.setdefault(number, opened)

    def _groups(self, number: int) -> "Groups":
        if number not in self._parquet:
            while len(self._parquet) >= _MOST_PARQUET:
                del self._parquet[next(iter(self._parquet))]
            self._parquet[number] = Groups(self._path(number))
        return self._parquet[number]


def _reopened(folder: str | Path, download: bool) -> Clips:
    return Clips(folder, download=download)


class _Ranges:
    """A remote file."""

    def __init__(self, file: RemoteFile) -> None:
        self.file = file

    def read(self, position: int, length: int) -> bytes:
        return self.file.remote.read(self.file.path, position, length)


class _Descriptor:
    """An open file, closed when its last reader lets go of it."""

    number = -1

    def __init__(self, path: Path) -> None:
        try:
            self.number = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise damaged(path, error) from error

    def read(self, position: int, length: int) -> bytes:
        return os.pread(self.number, length, position)

    def __del__(self, close: Callable[[int], None] = os.close) -> None:  # at exit `os` may be gone already
        if self.number >= 0:
            close(self.number)


class Groups:
    """The row groups of one shard; not for several threads at once."""

    def __init__(self, path: Path | RemoteFile) -> None:
        self.path = path
        with reading(path):
            self.file = pq.ParquetFile(path)
        metadata = self.file.metadata
        counts = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        self.starts = list(accumulate(counts, initial=0))

    def row(self, row: int, columns: Sequence[str] | None) -> pa.Table:
        """The row of this number, with all columns or those named."""
        group = bisect_right(self.starts, row) - 1
        return self._read(group, columns)[row - self.starts[group] :][:1]

    def find(self, clip_id: str) -> int | None:
        """The number of the row with this id; None if there is none."""
        for group, start in enumerate(self.starts[:-1]):
            bounds = self.file.metadata.row_group(group).column(0).statistics
            if bounds is None or not bounds.has_min_max or bounds.min <= clip_id <= bounds.max:
                ids = self._read(group, ["clip_id"])["clip_id"].to_pylist()
                if clip_id in ids:
                    return int(start + ids.index(clip_id))
        return None

    def _read(self, group: int, columns: Sequence[str] | None) -> pa.Table:
        with reading(self.path):
            table = self.file.read_row_group(group, columns=columns)
            table.validate(full=True)  # else text that is no UTF-8 fails later and elsewhere
            return table
