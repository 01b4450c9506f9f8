"""The fingerprint: which copies of real clips it finds, what it takes for one, what it costs, how the search grows.

    python -m benchmarks.fingerprint [--real DIR] [--clips N ...] [--work DIR]

`--real` is a folder of sounds (any formats, in folders); each is compared with its copies in other encodings, at other
levels and cut, by the stage Dedupe. The search is measured on made-up fingerprints, each size in a process of its own.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.copies import COPIES, Sound, recall, sounds
from benchmarks.report import machine, markdown
from benchmarks.usage import Clock, Peak, run

WORDS, BANDS = 144, 33  # of a clip of 10 s
_EVALUATION, _KNOWN = 10_000, 1_000  # clips looked up among all, and how many are copies of one of them
_AT_ONCE = 4_000


def main() -> None:
    """Print the tables."""
    options = _options()
    if options.child is not None:
        print(json.dumps(_search(options.child, not options.dedupe_only)))
        return
    if options.real is not None:
        found = sounds(options.real)
        hours = sum(len(sound.pcm) for sound in found) / 16_000 / 3600
        print(
            f"{len(found)} clips of {options.real.name}, {hours:.2f} h\n\n{_copies(found)}\n\n{_cost(found)}\n"
        )
    rows = [_grown(clips, options) for clips in options.clips]
    header = [
        "clips",
        "Dedupe CPU s",
        "look-up CPU s",
        "peak GB",
        "words GB",
        "copies found",
        "recognised",
        "false",
    ]
    print(markdown(header, rows))
    print(f"\n{_EVALUATION:,} clips looked up, {_KNOWN:,} of them copies; {machine()}")


def _grown(clips: int, options: argparse.Namespace) -> list[str]:
    """One size, in a process of its own."""
    with tempfile.TemporaryDirectory(dir=options.work, prefix="fingerprint-") as folder:
        write_prints(Path(folder) / "prints.parquet", clips, options.seed)
        only = ["--dedupe-only"] if options.dedupe_only else []
        usage = run(["-m", "benchmarks.fingerprint", "--child", folder, *only])
    said = usage.said
    times = [f"{said[name]:,.0f}" if name in said else "" for name in ("dedupe", "lookup")]
    memory = [f"{usage.peak / 1e9:.2f}", f"{said['mapped'] / 1e9:.2f}"]
    shares = [f"{said[name]:.4f}" if name in said else "" for name in ("found", "recognised")]
    return [f"{clips:,}", *times, *memory, *shares, f"{said['false']:,}"]


def _copies(found: list[Sound]) -> str:
    rows = []
    for name, change in COPIES.items():
        hits = recall(found, change)
        rows.append(
            [name, f"{hits.every:.4f}", f"{hits.audible:.4f}", f"{hits.copies}", f"{len(hits.false)}"]
        )
        for pair in hits.false:
            print("taken for one:", *pair)
    return markdown(
        ["copy", "recall, all", "recall, 0.3 s of sound left", "of", "others taken for one"], rows
    )


def _cost(found: list[Sound]) -> str:
    from captionstew.audio.fingerprint import fingerprint
    from captionstew.audio.fingerprint_words import slow_words, tables_of
    from captionstew.audio.spectra import spectra

    seconds = sum(len(sound.pcm) for sound in found) / 16_000
    rows = []
    for name, work in (
        ("spectra of the measures", lambda pcm: spectra(pcm, 16_000)),
        ("fingerprint", lambda pcm: fingerprint(pcm, 16_000)),
        ("fingerprint without a compiler", lambda pcm: slow_words(pcm, tables_of(16_000))),
    ):
        best = np.inf
        for _ in range(5):
            began = time.process_time()
            for sound in found:
                work(sound.pcm)
            best = min(best, time.process_time() - began)
        rows.append([name, f"{best / seconds * 1e6:.1f}"])
    return markdown(["", "us of one core per audio second"], rows)


def write_prints(path: Path, clips: int, seed: int) -> None:
    """A table of made-up clips, the last hundredth copies of earlier ones: 5 % of the bits differ, 0.5 s cut off."""
    random = np.random.default_rng(seed)
    copies = clips // 100
    schema = {"clip_id": pl.String, "audio_sha256": pl.String, "fingerprint": pl.Binary}
    folder = path.with_suffix("")
    folder.mkdir(parents=True)
    first = np.empty((0, WORDS), np.uint32)
    for begin in range(0, clips - copies, _AT_ONCE):
        words = made_up(random, min(_AT_ONCE, clips - copies - begin))
        first = np.concatenate([first, words])[: max(copies, _KNOWN)]
        _frame(words, begin, schema).write_parquet(folder / f"{begin:09}.parquet")
    last = _frame(distorted(random, first[:copies]), clips - copies, schema)
    last.write_parquet(folder / f"{clips:09}.parquet")
    looked_up = (*distorted(random, first[:_KNOWN]), *made_up(random, _EVALUATION - _KNOWN))
    pl.DataFrame({"fingerprint": [row.tobytes() for row in looked_up]}).write_parquet(path)


def made_up(random: np.random.Generator, clips: int) -> npt.NDArray[np.uint32]:
    """Fingerprints (clips, WORDS) of three sounds that come and go, each with a spectrum of its own, over noise."""
    count, times = -(-clips // 4), WORDS + 4 + 6
    spectra = np.exp(2 * random.standard_normal((count, 3, BANDS + 1), np.float32))
    levels = random.random((count, times, 3), np.float32) ** 4
    energy = levels @ spectra * (1 + random.random((count, times, BANDS + 1), np.float32))
    energy = energy[..., :-1] + energy[..., 1:]
    for _ in range(2):
        energy = energy[:, :-2] + energy[:, 1:-1] + energy[:, 2:]
    slope = energy[..., :-1] - energy[..., 1:]
    quarters = [slope[..., random.permutation(BANDS - 1)] for _ in range(4)]  # other bands: other sounds
    bits = np.concatenate([np.packbits(part[:, 6:] > part[:, :-6], axis=2) for part in quarters])
    return bits.view(">u4").reshape(-1, WORDS)[:clips].astype(np.uint32)


def distorted(random: np.random.Generator, words: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """The same without their first 8 words, and with each bit wrong in 5 % of the cases."""
    wrong = np.packbits(random.random((*words[:, 8:].shape, 32), np.float32) < 0.05, axis=2)
    return words[:, 8:] ^ wrong.view(">u4").reshape(words[:, 8:].shape).astype(np.uint32)


def _frame(words: npt.NDArray[np.uint32], begin: int, schema: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    ids = [f"clip:{number:09}" for number in range(begin, begin + len(words))]
    hashes = [f"{number:064x}" for number in range(begin, begin + len(words))]
    return pl.DataFrame([ids, hashes, [row.tobytes() for row in words]], schema=schema)


def _search(work: Path, lookup: bool) -> dict[str, object]:
    """Dedupe of all, then a look-up of the evaluation clips among all."""
    from captionstew.pipeline.stage import Context, Tables
    from captionstew.stages.dedupe import Dedupe

    audio = pl.scan_parquet(work / "prints" / "*.parquet")
    clips = audio.select("clip_id", corpus=pl.lit("made-up"), source_id="clip_id").with_row_index("rank")
    clips = clips.with_columns(pl.col("rank").cast(pl.UInt64))
    whole, peak = Clock(), Peak()
    drops = Dedupe()(Tables(clips, pl.LazyFrame()), Context((), {}, audio=audio, work=work)).drops.collect()
    said: dict[str, object] = {"dedupe": whole.read()["own"]}
    total = clips.select(pl.len()).collect().item()
    copies = total // 100
    right = drops.filter(
        (pl.col("rank").cast(pl.Int64) - (total - copies)) == pl.col("detail").str.slice(5).cast(pl.Int64)
    )
    said |= {"found": len(right) / copies, "false": len(drops) - len(right), "mapped": 4 * WORDS * total}
    if lookup:
        said |= _look_up(audio, work)
    return {"clock": whole.read(), "peak": peak.read(), **said}


def _look_up(audio: pl.LazyFrame, work: Path) -> dict[str, object]:
    from captionstew.audio.fingerprint_index import Prints
    from captionstew.pipeline.prints import prints_of

    prints = pl.read_parquet(work / "prints.parquet")["fingerprint"]
    evaluation = Prints.of(np.frombuffer(data, "<u4") for data in prints)
    clock = Clock()
    with prints_of(audio.with_row_index("rank"), work) as known:
        found = known.matches(evaluation)
    hit = found.first == found.second
    return {"lookup": clock.read()["own"], "recognised": float(hit.sum()) / _KNOWN}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fingerprint", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument(
        "--real", type=Path, help="a folder of sounds; without it only the search is measured"
    )
    parser.add_argument("--clips", type=int, nargs="*", default=[250_000, 500_000, 1_000_000])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--dedupe-only", action="store_true", help="nothing is looked up")
    parser.add_argument("--work", type=Path, help="where to write (2 GB at a million)")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
