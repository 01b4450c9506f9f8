"""Figures as Markdown, with the machine that they come from."""

import os
import platform
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import psutil


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the first column to the left, the others to the right."""
    table = [list(header), *[list(row) for row in rows]]
    widths = [max(3, *(len(row[i]) for row in table)) for i in range(len(header))]
    lines = ["| " + " | ".join(map(_fit, row, widths, range(len(row)))) + " |" for row in table]
    rule = "| " + " | ".join("-" * w if i == 0 else "-" * (w - 1) + ":" for i, w in enumerate(widths)) + " |"
    return "\n".join([lines[0], rule, *lines[1:]])


def machine() -> str:
    """Processor, cores, memory, Python, date and load, in one line."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{cores} cores of {_processor()}, {memory:.0f} GiB, Python {platform.python_version()}, "
        f"{date.today()}, load {os.getloadavg()[0]:.1f}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _fit(cell: str, width: int, column: int) -> str:
    return cell.ljust(width) if column == 0 else cell.rjust(width)
