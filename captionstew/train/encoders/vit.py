"""ViT on a log-mel spectrogram, in the layout and with the tensor names of AudioMAE."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from captionstew.audio.mel import flap_mel
from captionstew.errors import StewError
from captionstew.train.encoders.encoder import Encoder
from captionstew.train.encoders.tensors import Loaded, load_tensors, read_tensors
from captionstew.train.encoders.vit_layers import Block, Patches, positions
from captionstew.train.mask import Masking

_HOP, _WINDOW = 160, 400  # samples of the front end: 10 and 25 ms
_HEAD = 64  # channels per head of every ViT that was published; a checkpoint does not tell
_NOT_ENCODER = ("decoder_", "mask_token", "head.", "contrast", "dist_token")


@dataclass(frozen=True)
class ViTConfig:
    """A ViT's sizes; `tokens` gives out all patches instead of their means over frequency.

    `padding="exact"`: nothing attends to padding, so that a clip's frames do not depend on its batch.
    `padding="audiomae"`: every clip is filled up to `num_frames`, and all of it is attended to and given out.
    """

    width: int = 768
    depth: int = 12
    num_heads: int = 12
    feed_forward: int = 3072
    patch: int = 16
    num_mels: int = 128
    num_frames: int = 1024
    tokens: bool = False
    padding: Literal["exact", "audiomae"] = "exact"

    @classmethod
    def base(cls) -> "ViTConfig":
        """ViT-B: 85.3 million parameters (AudioMAE §4.1, FLAP §4)."""
        return cls()

    @classmethod
    def tiny(cls) -> "ViTConfig":
        """A model for tests and for learning something in minutes on one CPU."""
        return cls(width=64, depth=2, num_heads=2, feed_forward=128)

    @property
    def grid(self) -> tuple[int, int]:
        """Patches in time and in frequency."""
        return self.num_frames // self.patch, self.num_mels // self.patch


class ViT(Encoder):
    """A vision transformer on 16 x 16 patches of a 128-bin log-mel of up to 10.24 s.

    `num_cut` counts the clips that were longer.
    """

    def __init__(self, config: ViTConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ViTConfig.base()
        times, bands = config.grid
        self.width = config.width
        self.frame_rate = 16_000 / _HOP / config.patch * (bands if config.tokens else 1)
        self.checkpointing = False
        self.num_cut: Tensor | int = 0
        self._front_ends: dict[torch.device, nn.Module] = {}  # not a part of the state
        self.patch_embed = Patches(config.width, config.patch)
        self.cls_token = nn.Parameter(torch.empty(1, 1, config.width))
        self.pos_embed: Tensor
        self.register_buffer("pos_embed", positions(times, bands, config.width)[None])
        self.blocks = nn.ModuleList(
            [Block(config.width, config.num_heads, config.feed_forward) for _ in range(config.depth)]
        )
        self.norm = nn.LayerNorm(config.width, eps=1e-6)
        self._initialise()

    def set_checkpointing(self, checkpointing: bool) -> None:
        """Whether blocks run again in the backward pass instead of keeping their activations."""
        self.checkpointing = checkpointing

    @torch.no_grad()
    def features(self, audio_BS: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised log-mel (B, T, 128) of whole patches, and the valid frames of each item, one at least."""
        device = audio_BS.device
        if device not in self._front_ends:
            self._front_ends[device] = flap_mel(num_frames=self.config.num_frames).to(device)
        mel_BTF, frames_B = self._front_ends[device](audio_BS, lengths_B)
        self.num_cut = self.num_cut + (lengths_B >= self.config.num_frames * _HOP + _WINDOW).sum()
        if self.config.padding == "exact":  # no patch that is padding in all items
            longest = max(1, (audio_BS.shape[1] - _WINDOW) // _HOP + 1)
            mel_BTF = mel_BTF[:, : -(-longest // self.config.patch) * self.config.patch]
        return mel_BTF, frames_B.clamp(min=1)

    def forward(
        self, features_BTF: Tensor, lengths_B: Tensor, masking: Masking | None = None
    ) -> tuple[Tensor, Tensor]:
        """Frames (B, T', D) and how many of each item are valid; with `config.tokens`, a token for each patch instead.

        `masking` acts in training only: the tokens that it keeps, after positions are added, are all that is computed
        and given out (FLAP §3.2).
        """
        x_BND, times_B = self._embed(features_BTF, lengths_B)
        num_times, num_bands = features_BTF.shape[1] // self.config.patch, self.config.grid[1]
        kept = masking(times_B, num_times, num_bands) if masking and self.training else None
        if kept:
            x_BND = x_BND.gather(1, kept.ids_BK[:, :, None].expand(-1, -1, self.width))
        num_tokens_B = kept.lengths_B if kept else times_B * num_bands
        x_BND = self._encode(x_BND, num_tokens_B)
        if kept or self.config.tokens:
            return x_BND, num_tokens_B
        return x_BND.reshape(len(x_BND), num_times, num_bands, -1).mean(dim=2), times_B

    def _embed(self, features_BTF: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens with their positions, and how many times of each item hold sound."""
        num_frames, patch = features_BTF.shape[1], self.config.patch
        assert num_frames % patch == 0, features_BTF.shape
        assert num_frames <= self.config.num_frames, features_BTF.shape
        x_BND = self.patch_embed(features_BTF)
        times_B = (lengths_B + patch - 1) // patch
        if self.config.padding == "audiomae":
            times_B = torch.full_like(times_B, num_frames // patch)
        return x_BND + self.pos_embed[:, 1 : 1 + x_BND.shape[1]], times_B

    def _encode(self, x_BND: Tensor, num_tokens_B: Tensor) -> Tensor:
        """The tokens after all blocks; none attends to those beyond its item's number."""
        first_1D = self.cls_token[:, 0] + self.pos_embed[:, 0]
        x_BND = torch.cat([first_1D.expand(len(x_BND), 1, -1), x_BND], dim=1)
        mask_B11N = None
        if self.config.padding == "exact":
            place_N = torch.arange(x_BND.shape[1], device=x_BND.device)
            mask_B11N = (place_N <= num_tokens_B[:, None])[:, None, None]
        for block in self.blocks:
            if self.checkpointing and self.training:
                x_BND = checkpoint(block, x_BND, mask_B11N, use_reentrant=False)
            else:
                x_BND = block(x_BND, mask_B11N)
        return self.norm(x_BND)[:, 1:]  # type: ignore[no-any-return]

    @torch.no_grad()
    def _initialise(self) -> None:
        """Xavier for linear layers and patches, as AudioMAE begins."""
        nn.init.normal_(self.cls_token, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.xavier_uniform_(module.weight.flatten(1))
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]


def load_vit(path: Path, num_heads: int | None = None, allow_pickle: bool = False) -> tuple[ViT, Loaded]:
    """The encoder of an AudioMAE or MAViL checkpoint, its sizes read from the tensors' shapes, and what did not fit.

    Decoder and heads are ignored. The number of heads, which no shape tells, is one per 64 channels unless given.
    """
    tensors = read_tensors(path, allow_pickle)
    ignored = [name for name in tensors if name.startswith(_NOT_ENCODER)]
    model = ViT(vit_config(tensors, num_heads))
    return model, load_tensors(model, tensors, ignored)


def vit_config(tensors: Mapping[str, Tensor], num_heads: int | None = None) -> ViTConfig:
    """The sizes of the ViT that has these tensors; StewError if it is none."""
    try:
        width, _, patch, _ = tensors["patch_embed.proj.weight"].shape
        feed_forward = tensors["blocks.0.mlp.fc1.weight"].shape[0]
        num_tokens = tensors["pos_embed"].shape[1] - 1
    except KeyError as error:
        cause = f"there is no tensor {error.args[0]}"
        raise StewError("the checkpoint is no ViT in AudioMAE's layout", cause=cause) from error
    depth = 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("blocks."))
    bands = 128 // patch
    return ViTConfig(
        width,
        depth,
        num_heads or max(1, width // _HEAD),
        feed_forward,
        patch,
        128,
        num_tokens // bands * patch,
    )
