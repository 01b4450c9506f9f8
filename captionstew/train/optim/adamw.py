"""AdamW that clips by the norm and leaves everything as it was where a gradient is not finite."""

import math
from typing import Any

import torch
from torch.optim.optimizer import ParamsT


class AdamW(torch.optim.AdamW):
    """torch's AdamW, fused, with gradients scaled down to a norm of `max_norm`.

    A norm that is not finite skips the step, which changes nothing but `num_skipped`.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        max_norm: float = math.inf,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=True)
        self._step_supports_amp_scaling = False  # a gradient scaler unscales first, so that norms are true
        self.max_norm = max_norm
        self.num_skipped, self.num_clipped, self.num_seen, self.last_norm = 0, 0, 0, 0.0
        self._is_measured = False

    @property
    def clipped_share(self) -> float:
        """The share of all steps whose gradients were scaled down."""
        return self.num_clipped / max(1, self.num_seen)

    @torch.no_grad()
    def measure(self) -> float:
        """The norm of all gradients; `step` uses what was measured, or measures by itself."""
        grads = self._grads()
        norms = torch._foreach_norm(grads) if grads else [torch.zeros(())]
        self.last_norm = float(torch.linalg.vector_norm(torch.stack(norms)))
        self._is_measured = True
        return self.last_norm

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient; gradients over `max_norm` are scaled down in place."""
        if not self._is_measured:
            self.measure()
        self._is_measured = False
        if not math.isfinite(self.last_norm):
            self.num_skipped += 1
            return
        self.num_seen += 1
        if self.last_norm > self.max_norm:
            self.num_clipped += 1
            torch._foreach_mul_(self._grads(), self.max_norm / self.last_norm)
        super().step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients, and what was measured of them."""
        self._is_measured = False
        super().zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """All that a bit-equal continuation needs."""
        counts = {"num_skipped": self.num_skipped, "num_clipped": self.num_clipped, "num_seen": self.num_seen}
        return {**super().state_dict(), "counts": counts}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue where `state_dict` was taken."""
        super().load_state_dict({key: state_dict[key] for key in ("state", "param_groups")})
        for name, count in state_dict["counts"].items():
            setattr(self, name, count)

    def _grads(self) -> list[torch.Tensor]:
        params = (param for group in self.param_groups for param in group["params"])
        return [param.grad for param in params if param.grad is not None]
