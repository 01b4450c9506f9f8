"""From kept rows and encoded audio to shards: which rows go where, and one task that writes one file."""

import hashlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from captionstew.audio.encode import SUFFIXES
from captionstew.clip import file_name
from captionstew.digest import digest
from captionstew.pipeline.cuts import cuts
from captionstew.pipeline.disk import replacing_table
from captionstew.pipeline.stage import Sink, Tables
from captionstew.schema import AUDIO, schema
from captionstew.shards.layout import shard_path
from captionstew.shards.write import ROWS_PER_GROUP, Written, write_shard

_CAPTION = ["text", "source", "style", "model", "prompt", "language"]
_ADDRESS = ["unit", "offset", "length"]
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


def plan_pieces(folder: Path, tables: Tables, audio: pl.LazyFrame, sink: Sink) -> list[Piece]:
    """Write the plan (rows sorted by corpus, split and clip id; captions in the same order) and cut it into pieces."""
    plan = folder / "work" / "shard"
    _write_plan(plan, tables, audio)
    rows = pl.read_parquet(
        plan / "clips.parquet", columns=["corpus", "split", "clip_id", "length", "num_captions"]
    )
    starts = rows["num_captions"].cum_sum() - rows["num_captions"]
    pieces: list[Piece] = []
    at = 0
    for (corpus, split), group in rows.group_by("corpus", "split", maintain_order=True):
        parts = cuts(group["clip_id"].to_list(), group["length"].to_list(), sink.megabytes * 1_000_000)
        for number, (first, last) in enumerate(parts):
            for tier in sink.tiers:
                key = "clip.v1" if tier == "audio" else "caption.v1"
                path = folder / shard_path(tier, str(corpus), str(split), number, len(parts))
                captions = int(group["num_captions"][first:last].sum())
                audio_bytes = int(group["length"][first:last].sum()) if tier == "audio" else 0
                expected = audio_bytes + audio_bytes // 50
                piece = Piece(
                    "", path, key, plan, at + first, last - first, int(starts[at + first]), captions, expected
                )
                pieces.append(_named(piece))
        at += len(group)
    return pieces


def run_piece(piece: Piece) -> Written:
    """Write the shard."""
    return write_shard(piece.path, _tables(piece), piece.schema, piece.expected_bytes)


def _write_plan(plan: Path, tables: Tables, audio: pl.LazyFrame) -> None:
    place = audio.select("clip_id", *_ADDRESS)
    own = tables.clips.drop("root", "path", "offset", "length", "modified", "file", "whole", "duration")
    counts = tables.captions.group_by("rank").agg(num_captions=pl.len())
    clips = own.join(place, on="clip_id", how="inner").join(counts, on="rank", how="left")
    ordered = clips.with_columns(pl.col("num_captions").fill_null(0)).sort("corpus", "split", "clip_id")
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
    for frame in (clips.drop("position", "rank", "offset"), captions.drop("position")):
        text = io.BytesIO()
        frame.write_ndjson(text)
        hasher.update(text.getbuffer())
    name = digest(piece.schema, str(piece.path.name), hasher.hexdigest())
    return Piece(**{**vars(piece), "name": name})


def _rows(piece: Piece) -> tuple[pl.DataFrame, pl.DataFrame]:
    clips = pl.scan_parquet(piece.plan / "clips.parquet").slice(piece.first, piece.count).collect()
    captions = (
        pl.scan_parquet(piece.plan / "captions.parquet").slice(piece.first_caption, piece.captions).collect()
    )
    return clips, captions


def _tables(piece: Piece) -> Iterator[pa.Table]:
    """The shard's rows, a row group at a time."""
    clips, captions = _rows(piece)
    work = piece.plan.parent / "audio"
    units = [work / f"{unit}.parquet" for unit in clips["unit"].unique(maintain_order=True)]
    measured = pl.scan_parquet(units).drop("offset", "length", "stage", "reason", "detail")
    rows = clips.lazy().join(measured, on="clip_id", how="inner").collect().sort("position")
    assert len(rows) == piece.count, f"{piece.path.name}: {piece.count - len(rows)} clips have no audio"
    texts: dict[int, list[dict[str, Any]]] = {}
    for caption in captions.iter_rows(named=True):
        texts.setdefault(caption.pop("position"), []).append(caption)
    contract = schema(piece.schema).arrow()
    with _Blobs(work) as blobs:
        for group in rows.iter_slices(ROWS_PER_GROUP):
            columns: dict[str, Any] = group.to_dict(as_series=False)
            columns |= {"captions": [texts.get(position, []) for position in columns["position"]]}
            if "audio" in contract.names:
                columns |= {"audio": blobs.audio(group)}
            yield pa.Table.from_arrays([_array(columns[f.name], f.type) for f in contract], schema=contract)


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    return values if isinstance(values, pa.Array) else pa.array(values, kind)


class _Blobs:
    """Encoded audio out of the files that the audio units wrote; one is open at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: tuple[str, int] | None = None

    def __enter__(self) -> "_Blobs":
        return self

    def __exit__(self, *_: object) -> None:
        if self._open:
            os.close(self._open[1])

    def audio(self, rows: pl.DataFrame) -> pa.Array:
        """The Audio feature of these rows: bytes and a file name; read straight into one Arrow buffer."""
        offsets = np.concatenate(([0], np.cumsum(rows["length"].to_numpy()))).astype(np.int32)
        data = pa.allocate_buffer(int(offsets[-1]))
        view = memoryview(data).cast("B")
        for i, (unit, offset) in enumerate(rows.select("unit", "offset").iter_rows()):
            self._read(unit, offset, view[offsets[i] : offsets[i + 1]])
        blobs = pa.BinaryArray.from_buffers(pa.binary(), len(rows), [None, pa.py_buffer(offsets), data])
        names = [
            file_name(*pair)
            for pair in zip(rows["clip_id"], (SUFFIXES[c] for c in rows["codec"]), strict=True)
        ]
        return pa.StructArray.from_arrays([blobs, pa.array(names)], fields=list(AUDIO))

    def _read(self, unit: str, offset: int, into: memoryview) -> None:
        if self._open is None or self._open[0] != unit:
            self.__exit__()
            self._open = unit, os.open(self._folder / f"{unit}.bin", os.O_RDONLY)
        got = os.preadv(self._open[1], [into], offset)
        assert got == len(into), f"{unit}.bin is too short: {got} of {len(into)} bytes at {offset}"
