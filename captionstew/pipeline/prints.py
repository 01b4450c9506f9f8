"""The fingerprints of a build's clips as one set to search in, however many there are."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from captionstew.audio.fingerprint_index import Prints
from captionstew.audio.fingerprint_sources import Stored

_ROWS = 1 << 16  # clips at a time
_WORD = 4  # bytes


@contextmanager
def prints_of(table: pl.LazyFrame, folder: Path | None = None) -> Iterator[Prints]:
    """The column `fingerprint` of a table by its column `rank`: a set in the order of rank, whose keys are the ranks.

    The words lie in temporary files in `folder` while the context is open (twice 5.5 GB for 10 million clips of
    10 s until they are in order, then once); memory holds 16 bytes a clip of them.
    """
    with tempfile.TemporaryDirectory(prefix="captionstew-prints-", dir=folder) as name:
        arrived, place = Path(name) / "arrived", Path(name)
        ranks, counts = _write(table, arrived)
        order = np.argsort(ranks, kind="stable")
        starts = np.concatenate([[0], np.cumsum(counts[order])]).astype(np.int64)
        if np.array_equal(order, np.arange(len(order))):
            words = arrived
        else:
            words = _in_order(arrived, counts, order, place / "words")
            arrived.unlink()
        yield Prints(ranks[order], Stored(words), starts, folder=place)


def _write(table: pl.LazyFrame, path: Path) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """All words to a file as the rows come; ranks and numbers of words."""
    ranks, counts = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    with path.open("wb") as file:
        for part in table.select("rank", "fingerprint").collect_batches(chunk_size=_ROWS, engine="streaming"):
            ranks.append(part["rank"].to_numpy().astype(np.uint64))
            counts.append(part["fingerprint"].bin.size().to_numpy().astype(np.int64) // _WORD)
            file.write(b"".join(part["fingerprint"].to_list()))
    return np.concatenate(ranks), np.concatenate(counts)


def _in_order(arrived: Path, counts: npt.NDArray[np.int64], order: npt.NDArray[np.int64], path: Path) -> Path:
    """The words of one clip after the other in this order; read clip by clip, since a mapped file would fill memory."""
    begins = (np.cumsum(counts) - counts) * _WORD
    sizes = counts * _WORD
    with arrived.open("rb") as source, path.open("wb") as file:
        for first in range(0, len(order), _ROWS):
            clips = order[first : first + _ROWS]
            places = zip(sizes[clips].tolist(), begins[clips].tolist(), strict=True)
            file.write(b"".join(os.pread(source.fileno(), size, begin) for size, begin in places))
    return path
