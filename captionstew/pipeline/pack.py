"""From kept rows and encoded audio to shards: which rows go where, and one task that writes one file."""

import hashlib
import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from captionstew.audio.encode import SUFFIXES
from captionstew.audio.pcm import check_sum
from captionstew.clip import file_name, subset
from captionstew.digest import digest
from captionstew.errors import BuildError
from captionstew.pipeline.cuts import cuts
from captionstew.pipeline.disk import replacing_table
from captionstew.pipeline.memory import many_rows
from captionstew.pipeline.reach import reach_plan
from captionstew.pipeline.stage import Sink, Tables
from captionstew.pipeline.stop import go_on
from captionstew.schema import AUDIO, schema
from captionstew.shards.layout import shard_path
from captionstew.shards.write import ROWS_PER_GROUP, Written, write_shard

_CAPTION = ["text", "source", "style", "model", "prompt", "language"]
_ADDRESS = ["unit", "offset", "length", "source_sum"]
_SOURCE = [
    "root",
    "path",
    "begins",
    "modified",
]  # where a clip lies that has no offset, since it passes through
_UNSHARED = ["length", "file", "whole", "channel", "duration", "artist"]
_SLICE = 1 << 16  # rows of a row group of the plan: what a task reads to find its own


@dataclass(frozen=True)
class Piece:
    """One shard to be: rows [first, first + count) of the plan and their captions, with `name` as their hash."""

    name: str
    path: Path
    schema: str
    plan: Path  # folder of clips.parquet and captions.parquet
    first: int
    count: int
    first_caption: int
    captions: int
    expected_bytes: int  # a little more than its audio
    roots: tuple[Path, ...]  # of its corpus


def plan_pieces(
    folder: Path, tables: Tables, audio: pl.LazyFrame, sink: Sink, places: Mapping[str, tuple[Path, ...]]
) -> list[Piece]:
    """Write the plan (rows sorted by corpus, split and clip id; captions in the same order) and cut it into pieces.

    Sources that pass through lie below `places`, the folders of each corpus.
    """
    plan = folder / "work" / "shard"
    _write_plan(plan, tables, audio)
    rows = pl.read_parquet(
        plan / "clips.parquet", columns=["corpus", "split", "clip_id", "length", "num_captions"]
    )
    starts = rows["num_captions"].cum_sum() - rows["num_captions"]
    pieces: list[Piece] = []
    at = 0
    for (corpus, split), group in rows.group_by("corpus", "split", maintain_order=True):
        parts = cuts(group["clip_id"], group["length"], sink.megabytes * 1_000_000)
        for number, (first, last) in enumerate(parts):
            for tier in sink.tiers:
                key = "clip.v1" if tier == "audio" else "caption.v1"
                path = folder / shard_path(tier, str(corpus), str(split), number, len(parts))
                captions = int(group["num_captions"][first:last].sum())
                audio_bytes = int(group["length"][first:last].sum()) if tier == "audio" else 0
                expected = audio_bytes + audio_bytes // 50
                start, roots = int(starts[at + first]), tuple(places.get(str(corpus), ()))
                piece = Piece("", path, key, plan, at + first, last - first, start, captions, expected, roots)
                pieces.append(_named(piece))
        at += len(group)
    return pieces


def run_piece(piece: Piece) -> Written:
    """Write the shard."""
    reach_plan(piece.plan / "clips.parquet")
    with many_rows():
        return write_shard(piece.path, _tables(piece), piece.schema, piece.expected_bytes)


def audio_lengths(piece: Piece) -> npt.NDArray[np.int64]:
    """Bytes of audio of each row of the shard, as the plan has them."""
    plan = pl.scan_parquet(piece.plan / "clips.parquet").slice(piece.first, piece.count)
    return plan.select(pl.col("length").cast(pl.Int64)).collect().to_series().to_numpy()


def _write_plan(plan: Path, tables: Tables, audio: pl.LazyFrame) -> None:
    place = audio.select("clip_id", *_ADDRESS)
    own = tables.clips.rename({"offset": "begins"}).drop(_UNSHARED)
    counts = tables.captions.group_by("rank").agg(num_captions=pl.len())
    clips = own.join(place, on="clip_id", how="inner").join(counts, on="rank", how="left")
    source = (pl.when(pl.col("offset").is_null()).then(name).alias(name) for name in _SOURCE)
    full = clips.with_columns(pl.col("num_captions").fill_null(0), *source)
    ordered = full.sort("corpus", "split", "clip_id")
    with replacing_table(plan / "clips.parquet") as path:
        ordered.with_row_index("position").sink_parquet(path, row_group_size=_SLICE)
    where = pl.scan_parquet(plan / "clips.parquet").select("rank", "position")
    texts = tables.captions.join(where, on="rank", how="inner").with_columns(
        machine=pl.col("style") != "human"
    )
    order = ["position", "machine", "origin", "place"]
    with replacing_table(plan / "captions.parquet") as path:
        texts.sort(order).select("position", *_CAPTION).sink_parquet(path, row_group_size=_SLICE)


