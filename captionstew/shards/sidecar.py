"""The readers' sidecar: where the audio of every clip lies. Derived data that can be made again."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from captionstew.digest import file_sha256
from captionstew.errors import BuildError, StewError
from captionstew.schema import SAMPLE_RATE
from captionstew.shards.atomic import write_bytes
from captionstew.shards.columns import ShardFile, leaf_names, read_columns
from captionstew.shards.layout import MANIFEST, SIDECAR, audio_files, inside
from captionstew.shards.manifest import read_manifest
from captionstew.shards.pages import Lengths, value_spans
from captionstew.shards.remote import Remote, RemoteFile
from captionstew.shards.write import AUDIO_LEAF

logger = logging.getLogger(__name__)

_VERSION = "sidecar.v1"
_EMPTY = pa.schema(
    [("file", pa.uint32()), ("offset", pa.uint64()), ("length", pa.uint32()), ("num_samples", pa.uint32()),
     ("sample_rate", pa.uint32()), ("num_captions", pa.uint32())]
).empty_table()  # fmt: skip


@dataclass(frozen=True)
class IndexedFile:
    """A shard that the sidecar covers: its clips follow each other in the sidecar as in the file."""

    path: str
    corpus: str
    split: str
    rows: int
    bytes: int
    sha256: str
    first_id: str
    last_id: str


@dataclass(frozen=True)
class Sidecar:
    """One row per clip of a release, in the order of files and of rows in them.

    Columns: file (position in `files`), length, num_samples, num_captions (uint32), offset (uint64); and
    sample_rate (uint32) where `sample_rate` is None because rates differ.
    """

    table: pa.Table
    files: tuple[IndexedFile, ...]
    sample_rate: int | None


def addresses(path: Path | RemoteFile, lengths: Lengths | None = None) -> pa.Table:
    """Where the audio of each row lies in a Parquet file, by its structure; null where a row has no audio.

    `lengths` of the audio (bytes), where they are known, spare a read for each row.

    Columns offset (uint64) and length (uint32), and of num_samples, sample_rate, num_captions (uint32) those
    that the file can tell. Any Parquet with an uncompressed `audio` will do, binary or a struct with `bytes`;
    StewError if it is compressed or the file damaged.
    """
    leaves = leaf_names(path)
    spans = value_spans(path, AUDIO_LEAF if AUDIO_LEAF in leaves else "audio", lengths)
    absent = spans[:, 0] < 0
    columns = {
        "offset": pa.array(spans[:, 0].astype(np.uint64), mask=absent),
        "length": pa.array(spans[:, 1].astype(np.uint32), mask=absent),
    }
    captions = next((leaf for leaf in leaves if leaf.startswith("captions.list.")), "")
    table = read_columns(path, [leaf for leaf in ("num_samples", "sample_rate", captions) if leaf in leaves])
    for name in table.column_names:
        values = pc.list_value_length(table[name]) if name == "captions" else table[name]
        columns["num_captions" if name == "captions" else name] = _uint32(values, path)
    return pa.table(columns)


def write_sidecar(folder: Path, known: Mapping[Path, Callable[[], Lengths]] = MappingProxyType({})) -> Path:
    """`index/clips.arrow` covers the audio tier of a build folder; the same bytes for the same shards.

    Hashes come from the manifest where it has them, so write that first: else every file is read to hash it.
    `known` tells the lengths of a shard's audio, where whoever wrote it still has them.
    """
    return _save(folder, _made(folder, known))


def write_sidecar_of(folder: Path, files: Sequence[tuple[str, Path, tuple[int, str]]]) -> Path:
    """`index/clips.arrow` in a folder covers shards that lie elsewhere: the name, place, bytes and hash of each."""
    return _save(folder, _covering(files))


def open_sidecar(folder: Path) -> Sidecar:
    """The sidecar of a build folder, memory-mapped; made again if missing or the shards have changed."""
    try:
        sidecar = read_sidecar(folder)
        if _current(folder, sidecar.files):
            return sidecar
        logger.info("%s does not match the shards; making it again", SIDECAR)
    except StewError as error:
        logger.info("%s; making it", error.message)
    made = _made(folder)
    try:
        return _mapped(_save(folder, made))
    except BuildError as error:
        logger.warning("%s; the index is kept in memory", error)
        return made


def remote_sidecar(remote: Remote) -> Sidecar:
    """The sidecar of a release behind a URL: the published one if it is of these shards, else read off them.

    Reading it off takes a small request a clip, 16 at a time; it is kept in `remote.folder`.
    """
    if remote.has_sidecar():
        try:
            sidecar = read_sidecar(remote.folder)
            if remote.audio == {file.path: (file.bytes, file.sha256) for file in sidecar.files}:
                return sidecar
            logger.info("%s is not of the shards of %s; making it", SIDECAR, remote.url)
        except StewError as error:
            logger.info("%s; making it", error.message)
    files = [(path, RemoteFile(remote, path), facts) for path, facts in sorted(remote.audio.items())]
    return _mapped(_save(remote.folder, _covering(files)))


def read_sidecar(folder: Path) -> Sidecar:
    """The sidecar as it lies there, not compared with any shard; StewError if it is missing or damaged."""
    path = folder / SIDECAR
    hint = "it is derived data: remove it, and opening the folder makes it again"
    if not path.is_file():
        raise StewError(f"there is no {SIDECAR}", where=str(folder), hint=hint)
    try:
        return _mapped(path)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        cause = f"{type(error).__name__}: {error}"
        raise StewError(f"{SIDECAR} is damaged", cause=cause, where=str(path), hint=hint) from error


def _made(folder: Path, known: Mapping[Path, Callable[[], Lengths]] = MappingProxyType({})) -> Sidecar:
    claimed = _claimed(folder)
    files = []
    for path in audio_files(folder):
        name, size = inside(folder, path), path.stat().st_size
        files.append((name, path, (size, claimed.get((name, size)) or file_sha256(path))))
    return _covering(files, known)


def _covering(
    files: Sequence[tuple[str, Path | RemoteFile, tuple[int, str]]],
    known: Mapping[Path, Callable[[], Lengths]] = MappingProxyType({}),
) -> Sidecar:
    """The sidecar of shards, each with its name in the release, its bytes and its hash."""
    indexed, tables = [], [_EMPTY]
    for number, (name, path, facts) in enumerate(files):
        lengths = known[path]() if isinstance(path, Path) and path in known else None
        table = addresses(path, lengths)
        if table.schema.names != _EMPTY.column_names[1:] or table["offset"].null_count:
            hint = "leave only shards of clip.v1 in data/audio"
            raise StewError(f"{path.name} is not a shard of clips with audio", where=str(path), hint=hint)
        tables.append(table.add_column(0, "file", pa.array(np.full(len(table), number, np.uint32))))
        indexed.append(_indexed(name, path, *facts))
    return _uniform(pa.concat_tables(tables).combine_chunks(), tuple(indexed))


def _indexed(name: str, path: ShardFile, size: int, sha256: str) -> IndexedFile:
    rows = read_columns(path, ["clip_id", "corpus", "split"])
    ids = pc.min_max(rows["clip_id"]).as_py()
    corpus, split = (rows[c][0].as_py() if len(rows) else "" for c in ("corpus", "split"))
    return IndexedFile(name, corpus, split, len(rows), size, sha256, ids["min"] or "", ids["max"] or "")


def _claimed(folder: Path) -> dict[tuple[str, int], str]:
    """Hashes that the manifest gives for files of a path and size; none if there is no manifest yet."""
    if not (folder / MANIFEST).is_file():
        return {}
    return {(file.path, file.bytes): file.sha256 for file in read_manifest(folder).files}


def _current(folder: Path, files: tuple[IndexedFile, ...]) -> bool:
    """Whether those are the shards that lie there, by size, and by hash where the manifest gives one."""
    lying = {inside(folder, path): path.stat().st_size for path in audio_files(folder)}
    known = _claimed(folder)
    return lying == {file.path: file.bytes for file in files} and all(
        known.get((file.path, file.bytes), file.sha256) == file.sha256 for file in files
    )


def _uniform(table: pa.Table, files: tuple[IndexedFile, ...]) -> Sidecar:
    """Four bytes a clip are saved where every clip has the same rate."""
    rates = pc.unique(table["sample_rate"]).to_pylist()
    if len(rates) > 1:
        return Sidecar(table, files, None)
    return Sidecar(table.drop_columns(["sample_rate"]), files, rates[0] if rates else SAMPLE_RATE)


def _save(folder: Path, sidecar: Sidecar) -> Path:
    path = folder / SIDECAR
    facts = {"sample_rate": sidecar.sample_rate, "files": [asdict(file) for file in sidecar.files]}
    table = sidecar.table.replace_schema_metadata({_VERSION: json.dumps(facts, sort_keys=True)})
    buffer = pa.BufferOutputStream()
    with pa.ipc.new_file(buffer, table.schema) as writer:
        writer.write_table(table)
    write_bytes(path, memoryview(buffer.getvalue()))
    return path


def _mapped(path: Path) -> Sidecar:
    with pa.memory_map(str(path)) as source:
        table = pa.ipc.open_file(source).read_all()
    facts = json.loads((table.schema.metadata or {})[_VERSION.encode()])
    files, rate = tuple(IndexedFile(**file) for file in facts["files"]), facts["sample_rate"]
    columns = _EMPTY if rate is None else _EMPTY.drop_columns(["sample_rate"])
    if not table.schema.equals(columns.schema) or not isinstance(rate, int | None):
        raise TypeError(f"columns {table.schema.names}, rate {rate!r}")
    if [file.rows for file in files] != _rows_per_file(table, len(files)):
        raise ValueError("the clips are not those of its files, in their order")
    return Sidecar(table, files, rate)


def _rows_per_file(table: pa.Table, files: int) -> list[int]:
    """Clips of each file if they follow each other, else nothing."""
    number = table["file"].to_numpy()
    in_order = len(number) == 0 or (bool(np.all(number[1:] >= number[:-1])) and number[-1] < files)
    return [int(count) for count in np.bincount(number, minlength=files)] if in_order else []


def _uint32(values: pa.ChunkedArray, path: ShardFile) -> pa.ChunkedArray:
    try:
        return values.cast(pa.uint32())
    except pa.ArrowInvalid as error:
        raise StewError(f"{path.name} has a count that is none", cause=str(error), where=str(path)) from error
