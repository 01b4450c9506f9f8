"""What a validation finds: one check for each promise, with everything that falls short of it."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

Progress = Callable[[str, int], None]  # shard, rows of it that were checked

_MOST_LISTED = 1000


@dataclass(frozen=True)
class Check:
    """A promise, whether it is kept, what was looked at, and where it is broken."""

    name: str
    passed: bool
    detail: str
    failures: list[str]


@dataclass(frozen=True)
class Report:
    """What a validation looked at and what it found; it passed if every check did."""

    where: str
    checks: tuple[Check, ...]
    clips: int
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether every promise is kept."""
        return all(check.passed for check in self.checks)


@dataclass
class Findings:
    """Collects failures and details by check while the folder is read."""

    failures: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    counts: Counter[str] = field(default_factory=Counter)
    details: dict[str, str] = field(default_factory=dict)

    def fail(self, name: str, what: str) -> None:
        """The promise `name` is broken; `what` says where and how."""
        self.counts[name] += 1
        if self.counts[name] <= _MOST_LISTED:
            self.failures[name].append(what)

    def check(self, name: str) -> Check:
        """The verdict on one promise."""
        listed, more = list(self.failures[name]), self.counts[name] - _MOST_LISTED
        if more > 0:
            listed.append(f"and {more} more")
        return Check(name, not listed, self.details.get(name, ""), listed)
