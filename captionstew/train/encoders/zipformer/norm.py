"""BiasNorm (Zipformer, Yao et al. 2024, §3.3): a norm that keeps some of a frame's loudness."""

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from captionstew.train.encoders.zipformer.regularize import limit_param_value
from captionstew.train.encoders.zipformer.schedule import Chance

_LOG_SCALE_LIMIT = 1.5


class BiasNorm(nn.Module):
    """x exp(log_scale) / rms(x - bias) over the last axis, in float32 whatever autocast says; no epsilon."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(1.0))
        self.bias = nn.Parameter(torch.empty(width).normal_(mean=0, std=1e-4))

    def forward(self, x: Tensor, chance: Chance | None = None) -> Tensor:
        """The frames normalised, float32 or wider."""
        log_scale = limit_param_value(self.log_scale, -_LOG_SCALE_LIMIT, _LOG_SCALE_LIMIT, chance)
        wide = x if x.dtype == torch.float64 else x.float()
        if torch.compiler.is_compiling():
            inverse = (wide - self.bias).square().mean(-1, keepdim=True).rsqrt()
            scaled: Tensor = wide * (log_scale.exp() * inverse)
            return scaled
        result: Tensor = _BiasNorm.apply(wide, self.bias, log_scale)  # type: ignore[no-untyped-call]
        return result


class _BiasNorm(torch.autograd.Function):
    """Keeps its input and one number per frame."""

    @staticmethod
    def forward(context: FunctionCtx, x: Tensor, bias: Tensor, log_scale: Tensor) -> Tensor:
        norm = torch.linalg.vector_norm(x - bias, dim=-1, keepdim=True)
        inverse = norm.reciprocal_().mul_(x.shape[-1] ** 0.5)
        scale = inverse * log_scale.exp()
        context.save_for_backward(x, bias, inverse, scale)
        result: Tensor = x * scale
        return result

    @staticmethod
    def backward(context: FunctionCtx, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, bias, inverse, scale = context.saved_tensors  # type: ignore[attr-defined]
        along = (grad * x).sum(-1, keepdim=True).mul_(scale)
        from_rms = (x - bias).mul_(along * inverse.square() / x.shape[-1])
        over_frames = tuple(range(x.ndim - 1))
        return torch.addcmul(-from_rms, grad, scale), from_rms.sum(over_frames), along.sum()
