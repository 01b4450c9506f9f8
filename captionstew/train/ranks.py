"""Which process of how many this is, and what processes do together; alone where no process group runs."""

from collections.abc import Iterable
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

T = TypeVar("T")

_BUCKET = 32 * 1024 * 1024  # elements summed in one message


def rank() -> int:
    """This process's number, from zero."""
    return dist.get_rank() if _running() else 0


def world() -> int:
    """How many processes train together."""
    return dist.get_world_size() if _running() else 1


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Every gradient is the mean over all processes; one that a process lacks counts as zero there.

    Done after the backward pass in flat buckets. It needs no hooks, so a parameter that a random skip left out of
    one rank's graph cannot hang the others.
    """
    if world() == 1:
        return
    bucket: list[nn.Parameter] = []
    size = 0
    for parameter in parameters:
        if not parameter.requires_grad:
            continue
        bucket.append(parameter)
        size += parameter.numel()
        if size >= _BUCKET:
            _average(bucket)
            bucket, size = [], 0
    if bucket:
        _average(bucket)


def share(parameters: Iterable[Tensor]) -> None:
    """Every process holds the values of process 0."""
    if world() > 1:
        for parameter in parameters:
            dist.broadcast(parameter.data, 0)


def gather(mine: T) -> list[T]:
    """What every process brings, in their order; anything that pickles, small, from our own processes."""
    if world() == 1:
        return [mine]
    found: list[T | None] = [None] * world()
    dist.all_gather_object(found, mine)
    return [one for one in found if one is not None]


def wait() -> None:
    """All processes have come here."""
    if world() > 1:
        dist.barrier()


@torch.no_grad()
def _average(parameters: list[nn.Parameter]) -> None:
    flat = torch.cat([_gradient(parameter).flatten().float() for parameter in parameters])
    dist.all_reduce(flat)
    flat /= world()
    at = 0
    for parameter in parameters:
        part = flat[at : at + parameter.numel()].view_as(parameter)
        parameter.grad = part.to(parameter.dtype).clone()
        at += parameter.numel()


def _gradient(parameter: nn.Parameter) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def _running() -> bool:
    return dist.is_available() and dist.is_initialized()
