"""What a vision transformer is made of, named as in AudioMAE's checkpoints."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Self-attention of one block."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x_BND: Tensor, mask_B11N: Tensor | None) -> Tensor:
        """Each token as a mixture of those that the mask allows, (B, N, D)."""
        batch, num, width = x_BND.shape
        qkv = self.qkv(x_BND).view(batch, num, 3, self.num_heads, width // self.num_heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        mixed_BHNC = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask_B11N)
        return self.proj(mixed_BHNC.transpose(1, 2).reshape(batch, num, width))  # type: ignore[no-any-return]


class FeedForward(nn.Module):
    """The two linear layers of one block."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, inner)
        self.fc2 = nn.Linear(inner, width)

    def forward(self, x_BND: Tensor) -> Tensor:
        """Each token by itself, (B, N, D)."""
        return self.fc2(functional.gelu(self.fc1(x_BND)))  # type: ignore[no-any-return]


class Block(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self, width: int, num_heads: int, feed_forward: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, num_heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = FeedForward(width, feed_forward)

    def forward(self, x_BND: Tensor, mask_B11N: Tensor | None) -> Tensor:
        """The tokens after attention and feed-forward, (B, N, D)."""
        x_BND = x_BND + self.attn(self.norm1(x_BND), mask_B11N)
        return x_BND + self.mlp(self.norm2(x_BND))  # type: ignore[no-any-return]


class Patches(nn.Module):
    """The convolution that makes a token of every patch."""

    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(1, width, patch, stride=patch)

    def forward(self, mel_BTF: Tensor) -> Tensor:
        """Tokens (B, N, D), time-major: all bands of the first time, then those of the second."""
        return self.proj(mel_BTF[:, None]).flatten(2).transpose(1, 2)  # type: ignore[no-any-return]


def positions(num_times: int, num_bands: int, width: int) -> Tensor:
    """Fixed sines and cosines (1 + times x bands, D): half of the channels tell the band, half the time.

    The class token's row, the first, is zero.
    """
    omega = 10_000 ** -(torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    time, band = torch.meshgrid(torch.arange(num_times), torch.arange(num_bands), indexing="ij")
    angles = [axis.reshape(-1, 1) * omega for axis in (band, time)]
    table_ND = torch.cat([wave for angle in angles for wave in (angle.sin(), angle.cos())], dim=1)
    return functional.pad(table_ND, (0, 0, 1, 0)).float()
