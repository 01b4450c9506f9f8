"""One piece of audio work: a list of clips in, one finished table and one file of encoded audio out."""

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from captionstew.audio.pcm import check_sum
from captionstew.digest import file_sha256
from captionstew.pipeline.disk import replacing_table
from captionstew.pipeline.ledger import Output
from captionstew.pipeline.memory import audio_process
from captionstew.pipeline.reach import reach_plan, reach_sources
from captionstew.pipeline.sound import Sound, Source
from captionstew.pipeline.stage import ClipStage
from captionstew.shards.atomic import disk_errors, replacing
from captionstew.shards.direct import DirectFile

AUDIO = {
    "clip_id": pl.String, "codec": pl.String, "sample_rate": pl.Int32, "num_samples": pl.Int64, "duration": pl.Float64,
    "source_sample_rate": pl.Int32, "source_channels": pl.Int16, "source_container": pl.String,
    "loudness": pl.Float32, "peak": pl.Float32, "silence": pl.Float32, "clipping": pl.Float32,
    "dc_offset": pl.Float32, "bandwidth": pl.Float32, "audio_sha256": pl.String, "fingerprint": pl.Binary,
    "offset": pl.Int64, "length": pl.Int64, "source_sum": pl.UInt64, "stage": pl.String, "reason": pl.String,
    "detail": pl.String,
}  # fmt: skip
_JOB_FILES = 16  # at most
_JOB_BYTES = 2 << 20  # of audio files; where they have so many, no further one is added
PLAN = [
    "clip_id",
    "corpus",
    "split",
    "source_id",
    "start",
    "end",
    "whole",
    "channel",
    "root",
    "path",
    "offset",
    "length",
    "modified",
]


@dataclass(frozen=True)
class Unit:
    """Rows [first, first + count) of the plan, to be worked on by `stages`; `name` is the hash of both."""

    name: str
    plan: Path
    first: int
    count: int
    roots: tuple[tuple[str, tuple[Path, ...]], ...]  # corpus -> folders
    stages: tuple[ClipStage, ...]
    folder: Path
    size: int = 0  # bytes of audio files, about; what is large begins first
    threads: int = 1


@dataclass(frozen=True)
class Done:
    """What came of a unit."""

    received: int
    drops: dict[str, int]
    seconds: float  # of audio kept
    outputs: dict[str, Output]  # file name -> state
    wall: float


def run_unit(unit: Unit) -> Done:
    """Work through the clips and write `<name>.bin` (encoded audio, end to end) and `<name>.parquet` (columns `AUDIO`).

    A clip that passes through is not written: it has no offset, and a check sum of its source instead. Both appear
    whole or not at all, the table last. The bytes do not depend on the number of threads.
    """
    with audio_process():
        return _run(unit)


def _run(unit: Unit) -> Done:
    began = time.perf_counter()
    reach_plan(unit.plan)
    rows = pl.scan_parquet(unit.plan).slice(unit.first, unit.count).collect()
    roots = dict(unit.roots)
    reach_sources(rows, roots)
    table: list[dict[str, Any]] = []
    blobs = unit.folder / f"{unit.name}.bin"
    with replacing(blobs) as temporary, disk_errors(blobs), closing(DirectFile(temporary)) as file:
        for record, encoded in _in_order(rows, roots, unit):
            if encoded:
                record |= {"offset": file.size, "length": len(encoded)}
                file.write(encoded)
            table.append(record)
    frame = pl.DataFrame(table, schema=AUDIO, orient="row")
    path = unit.folder / f"{unit.name}.parquet"
    with replacing_table(path) as temporary:
        frame.write_parquet(temporary, compression="zstd", statistics=False)
    reasons = frame.filter(pl.col("reason").is_not_null()).group_by("reason").len()
    # The table holds the hash of every clip's samples; hashing the encoded bytes as well would cost 2 % of the build.
    outputs = {path.name: Output.of(path, file_sha256(path)), blobs.name: Output.of(blobs, sha256="-")}
    kept = float(frame["duration"].sum() or 0.0)
    return Done(len(rows), dict(sorted(reasons.iter_rows())), kept, outputs, time.perf_counter() - began)


