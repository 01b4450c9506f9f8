"""The reference runner: this process."""

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Protocol, TypeVar

from captionstew.pipeline.stop import stopping
from captionstew.pipeline.unit import threads_here

T = TypeVar("T")
R = TypeVar("R")

_AT_ONCE = 4  # tasks of one thread each; every shard that is written holds its row group


class Runner(Protocol):
    """Whatever runs independent tasks; results come as they are ready, with the task's place."""

    name: str
    threads: int  # that a task may use

    def run(
        self,
        function: Callable[[T], R],
        tasks: Sequence[T],
        sizes: Sequence[int] = (),
        *,
        narrow: bool = False,
    ) -> Generator[tuple[int, R]]:
        """Every task, those with the largest of `sizes` perhaps first; the first failure ends it.

        A task is `narrow` that uses one thread whatever it may use. Close what this returns: tasks that have begun end
        at their next `go_on`, and nothing is then at work.
        """
        ...

    def close(self) -> None:
        """Give back what was taken."""
        ...


class Local:
    """One process; a task uses a thread per core, or several tasks run that use one each."""

    def __init__(self) -> None:
        self.threads = threads_here()
        self.name = f"this process, {self.threads} thread{'s' if self.threads > 1 else ''}"

    def run(
        self,
        function: Callable[[T], R],
        tasks: Sequence[T],
        sizes: Sequence[int] = (),
        *,
        narrow: bool = False,
    ) -> Generator[tuple[int, R]]:
        """In order, but for narrow tasks, which come as they are ready."""
        at_once = min(_AT_ONCE, self.threads, len(tasks)) if narrow else 1
        if at_once < 2:
            for place, task in enumerate(tasks):
                yield place, function(task)
            return
        pool = ThreadPoolExecutor(at_once, thread_name_prefix="tasks")
        places = {pool.submit(function, task): place for place, task in enumerate(tasks)}
        try:
            for future in as_completed(places):
                yield places[future], future.result()
        finally:
            with stopping():
                pool.shutdown(cancel_futures=True)

    def close(self) -> None:
        """Nothing was taken."""
