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

from benchmarks.contenders import CONTENDERS
from benchmarks.corpus import Mix, excerpt, make, ready, store
from benchmarks.peers import NEEDS, clips_of
from benchmarks.report import machine, markdown
from benchmarks.usage import Usage, folder_bytes, run

_READY = {"ours-ready": "ours", "ours-ready-1": "ours-1"}  # ours again, on what already is 16 kHz mono FLAC
_NAMES = (*CONTENDERS, *_READY)
_OURS = {"ours", "ours-1", "ray", *_READY}
_PEERS = NEEDS.keys() - {"webdataset-dot"}  # those that count for the best peer
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_HEADER = "contender, audio-s / CPU-s, to codec, to best peer, audio-s / s, peak MB, shards MB, written MB"


@dataclass
class Runs:
    """All runs of one contender over a corpus."""

    name: str
    corpus: Path
    seconds: float  # of audio
    usages: list[Usage] = field(default_factory=list)
    written: list[int] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Audio-seconds per processor-second, the median."""
        return median(self.seconds / usage.cpu for usage in self.usages)

    def once(self, out: Path) -> None:
        """One more run."""
        contender = _READY.get(self.name, self.name)
        limits = {} if self.name in _OURS else _ONE_THREAD
        shutil.rmtree(out, ignore_errors=True)
        self.usages.append(
            run(["-m", "benchmarks.contenders", contender, str(self.corpus), str(out)], limits)
        )
        self.written.append(folder_bytes(out))
        shutil.rmtree(out, ignore_errors=True)

    def row(self, codec: float, best: float) -> list[str]:
        """The contender's line of the table."""
        wall = median(self.seconds / usage.wall for usage in self.usages)
        peak = median(usage.peak for usage in self.usages) / 1e6
        shards = median(float(usage.said["bytes"]) for usage in self.usages) / 1e6
        ratios = [f"{self.rate / other:.2f}" if other else "-" for other in (codec, best)]
        sizes = [f"{peak:,.0f}", f"{shards:,.1f}", f"{median(self.written) / 1e6:,.1f}"]
        return [self.name, f"{self.rate:,.0f}", *ratios, f"{wall:,.0f}", *sizes]


def main() -> None:
    """Run everybody in turn and print the table."""
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.work, prefix="build-") as work:
        every = _contenders(options, Path(work))
        for number in range(options.repeats):
            for runs in every:
                runs.once(Path(work) / "out")
                rate = runs.seconds / runs.usages[-1].cpu
                print(f"{number + 1}/{options.repeats} {runs.name} {rate:,.0f}", flush=True)
    print("\n" + table(every))
    hours = every[0].seconds / 3600
    print(f"\n{options.clips:,} clips, {hours:.2f} h, {options.repeats} repeats; {machine()}")


def table(every: Sequence[Runs]) -> str:
    """The medians, with ratios to the codec loop and to the best peer."""
    codec = next((runs.rate for runs in every if runs.name == "codec"), 0.0)
    best = max((runs.rate for runs in every if runs.name in _PEERS), default=0.0)
    return markdown(_HEADER.split(", "), [runs.row(codec, best) for runs in every])


def _contenders(options: argparse.Namespace, work: Path) -> list[Runs]:
    """Those asked for whose packages are here, with the clips as they are or as 16 kHz mono FLAC."""
    corpus = make(options.corpus, Mix(options.clips, options.seed))
    mixed = excerpt(corpus, options.clips, work / "mixed")
    passing = ready(mixed, work / "ready") if _READY.keys() & set(options.contenders) else mixed
    seconds = sum(clip.seconds for clip in clips_of(mixed))
    names = [name for name in options.contenders if _present(name)]
    return [Runs(name, passing if name in _READY else mixed, seconds) for name in names]


def _present(name: str) -> bool:
    package = "ray" if name == "ray" else NEEDS.get(name)
    if package is None or importlib.util.find_spec(package):
        return True
    print(f"{name}: left out, the package {package} is not installed (benchmarks/requirements.txt)")
    return False


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.build", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--clips", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--contenders", nargs="+", choices=_NAMES, default=_NAMES, metavar="NAME", help=" ".join(_NAMES)
    )
    parser.add_argument(
        "--corpus", type=Path, default=store(), help="where the corpus is kept from run to run"
    )
    parser.add_argument("--work", type=Path, help="where to write; a temporary folder by default")
    return parser.parse_args()


if __name__ == "__main__":
    main()
