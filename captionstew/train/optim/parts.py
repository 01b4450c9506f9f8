"""Parts of a model with an optimiser and a rate of their own, stepped as one."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from captionstew.errors import RecipeError
from captionstew.train.optim.adamw import AdamW
from captionstew.train.optim.eden import Eden3
from captionstew.train.optim.groups import LayerDecay, lr_scales, rate_groups, trained
from captionstew.train.optim.guard import Guard
from captionstew.train.optim.history import DEFAULTS, Settings
from captionstew.train.optim.scaled_adam import ScaledAdam
from captionstew.train.optim.schedules import Rates, Scheduler


@dataclass(frozen=True)
class Scaled:
    """ScaledAdam for the part, as Zipformer needs; `factor` multiplies the rate, besides modules' `lr_scale`."""

    rate: float = 0.045
    rates: Rates = field(default_factory=Eden3)
    factor: float = 1.0
    layer_decay: LayerDecay | None = None
    settings: Settings = DEFAULTS

    def optimizer(self, parameters: Mapping[str, nn.Parameter], factors: Mapping[str, float]) -> ScaledAdam:
        """The optimiser over `parameters`."""
        groups = rate_groups(parameters, self.rate * self.factor, factors)
        return ScaledAdam(groups, self.rate * self.factor, self.settings)


@dataclass(frozen=True)
class Weighted:
    """AdamW for the part, as transformers are trained; `factor` multiplies the rate, besides modules' `lr_scale`."""

    rates: Rates
    rate: float = 1e-4
    factor: float = 1.0
    layer_decay: LayerDecay | None = None
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-6
    weight_decay: float = 0.01
    max_norm: float = 1.0

    def optimizer(self, parameters: Mapping[str, nn.Parameter], factors: Mapping[str, float]) -> AdamW:
        """The optimiser over `parameters`; matrices alone decay."""
        groups = rate_groups(parameters, self.rate * self.factor, factors, self.weight_decay)
        return AdamW(groups, self.rate, self.betas, self.eps, self.weight_decay, self.max_norm)


Part = Scaled | Weighted


class Parts:
    """Optimisers over parts of a module, given by name prefix, that are measured, stepped and saved as one.

    A parameter belongs to the longest prefix of its name, whole words only; "" is the rest. Every parameter that
    needs a gradient belongs to exactly one part, and every part has one, else this is a `RecipeError`. If any gradient
    is not finite the step is skipped for all parts, and `guard` counts it.
    """

    def __init__(self, module: nn.Module, parts: Mapping[str, Part], guard: Guard | None = None) -> None:
        self.guard = guard or Guard()
        scales, shares = lr_scales(module), assign(module, list(parts))
        self.optimizers: dict[str, ScaledAdam | AdamW] = {}
        for prefix, part in parts.items():
            factors = {name: scales[name] for name in shares[prefix]}
            if part.layer_decay is not None:
                layers = part.layer_decay.factors(list(factors))
                factors = {name: factor * layers[name] for name, factor in factors.items()}
            self.optimizers[prefix] = part.optimizer(shares[prefix], factors)
        self.scheduler = Scheduler(*((self.optimizers[prefix], part.rates) for prefix, part in parts.items()))

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of all parts; with `step`, what a gradient scaler needs."""
        return [group for optimizer in self.optimizers.values() for group in optimizer.param_groups]

    @property
    def rates(self) -> dict[str, float]:
        """The highest rate of each part at present."""
        return {
            prefix: max(group["lr"] for group in optimizer.param_groups)
            for prefix, optimizer in self.optimizers.items()
        }

    @property
    def norms(self) -> dict[str, float]:
        """The norm of each part's gradients, as last measured."""
        return {prefix: optimizer.last_norm for prefix, optimizer in self.optimizers.items()}

    def schedule(self, step: int, epoch: int | None = None) -> float:
        """The rates are those of step number `step`, from 1; the highest of them. To be called before the step."""
        self.scheduler.set(step, epoch)
        return max(self.rates.values())

    def step(self, where: str = "") -> bool:
        """Update all parts; False, and nothing is changed, where a gradient is not finite."""
        norm = math.hypot(*(optimizer.measure() for optimizer in self.optimizers.values()))
        admitted = self.guard.admits(norm, where)
        if admitted:
            for optimizer in self.optimizers.values():
                optimizer.step()
        return admitted

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for optimizer in self.optimizers.values():
            optimizer.zero_grad()

    def state_dict(self) -> dict[str, Any]:
        """All that a bit-equal continuation needs."""
        optimizers = {prefix: optimizer.state_dict() for prefix, optimizer in self.optimizers.items()}
        return {
            "optimizers": optimizers,
            "scheduler": self.scheduler.state_dict(),
            "guard": self.guard.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state` was taken; other parts or parameters than there are a `RecipeError`."""
        for prefix, optimizer in self.optimizers.items():
            _check(prefix, optimizer, state["optimizers"])
        for prefix, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][prefix])
        self.scheduler.load_state_dict(state["scheduler"])
        self.guard.load_state_dict(state["guard"])


def assign(module: nn.Module, prefixes: Sequence[str]) -> dict[str, dict[str, nn.Parameter]]:
    """The trained parameters of each prefix, by name.

    A parameter in no part or in two, or a part without parameters, is a `RecipeError`.
    """
    parameters = trained(module)
    owners = {id(param): _owner(name, prefixes) for name, param in parameters.items()}
    if strays := [name for name, param in parameters.items() if owners[id(param)] is None]:
        raise RecipeError(
            f"no optimiser has these parameters: {_listed(strays)}",
            hint='name a part for them, or "" for the rest, or freeze them',
        )
    twice = [
        name
        for name, param in module.named_parameters(remove_duplicate=False)
        if param.requires_grad and _owner(name, prefixes) != owners[id(param)]
    ]
    if twice:
        raise RecipeError(
            f"two optimisers have these shared parameters: {_listed(twice)}",
            hint="put both places into one part",
        )
    shares: dict[str, dict[str, nn.Parameter]] = {prefix: {} for prefix in prefixes}
    for name, param in parameters.items():
        owner = owners[id(param)]
        assert owner is not None, name
        shares[owner][name] = param
    if empty := [prefix for prefix, share in shares.items() if not share]:
        raise RecipeError(
            f"nothing that is trained belongs to the part {_listed(empty)}",
            where=f"parameters: {_listed(list(parameters))}",
            hint="correct the prefix, or drop the part of what is frozen",
        )
    return shares


def _owner(name: str, prefixes: Sequence[str]) -> str | None:
    fitting = [prefix for prefix in prefixes if not prefix or f"{name}.".startswith(f"{prefix}.")]
    return max(fitting, key=len, default=None)


def _listed(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _check(prefix: str, optimizer: ScaledAdam | AdamW, saved: Mapping[str, Any]) -> None:
    groups = saved[prefix]["param_groups"] if prefix in saved else []
    now, then = ([group["names"] for group in each] for each in (optimizer.param_groups, groups))
    if now != then:
        raise RecipeError(
            f"the checkpoint's part {prefix!r} has other parameters",
            cause="the model, its frozen parts or their rates have changed since",
            hint="continue with the recipe of the checkpoint, or start from its weights alone",
        )
