"""What a program and everything that it starts took: processor seconds, peak memory, wall time."""

import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

_EVERY = 0.05  # s between two looks at the process tree


@dataclass
class Clock:
    """Processor and wall seconds of this process and its finished children since the clock was made."""

    wall: float = field(default_factory=time.perf_counter)
    own: float = field(default_factory=lambda: _seconds(resource.RUSAGE_SELF))
    children: float = field(default_factory=lambda: _seconds(resource.RUSAGE_CHILDREN))

    def read(self) -> dict[str, float]:
        """Seconds since then, and the most memory that this process ever held."""
        return {
            "wall": time.perf_counter() - self.wall,
            "own": _seconds(resource.RUSAGE_SELF) - self.own,
            "children": _seconds(resource.RUSAGE_CHILDREN) - self.children,
            "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0,
        }


class Peak:
    """The most memory (bytes) that this process holds from now on, where Linux lets the mark be set back."""

    def __init__(self) -> None:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # man 5 proc: resets VmHWM

    def read(self) -> float:
        """The mark."""
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(float(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


@dataclass(frozen=True)
class Usage:
    """The cost of one run, and what the program said of itself."""

    cpu: float  # s, of the whole tree, from the program's own clock on
    total: float  # s, of the whole tree, interpreter start and imports too
    wall: float  # s, by the program's own clock
    peak: float  # bytes, of the whole tree at one moment
    said: Mapping[str, Any]


def run(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Usage:
    """Run a Python program that prints a JSON object, with the readings of its Clock under `clock`, as its last line.

    Processes that nobody waits for, such as Ray's, are counted by looking at the tree 20 times a second.
    RuntimeError with the end of its messages if it fails.
    """
    before = _seconds(resource.RUSAGE_CHILDREN)
    with subprocess.Popen(
        [sys.executable, *arguments],
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        tree = Tree(program.pid)
        out, err = program.communicate()
        tree.stop()
    said = _last_object(out)
    if program.returncode or "clock" not in said:
        raise RuntimeError(f"{' '.join(arguments)} failed:\n{(err or out)[-2000:]}")
    clock = said["clock"]
    descendants = max(clock["children"], tree.descendants)
    waited = _seconds(resource.RUSAGE_CHILDREN) - before
    total = max(waited, waited - clock["children"] + descendants)
    return Usage(clock["own"] + descendants, total, clock["wall"], max(clock["peak"], tree.peak), said)


class Tree:
    """A process and its descendants, looked at from outside until `stop`."""

    def __init__(self, root: int) -> None:
        self.root, self.peak = root, 0.0
        self._seen: dict[int, float] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    @property
    def descendants(self) -> float:
        """Processor seconds of all descendants that were seen, the root itself not among them."""
        return sum(self._seen.values())

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(_EVERY):
            try:
                root = psutil.Process(self.root)
                processes = [root, *root.children(recursive=True)]
            except psutil.Error:
                return
            self.peak = max(self.peak, sum(self._look(process) for process in processes))

    def _look(self, process: psutil.Process) -> float:
        try:
            memory, times = process.memory_info(), process.cpu_times()
        except psutil.Error:
            return 0.0
        if process.pid == self.root:
            return float(memory.rss)
        self._seen[process.pid] = times.user + times.system
        return float(memory.rss - memory.shared)  # what a forked worker shares is its parent's


def folder_bytes(folder: Path) -> int:
    """The size of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _seconds(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def _last_object(text: str) -> dict[str, Any]:
    for line in reversed(text.strip().splitlines()):
        if line.startswith("{"):
            said: dict[str, Any] = json.loads(line)
            return said
    return {}
