"""Gradients that are not finite: the step is skipped and counted, and too many in a row end the run with a reason."""

import math
from dataclasses import dataclass
from typing import Any

from captionstew.errors import IncompleteError


@dataclass
class Guard:
    """Counts steps by the norm of their gradients; raises once `patience` in a row were not finite."""

    patience: int = 100
    num_skipped: int = 0
    num_in_a_row: int = 0

    def admits(self, norm: float, where: str = "") -> bool:
        """Whether a step with gradients of this norm is to be taken; `where` says what was in the batch."""
        finite = math.isfinite(norm)
        self.num_in_a_row = 0 if finite else self.num_in_a_row + 1
        self.num_skipped += not finite
        if self.num_in_a_row >= self.patience:
            raise IncompleteError(
                f"the gradients of {self.num_in_a_row} steps in a row were not finite",
                cause="the loss diverged, or half precision overflows",
                where=where,
                hint="continue from an earlier checkpoint with a lower rate, or train in bfloat16 or float32",
            )
        return finite

    def state_dict(self) -> dict[str, Any]:
        """The counts."""
        return {"num_skipped": self.num_skipped, "num_in_a_row": self.num_in_a_row}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Count on from `state`."""
        self.num_skipped, self.num_in_a_row = state["num_skipped"], state["num_in_a_row"]
