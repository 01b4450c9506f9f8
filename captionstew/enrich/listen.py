"""One piece of listening: clips out of the build's encoded audio, what the detector hears in them to the store."""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import polars as pl

from captionstew.audio.codec import LOSSLESS, Samples, decode_pcm
from captionstew.audio.pcm import check_sum
from captionstew.enrich.detector import Detector, Ears, Heard
from captionstew.enrich.scores import Store
from captionstew.errors import BuildError
from captionstew.pipeline.reach import reach_plan

PLAN = ["key", "file", "begin", "length", "codec", "source_sum", "duration"]
_AHEAD = 4  # clips decoded per thread while the model is busy


@dataclass(frozen=True)
class Listening:
    """Rows [first, first + count) of the plan (columns `PLAN`): where each clip's encoded audio lies."""

    plan: Path
    first: int
    count: int
    detector: Detector
    store: Path
    threads: int = 1


@dataclass(frozen=True)
class Listened:
    """What came of it."""

    clips: int
    seconds: float


def key() -> pl.Expr:
    """What names a clip's audio in the store: the hash of its samples, and the codec where that changes them."""
    lossless = pl.col("codec").is_in(sorted(LOSSLESS))
    return (
        pl.when(lossless)
        .then("audio_sha256")
        .otherwise(pl.concat_str("audio_sha256", "codec", separator=":"))
    )


def pieces(durations: Iterable[float], most: float) -> Iterator[tuple[int, int]]:
    """First row and number of rows of pieces that end with the clip that fills `most` seconds."""
    first, seconds, number = 0, 0.0, 0
    for number, duration in enumerate(durations, 1):
        seconds += duration
        if seconds >= most:
            yield first, number - first
            first, seconds = number, 0.0
    if number > first:
        yield first, number - first


def listen(task: Listening) -> Listened:
    """Judge the clips and add them to the store at once; a killed piece leaves nothing and is judged anew."""
    reach_plan(task.plan)
    rows = pl.scan_parquet(task.plan).slice(task.first, task.count).collect()
    ears = task.detector.ears()
    with ThreadPoolExecutor(task.threads) as pool:
        heard = (
            _on_gpu(rows, ears, task.threads, pool)
            if ears.on_gpu
            else _on_cpu(rows, ears, task.threads, pool)
        )
        Store(task.store).add(heard)
    return Listened(len(rows), float(rows["duration"].sum()))


def _on_cpu(rows: pl.DataFrame, ears: Ears, threads: int, pool: ThreadPoolExecutor) -> list[Heard]:
    """Each thread hears clips of its own, on one core: scores are the same on any number of cores."""

    def hear(first: int) -> list[Heard]:
        share = rows.gather_every(threads, first).select(PLAN).iter_rows()
        return list(ears(decoded(ears.sample_rate, *row[:-1]) for row in share))

    with one_core():
        return [one for several in pool.map(hear, range(threads)) for one in several]


def _on_gpu(rows: pl.DataFrame, ears: Ears, threads: int, pool: ThreadPoolExecutor) -> Iterator[Heard]:
    """The threads decode some clips ahead of the model."""

    def ahead_of_it() -> Iterator[tuple[str, Samples]]:
        waiting = rows.select(PLAN).iter_rows()
        ahead: list[Future[tuple[str, Samples]]] = []
        while True:
            more = islice(waiting, _AHEAD * threads - len(ahead))
            ahead += [pool.submit(decoded, ears.sample_rate, *row[:-1]) for row in more]
            if not ahead:
                return
            yield ahead.pop(0).result()

    return ears(ahead_of_it())


def decoded(
    sample_rate: int, key: str, file: str, begin: int, length: int, codec: str, total: int | None
) -> tuple[str, Samples]:
    """The clip's key, and its samples at this rate; the rest is a row of `PLAN`, but for its duration."""
    pcm, rate = decode_pcm(_read(Path(file), begin, length, total), codec)
    samples = pcm.astype(np.float32) / np.float32(32768)
    if rate != sample_rate:
        from captionstew.audio.signal import resample

        samples = resample(samples, rate, sample_rate)
    return key, samples


def _read(path: Path, begin: int, length: int, total: int | None) -> bytes:
    """The encoded clip; a source that passes through (it has a check sum) must still be what was hashed."""
    try:
        with path.open("rb") as file:
            data = os.pread(file.fileno(), length, begin)
    except FileNotFoundError:
        data = b""
    if len(data) != length or (total is not None and check_sum(data) != total):
        hint = "run the same command again: what changed is then checked anew"
        raise BuildError("audio changed during the build", where=str(path), hint=hint)
    return data


@contextmanager
def one_core() -> Iterator[None]:
    """Torch computes each product on one core, and afterwards on as many as before."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
