"""The same tasks on Ray: one task is a work unit in and a finished file out; only paths cross process borders."""

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from captionstew.errors import BuildError, StewError

T = TypeVar("T")
R = TypeVar("R")

_RETRIES = 3  # of a task whose worker or node died; tasks are safe to repeat


class Cluster:
    """Ray on this machine (`local`), or an existing cluster by address.

    Every node of a cluster has captionstew installed and sees the build folder and the audio at the same paths.
    """

    threads = 1

    def __init__(self, address: str = "local") -> None:
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
        self.cores = int(ray.cluster_resources().get("CPU", 1))
        self.name = f"Ray {ray.__version__}, {self.cores} cores, {address}"

    def _connect(self, address: str) -> None:
        quiet = {"log_to_driver": False, "logging_level": "ERROR"}
        if address == "local":
            # Tasks pass paths, never audio: the object store may be small.
            self._ray.init(address="local", include_dashboard=False, object_store_memory=256 << 20, **quiet)
            return
        _answers(address)
        self._ray.init(address=address, **quiet)

    def run(self, function: Callable[[T], R], tasks: Sequence[T]) -> Iterator[tuple[int, R]]:
        """As they finish; two tasks per core are under way, so that the queue stays short and an end is quick."""
        remote = self._ray.remote(num_cpus=1, max_retries=_RETRIES)(function)
        waiting = iter(enumerate(tasks))
        running: dict[Any, int] = {}
        while True:
            while len(running) < 2 * self.cores and (item := next(waiting, None)):
                running[remote.remote(item[1])] = item[0]
            if not running:
                return
            ready, _ = self._ray.wait(list(running), num_returns=1)
            place = running.pop(ready[0])
            try:
                yield place, self._ray.get(ready[0])
            except self._ray.exceptions.RayTaskError as error:
                if isinstance(error.cause, StewError):
                    raise error.cause from None
                if isinstance(error.cause, ModuleNotFoundError | FileNotFoundError):
                    raise _foreign(error.cause) from error
                raise

    def close(self) -> None:
        """Shut Ray down if we started it."""
        if self._owned:
            self._ray.shutdown()


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
