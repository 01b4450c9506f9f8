"""The captions' index: the texts of any clip without touching a row group. Derived data that can be made again."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from captionstew.shards.derived import derived
from captionstew.shards.read import Clips

CAPTIONS = "index/captions.arrow"

_TEXT = "captions.list.element.text"
_ROWS = 1 << 16  # clips of a record batch, which is what making the index holds in memory
_SCHEMA = pa.schema([("texts", pa.list_(pa.large_string()))])


class Texts:
    """The captions of a build folder's clips, memory-mapped; made from the shards on first use, or when they change.

    May be read from many threads at once.
    """

    def __init__(self, clips: Clips) -> None:
        batches = derived(clips, CAPTIONS, b"captions.v1", lambda: (_SCHEMA, _batches(clips)))
        self._batches = [_opened(batch.column(0)) for batch in batches]
        assert sum(len(offsets) - 1 for offsets, _ in self._batches) == len(clips), (
            f"{CAPTIONS} is not of the clips of {clips.folder}"
        )

    def __getitem__(self, clip: int) -> list[str]:
        """The texts of a clip's captions, human ones first."""
        offsets, texts = self._batches[clip // _ROWS]
        row = clip % _ROWS
        found: list[str] = texts[offsets[row] : offsets[row + 1]].to_pylist()
        return found

    def caption(self, clip: int, number: int) -> str:
        """Caption `number` of a clip, counted from zero."""
        offsets, texts = self._batches[clip // _ROWS]
        at = int(offsets[clip % _ROWS]) + number
        assert offsets[clip % _ROWS] <= at < offsets[clip % _ROWS + 1], f"clip {clip} has no caption {number}"
        text: str = texts[at].as_py()
        return text


def _opened(column: pa.ListArray) -> tuple[npt.NDArray[np.int32], Any]:
    """Where the captions of each clip begin, and the captions."""
    return column.offsets.to_numpy(), column.values


def _batches(clips: Clips) -> Iterator[pa.RecordBatch]:
    return (pa.record_batch([rows], schema=_SCHEMA) for rows in _pieces(clips.groups([_TEXT])))


def _pieces(groups: Iterable[pa.Table]) -> Iterator[pa.ListArray]:
    """The captions' texts of all rows, in arrays of _ROWS clips, the last one shorter."""
    parts: list[pa.Array] = []
    waiting = 0
    for group in groups:
        texts = _texts(group)
        while waiting + len(texts) >= _ROWS:
            cut = _ROWS - waiting
            yield pa.concat_arrays([*parts, texts[:cut]])
            texts, parts, waiting = texts[cut:], [], 0
        if len(texts):
            parts.append(texts)
            waiting += len(texts)
    if waiting:
        yield pa.concat_arrays(parts)


def _texts(group: pa.Table) -> pa.ListArray:
    captions = group["captions"].combine_chunks()
    return pa.ListArray.from_arrays(captions.offsets, captions.values.field("text").cast(pa.large_string()))
