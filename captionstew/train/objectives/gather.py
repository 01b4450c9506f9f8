"""Rows of all ranks on every rank, with gradients; ranks may bring different numbers of rows."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.functional import pad

from captionstew.train.ranks import rank, world


def row_counts(num_rows: int, device: torch.device) -> tuple[int, ...]:
    """How many rows each rank brings, in the order of ranks.

    Where the process group also serves the CPU ("cpu:gloo,cuda:nccl") nobody waits for a GPU.
    """
    if world() == 1:
        return (num_rows,)
    place = torch.device("cpu") if "cpu:" in dist.get_backend_config() else device
    counts = torch.empty(world(), dtype=torch.int64, device=place)
    dist.all_gather(list(torch.split(counts, 1)), torch.tensor([num_rows], device=place))
    return tuple(counts.tolist())


def gather_rows(rows_bD: Tensor, counts: tuple[int, ...]) -> Tensor:
    """The rows of all ranks in the order of ranks; a row's gradient is the sum of what all ranks have for it.

    `counts` is what `row_counts` said. All ranks must take part, in the backward pass as well.
    """
    assert len(rows_bD) == counts[rank()], f"{len(rows_bD)} rows on rank {rank()}, announced were {counts}"
    if world() == 1:
        return rows_bD
    gathered: Tensor = _Gather.apply(rows_bD, counts)  # type: ignore[no-untyped-call]
    return gathered


def sum_over_ranks(x: Tensor) -> Tensor:
    """The sum over ranks, without gradient."""
    x = x.detach()
    if world() > 1:
        x = x.clone()
        dist.all_reduce(x)
    return x


def max_over_ranks(x: Tensor) -> Tensor:
    """The greatest of all ranks' values, entry by entry, without gradient."""
    x = x.detach()
    if world() > 1:
        x = x.clone()
        dist.all_reduce(x, dist.ReduceOp.MAX)
    return x


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows_bD: Tensor, counts: tuple[int, ...]) -> Tensor:
        ctx.counts, most = counts, max(counts)
        blocks = rows_bD.new_empty((world(), most, *rows_bD.shape[1:]))
        dist.all_gather(list(blocks), _padded(rows_bD, most))
        return torch.cat([block[:count] for block, count in zip(blocks, counts, strict=True)])

    @staticmethod
    def backward(ctx: Any, gradient_BD: Tensor) -> tuple[Tensor, None]:
        whole = gradient_BD.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(whole)
        return torch.split(whole, list(ctx.counts))[rank()], None


def _padded(rows: Tensor, num_rows: int) -> Tensor:
    if len(rows) == num_rows:
        return rows.contiguous()
    return pad(rows, [0, 0] * (rows.ndim - 1) + [0, num_rows - len(rows)])
