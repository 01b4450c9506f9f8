"""Number formats of training: float32, bfloat16 where the device has it, float16 behind a loss scale."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from captionstew.errors import StewError

_LEAST_SCALE = 1e-5  # icefall stops here: below, the loss itself is broken


@dataclass(frozen=True)
class Precision:
    """What autocast computes in; parameters and the optimiser stay float32."""

    dtype: torch.dtype

    @classmethod
    def of(cls, name: Literal["auto", "float32", "bfloat16", "float16"], device: torch.device) -> "Precision":
        """`auto` is bfloat16 on GPUs that have it, float16 on older ones, float32 on the CPU."""
        if name == "auto":
            if device.type != "cuda":
                return cls(torch.float32)
            return cls(
                torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
            )
        if name == "float16" and device.type == "cpu":
            hint = "--set precision=float32, or bfloat16"
            raise StewError("float16 trains on GPUs only", hint=hint)
        return cls({"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[name])

    @property
    def scaled(self) -> bool:
        """Whether small gradients would vanish without a loss scale."""
        return self.dtype == torch.float16

    def autocast(self, device: torch.device) -> AbstractContextManager[Any]:
        """The context to compute losses in."""
        return nullcontext() if self.dtype == torch.float32 else torch.autocast(device.type, self.dtype)


@dataclass
class Scaler:
    """The loss scale of float16: halved when gradients overflow, doubled while it is small (icefall's rule)."""

    active: bool
    scale: float = 1.0
    steps: int = 0

    @torch.no_grad()
    def unscale(self, parameters: Iterable[nn.Parameter]) -> None:
        """Gradients are divided by the scale."""
        if self.active and self.scale != 1.0:
            torch._foreach_mul_([p.grad for p in parameters if p.grad is not None], 1 / self.scale)

    def move(self, taken: bool) -> None:
        """After a step that was taken, or left out because of gradients that are not finite."""
        if not self.active:
            return
        self.steps += 1
        if not taken:
            self.scale /= 2
        elif (self.scale < 8 and self.steps % 100 == 0) or (self.scale < 32 and self.steps % 400 == 0):
            self.scale *= 2

    def check(self, where: Path) -> None:
        """StewError once the scale is so small that the loss itself must be broken."""
        if self.active and self.scale < _LEAST_SCALE:
            hint = "--set precision=bfloat16 or float32, or a lower optimiser.rate"
            raise StewError(f"the loss scale fell to {self.scale:g}", where=str(where), hint=hint)

    def state(self) -> dict[str, float]:
        """Where it stands; JSON takes it."""
        return {"scale": self.scale, "steps": self.steps}

    def restore(self, state: Mapping[str, float]) -> None:
        """Stand there again."""
        self.scale, self.steps = state["scale"], int(state["steps"])
