"""Cross-entropy over a large vocabulary that never holds the logits of more than a few hundred tokens.

50,265 logits for each of 2,000 tokens are 400 MB, three times over with softmax and gradient. Here they are made and
used in chunks of tokens: the gradients of hidden vectors and output layer are summed on the way forward, so that
nothing is computed twice (Hsu et al. 2024, Liger Kernel §3.2).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_CHUNK_ELEMENTS = 1 << 24  # logits at a time: 64 MB in float32
_HALF_SCALE = 2.0**15  # lifts probabilities above float16's smallest number; no gradient of a logit exceeds 1


class Predicted(NamedTuple):
    """The sum of all tokens' losses, to back-propagate; each token's loss and whether it was foremost, detached."""

    total: Tensor
    losses_N: Tensor
    right_N: Tensor


def cross_entropy(
    hidden_ND: Tensor,
    weight_VD: Tensor,
    bias_V: Tensor | None,
    targets_N: Tensor,
    smoothing: float = 0.0,
    chunk: int | None = None,
) -> Predicted:
    """The loss of `hidden @ weight.T + bias` against the targets, as `torch.nn.functional.cross_entropy` sums it.

    Products are taken in autocast's type, everything else in float32. `chunk` tokens are held at a time.
    """
    device = hidden_ND.device.type
    narrow = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else hidden_ND.dtype
    chunk = chunk or max(1, _CHUNK_ELEMENTS // len(weight_VD))
    with torch.autocast(device, enabled=False):
        found = _Chunked.apply(hidden_ND, weight_VD, bias_V, targets_N, smoothing, chunk, narrow)  # type: ignore[no-untyped-call]
    return Predicted(*found)


class _Chunked(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden_ND: Tensor,
        weight_VD: Tensor,
        bias_V: Tensor | None,
        targets_N: Tensor,
        smoothing: float,
        chunk: int,
        narrow: torch.dtype,
    ) -> tuple[Tensor, Tensor, Tensor]:
        inputs = (hidden_ND, weight_VD, bias_V)
        sums = [
            torch.zeros_like(x, dtype=torch.float32) if x is not None and wanted else None
            for x, wanted in zip(inputs, ctx.needs_input_grad, strict=False)
        ]
        hidden, weight = hidden_ND.to(narrow), weight_VD.to(narrow)
        losses = torch.empty(len(hidden), device=hidden.device)
        right = torch.empty(len(hidden), device=hidden.device, dtype=torch.bool)
        for start in range(0, len(hidden), chunk):
            rows = slice(start, start + chunk)
            log_CV = _log_shares(hidden[rows], weight, bias_V)
            losses[rows], right[rows] = _judge(log_CV, targets_N[rows], smoothing)
            if any(x is not None for x in sums):
                _add(sums, rows, _slope(log_CV, targets_N[rows], smoothing), hidden[rows], weight)
        ctx.sums, ctx.types = sums, [None if x is None else x.dtype for x in inputs]
        ctx.mark_non_differentiable(losses, right)
        return losses.sum(), losses, right

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, scale: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        sums, ctx.sums = ctx.sums, None
        assert sums is not None, "the gradients are used up: run forward again"
        found = [None if x is None else x.mul_(scale).to(t) for x, t in zip(sums, ctx.types, strict=True)]
        return (*found, None, None, None, None)


def _log_shares(hidden_CD: Tensor, weight_VD: Tensor, bias_V: Tensor | None) -> Tensor:
    logits_CV = _product(hidden_CD, weight_VD.T)
    if bias_V is not None:
        logits_CV += bias_V
    return logits_CV.log_softmax(-1)


def _judge(log_CV: Tensor, targets_C: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
    """Each token's loss, and whether no other was likelier."""
    losses_C = -(1 - smoothing) * log_CV.gather(1, targets_C[:, None])[:, 0]
    if smoothing:
        losses_C -= smoothing * log_CV.mean(1)
    return losses_C, log_CV.argmax(1) == targets_C


def _slope(log_CV: Tensor, targets_C: Tensor, smoothing: float) -> Tensor:
    """The gradient of the losses with respect to the logits, in the place of the logarithms."""
    slope_CV = log_CV.exp_()
    if smoothing:
        slope_CV -= smoothing / slope_CV.shape[1]
    right = torch.full_like(slope_CV[:, :1], smoothing - 1)
    return slope_CV.scatter_add_(1, targets_C[:, None], right)


def _add(
    sums: Sequence[Tensor | None], rows: slice, slope_CV: Tensor, hidden_CD: Tensor, weight_VD: Tensor
) -> None:
    """The chunk's part of the gradients of hidden vectors, weight and bias is in the sums."""
    of_hidden, of_weight, of_bias = sums
    if of_bias is not None:
        of_bias += slope_CV.sum(0)
    lift = _HALF_SCALE if hidden_CD.dtype == torch.float16 else 1.0
    narrow_CV = slope_CV.mul_(lift).to(hidden_CD.dtype) if lift != 1 else slope_CV.to(hidden_CD.dtype)
    if of_hidden is not None:
        torch.mul(_product(narrow_CV, weight_VD), 1 / lift, out=of_hidden[rows])
    if of_weight is None:
        return
    if narrow_CV.dtype == torch.float32:
        of_weight.addmm_(narrow_CV.T, hidden_CD)
    else:
        of_weight.add_(_product(narrow_CV.T, hidden_CD), alpha=1 / lift)


def _product(left: Tensor, right: Tensor) -> Tensor:
    """A product in float32, from float16 and bfloat16 too."""
    if left.dtype == torch.float32:
        return left @ right
    if left.is_cuda:
        return torch.mm(left, right, out_dtype=torch.float32)
    return left.float() @ right.float()