def _in_order(
    rows: pl.DataFrame, roots: dict[str, tuple[Path, ...]], unit: Unit
) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Records in the order of the rows, by `threads` at once; a few jobs ahead of what is taken."""
    jobs = _jobs(rows, roots)
    if unit.threads == 1:
        for job in jobs:
            yield from _work(job, unit.stages)
        return
    pool, ahead = _pool(unit.threads), list[Future[list[tuple[dict[str, Any], bytes]]]]()
    try:
        while True:
            ahead += [
                pool.submit(_work, job, unit.stages) for job in islice(jobs, 2 * unit.threads - len(ahead))
            ]
            if not ahead:
                return
            yield from ahead.pop(0).result()
    finally:  # a unit that is stopped leaves nothing behind it at work
        for future in ahead:
            future.cancel()
        wait(ahead)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """The same threads for every unit: glibc gives each new one another heap, which keeps its leavings (35 MB each)."""
    return ThreadPoolExecutor(threads, thread_name_prefix="clips")


def _jobs(rows: pl.DataFrame, roots: dict[str, tuple[Path, ...]]) -> Iterator[list[list[Sound]]]:
    """What a thread does at once: some small files or a large one, the clips of each together, so that it is read once.

    To hand over every file by itself would cost as much as its fingerprint.
    """
    folders = {
        (corpus, root): str(path) for corpus, paths in roots.items() for root, path in enumerate(paths)
    }
    job, size = list[list[Sound]](), 0
    files = groupby(
        rows.iter_rows(named=True), key=lambda r: (r["corpus"], r["root"], r["path"], r["offset"])
    )
    for (corpus, root, path, offset), clips in files:
        place = f"{folders[corpus, root]}/{path}"
        job.append([_sound(row, Source(place, offset, row["length"])) for row in clips])
        size += job[-1][0].source.size
        if size >= _JOB_BYTES or len(job) == _JOB_FILES:
            yield job
            job, size = [], 0
    if job:
        yield job


def _sound(row: dict[str, Any], source: Source) -> Sound:
    first, last = (row["start"], row["end"]) if row["whole"] else (None, None)
    return Sound(row["clip_id"], source, first, last, channel=row["channel"])


def _work(job: list[list[Sound]], stages: Sequence[ClipStage]) -> list[tuple[dict[str, Any], bytes]]:
    done = []
    for sounds in job:
        for before, sound in zip([None, *sounds], sounds, strict=False):
            if before is not None:
                sound.data, sound.form, before.data = before.data, before.form, None
            done.append(_through(sound, stages))
            sound.pcm = sound.words = sound.file = None
        sounds.clear()
    return done


def _through(sound: Sound, stages: Sequence[ClipStage]) -> tuple[dict[str, Any], bytes]:
    for stage in stages:
        if drop := stage(sound):
            blank = dict.fromkeys(AUDIO)
            return blank | {
                "clip_id": sound.clip_id,
                "stage": stage.name,
                "reason": drop.reason,
                "detail": drop.detail,
            }, b""
    form, measures = sound.form, sound.measures
    if form is None or measures is None or sound.pcm is None or sound.words is None:
        raise AssertionError(f"the audio stages must probe, normalize, measure and encode; here are {stages}")
    record = dict.fromkeys(AUDIO) | {
        "clip_id": sound.clip_id, "codec": sound.codec, "sample_rate": sound.sample_rate,
        "num_samples": len(sound.pcm), "duration": sound.seconds, "source_sample_rate": form.sample_rate,
        "source_channels": form.channels, "source_container": form.container, "audio_sha256": sound.sha256,
        "fingerprint": np.ascontiguousarray(sound.words, "<u4").tobytes(), **vars(measures),
    }  # fmt: skip
    encoded, passes, sound.encoded = sound.encoded, sound.passes, b""
    if passes:
        return record | {"length": len(encoded), "source_sum": check_sum(encoded)}, b""
    return record, encoded


def threads_here() -> int:
    """Threads that this process may keep busy."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
