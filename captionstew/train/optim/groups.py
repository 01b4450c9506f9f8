"""Which parameters are trained, and each one's factor on the rate and weight decay."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from captionstew.errors import RecipeError


@dataclass(frozen=True)
class LayerDecay:
    """Rates that fall by `factor` per layer from the top (BEiT, Bao et al. 2022, §A): the top layer has a factor of 1.

    `layer` finds a layer's number in a parameter's name. Names that match `bottom` lie under the first layer; what
    matches neither is on top.
    """

    factor: float = 0.75
    layer: str = r"(?:^|\.)(?:layers?|blocks|encoders)\.(\d+)\."
    bottom: str = r"embed"

    def factors(self, names: Sequence[str]) -> dict[str, float]:
        """The factor of each name."""
        numbers = {name: int(found[1]) for name in names if (found := re.search(self.layer, name))}
        top = max(numbers.values(), default=-1)
        bottom = {name: -1 for name in names if re.search(self.bottom, name)}
        return {name: self.factor ** (top - numbers.get(name, bottom.get(name, top))) for name in names}


def freeze(module: nn.Module, patterns: Sequence[str]) -> list[str]:
    """The parameters whose names match a shell pattern (`text.*`, `*.bias`) need no gradient; their names, sorted.

    A pattern that matches nothing is a `RecipeError`.
    """
    parameters = dict(module.named_parameters())
    frozen: set[str] = set()
    for pattern in patterns:
        found = [name for name in parameters if fnmatchcase(name, pattern)]
        if not found:
            raise RecipeError(
                f"nothing to freeze is named {pattern!r}",
                where=", ".join(list(parameters)[:3]) + ", ..",
                hint="give names as in the checkpoint; `*` stands for any part of a name",
            )
        frozen.update(found)
    for name in frozen:
        parameters[name].requires_grad_(False)
    return sorted(frozen)


def trained(module: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that need a gradient, by name, each once."""
    return {name: param for name, param in module.named_parameters() if param.requires_grad}


def lr_scales(module: nn.Module) -> dict[str, float]:
    """The factor on the rate of every parameter: the product of `lr_scale` of all modules above it (icefall's rule)."""
    scales: dict[str, float] = {}

    def visit(module: nn.Module, prefix: str, scale: float) -> None:
        scale *= float(getattr(module, "lr_scale", 1.0))
        for name, _ in module.named_parameters(prefix, recurse=False):
            scales[name] = scale
        for name, child in module.named_children():
            visit(child, f"{prefix}.{name}" if prefix else name, scale)

    visit(module, "", 1.0)
    return scales


def decayed(param: nn.Parameter) -> bool:
    """Whether weight decay is for this parameter: matrices and kernels, not biases, norms or single numbers."""
    return param.ndim >= 2


def rate_groups(
    parameters: Mapping[str, nn.Parameter],
    rate: float,
    factors: Mapping[str, float],
    weight_decay: float | None = None,
) -> list[dict[str, Any]]:
    """Parameter groups with rates `rate` x factor, in order of first appearance; names under `names`.

    With `weight_decay` each is split into what decays and what does not.
    """
    groups: defaultdict[tuple[float, float], list[str]] = defaultdict(list)
    for name, param in parameters.items():
        decay = weight_decay if weight_decay is not None and decayed(param) else 0.0
        groups[factors.get(name, 1.0), decay].append(name)
    result = []
    for (factor, decay), names in groups.items():
        group = {"params": [parameters[name] for name in names], "names": names, "lr": rate * factor}
        result.append(group if weight_decay is None else group | {"weight_decay": decay})
    return result
