"""Build throughput in audio-seconds per processor-second of the whole process tree, against the codec and the peers.

    python -m benchmarks.build [--clips N] [--repeats N] [--contenders NAME ...] [--corpus DIR]

Every contender makes 16 kHz mono 16-bit FLAC of the very same files, one run each in turn, several times over; the
medians are printed as a table. The corpus is made once (see `benchmarks.corpus`).
"""

import argparse
import importlib.util
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.contenders import CONTENDERS, clips_of
from benchmarks.corpus import Mix, excerpt, make, ready, store
from benchmarks.report import machine, markdown
from benchmarks.usage import Usage, folder_bytes, run

_NEEDS = {"lhotse": "lhotse", "webdataset": "webdataset", "mds": "streaming", "litdata": "litdata",
          "datasets": "datasets", "ray": "ray"}  # fmt: skip
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_OURS = ("ours", "ours-1", "ours-ready", "ray")


@dataclass
class Runs:
    """All runs of one contender over `seconds` of audio."""

    name: str
    seconds: float
    usages: list[Usage] = field(default_factory=list)
    written: list[int] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Audio-seconds per processor-second, the median."""
        return median(self.seconds / usage.cpu for usage in self.usages)

    def row(self, codec: float, best: float) -> list[str]:
        """The contender's line of the table."""
        wall = median(self.seconds / usage.wall for usage in self.usages)
        peak = median(usage.peak for usage in self.usages) / 1e6
        shards = median(float(usage.said["bytes"]) for usage in self.usages) / 1e6
        return [
            self.name, f"{self.rate:,.0f}", f"{self.rate / codec:.2f}", f"{self.rate / best:.2f}" if best else "-",
            f"{wall:,.0f}", f"{peak:,.0f}", f"{shards:,.1f}", f"{median(self.written) / 1e6:,.1f}",
        ]  # fmt: skip


def main() -> None:
    """Run everybody in turn and print the table."""
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.work, prefix="build-") as work:
        inputs = _inputs(options, Path(work))
        names = [name for name in options.contenders if _present(name)]
        every = {name: Runs(name, sum(clip.seconds for clip in clips_of(inputs[name == "ours-ready"]))) for name in names}
        for number in range(options.repeats):
            for name, runs in every.items():
                _once(runs, inputs[name == "ours-ready"], Path(work) / "out")
                print(f"{number + 1}/{options.repeats} {name} {runs.seconds / runs.usages[-1].cpu:,.0f}", flush=True)
    print("\n" + table(list(every.values())))
    hours = next(iter(every.values())).seconds / 3600
    print(f"\n{options.clips} clips, {hours:.2f} h, {options.repeats} repeats; {machine()}")


def table(every: Sequence[Runs]) -> str:
    """The medians, with ratios to the codec loop and to the best peer."""
    rates = {runs.name: runs.rate for runs in every}
    codec = rates.get("codec", float("nan"))
    best = max((rate for name, rate in rates.items() if name in _NEEDS and name != "ray"), default=0.0)
    header = ["contender", "audio-s / CPU-s", "to codec", "to best peer", "audio-s / s", "peak MB", "shards MB", "written MB"]
    return markdown(header, [runs.row(codec, best) for runs in every])


def _once(runs: Runs, folder: Path, out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    contender = "ours" if runs.name == "ours-ready" else runs.name
    limits = {} if runs.name in _OURS else _ONE_THREAD
    runs.usages.append(run(["-m", "benchmarks.contenders", contender, str(folder), str(out)], limits))
    runs.written.append(folder_bytes(out))
    shutil.rmtree(out, ignore_errors=True)


def _inputs(options: argparse.Namespace, work: Path) -> tuple[Path, Path]:
    """The clips as they are, and as 16 kHz mono FLAC if anybody asks for them."""
    corpus = make(options.corpus, Mix(options.clips, options.seed))
    mixed = excerpt(corpus, options.clips, work / "mixed")
    return mixed, ready(mixed, work / "ready") if "ours-ready" in options.contenders else mixed


def _present(name: str) -> bool:
    package = _NEEDS.get(name)
    if package is None or importlib.util.find_spec(package):
        return True
    print(f"{name}: left out, the package {package} is not installed (benchmarks/requirements.txt)")
    return False


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [*CONTENDERS, "ours-ready"]
    parser.add_argument("--clips", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--contenders", nargs="+", choices=names, default=names, metavar="NAME", help=" ".join(names))
    parser.add_argument("--corpus", type=Path, default=store())
    parser.add_argument("--work", type=Path, default=None, help="where to write, a temporary folder by default")
    return parser.parse_args()


if __name__ == "__main__":
    main()
