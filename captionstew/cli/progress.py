"""A build while it runs: bars on a terminal; elsewhere a line per finished stage, and one every half minute."""

import sys
import termios
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from captionstew.cli.console import Console
from captionstew.figures import count, plural, reasons, span
from captionstew.pipeline.progress import Event

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_EVERY = 30.0  # s between lines about a stage that goes on


@dataclass
class Step:
    """One stage, as its last event left it."""

    name: str
    total: int
    began: float
    first: int = 0  # pieces that were done before
    done: int = 0
    clips: int = 0
    seconds: float = 0.0  # of audio
    drops: dict[str, int] = field(default_factory=dict)
    skipped: bool = False
    ended: float = 0.0
    note: str = ""

    def see(self, event: Event) -> None:
        """Take an event in. After the audio pass its tables are settled under the same name: counts only."""
        self.note = event.note or self.note
        if self.ended:
            if event.done:
                self.clips, self.drops = event.clips, event.drops
                self.skipped = self.skipped and event.skipped
            return
        self.done, self.total, self.clips = event.done, event.total, event.clips or self.clips
        self.seconds, self.drops = event.seconds or self.seconds, event.drops or self.drops
        self.skipped = event.skipped
        if event.done >= event.total:
            self.ended = time.monotonic()

    @property
    def wall(self) -> float:
        """Seconds that it took, or has taken so far."""
        return (self.ended or time.monotonic()) - self.began

    @property
    def tail(self) -> str:
        """What came of it, or how long it will still take."""
        parts = []
        if self.skipped:
            parts.append("done before")
        elif self.seconds and self.wall > 1:
            parts.append(f"{self.seconds / self.wall:,.0f} s of audio per s")
        if not self.ended and self.done > self.first and self.wall > 5:
            left = self.wall / (self.done - self.first) * (self.total - self.done)
            parts.append(f"left {span(left)}")
        if self.drops:
            parts.append(f"dropped {reasons(self.drops, 3)}")
        return "  ".join(parts)


class Watcher(AbstractContextManager["Watcher"]):
    """Follows the events of a build; says nothing, but knows how far it is."""

    def __init__(self) -> None:
        self.steps: dict[str, Step] = {}

    def __call__(self, event: Event) -> None:
        """The next event of the build."""
        for step in self.steps.values():  # `make` and `ray` never say that they are done
            if step.name != event.stage and not step.ended:
                step.done, step.ended = step.total, time.monotonic()
                self.shown(step)
        if event.stage not in self.steps:
            self.steps[event.stage] = Step(event.stage, event.total, time.monotonic(), first=event.done)
        step = self.steps[event.stage]
        step.see(event)
        self.shown(step)

    def shown(self, step: Step) -> None:
        """Show a step that changed."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        """The build is over, or has failed."""

    @property
    def saved(self) -> str:
        """How far the build came, in words."""
        if not self.steps:
            return "nothing was begun"
        step = list(self.steps.values())[-1]
        if step.total == 1:
            return f"what came before {step.name} is saved"
        done = f"{step.done:,} of {plural(step.total, 'piece')} of {step.name}"
        return f"{done} {'is' if step.done == 1 else 'are'} done and saved"


class Lines(Watcher):
    """For logs: a line when a stage is over, and every half minute while it goes on."""

    def __init__(self, console: Console, least: float = 0.0) -> None:
        super().__init__()
        self.console, self.least = console, least  # s: shorter stages are not spoken of
        self.told: dict[str, float] = {}  # step -> when it was last spoken of
        self.over: set[str] = set()

    def shown(self, step: Step) -> None:
        """What is over by now, and how far this step is if it is time for that."""
        self._tell_over(step.name)
        now = time.monotonic()
        if not step.ended and now - self.told.setdefault(step.name, now) >= _EVERY:
            self.told[step.name] = now
            self._tell(step)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self._tell_over("")

    def _tell_over(self, current: str) -> None:
        for step in self.steps.values():  # the audio pass says more about itself until the next stage begins
            if step.ended and step.name not in {current, *self.over}:
                self.over.add(step.name)
                if step.wall >= self.least:
                    self._tell(step)

    def _tell(self, step: Step) -> None:
        pieces = f"{step.done:,}/{step.total:,}"
        clips = f"{count(step.clips)} clip{'s' * (step.clips > 1)}" if step.clips else ""
        text = f"  {step.name:15} {pieces:>9}  {clips:>14}  {span(step.wall):>7}  {step.tail or step.note}"
        self.console.tell(text.rstrip())


class Bars(Watcher):
    """For people: a bar per stage; `passing` ones go when it is over."""

    def __init__(self, *, passing: bool = False) -> None:
        super().__init__()
        self.progress: Progress = _progress(passing)
        self.tasks: dict[str, TaskID] = {}
        self.terminal: list[Any] = []

    def __enter__(self) -> "Bars":
        if sys.stdin.isatty():  # a `^C` that the terminal writes would shift the bars
            self.terminal = termios.tcgetattr(sys.stdin)
            quiet = [*self.terminal]
            quiet[3] &= ~termios.ECHOCTL
            termios.tcsetattr(sys.stdin, termios.TCSANOW, quiet)
        self.progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self.progress.stop()
        if self.terminal:
            termios.tcsetattr(sys.stdin, termios.TCSANOW, self.terminal)

    def shown(self, step: Step) -> None:
        """Move the step's bar; one piece of work has no middle, so its bar only shows that it lives."""
        total = step.total if step.total > 1 or step.ended else None
        clips = count(step.clips) if step.clips else ""
        facts: dict[str, Any] = {
            "pieces": f"{step.done:,}/{step.total:,}",
            "clips": clips,
            "tail": step.tail or step.note,
        }
        if step.name not in self.tasks:
            self.tasks[step.name] = self.progress.add_task(
                step.name, total=total, completed=step.done, **facts
            )
        else:
            self.progress.update(self.tasks[step.name], completed=step.done, total=total, **facts)


def watcher(console: Console, *, passing: bool = False) -> Watcher:
    """The one that fits: quiet, a terminal, or a log; `passing` where the result itself tells the stages."""
    if console.quiet:
        return Watcher()
    return Bars(passing=passing) if sys.stderr.isatty() else Lines(console, 5.0 if passing else 0.0)


def _progress(passing: bool) -> "Progress":
    from rich.console import Console as Terminal
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.table import Column
    from rich.text import Text

    class Wall(ProgressColumn):
        """How long a stage has taken."""

        def render(self, task: Task) -> Text:
            seconds = task.finished_time if task.finished else task.elapsed
            return Text(f"{span(seconds or 0.0):>7}")

    def text(field: str, justify: Literal["left", "right"], ratio: int | None = None) -> TextColumn:
        column = Column(no_wrap=True, overflow="ellipsis", ratio=ratio)
        return TextColumn(f"{{task.fields[{field}]}}", justify=justify, table_column=column, markup=False)

    return Progress(
        TextColumn("  {task.description:15}", markup=False),
        BarColumn(bar_width=16, complete_style="default", finished_style="green", pulse_style="default"),
        text("pieces", "right"), text("clips", "right"), Wall(), text("tail", "left", 1),
        console=Terminal(stderr=True, highlight=False), refresh_per_second=5, expand=True, transient=passing,
    )  # fmt: skip