def _named(piece: Piece) -> Piece:
    clips, captions = _rows(piece)
    hasher = hashlib.sha256()
    # A unit's name tells which files it was made of.
    for frame in (clips.drop("position", "rank", "offset", *_SOURCE), captions.drop("position")):
        text = io.BytesIO()
        frame.write_ndjson(text)
        hasher.update(text.getbuffer())
    name = digest(piece.schema, schema(piece.schema).names, str(piece.path.name), hasher.hexdigest())
    return Piece(**{**vars(piece), "name": name})


def _rows(piece: Piece) -> tuple[pl.DataFrame, pl.DataFrame]:
    clips = pl.scan_parquet(piece.plan / "clips.parquet").slice(piece.first, piece.count).collect()
    captions = (
        pl.scan_parquet(piece.plan / "captions.parquet").slice(piece.first_caption, piece.captions).collect()
    )
    return clips, captions


def _tables(piece: Piece) -> Iterator[pa.Table]:
    """The shard's rows, a row group at a time; the audio of each lies where the one before had its own."""
    clips, captions = _rows(piece)
    work = piece.plan.parent / "audio"
    units = [work / f"{unit}.parquet" for unit in clips["unit"].unique(maintain_order=True)]
    measured = pl.scan_parquet(units).drop(*_ADDRESS[1:], "stage", "reason", "detail")
    rows = clips.lazy().join(measured, on="clip_id", how="inner").collect().sort("position")
    assert len(rows) == piece.count, f"{piece.path.name}: {piece.count - len(rows)} clips have no audio"
    texts: dict[int, list[dict[str, Any]]] = {}
    for caption in captions.iter_rows(named=True):
        texts.setdefault(caption.pop("position"), []).append(caption)
    contract = schema(piece.schema).arrow()
    most = max(int(group["length"].sum()) for group in rows.iter_slices(ROWS_PER_GROUP))
    with _Blobs(work, piece.roots, most) as blobs:
        for group in rows.iter_slices(ROWS_PER_GROUP):
            go_on()
            columns: dict[str, Any] = group.to_dict(as_series=False)
            columns |= {"captions": [texts.get(position, []) for position in columns["position"]]}
            columns |= {"subset": [subset(clip_id) for clip_id in columns["clip_id"]]}
            if "audio" in contract.names:
                columns |= {"audio": blobs.audio(group)}
            yield pa.Table.from_arrays([_array(columns[f.name], f.type) for f in contract], schema=contract)


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    return values if isinstance(values, pa.Array) else pa.array(values, kind)


class _Blobs:
    """Encoded audio out of the files that the audio units wrote, or out of its source; one file is open at a time.

    It goes to the same memory again and again, at most `room` bytes: fresh pages for each row group cost as much as
    reading it.
    """

    def __init__(self, folder: Path, roots: tuple[Path, ...], room: int) -> None:
        self._folder, self._roots = folder, [str(root) for root in roots]
        self._data = pa.allocate_buffer(room)
        self._open: tuple[str, int] | None = None

    def __enter__(self) -> "_Blobs":
        return self

    def __exit__(self, *_: object) -> None:
        if self._open:
            os.close(self._open[1])

    def audio(self, rows: pl.DataFrame) -> pa.Array:
        """The Audio feature of these rows: bytes and a file name; it holds until the next one is asked for."""
        offsets = np.concatenate(([0], np.cumsum(rows["length"].to_numpy()))).astype(np.int32)
        view = memoryview(self._data).cast("B")
        lies = rows.select("unit", "offset", "source_sum", *_SOURCE).iter_rows()
        for i, (unit, offset, total, root, path, begins, modified) in enumerate(lies):
            into = view[offsets[i] : offsets[i + 1]]
            if offset is None:
                self._pass(f"{self._roots[root]}/{path}", begins, modified, total, into)
            else:
                self._read(f"{self._folder}/{unit}.bin", offset, into)
        blobs = pa.BinaryArray.from_buffers(pa.binary(), len(rows), [None, pa.py_buffer(offsets), self._data])
        names = [
            file_name(*pair)
            for pair in zip(rows["clip_id"], (SUFFIXES[c] for c in rows["codec"]), strict=True)
        ]
        return pa.StructArray.from_arrays([blobs, pa.array(names)], fields=list(AUDIO))

    def _read(self, path: str, offset: int, into: memoryview) -> int:
        if self._open is None or self._open[0] != path:
            self.__exit__()
            self._open = None
            self._open = path, os.open(path, os.O_RDONLY)
        got = os.preadv(self._open[1], [into], offset)
        if got != len(into):
            raise EOFError(f"{path} is too short: {got} of {len(into)} bytes at {offset}")
        return self._open[1]

    def _pass(self, source: str, begins: int, modified: int, total: int, into: memoryview) -> None:
        """The source as it lies there, if it still is what was decoded, hashed and measured."""
        try:
            state = os.fstat(self._read(source, max(begins, 0), into))
            same = state.st_mtime_ns == modified and (begins >= 0 or state.st_size == len(into))
        except (OSError, EOFError):
            same = False
        if not same or check_sum(into) != total:
            hint = "run the same command again: what changed is then checked anew"
            raise BuildError("an audio file changed during the build", where=source, hint=hint)
