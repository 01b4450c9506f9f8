"""Staging: the data files of a release, those of the build where nothing changes, else written again beside it."""

import os
import shutil
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import pyarrow as pa

from captionstew.errors import BuildError, StewError
from captionstew.pipeline.ledger import Entry, Ledger, Output
from captionstew.pipeline.progress import Event, Watch, unwatched
from captionstew.publish.choice import choose, cut
from captionstew.publish.contents import DataFile, Refusal
from captionstew.publish.gate import Gate
from captionstew.publish.sift import Piece, sifted
from captionstew.publish.tally import Tally
from captionstew.schema import schema
from captionstew.shards.columns import readable
from captionstew.shards.layout import AUDIO_TIERS, SIDECAR, shard_path
from captionstew.shards.manifest import Manifest
from captionstew.shards.release import ReleaseFile, totals
from captionstew.shards.sidecar import read_sidecar, write_sidecar_of
from captionstew.shards.write import write_shard, written

FOLDER = "release"  # of a build: what its releases need beyond its own shards


@dataclass(frozen=True)
class Staged:
    """The data of a release: its manifest, where every file lies now, and what is not in it."""

    manifest: Manifest
    files: tuple[DataFile, ...]
    refusals: tuple[Refusal, ...]
    written: int  # files that had to be made


def stage(
    build: Path, manifest: Manifest, gate: Gate, removed: Collection[str] = (), watch: Watch = unwatched
) -> Staged:
    """The data files of a release of a finished build, by the rules of the gate, without the ids in `removed`.

    Rows keep their order and their shard; a shard that loses none and no caption is used as it lies there. What has
    to be written lies in `release/files` of the build and is kept for the next time: running again makes nothing
    anew, and a run that was interrupted goes on. StewError, before anything is written, if the audio tiers would
    get audio that nobody plays, or the disk is too small.
    """
    folder, tally = build / FOLDER, Tally()
    folder.mkdir(exist_ok=True)
    pieces = sifted(build, manifest, gate, frozenset(removed), tally, watch)
    ledger = Ledger(folder)
    missing = [one for one in pieces if not one.whole and not ledger.done("stage", one.name, one.name)]
    _room(folder, missing)
    clips = 0
    for number, piece in enumerate(_made(build, folder, missing, gate, frozenset(removed), ledger), 1):
        clips += piece.rows
        watch(Event("stage", number, len(missing), clips=clips))
    _give_back(folder, {one.name for one in pieces})
    files, places = _named(build, folder, pieces, ledger)
    accounts = tally.accounts(dict.fromkeys(account.corpus for account in manifest.accounting))
    release = replace(
        manifest,
        files=tuple(files),
        totals=totals(build, files, places),
        accounting=(*manifest.accounting, *accounts),
    )
    data = [DataFile(file.path, places[file.path], file.bytes, file.sha256) for file in files]
    index = _sidecar(build, folder, data)
    refusals = tuple(one for one in tally.refusals() if one.tier in gate.tiers)
    return Staged(release, (*data, *index), refusals, len(missing))


