"""What goes wrong when a test asks for it, and a record of all that was asked."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock


@dataclass
class Fault:
    """The next `times` requests of a route fail, after `after` that do not.

    With `status` the answer is that; with `cut` the connection breaks after so many bytes of the body, of the request
    if it sends one, else of the answer; `lost` does what was asked but breaks before the answer; `delay` waits;
    `first` is done before the request is looked at, as if somebody else had been quicker.
    """

    route: str
    times: int = 1
    status: int = 0
    retry_after: str = ""
    cut: int | None = None
    lost: bool = False
    delay: float = 0.0
    after: int = 0
    first: Callable[[], object] | None = None


@dataclass(frozen=True)
class Asked:
    """A request: its route's name, method, path with query, token, the range asked for, bytes of its body."""

    route: str
    method: str
    path: str
    token: str
    range: str = ""
    bytes: int = 0
    status: int = 0


@dataclass
class Faults:
    """Those that are still to come; used by the server's thread and by tests."""

    waiting: list[Fault] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def add(self, fault: Fault) -> None:
        """One more."""
        with self.lock:
            self.waiting.append(fault)

    def take(self, route: str) -> Fault | None:
        """The one that this request meets."""
        with self.lock:
            for fault in self.waiting:
                if fault.route == route and fault.after:
                    fault.after -= 1
                    return None
                if fault.route == route and fault.times:
                    fault.times -= 1
                    return fault
        return None

    def left(self) -> list[str]:
        """The routes of faults that nobody met."""
        with self.lock:
            return [fault.route for fault in self.waiting if fault.times]

    def clear(self) -> None:
        """None is to come."""
        with self.lock:
            self.waiting.clear()
