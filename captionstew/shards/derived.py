"""Indexes that can be made again: memory-mapped tables beside the shards, made on first use or when those change."""

import logging
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa

from captionstew.digest import digest
from captionstew.errors import BuildError
from captionstew.shards.atomic import disk_errors, replacing
from captionstew.shards.read import Clips

logger = logging.getLogger(__name__)

Made = tuple[pa.Schema, Iterable[pa.RecordBatch]]


def derived(clips: Clips, name: str, version: bytes, make: Callable[[], Made]) -> list[pa.RecordBatch]:
    """The batches of the index `name` of a build folder's clips, as `make` gave them for these very shards.

    `version` is of their form. Where the folder cannot be written, the index lasts as long as this process.
    """
    source = digest([[file.path, file.bytes, file.sha256] for file in clips.sidecar.files]).encode()
    path = clips.folder / name
    if (found := _opened(path, version, source)) is not None:
        return found
    logger.info("making %s", name)
    try:
        return _written(path, version, source, make)
    except BuildError as error:
        logger.warning("%s; %s lasts as long as this process", error, name)
    with tempfile.TemporaryDirectory(prefix="captionstew-") as folder:  # the mapping outlives the file's name
        return _written(Path(folder) / path.name, version, source, make)


def _written(path: Path, version: bytes, source: bytes, make: Callable[[], Made]) -> list[pa.RecordBatch]:
    schema, batches = make()
    schema = schema.with_metadata({**(schema.metadata or {}), version: source})
    with (
        replacing(path) as temporary,
        disk_errors(path),
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, schema) as writer,
    ):
        for batch in batches:
            writer.write_batch(batch.replace_schema_metadata(schema.metadata))
    return _opened(path, version, source) or []


def _opened(path: Path, version: bytes, source: bytes) -> list[pa.RecordBatch] | None:
    """The batches of an index of those shards, or None if there is no such file."""
    try:
        with pa.memory_map(str(path)) as mapped:
            file = pa.ipc.open_file(mapped)
            if (file.schema.metadata or {}).get(version) != source:
                return None
            return [file.get_batch(number) for number in range(file.num_record_batches)]
    except (pa.ArrowException, OSError):
        return None
