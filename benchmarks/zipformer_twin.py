"""The forward pass of a Zipformer as one writes it down: no fused steps, nothing kept, no training-only parts."""

import torch
import torch.nn.functional as F
from torch import Tensor

from captionstew.train.encoders.zipformer.config import ZipformerConfig
from captionstew.train.encoders.zipformer.model import Zipformer
from captionstew.train.encoders.zipformer.positions import position_encodings


class Twin:
    """A Zipformer's frames from the same parameters, for batches without padding."""

    def __init__(self, encoder: Zipformer) -> None:
        self.config: ZipformerConfig = encoder.config
        self.held = dict(encoder.named_parameters())

    def __call__(self, mel_NTF: Tensor) -> Tensor:
        """Frames (N, T', D)."""
        x, outputs = self._embedded(mel_NTF), []
        for i, width in enumerate(self.config.widths):
            x = F.pad(x, (0, max(0, width - x.shape[-1])))[..., :width]
            x = self._stack(x, i)
            outputs.append(x)
        frames = outputs[-1]
        for x in reversed(outputs[:-1]):
            frames = torch.cat([frames, x[..., frames.shape[-1] :]], dim=-1)
        return self._down(frames, "encoder.downsample_output")

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self.held[f"{name}.weight"], self.held[f"{name}.bias"])

    def _norm(self, x: Tensor, name: str) -> Tensor:
        rms = (x - self.held[f"{name}.bias"]).square().mean(-1, keepdim=True).sqrt()
        return x * self.held[f"{name}.log_scale"].exp() / rms

    def _embedded(self, mel_NTF: Tensor) -> Tensor:
        x, root = mel_NTF.unsqueeze(1), "encoder_embed"
        for number, stride, padding in ((0, 1, (0, 1)), (4, 2, 0), (7, (1, 2), 0)):
            name = f"{root}.conv.{number}"
            x = F.conv2d(x, self.held[f"{name}.weight"], self.held[f"{name}.bias"], stride, padding)
            x = right(x)
        name = f"{root}.convnext.depthwise_conv"
        h = F.conv2d(x, self.held[f"{name}.weight"], self.held[f"{name}.bias"], padding=3, groups=x.shape[1])
        for name in ("pointwise_conv1", "pointwise_conv2"):
            weight, bias = (self.held[f"{root}.convnext.{name}.{kind}"] for kind in ("weight", "bias"))
            h = F.conv2d(h if name == "pointwise_conv1" else left(h), weight, bias)
        x = (x + h).transpose(1, 2).flatten(2)
        return self._norm(self._linear(x, f"{root}.out"), f"{root}.out_norm")

    def _down(self, x: Tensor, name: str) -> Tensor:
        weights = self.held[f"{name}.bias"].softmax(0)
        missing = -x.shape[1] % len(weights)
        x = torch.cat([x, x[:, -1:].expand(-1, missing, -1)], dim=1)
        return (x.reshape(len(x), -1, len(weights), x.shape[2]) * weights[:, None]).sum(2)

    def _stack(self, x: Tensor, i: int) -> Tensor:
        factor, name = self.config.downsampling[i], f"encoder.encoders.{i}"
        if factor == 1:
            return self._layers(x, i, name)
        slow = self._layers(self._down(x, f"{name}.downsample"), i, f"{name}.encoder")
        up = slow.repeat_interleave(factor, dim=1)[:, : x.shape[1]]
        return x + (up - x) * self.held[f"{name}.out_combiner.bypass_scale"]

    def _layers(self, x: Tensor, i: int, name: str) -> Tensor:
        for layer in range(self.config.num_layers[i]):
            x = self._layer(x, self.config.num_heads[i], f"{name}.layers.{layer}")
        return x

    def _layer(self, x0: Tensor, heads: int, name: str) -> Tensor:
        weights = self._weights(x0, heads, f"{name}.self_attn_weights")
        x = x0 + self._feed_forward(x0, f"{name}.feed_forward1")
        x = x + self._nonlin_attention(x, weights[:, 0], f"{name}.nonlin_attention")
        x = x + self._self_attention(x, weights, f"{name}.self_attn1")
        x = x + self._convolution(x, f"{name}.conv_module1")
        x = x + self._feed_forward(x, f"{name}.feed_forward2")
        x = x0 + (x - x0) * self.held[f"{name}.bypass_mid.bypass_scale"]
        x = x + self._self_attention(x, weights, f"{name}.self_attn2")
        x = x + self._convolution(x, f"{name}.conv_module2")
        x = x + self._feed_forward(x, f"{name}.feed_forward3")
        x = self._norm(x, f"{name}.norm")
        return x0 + (x - x0) * self.held[f"{name}.bypass.bypass_scale"]

    def _weights(self, x: Tensor, heads: int, name: str) -> Tensor:
        query, position, num_frames = self.config.query_width, self.config.position_query_width, x.shape[1]
        widths = [heads * query, heads * query, heads * position]
        parts = torch.split(self._linear(x, f"{name}.in_proj"), widths, dim=-1)
        q, k, p = (part.reshape(*x.shape[:2], heads, -1).transpose(1, 2) for part in parts)
        table = position_encodings(num_frames, self.config.position_width)
        r = F.linear(table, self.held[f"{name}.linear_pos.weight"]).reshape(len(table), heads, -1)
        by_offset = p @ r.permute(1, 2, 0)
        n, h, t, o = by_offset.stride()
        shifted = by_offset.as_strided((*q.shape[:3], num_frames), (n, h, t - o, o), o * (num_frames - 1))
        return (q @ k.transpose(2, 3) + shifted).softmax(-1)

    def _feed_forward(self, x: Tensor, name: str) -> Tensor:
        return self._linear(left(self._linear(x, f"{name}.in_proj")), f"{name}.out_proj")

    def _self_attention(self, x: Tensor, weights: Tensor, name: str) -> Tensor:
        values = self._linear(x, f"{name}.in_proj")
        by_head = values.reshape(*x.shape[:2], weights.shape[1], -1).transpose(1, 2)
        return self._linear((weights @ by_head).transpose(1, 2).flatten(2), f"{name}.out_proj")

    def _nonlin_attention(self, x: Tensor, weights: Tensor, name: str) -> Tensor:
        s, u, y = self._linear(x, f"{name}.in_proj").chunk(3, dim=-1)
        return self._linear((weights @ (u * s.tanh())) * y, f"{name}.out_proj")

    def _convolution(self, x: Tensor, name: str) -> Tensor:
        u, gate = self._linear(x, f"{name}.in_proj").chunk(2, dim=-1)
        weight, bias = (self.held[f"{name}.depthwise_conv.{kind}"] for kind in ("weight", "bias"))
        x = (u * gate.sigmoid()).transpose(1, 2)
        x = F.conv1d(x, weight, bias, padding=weight.shape[2] // 2, groups=len(weight)).transpose(1, 2)
        return self._linear(right(x), f"{name}.out_proj")


def left(x: Tensor) -> Tensor:
    """SwooshL."""
    return F.softplus(x - 4) - 0.08 * x - 0.035


def right(x: Tensor) -> Tensor:
    """SwooshR."""
    return F.softplus(x - 1) - 0.08 * x - 0.313261687
