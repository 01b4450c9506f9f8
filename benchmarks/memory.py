"""Peak memory of a build at 1x, 4x and 16x its size: it must not grow with the number of clips.

    python -m benchmarks.memory [--clips N ...] [--contender ours|ray] [--corpus DIR]

The peak is that of the whole process tree, resident, at one moment.
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks.corpus import Mix, excerpt, make, store
from benchmarks.peers import clips_of
from benchmarks.report import machine, markdown
from benchmarks.usage import folder_bytes, run


def main() -> None:
    """Build each size once and print the table."""
    options = _options()
    corpus = make(options.corpus, Mix(max(options.clips), options.seed))
    rows: list[list[str]] = []
    first = 0.0
    for clips in options.clips:
        with tempfile.TemporaryDirectory(dir=options.work, prefix="memory-") as work:
            folder = excerpt(corpus, clips, Path(work) / "in")
            out = str(Path(work) / "out")
            usage = run(["-m", "benchmarks.contenders", options.contender, str(folder), out])
            hours = sum(clip.seconds for clip in clips_of(folder)) / 3600
            size = folder_bytes(folder) / 1e9
        first = first or usage.peak
        peak = [f"{usage.peak / 1e6:,.0f}", f"{usage.peak / first:.2f}"]
        rows.append([f"{clips:,}", f"{hours:.1f}", f"{size:.2f}", *peak])
    print(markdown(["clips", "hours", "source GB", "peak MB", "to the first"], rows))
    print(f"\n{options.contender}; {machine()}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.memory", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--clips", type=int, nargs="+", default=[250, 1_000, 4_000])
    parser.add_argument("--contender", choices=("ours", "ours-1", "ray"), default="ours")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--corpus", type=Path, default=store())
    parser.add_argument("--work", type=Path, help="where to write; a temporary folder by default")
    return parser.parse_args()


if __name__ == "__main__":
    main()
