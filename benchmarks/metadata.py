"""Metadata alone at the size of the whole: read, merge and decontaminate millions of annotation rows.

    python -m benchmarks.metadata [--rows N] [--work DIR]

Writes annotation files in the layouts of AudioCaps, AudioSetCaps and WavCaps (`benchmarks.annotations`), then runs the
stages on them in a process of their own: wall time, processor time and peak memory of each.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import polars as pl

from benchmarks.annotations import CAPTIONS_PER_CLIP, PUBLISHED, write_annotations
from benchmarks.report import machine, markdown
from benchmarks.usage import Clock, Peak, folder_bytes, run


def main() -> None:
    """Make the files, run the stages, print the table."""
    options = _options()
    if options.child is not None:
        print(json.dumps(stages(options.child)))
        return
    with tempfile.TemporaryDirectory(dir=options.work, prefix="metadata-") as work:
        began = time.perf_counter()
        write_annotations(Path(work) / "in", options.rows, options.seed)
        size = folder_bytes(Path(work) / "in") / 1e9
        print(f"{size:.2f} GB of annotation files in {time.perf_counter() - began:.0f} s", flush=True)
        usage = run(["-m", "benchmarks.metadata", "--child", work])
    lines = [[line["stage"], f"{line['rows']:,}", f"{line['captions']:,}", f"{line['wall']:.1f}", f"{line['cpu']:.1f}",
              f"{line['peak'] / 1e9:.2f}"] for line in usage.said["stages"]]  # fmt: skip
    last = usage.said["stages"][-1]
    lines.append(["all", f"{last['rows']:,}", f"{last['captions']:,}", f"{usage.wall:.1f}", f"{usage.cpu:.1f}",
                  f"{usage.peak / 1e9:.2f}"])  # fmt: skip
    print("\n" + markdown(["stage", "clips kept", "captions kept", "wall s", "CPU s", "peak GB"], lines))
    print(
        f"\nabout {options.rows:,} clips, {options.rows * CAPTIONS_PER_CLIP:,.0f} captions read; {machine()}"
    )


def stages(work: Path) -> dict[str, object]:
    """Run the stages as a build does; what each kept and took."""
    from captionstew.corpora.facts import corpus
    from captionstew.digest import digest
    from captionstew.pipeline.stage import Context, Tables
    from captionstew.pipeline.table import Files, run_table
    from captionstew.stages.decontaminate import Decontaminate
    from captionstew.stages.merge import Merge
    from captionstew.stages.read import Read

    places = {name: (work / "in" / name,) for name in PUBLISHED}
    context = Context(tuple(corpus(name) for name in PUBLISHED), places)
    against = Decontaminate(against=("audiocaps",), blocklists=("wavcaps-freesound",))
    tables, upstream, lines = Tables(pl.LazyFrame(), pl.LazyFrame()), "", []
    whole = Clock()
    for stage in (Read(), Merge(), against):
        clock, peak = Clock(), Peak()
        upstream = digest(stage.identity(), upstream, stage.upstream(context))
        files = Files(work / stage.name)
        run_table(stage, tables, context, files)
        tables = files.tables
        took, most = clock.read(), peak.read()
        lines.append({"stage": stage.name, "rows": _rows(tables.clips), "captions": _rows(tables.captions),
                      "wall": took["wall"], "cpu": took["own"], "peak": most})  # fmt: skip
    return {"clock": whole.read(), "stages": lines}


def _rows(table: pl.LazyFrame) -> int:
    return int(table.select(pl.len()).collect().item())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.metadata", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--rows", type=int, default=10_000_000, help="clips; captions are 1.07 times as many")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--work", type=Path, help="where to write (5 GB at 10 million)")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
