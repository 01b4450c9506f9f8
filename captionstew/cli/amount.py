"""Bytes as far as they are known: what the publisher says, what we reckon, and how many items nobody has measured."""

from dataclasses import dataclass

from captionstew.figures import UNKNOWN, plural, size


@dataclass(frozen=True)
class Amount:
    """Bytes that are known, bytes by estimate, and the number of items of unknown size."""

    known: int = 0
    about: int = 0
    unknown: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.known + other.known, self.about + other.about, self.unknown + other.unknown)

    @property
    def bytes(self) -> int:
        """All that has a number."""
        return self.known + self.about

    @property
    def short(self) -> str:
        """`2.07 MB`, `~5.89 GB`; `2.07 MB+` where more comes that nobody has measured, `?` where nothing is known."""
        if self.unknown and not self.bytes:
            return UNKNOWN
        return f"{'~' * bool(self.about)}{size(self.bytes)}{'+' * bool(self.unknown)}"

    @property
    def long(self) -> str:
        """The same in words."""
        parts = [size(self.known)] if self.known or not (self.about or self.unknown) else []
        parts += [f"about {size(self.about)}"] if self.about else []
        parts += [f"{plural(self.unknown, 'item')} of unknown size"] if self.unknown else []
        return ", ".join(parts)


NOTHING = Amount()
