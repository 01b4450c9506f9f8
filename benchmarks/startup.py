"""How long one waits for nothing: `import captionstew`, `captionstew --help`, and what a build imports.

    python -m benchmarks.startup [--repeats N]

Wall time and processor time of a fresh interpreter, its own start taken off; medians.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import median

from benchmarks.report import machine, markdown
from benchmarks.usage import Clock

_PROGRAMS = {
    "nothing": ["-c", "pass"],
    "import captionstew": ["-c", "import captionstew"],
    "captionstew --help": ["-m", "captionstew", "--help"],
    "import captionstew.shards.read": ["-c", "import captionstew.shards.read"],
    "import captionstew.pipeline.build": ["-c", "import captionstew.pipeline.build"],
}


def main() -> None:
    """Run each program in turn, several times over, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.startup", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--repeats", type=int, default=11)
    repeats = parser.parse_args().repeats
    runs = [{name: timed(arguments) for name, arguments in _PROGRAMS.items()} for _ in range(repeats)]
    rows = [[name, *(f"{median(run[name][i] for run in runs):.3f}" for i in (0, 1)),
             f"{median(run[name][0] - run['nothing'][0] for run in runs):.3f}"] for name in _PROGRAMS]  # fmt: skip
    print(markdown(["program", "wall s", "CPU s", "wall s, less the interpreter"], rows))
    print(f"\n{repeats} repeats; {machine()}")


def timed(arguments: Sequence[str]) -> tuple[float, float]:
    """Wall and processor seconds of one run."""
    clock, began = Clock(), time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began, clock.read()["children"]


if __name__ == "__main__":
    main()
