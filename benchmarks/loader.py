"""From shards to batches: the sampler, the loader against the bare decoder, the way back into the stream, captions.

    python -m benchmarks.loader --build DIR [--threads 1 2] [--repeats 3] [--clips 2000 1000000 9300000]

DIR is any build. Every contender runs in a process of its own, in turn; imports come before the clock starts. Rates
are audio-seconds per processor-second of the whole process; the bare decoder reads and decodes the same clips, in
the same order, into one buffer that stays in the cache.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import machine, markdown
from benchmarks.usage import Clock, Peak, Usage, run
from captionstew.audio.codec import codec_of, decode_into
from captionstew.shards.batching import Batching
from captionstew.shards.loader import Loader, as_it_is
from captionstew.shards.plan import Plan
from captionstew.shards.read import Clips
from captionstew.shards.texts import CAPTIONS, Texts

SETTINGS = Batching(split="", shortest=0.1)
ONE_PASS = replace(SETTINGS, shuffle=False)  # it ends, and leaves no batches that were made ahead for nothing
WHOLE = replace(ONE_PASS, longest=SETTINGS.seconds, squares=SETTINGS.seconds**2)
RATE = 16_000


def main() -> None:
    """Measure everything and print Markdown tables, or one contender and print JSON."""
    options = _options()
    if options.one:
        print(json.dumps(_said(options)))
        return
    print(f"{machine()}\n")
    for table in (_samplers(options), *_readers(options), _resumes(options), _captions(options.build)):
        print(table, end="\n\n", flush=True)


def _said(options: argparse.Namespace) -> dict[str, Any]:
    if options.one == "sampler":
        size, corpora, captions = options.case
        return _sampler(int(size), int(corpora), captions)
    if options.one == "resumed":
        return _resumed(options.build, options.threads[0], int(options.case[1]), options.state)
    contenders = {"bare": _bare, "loader": _loader, "training": _training}
    return contenders[options.one](options.build, options.threads[0])


def _samplers(options: argparse.Namespace) -> str:
    """What it takes to plan, at the mean and the spread of lengths of CaptionStew, without any audio."""
    header = ["clips", "corpora", "captions", "set-up s", "MB", "ms a window", "padding %", "state bytes"]
    cases = [(size, *case) for size in options.clips for case in ((1, "one"), (10, "one"), (1, "all"))]
    rows = [
        [f"{case[0]:,}", str(case[1]), case[2], *_one(options, "sampler", case=case).said["cells"]]
        for case in cases
    ]
    return markdown(header, rows)


def _sampler(size: int, corpora: int, captions: str) -> dict[str, Any]:
    random = np.random.default_rng(0)
    seconds = np.clip(random.lognormal(np.log(14.4) - 0.18, 0.6, size), 1, 60)
    num_samples = (seconds * RATE).astype(np.uint32)
    num_captions = random.choice([1, 1, 1, 1, 1, 1, 2], size).astype(np.uint32)
    ranges = {f"corpus {n}": [range(n * size // corpora, (n + 1) * size // corpora)] for n in range(corpora)}
    del seconds
    clock, peak = Clock(), Peak()
    before, began = peak.read(), time.process_time()
    settings = replace(SETTINGS, captions="all" if captions == "all" else "one")
    plan = Plan(num_samples, num_captions, ranges, settings)
    state = len(json.dumps(plan.state(next(plan.batches())[1])))
    took, held = time.process_time() - began, peak.read() - before
    windows = [plan.num_windows * n // 50 for n in range(50)]
    began = time.process_time()
    for window in windows:
        plan.window(window)
    each = (time.process_time() - began) / len(windows)
    cells = [
        f"{took:.2f}",
        f"{held / 1e6:.0f}",
        f"{1e3 * each:.2f}",
        f"{100 * plan.padding():.2f}",
        str(state),
    ]
    return {"clock": clock.read(), "cells": cells}


def _readers(options: argparse.Namespace) -> list[str]:
    header = [
        "contender",
        "threads",
        "audio-s / cpu-s",
        "to bare",
        "audio-s / s",
        "first batch s",
        "padding %",
        "peak MB",
    ]
    tables = []
    for threads in options.threads:
        said: dict[str, list[dict[str, Any]]] = {name: [] for name in ("bare", "loader", "training")}
        for _ in range(options.repeats):
            for name, results in said.items():
                usage = _one(options, name, threads=threads)
                results.append({**usage.said, "cpu": usage.said["seconds"] / usage.cpu, "peak": usage.peak,
                                "wall": usage.said["seconds"] / usage.wall})  # fmt: skip
        bare = _median(said["bare"], "cpu")
        rows = []
        for name, results in said.items():
            middle = {key: _median(results, key) for key in ("cpu", "wall", "first", "padding", "peak")}
            rows.append([
                name, str(threads), f"{middle['cpu']:,.0f}", f"{middle['cpu'] / bare:.3f}", f"{middle['wall']:,.0f}",
                f"{middle['first']:.2f}", f"{100 * middle['padding']:.2f}", f"{middle['peak'] / 1e6:.0f}",
            ])  # fmt: skip
        tables.append(markdown(header, rows))
    return tables


def _one(
    options: argparse.Namespace, name: str, threads: int = 1, case: Sequence[Any] = (), state: str = ""
) -> Usage:
    arguments = [
        "-m",
        "benchmarks.loader",
        "--build",
        str(options.build),
        "--one",
        name,
        "--threads",
        str(threads),
    ]
    return run([*arguments, "--case", *map(str, case), "--state", state])


def _median(results: Sequence[Mapping[str, Any]], key: str) -> float:
    middle: float = statistics.median(result[key] for result in results)
    return middle


def _bare(build: Path, threads: int) -> dict[str, Any]:
    """Read and decode the clips of an epoch in the plan's order, nothing more."""
    clips = Clips(build)
    plan = Plan.of(clips, WHOLE)
    batches = [items for window in range(plan.num_windows) for items in plan.window(window)]
    buffers = [np.empty(plan.batch_samples, np.int16) for _ in range(threads)]

    def decode(part: int) -> int:
        done = 0
        for items in batches[part::threads]:
            for clip, length in zip(items.clips.tolist(), items.lengths.tolist(), strict=True):
                data = clips.clip_bytes(clip)
                decode_into(data, codec_of(data), buffers[part][:length])
                done += length
        return done

    clock = Clock()
    with ThreadPoolExecutor(threads) as pool:
        seconds = sum(pool.map(decode, range(threads))) / RATE
    return {"clock": clock.read(), "seconds": seconds, "first": 0.0, "padding": 0.0}


