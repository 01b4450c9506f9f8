"""ScaledAdam (Zipformer, Yao et al. 2024, §3.6): Adam whose steps are relative to the size of each tensor."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer, ParamsT

from captionstew.train.optim.history import DEFAULTS, History, Settings

BLOCK = 1 << 24  # elements worked on at a time: few launches, little extra memory
CACHE_BLOCK = 1 << 18  # the same on a CPU, where a block should stay in a core's cache


class ScaledAdam(Optimizer):
    """Adam with steps in proportion to each tensor's rms, learned tensor sizes, and clipping by a median of norms.

    Every group clips by its own history. An infinite norm counts as gradients of zero; a NaN skips the step, which
    changes nothing but `num_skipped`; missing gradients are zeros. All that is kept per tensor lives on the host, so
    that a step reads from the device once. Updates do not depend on the scale of the loss.
    """

    def __init__(self, params: ParamsT, lr: float = 0.045, settings: Settings = DEFAULTS) -> None:
        super().__init__(params, {"lr": lr})
        self.settings = settings
        self.num_skipped, self.last_norm = 0, 0.0
        self._histories: list[History] = []
        self._measured: list[_Group] = []

    @property
    def clipped_share(self) -> float:
        """The share of steps with gradients scaled down, since the threshold was last set."""
        clipped = sum(history.num_clipped for history in self._histories)
        return clipped / max(1, sum(history.num_seen for history in self._histories))

    @torch.no_grad()
    def measure(self) -> float:
        """The norm of all gradients, each weighted with its tensor's rms; NaN or infinite if one of them is.

        `step` uses what was measured, or measures by itself.
        """
        self._measured = [self._group(number) for number in range(len(self.param_groups))]
        rows = [row for group in self._measured for row in group.rows()]
        values = iter(_on_host(rows))
        for group in self._measured:
            group.take(values)
        self.last_norm = math.hypot(*(group.norm for group in self._measured))
        return self.last_norm

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every parameter once from its gradient; the gradients stay as they are."""
        if not self._measured:
            self.measure()
        measured, self._measured = self._measured, []
        if math.isnan(self.last_norm):
            self.num_skipped += 1
            return
        for group, settings in zip(measured, self.param_groups, strict=True):
            group.update(settings["lr"])

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients, and what was measured of them."""
        self._measured = []
        super().zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """All that a bit-equal continuation needs."""
        histories = [history.state() for history in self._histories]
        return {**super().state_dict(), "histories": histories, "num_skipped": self.num_skipped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue where `state_dict` was taken, of an optimiser over the same parameters."""
        super().load_state_dict({key: state_dict[key] for key in ("state", "param_groups")})
        self.num_skipped, self._measured, self._histories = state_dict["num_skipped"], [], []
        for number, state in enumerate(state_dict["histories"]):
            self._history(number).restore(state)

    def _history(self, number: int) -> History:
        for group in self.param_groups[len(self._histories) : number + 1]:
            self._histories.append(History([p.numel() for p in group["params"]], self.settings))
        return self._histories[number]

    def _group(self, number: int) -> "_Group":
        params = self.param_groups[number]["params"]
        for param in params:
            if not self.state[param]:
                self.state[param] = {"second": torch.zeros_like(param), "momentum": torch.zeros_like(param)}
        seconds, momenta = ([self.state[param][key] for param in params] for key in ("second", "momentum"))
        return _Group(params, seconds, momenta, self._history(number))


