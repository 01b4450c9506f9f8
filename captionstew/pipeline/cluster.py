"""The same tasks on Ray: one task is a work unit in and a finished file out; only paths cross process borders."""

import os
import socket
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from captionstew.errors import BuildError, StewError

T = TypeVar("T")
R = TypeVar("R")

_RETRIES = 3  # of a task whose worker or node died; tasks are safe to repeat
_PATIENCE = 60.0  # s
_LOOK = 5.0  # s between two looks at the size of the cluster, and at tasks that take long


class Cluster:
    """Ray on this machine (`local`), or an existing cluster by address.

    Every node of a cluster has captionstew installed and sees the build folder and the audio at the same paths. Nodes
    may come and go. A task that takes twice as long as the slowest before it, and at least `patience` seconds, is
    started once more on another core when nothing else is left to start; what ends first counts.
    """

    threads = 1

    def __init__(self, address: str = "local", patience: float = _PATIENCE) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ModuleNotFoundError as error:
            raise BuildError(
                "Ray is not installed", hint="pip install 'captionstew[build]', or use --cluster none"
            ) from error
        self._ray: Any = ray
        self._owned = not ray.is_initialized()
        if self._owned:
            self._connect(address)
        self.patience = patience
        self.cores, self._counted = self._count(), time.monotonic()
        self.name = f"Ray {ray.__version__}, {self.cores} cores, {address}"

    def _connect(self, address: str) -> None:
        quiet = {"log_to_driver": False, "logging_level": "ERROR"}
        if address == "local":
            # Tasks pass paths, never audio: the object store may be small.
            self._ray.init(address="local", include_dashboard=False, object_store_memory=256 << 20, **quiet)
            return
        _answers(address)
        self._ray.init(address=address, **quiet)

    def run(
        self,
        function: Callable[[T], R],
        tasks: Sequence[T],
        sizes: Sequence[int] = (),
        *,
        narrow: bool = False,
    ) -> Generator[tuple[int, R]]:
        """As they finish, what is large first; two tasks per core are under way, so that an end is quick.

        A task may run more than once: it leaves whole files, and the same ones each time.
        """
        remote = self._ray.remote(num_cpus=1, max_retries=_RETRIES)(function)
        order = sorted(range(len(tasks)), key=lambda place: -sizes[place]) if sizes else range(len(tasks))
        under_way = _UnderWay(self._ray, self.patience)
        waiting = iter(order)
        while True:
            while len(under_way) < 2 * self._cores() and (place := next(waiting, None)) is not None:
                under_way.start(place, remote, tasks[place])
            if not len(under_way):
                return
            ready, _ = self._ray.wait(under_way.references, num_returns=1, timeout=_LOOK)
            if ready:
                place = under_way.end(ready[0])
                yield place, self._result(ready[0])
            elif len(under_way) < self._cores():
                for place in under_way.late():
                    spread = remote.options(scheduling_strategy="SPREAD")
                    under_way.start(place, spread, tasks[place])

    def _result(self, reference: Any) -> Any:
        """What a task returned; BuildError if it or its nodes came to nothing."""
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, StewError):
                raise error.cause from None
            if isinstance(error.cause, ModuleNotFoundError | FileNotFoundError):
                raise _foreign(error.cause) from error
            raise
        except self._ray.exceptions.RayError as error:
            hint = "look at `ray status` and at the memory of the nodes; the same command continues"
            cause = str(error).strip().split("\n")[0]
            raise BuildError(
                "the Ray cluster lost a piece of work again and again", cause=cause, hint=hint
            ) from error

    def _cores(self) -> int:
        """Of the nodes that are there now."""
        if time.monotonic() > self._counted + _LOOK:
            self.cores, self._counted = self._count(), time.monotonic()
        return self.cores

    def _count(self) -> int:
        return max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def close(self) -> None:
        """Shut Ray down if we started it."""
        if self._owned:
            self._ray.shutdown()


@dataclass
class _UnderWay:
    """Tasks that were started and have not ended, by what stands for their results; a late one has several."""

    ray: Any
    patience: float
    places: dict[Any, int] = field(default_factory=dict)  # result to come -> place of its task
    began: dict[int, list[float]] = field(default_factory=dict)  # place -> when it was started, each time
    slowest: float = 0.0  # s, of those that ended

    def __len__(self) -> int:
        return len(self.places)

    @property
    def references(self) -> list[Any]:
        """What stands for the results."""
        return list(self.places)

    def start(self, place: int, remote: Any, task: Any) -> None:
        """Start a task, or one more copy of it."""
        self.places[remote.remote(task)] = place
        self.began.setdefault(place, []).append(time.monotonic())

    def end(self, reference: Any) -> int:
        """The place of the task that ended; copies of it are stopped."""
        place = self.places.pop(reference)
        self.slowest = max(self.slowest, time.monotonic() - self.began.pop(place)[-1])
        for other in [other for other, its in self.places.items() if its == place]:
            del self.places[other]
            self.ray.cancel(other, force=True)
        return place

    def late(self) -> list[int]:
        """Places of tasks that take too long; each copy is given twice the time of the one before."""
        # Where nothing has ended yet there is no telling how long is long.
        limit = max(self.patience, 2 * self.slowest) if self.slowest else 10 * self.patience
        now = time.monotonic()
        return [p for p, times in self.began.items() if now - times[-1] > limit * 2 ** (len(times) - 1)]


def _answers(address: str) -> None:
    """BuildError if nothing listens at `host:port`: Ray itself would try for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not host or not port.isdecimal():
        hint = "give HOST:PORT, as `ray start --head` prints it, or use --cluster local"
        raise BuildError(f"{address!r} is no address of a Ray cluster", hint=hint)
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        hint = "check the address, or use --cluster local"
        raise BuildError(f"no Ray cluster at {address}", cause=str(error), hint=hint) from error


def _foreign(error: Exception) -> BuildError:
    hint = (
        "install captionstew[build] on every node, and mount the build folder and the audio at the same paths"
    )
    return BuildError("a node of the Ray cluster is not ready for the build", cause=str(error), hint=hint)