def _loader(build: Path, threads: int) -> dict[str, Any]:
    """The same clips, whole, as batches of int16."""
    clock = Clock()
    clips = Clips(build)
    plan = Plan.of(clips, WHOLE)
    first = 0.0
    with Loader(clips, plan, as_it_is, threads=threads) as loader:
        for _ in loader:
            first = first or time.perf_counter() - clock.wall
        seconds = loader.tally.num_samples / RATE
    return {"clock": clock.read(), "seconds": seconds, "first": first, "padding": loader.tally.padding}


def _training(build: Path, threads: int) -> dict[str, Any]:
    """As training has it: clips above 30 s cropped, tensors, a caption of each clip."""
    from captionstew.train.data import TrainingData

    clock = Clock()
    first = 0.0
    with TrainingData(build, ONE_PASS, threads=threads) as data:
        for _ in data:
            first = first or time.perf_counter() - clock.wall
        seconds = data.tally.num_samples / RATE
    return {"clock": clock.read(), "seconds": seconds, "first": first, "padding": data.padding}


def _resumes(options: argparse.Namespace) -> str:
    """Stop after some batches, go on in a new process with another number of threads."""
    whole = _one(options, "resumed", case=("take", 23)).said["seeds"]
    stopped = _one(options, "resumed", case=("take", 20)).said["state"]
    said = [
        _one(options, "resumed", threads=2, case=("take", 3), state=stopped).said
        for _ in range(options.repeats)
    ]
    exact = str(all(one["seeds"] == whole[20:] for one in said))
    row = [str(len(stopped)), f"{_median(said, 'first'):.2f}", f"{_median(said, 'first_cpu'):.2f}", exact]
    return markdown(["bytes", "seconds to the next batch", "cpu seconds", "the same batches"], [row])


def _resumed(build: Path, threads: int, count: int, state: str) -> dict[str, Any]:
    """Take batches from a state on; the first has been made when the clocks are read."""
    from captionstew.train.data import TrainingData

    clock, began, seeds, first = Clock(), time.process_time(), [], (0.0, 0.0)
    with TrainingData(build, SETTINGS, threads=threads) as data:
        if state:
            data.seek(json.loads(state))
        for batch in islice(data, count):
            seeds.append(int(batch.seeds_B.sum()))
            first = (
                first if len(seeds) > 1 else (time.perf_counter() - clock.wall, time.process_time() - began)
            )
        state = json.dumps(data.state())
    return {"clock": clock.read(), "first": first[0], "first_cpu": first[1], "seeds": seeds, "state": state}


def _captions(build: Path) -> str:
    """A caption of a random clip by the index and by the row group; what making the index takes."""
    clips = Clips(build)
    (clips.folder / CAPTIONS).unlink(missing_ok=True)
    began = time.process_time()
    texts = Texts(clips)
    made = time.process_time() - began
    captioned = np.flatnonzero(np.asarray(clips.num_captions))
    order = np.random.default_rng(0).choice(captioned, 20_000).tolist()
    by_index = _each(lambda clip: texts.caption(clip, 0), order)
    by_group = _each(clips.captions, order[:2_000])
    sound = _each(clips.clip_bytes, order[:2_000])
    row = [f"{len(clips):,}", f"{1e3 * made:.0f}", f"{by_index:.2f}", f"{by_group:.0f}", f"{sound:.1f}"]
    return markdown(["clips", "index made, ms", "caption, us", "by row group, us", "audio bytes, us"], [row])


def _each(work: Callable[[int], Any], order: Sequence[int]) -> float:
    began = time.process_time()
    for clip in order:
        work(clip)
    return 1e6 * (time.process_time() - began) / len(order)


def _options() -> argparse.Namespace:
    description = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loader", description=description)
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--clips", type=int, nargs="+", default=[2_000, 1_000_000, 9_300_000])
    parser.add_argument(
        "--one", choices=("sampler", "bare", "loader", "training", "resumed"), help=argparse.SUPPRESS
    )
    parser.add_argument("--case", nargs="*", default=[], help=argparse.SUPPRESS)
    parser.add_argument("--state", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