class _Group:
    """One step of one group: measure, then update."""

    def __init__(
        self, params: list[Tensor], seconds: list[Tensor], momenta: list[Tensor], history: History
    ) -> None:
        self.params, self.seconds, self.momenta, self.history = params, seconds, momenta, history
        self.grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in params]
        self.norm = 0.0

    def rows(self) -> Iterator[Tensor]:
        """Numbers per tensor that the host needs, still on the device."""
        yield torch.stack(torch._foreach_norm(self.grads))
        yield _inner_products(self.params, self.grads)
        if self.history.renews:
            yield torch.stack(torch._foreach_norm(self.params))

    def take(self, rows: Iterator[Tensor]) -> None:
        """The same numbers on the host."""
        history = self.history
        grad_norms_N, self.pushes_N = next(rows), next(rows)
        self.rms_N = next(rows) / history.counts_N.sqrt() if history.renews else history.rms_N
        if history.step == 0:
            history.rms_N = self.rms_N
        self.norm = history.norm(grad_norms_N)

    def update(self, lr: float) -> None:
        """Change parameters, moments and history by one step."""
        history, (beta1, beta2) = self.history, self.history.settings.betas
        clip = history.clip(self.norm)
        history.rms_N = self.rms_N
        growth_N = history.size_steps(self.pushes_N * clip if clip else torch.zeros_like(self.pushes_N), lr)
        steps = (-(1 - beta1) * clip * history.relative_steps(lr)).tolist()
        growth = None if growth_N is None else ((1 - beta1) * growth_N).tolist()
        bias = 1 - beta2 ** (history.step + 1)
        for numbers, (params, grads, seconds, momenta) in self._blocks():
            torch._foreach_mul_(seconds, beta2)
            torch._foreach_mul_(momenta, beta1)
            if clip:  # else the gradients are infinite, and count as zero
                torch._foreach_addcmul_(seconds, grads, grads, (1 - beta2) * clip * clip)
                divisors = torch._foreach_sqrt(seconds)
                if bias < 0.99:
                    torch._foreach_div_(divisors, math.sqrt(bias))
                torch._foreach_add_(divisors, history.settings.eps)
                torch._foreach_addcdiv_(momenta, grads, divisors, [steps[number] for number in numbers])
            if growth is not None:
                grown = torch._foreach_mul(params, [growth[number] for number in numbers])
                torch._foreach_add_(momenta, grown)
            torch._foreach_add_(params, momenta)
        self._bound_scalars()
        history.step += 1

    def _bound_scalars(self) -> None:
        bound = self.history.settings.scalar_bound
        if scalars := [param for param in self.params if param.numel() == 1]:
            torch._foreach_clamp_min_(scalars, -bound)
            torch._foreach_clamp_max_(scalars, bound)

    def _blocks(self) -> Iterator[tuple[list[int], list[list[Tensor]]]]:
        """Parameters, gradients and both moments a block at a time, with the number of each one's tensor."""
        limit = CACHE_BLOCK if self.params[0].device.type == "cpu" else BLOCK
        numbers: list[int] = []
        block: list[tuple[Tensor, ...]] = []
        room = limit
        together = zip(self.params, self.grads, self.seconds, self.momenta, strict=True)
        for number, tensors in enumerate(together):
            for pieces in _pieces(tensors, limit):
                numbers.append(number)
                block.append(pieces)
                room -= pieces[0].numel()
                if room <= 0:
                    yield numbers, [list(column) for column in zip(*block, strict=True)]
                    numbers, block, room = [], [], limit
        if block:
            yield numbers, [list(column) for column in zip(*block, strict=True)]


def _pieces(tensors: tuple[Tensor, ...], limit: int) -> Iterable[tuple[Tensor, ...]]:
    if tensors[0].numel() > limit and all(tensor.is_contiguous() for tensor in tensors):
        return zip(*(torch.split(tensor.view(-1), limit) for tensor in tensors), strict=True)
    return [tensors]


def _inner_products(params: list[Tensor], grads: list[Tensor]) -> Tensor:
    if params[0].device.type == "cpu":
        pairs = zip(params, grads, strict=True)
        return torch.stack([torch.dot(param.reshape(-1), grad.reshape(-1)) for param, grad in pairs])
    # There is no fused sum, but a fused 1-norm: sum(x) = 2 |max(x, 0)| - |x|.
    products = torch._foreach_mul(params, grads)
    sizes = torch.stack(torch._foreach_norm(products, 1))
    torch._foreach_clamp_min_(products, 0.0)
    return 2 * torch.stack(torch._foreach_norm(products, 1)) - sizes


def _on_host(rows: list[Tensor]) -> tuple[Tensor, ...]:
    return torch.split(torch.cat(rows).to("cpu", torch.float64), [len(row) for row in rows])
