"""A fetch while it runs: one bar over all bytes on a terminal; elsewhere a line per file, and one every half minute."""

import sys
import threading
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING

from captionstew.cli.console import Console
from captionstew.fetch.progress import Moved
from captionstew.figures import size, span

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_EVERY = 30.0  # s between lines


class Moving(AbstractContextManager["Moving"]):
    """Adds up what threads report; says nothing."""

    def __init__(self) -> None:
        self.total = self.done = 0
        self.began = time.monotonic()
        self._lock = threading.Lock()

    def plan(self, num_bytes: int, num_unknown: int) -> None:
        """So many bytes will come, and so many files of unknown size."""
        self.total = num_bytes
        self.planned(num_unknown)

    def __call__(self, moved: Moved) -> None:
        """News of one file."""
        with self._lock:
            self.done += moved.bytes
            self.told(moved)

    def planned(self, num_unknown: int) -> None:
        """The total is known."""

    def told(self, moved: Moved) -> None:
        """Show it; one thread at a time."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        """The fetch is over, or has failed."""


class Lines(Moving):
    """For logs."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console, self._last = console, time.monotonic()

    def planned(self, num_unknown: int) -> None:
        """How much will come."""
        if self.total or num_unknown:
            more = f" and {num_unknown} of unknown size" if num_unknown else ""
            self.console.tell(f"  to fetch: {size(self.total)}{more}")

    def told(self, moved: Moved) -> None:
        """Files that are here, what happened to them, and how far all is."""
        if moved.note or moved.over:
            self.console.tell(f"  {moved.name}: {moved.note or 'here, verified'}")
        elif time.monotonic() - self._last >= _EVERY:
            self._last = time.monotonic()
            rate = self.done / max(self._last - self.began, 1e-9)
            left = (
                f", left {span((self.total - self.done) / rate)}" if rate and self.total > self.done else ""
            )
            self.console.tell(f"  {size(self.done)} of {size(self.total)}, {size(rate)}/s{left}")


class Bar(Moving):
    """For people."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console = console
        self.progress: Progress = _bar()
        self.task: TaskID = self.progress.add_task("fetch", total=None)

    def __enter__(self) -> "Bar":
        self.progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self.progress.stop()

    def planned(self, num_unknown: int) -> None:
        """The bar has an end, if all sizes are known."""
        self.progress.update(self.task, total=None if num_unknown else self.total)

    def told(self, moved: Moved) -> None:
        """Move the bar; what happened to a file stands above it."""
        self.progress.update(self.task, completed=self.done)
        if moved.note:
            self.progress.console.print(f"  {moved.name}: {moved.note}", markup=False, highlight=False)


def moving(console: Console) -> Moving:
    """The one that fits: quiet, a terminal, or a log."""
    if console.quiet:
        return Moving()
    return Bar(console) if sys.stderr.isatty() else Lines(console)


def _bar() -> "Progress":
    from rich.console import Console as Terminal
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    return Progress(
        TextColumn("  {task.description:15}", markup=False),
        BarColumn(bar_width=24, complete_style="default", finished_style="green", pulse_style="default"),
        DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(),
        console=Terminal(stderr=True, highlight=False), refresh_per_second=5, transient=True,
    )  # fmt: skip
