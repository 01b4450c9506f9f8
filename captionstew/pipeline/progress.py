"""What a build tells while it runs; the console, the log and the tests read the same events."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Event:
    """A step of the work: `done` of `total` pieces of `stage`."""

    stage: str
    done: int
    total: int
    clips: int = 0  # kept so far
    seconds: float = 0.0  # of audio, kept so far
    drops: dict[str, int] = field(default_factory=dict)
    skipped: bool = False  # nothing had to be done
    note: str = ""


Watch = Callable[[Event], None]


def unwatched(_event: Event) -> None:
    """Nobody looks."""
