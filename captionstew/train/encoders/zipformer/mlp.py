"""Swoosh with the matrix products beside it, so that a CPU writes less to memory."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from captionstew.train.encoders.zipformer.linear import linear, plain_on_cpu
from captionstew.train.encoders.zipformer.swoosh import Side, slope_, swoosh, swoosh_into

_ROWS = 512  # their hidden values, 0.8 MB at 384 channels, stay in a core's cache


def swoosh_mlp(x: Tensor, first: nn.Conv2d, second: nn.Conv2d) -> Tensor:
    """second(SwooshL(first(x))) over the last axis, of two 1x1 convolutions: matrix products, really.

    On a CPU in float32 the hidden values, three times the embedding's largest tensor, are never written to memory
    and made again in the backward pass: that costs less than fetching fresh pages for them.
    """
    (w1, b1), (w2, b2) = ((layer.weight.flatten(1), layer.bias) for layer in (first, second))
    if not plain_on_cpu(x):
        return F.linear(swoosh(F.linear(x, w1, b1), Side.LEFT), w2, b2)
    result: Tensor = _SwooshMLP.apply(x.flatten(0, -2), w1, b1, w2, b2)  # type: ignore[no-untyped-call]
    return result.view(*x.shape[:-1], len(w2))


def swoosh_linear(x: Tensor, side: Side, keep: Tensor | None, layer: nn.Linear) -> Tensor:
    """layer(swoosh(x) keep), where `keep` (of a shape that broadcasts) is a dropout mask.

    On a CPU in float32 only `x` is kept for the backward pass, which finds the activations again.
    """
    if not plain_on_cpu(x):
        active = swoosh(x, side)
        return F.linear(active if keep is None else active * keep, layer.weight, layer.bias)
    result: Tensor = _SwooshLinear.apply(x, side, keep, layer.weight, layer.bias)  # type: ignore[no-untyped-call]
    return result


class _SwooshLinear(torch.autograd.Function):
    @staticmethod
    def forward(
        context: FunctionCtx, x: Tensor, side: Side, keep: Tensor | None, weight: Tensor, bias: Tensor
    ) -> Tensor:
        context.save_for_backward(x, weight, *(() if keep is None else (keep,)))
        context.side = side  # type: ignore[attr-defined]
        return linear(_active(x, side, keep), weight, bias)

    @staticmethod
    def backward(context: FunctionCtx, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, *kept = context.saved_tensors  # type: ignore[attr-defined]
        keep = kept[0] if kept else None
        side = context.side  # type: ignore[attr-defined]
        grad_rows = grad.flatten(0, -2)
        grad_weight = grad_rows.t() @ _active(x, side, keep).flatten(0, -2)
        grad_x = linear(grad, weight.t(), None).mul_(slope_(x.clone(), side))
        if keep is not None:
            grad_x.mul_(keep)
        return grad_x, None, None, grad_weight, grad_rows.sum(0)


def _active(x: Tensor, side: Side, keep: Tensor | None) -> Tensor:
    active = torch.empty_like(x)
    swoosh_into(active, x, side)
    return active if keep is None else active.mul_(keep)


class _SwooshMLP(torch.autograd.Function):
    @staticmethod
    def forward(context: FunctionCtx, x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
        context.save_for_backward(x, w1, b1, w2)
        result = x.new_empty(len(x), len(w2))
        hidden, active = x.new_empty(2, _ROWS, len(w1))
        for rows, num in _blocks(len(x)):
            torch.addmm(b1, x[rows], w1.t(), out=hidden[:num])
            swoosh_into(active[:num], hidden[:num], Side.LEFT)
            torch.addmm(b2, active[:num], w2.t(), out=result[rows])
        return result

    @staticmethod
    def backward(context: FunctionCtx, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, w1, b1, w2 = context.saved_tensors  # type: ignore[attr-defined]
        grad_x, grad_w1, grad_b1, grad_w2 = torch.empty_like(x), *map(torch.zeros_like, (w1, b1, w2))
        hidden, active = x.new_empty(2, _ROWS, len(w1))
        for rows, num in _blocks(len(x)):
            h, a, g = hidden[:num], active[:num], grad[rows]
            torch.addmm(b1, x[rows], w1.t(), out=h)
            swoosh_into(a, h, Side.LEFT)
            grad_w2.addmm_(g.t(), a)
            torch.mm(g, w2, out=a)
            a.mul_(slope_(h, Side.LEFT))
            grad_w1.addmm_(a.t(), x[rows])
            grad_b1 += a.sum(0)
            torch.mm(a, w1, out=grad_x[rows])
        return grad_x, grad_w1, grad_b1, grad_w2, grad.sum(0)


def _blocks(num_rows: int) -> Iterator[tuple[slice, int]]:
    for start in range(0, num_rows, _ROWS):
        yield slice(start, start + _ROWS), min(_ROWS, num_rows - start)
