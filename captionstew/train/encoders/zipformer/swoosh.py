"""Swoosh activations (Zipformer, Yao et al. 2024, §3.4): a softplus that dips below zero and leans back."""

from enum import Enum

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx

_LEAN = 0.08


class Side(Enum):
    """log(1 + exp(x - offset)) - 0.08 x - constant, by offset and constant; RIGHT is 0 at 0."""

    LEFT = 4.0, 0.035
    RIGHT = 1.0, 0.313261687


def swoosh(x: Tensor, side: Side) -> Tensor:
    """SwooshL or SwooshR of `x`, computed in float32 or wider, in the type of `x`."""
    if torch.compiler.is_compiling():  # fused by the compiler, both ways
        offset, constant = side.value
        wide = _widened(x)
        return (F.softplus(wide - offset) - _LEAN * wide - constant).to(x.dtype)
    if torch.is_grad_enabled() and x.requires_grad:
        result: Tensor = _Swoosh.apply(x, side)  # type: ignore[no-untyped-call]
        return result
    return _value(x, side)


def swoosh_into(result: Tensor, x: Tensor, side: Side) -> None:
    """`result` holds swoosh(x); float32 or wider, outside any graph."""
    offset, constant = side.value
    torch.sub(x, offset, out=result)
    torch.ops.aten.softplus.out(result, out=result)
    result.add_(x, alpha=-_LEAN).sub_(constant)


def slope_(x: Tensor, side: Side) -> Tensor:
    """`x` overwritten with the slope of swoosh there: sigmoid(x - offset) - 0.08."""
    return x.sub_(side.value[0]).sigmoid_().sub_(_LEAN)


def _value(x: Tensor, side: Side) -> Tensor:
    wide = _widened(x)
    result = torch.empty_like(wide)
    swoosh_into(result, wide, side)
    return result.to(x.dtype)


def _widened(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


class _Swoosh(torch.autograd.Function):
    """Keeps only its input."""

    @staticmethod
    def forward(context: FunctionCtx, x: Tensor, side: Side) -> Tensor:
        context.save_for_backward(x)
        context.side = side  # type: ignore[attr-defined]
        return _value(x, side)

    @staticmethod
    def backward(context: FunctionCtx, grad: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = context.saved_tensors  # type: ignore[attr-defined]
        offset = context.side.value[0]  # type: ignore[attr-defined]
        slope = (_widened(x) - offset).sigmoid_().sub_(_LEAN)
        return slope.mul_(grad).to(x.dtype), None
