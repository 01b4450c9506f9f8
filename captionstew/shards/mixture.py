"""How much of each corpus a pass reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from captionstew.errors import StewError


@dataclass(frozen=True)
class Mixture:
    """Shares of the seconds that are read: by hours of audio, flattened by a temperature, or as `weights` says.

    At temperature 1 every clip comes once a pass (Auden multiplexes its corpora by hours too); above, small
    corpora come more often, up to equal shares at infinity. With `weights` every corpus is named; 0 leaves it out.
    """

    temperature: float = 1.0
    weights: Mapping[str, float] = field(default_factory=dict)

    def draws(self, seconds: Mapping[str, float], items: Mapping[str, int]) -> dict[str, int]:
        """How many items of each corpus come in one pass over as many items as there are."""
        if self.temperature == 1 and not self.weights:
            return dict(items)
        parts = self._weights(seconds)
        rates = {name: parts[name] * items[name] / seconds[name] for name in items}
        total = sum(items.values()) / sum(rates.values())
        return {name: max(round(rate * total), 1) for name, rate in rates.items() if rate > 0}

    def _weights(self, seconds: Mapping[str, float]) -> Mapping[str, float]:
        if not self.weights:
            if not self.temperature > 0:
                raise StewError(f"a temperature of {self.temperature}", hint="choose one above 0")
            most = max(seconds.values())
            return {name: (length / most) ** (1 / self.temperature) for name, length in seconds.items()}
        if (
            set(self.weights) != set(seconds)
            or min(self.weights.values()) < 0
            or not any(self.weights.values())
        ):
            cause = f"weights {dict(self.weights)}"
            hint = f"give one of 0 or more for each of: {', '.join(seconds)}"
            raise StewError("the weights do not fit the corpora", cause=cause, hint=hint)
        return self.weights
