"""The captions' index: the texts of any clip without touching a row group. Derived data that can be made again."""

import logging
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from captionstew.digest import digest
from captionstew.errors import BuildError
from captionstew.shards.atomic import disk_errors, replacing
from captionstew.shards.read import Clips

logger = logging.getLogger(__name__)

CAPTIONS = "index/captions.arrow"

_TEXT = "captions.list.element.text"
_VERSION = b"captions.v1"
_ROWS = 1 << 16  # clips of a record batch, which is what making the index holds in memory
_SCHEMA = pa.schema([("texts", pa.list_(pa.large_string()))])


class Texts:
    """The captions of a build folder's clips, memory-mapped; made from the shards on first use, or when they change.

    May be read from many threads at once.
    """

    def __init__(self, clips: Clips) -> None:
        self._source = digest([[file.path, file.bytes, file.sha256] for file in clips.sidecar.files])
        path = clips.folder / CAPTIONS
        self._batches = self._opened(path) or self._made(clips, path)
        assert sum(len(offsets) - 1 for offsets, _ in self._batches) == len(clips), (
            f"{path} is not of its clips"
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

    def _made(self, clips: Clips, path: Path) -> list["_Batch"]:
        logger.info("making %s", CAPTIONS)
        try:
            return self._written(clips, path)
        except BuildError as error:
            logger.warning("%s; the captions' index lasts as long as this process", error)
        with tempfile.TemporaryDirectory(
            prefix="captionstew-"
        ) as folder:  # the mapping outlives the file's name
            return self._written(clips, Path(folder) / path.name)

    def _written(self, clips: Clips, path: Path) -> list["_Batch"]:
        schema = _SCHEMA.with_metadata({_VERSION: self._source})
        with (
            replacing(path) as temporary,
            disk_errors(path),
            pa.OSFile(str(temporary), "wb") as sink,
            pa.ipc.new_file(sink, schema) as writer,
        ):
            for rows in _pieces(clips.groups([_TEXT])):
                writer.write_batch(pa.record_batch([rows], schema=schema))
        return self._opened(path) or []

    def _opened(self, path: Path) -> list["_Batch"] | None:
        """The batches of an index of these very shards, or None if there is no such file."""
        try:
            with pa.memory_map(str(path)) as source:
                file = pa.ipc.open_file(source)
                if (file.schema.metadata or {}).get(_VERSION) != self._source.encode():
                    return None
                return [_batch(file.get_batch(n).column(0)) for n in range(file.num_record_batches)]
        except (pa.ArrowException, OSError):
            return None


_Batch = tuple[npt.NDArray[np.int32], Any]  # where the captions of each clip begin, and the captions


def _batch(column: pa.ListArray) -> _Batch:
    return column.offsets.to_numpy(), column.values


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
