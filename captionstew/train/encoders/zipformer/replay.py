"""Activation checkpointing that makes the same random choices again."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from captionstew.train.encoders.zipformer.schedule import Chance


def run(
    layer: Callable[..., Tensor], arguments: tuple[Any, ...], chance: Chance | None, checkpointing: bool
) -> Tensor:
    """layer(*arguments, chance); with `checkpointing` its activations are not kept but made again for the backward."""
    if not (checkpointing and torch.is_grad_enabled()):
        return layer(*arguments, chance)
    again = nullcontext if chance is None else _replayer(chance)
    result: Tensor = checkpoint(
        layer,
        *arguments,
        chance,
        use_reentrant=False,
        preserve_rng_state=False,
        context_fn=lambda: (nullcontext(), again()),
    )
    return result


def _replayer(chance: Chance) -> Callable[[], AbstractContextManager[None]]:
    draws = chance.draws()
    return lambda: chance.replay(draws)
