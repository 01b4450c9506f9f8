"""Number formats of training: float32, bfloat16 where the device has it, float16 behind a loss scale."""

import math
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
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
    _steps: int = 0

    @torch.no_grad()
    def unscale(self, parameters: Iterable[nn.Parameter]) -> torch.Tensor:
        """Gradients are divided by the scale; their norm, infinite or NaN if one of them is."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        if self.active and self.scale != 1.0:
            torch._foreach_mul_(gradients, 1 / self.scale)
        return torch.nn.utils.get_total_norm(gradients)

    def finite(self, norm: float) -> bool:
        """Whether a step may be taken; moves the scale."""
        good = math.isfinite(norm)
        if self.active:
            self._steps += 1
            if not good:
                self.scale /= 2
            elif (self.scale < 8 and self._steps % 100 == 0) or (self.scale < 32 and self._steps % 400 == 0):
                self.scale *= 2
        return good

    @property
    def exhausted(self) -> bool:
        """Whether no scale would help any more."""
        return self.active and self.scale < _LEAST_SCALE