def _room(folder: Path, missing: Sequence[Piece]) -> None:
    """BuildError if the disk cannot hold what has to be written."""
    need = sum(one.shard.bytes * one.rows // one.shard.rows for one in missing if one.tier != "captions")
    free = shutil.disk_usage(folder).free
    if need > free:
        raise BuildError(
            "the disk is too small for the shards that have to be written again",
            cause=f"{need / 1e6:,.0f} MB are needed, {free / 1e6:,.0f} MB are free",
            where=str(folder),
            hint="free some space, or publish --tier captions, which is small",
        )


def _made(
    build: Path, folder: Path, missing: Sequence[Piece], gate: Gate, removed: frozenset[str], ledger: Ledger
) -> Iterator[Piece]:
    """Write the pieces, several at a time; each is in the ledger as soon as it is whole."""
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        try:
            work = (
                pool.submit(_write, build, folder, piece, gate, removed)
                for piece in missing
            )  # fmt: skip
            for piece, entry in zip(missing, [*work], strict=True):
                ledger.add(entry.result())
                yield piece
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _write(build: Path, folder: Path, piece: Piece, gate: Gate, removed: frozenset[str]) -> Entry:
    began = time.perf_counter()
    tables = _tables(build / piece.shard.path, piece, gate, removed)
    expected = 0 if piece.tier == "captions" else piece.shard.bytes * piece.rows // piece.shard.rows
    done = write_shard(_place(folder, piece), tables, piece.schema, expected)
    assert done.rows == piece.rows, f"{piece.shard.path}: {done.rows} rows for {piece.tier}, not {piece.rows}"
    path = str(done.path.relative_to(folder))
    elsewhere = {"elsewhere": piece.shard.rows - done.rows} if piece.shard.rows > done.rows else {}
    return Entry("stage", piece.name, piece.name, piece.shard.rows, done.rows, elsewhere,
                 {path: Output.of(done.path, done.sha256)}, round(time.perf_counter() - began, 3))  # fmt: skip


def _tables(shard: Path, piece: Piece, gate: Gate, removed: frozenset[str]) -> Iterator[pa.Table]:
    """The rows that the tier takes, a row group at a time."""
    contract = schema(piece.schema).arrow()
    with readable(shard) as file:
        for number in range(file.num_row_groups):
            rows = file.read_row_group(number, columns=contract.names)
            yield cut(rows, piece.tier, choose(rows, gate, removed), contract)


def _place(folder: Path, piece: Piece) -> Path:
    return folder / "files" / f"{piece.name}.parquet"


def _give_back(folder: Path, names: Collection[str]) -> None:
    """Files of earlier releases that this one does not need."""
    for path in (folder / "files").glob("*.parquet"):
        if path.stem not in names:
            path.unlink()


def _named(
    build: Path, folder: Path, pieces: Sequence[Piece], ledger: Ledger
) -> tuple[list[ReleaseFile], Mapping[str, Path]]:
    """The files of the release by path, numbered anew where a shard has nothing for a tier, and where they lie."""
    files, places = [], {}
    ordered = sorted(pieces, key=lambda one: (one.tier, one.shard.corpus, one.shard.split, one.shard.path))
    for (tier, corpus, split), group in groupby(
        ordered, lambda one: (one.tier, one.shard.corpus, one.shard.split)
    ):
        several = list(group)
        for number, piece in enumerate(several):
            path = shard_path(tier, corpus, split, number, len(several))
            places[path] = build / piece.shard.path if piece.whole else _place(folder, piece)
            files.append(_file(path, piece, places[path], ledger))
    return sorted(files, key=lambda file: file.path), places


def _file(path: str, piece: Piece, place: Path, ledger: Ledger) -> ReleaseFile:
    if piece.whole:
        return replace(piece.shard, path=path, tier=piece.tier)
    entry = ledger.done("stage", piece.name, piece.name)
    assert entry, f"{place} is not in the ledger"
    (output,) = entry.outputs.values()
    made = written(place, output.sha256)
    return ReleaseFile(path, piece.tier, piece.shard.corpus, piece.shard.split, piece.schema,
                       made.rows, made.captions, made.seconds, made.bytes, made.sha256)  # fmt: skip


def _sidecar(build: Path, folder: Path, data: Sequence[DataFile]) -> Iterator[DataFile]:
    """The addresses of the clips of the audio tiers, if there are any: the build's own if they are of these files."""
    audio = [file for file in data if file.path.split("/")[1] in AUDIO_TIERS]
    if not audio:
        return
    audio.sort(key=lambda file: Path(file.path))  # as a folder lists them
    claims = [(file.path, file.bytes, file.sha256) for file in audio]
    for place in (build, folder):
        try:
            if [(one.path, one.bytes, one.sha256) for one in read_sidecar(place).files] == claims:
                break
        except StewError:  # none there, or a damaged one: derived data
            continue
    else:
        place = folder
        write_sidecar_of(folder, [(one.path, one.source, (one.bytes, one.sha256)) for one in audio])
    output = Output.of(place / SIDECAR)
    yield DataFile(SIDECAR, place / SIDECAR, output.bytes, output.sha256)
