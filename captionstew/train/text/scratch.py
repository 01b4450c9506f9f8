"""A transformer decoder trained from scratch, with the settings of Auden's captioner and of CapPa as presets."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from captionstew.errors import StewError
from captionstew.train.text.decoder import Decoder, Draft, mask_BT


@dataclass(frozen=True)
class Shape:
    """The form of a decoder: `size` tokens of vocabulary, over frames of `frames_width`.

    `norm_first` normalises before each part and once more at the end; `learned_positions` instead of sinusoidal ones;
    `zero_output` starts the output layer at zero and gives it a bias.
    """

    size: int
    frames_width: int
    width: int = 768
    num_layers: int = 6
    num_heads: int = 8
    feed_forward: int = 3072
    dropout: float = 0.1
    gelu: Literal["none", "tanh"] = "none"
    norm_first: bool = False
    learned_positions: bool = False
    zero_output: bool = False
    max_positions: int = 256

    def __post_init__(self) -> None:
        if self.width % self.num_heads or self.width % 2:
            hint = "choose a width that is even and divides by the number of heads"
            raise StewError(f"no decoder is {self.width} wide with {self.num_heads} heads", hint=hint)


class ScratchDecoder(Decoder):
    """Self-attention, cross-attention and feed-forward layers without biases; the output layer is not tied.

    Tensors are named as in `torch.nn.TransformerDecoder`.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape, self.width, self.size = shape, shape.width, shape.size
        self.max_positions = shape.max_positions
        self.bridge_DD = self.bridge(shape.frames_width, shape.width)
        self.embed = nn.Embedding(shape.size, shape.width)
        if shape.learned_positions:
            self.positions: Tensor = nn.Parameter(torch.empty(shape.max_positions, shape.width))
        else:
            self.register_buffer("positions", _sinusoids(shape.max_positions, shape.width), persistent=False)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.num_layers))
        self.norm = nn.LayerNorm(shape.width) if shape.norm_first else nn.Identity()
        self.project = nn.Linear(shape.width, shape.size, bias=shape.zero_output)
        self._initialize()

    @classmethod
    def auden(cls, size: int, frames_width: int, **fields: Any) -> "ScratchDecoder":
        """Auden's captioner: six post-norm layers, 768 wide, 8 heads, dropout 0.1, sinusoidal positions.

        `fields` of `Shape` change it.
        """
        return cls(Shape(size, frames_width, **fields))

    @classmethod
    def cappa(cls, size: int, frames_width: int, **fields: Any) -> "ScratchDecoder":
        """CapPa (Tschannen et al. 2023 §3): pre-norm, 12 heads, learned positions, output from zero, no dropout.

        `fields` of `Shape` change it.
        """
        form = Shape(size, frames_width, num_heads=12, dropout=0.0, gelu="tanh")
        return cls(
            replace(form, **{"norm_first": True, "learned_positions": True, "zero_output": True} | fields)
        )

    def forward(
        self, ids_BL: Tensor, frames_BTD: Tensor, lengths_B: Tensor, visible_BLL: Tensor | None = None
    ) -> Tensor:
        """Hidden vectors of all positions at once."""
        memory, heard = self.bridge_DD(frames_BTD), _heard(frames_BTD, lengths_B)
        visible = None if visible_BLL is None else visible_BLL[:, None]
        x_BLD = self.embed(ids_BL) + self.positions[: ids_BL.shape[1]]
        for layer in self.stack():
            x_BLD = layer(x_BLD, layer.multihead_attn.keys(memory), heard, visible)
        hidden: Tensor = self.norm(x_BLD)
        return hidden

    def begin(self, frames_BTD: Tensor, lengths_B: Tensor, num_beams: int = 1) -> Draft:
        """Empty captions; the frames' keys and values are computed here, once for all beams of a clip."""
        return _ScratchDraft(self, self.bridge_DD(frames_BTD), _heard(frames_BTD, lengths_B))

    def stack(self) -> list["Layer"]:
        """The layers in order."""
        return [cast(Layer, layer) for layer in self.layers]

    def output(self) -> tuple[Tensor, Tensor | None]:
        """The output layer's own weight; a bias for CapPa only."""
        return self.project.weight, self.project.bias

    def settings(self) -> Mapping[str, Any]:
        """The fields of its `Shape`."""
        return {"kind": "scratch", **asdict(self.shape)}

    def _initialize(self) -> None:
        """torch's defaults; for pre-norm those of CapPa's code (Xavier, LeCun for attention)."""
        if isinstance(self.positions, nn.Parameter):
            nn.init.normal_(self.positions, std=self.width**-0.5)
        if self.shape.zero_output:
            nn.init.zeros_(self.project.weight)
            nn.init.zeros_(self.project.bias)
        for layer in self.stack() if self.shape.norm_first else ():
            for linear in (layer.linear1, layer.linear2):
                nn.init.xavier_uniform_(linear.weight)
            for attention in (layer.self_attn, layer.multihead_attn):
                nn.init.normal_(attention.in_proj_weight, std=self.width**-0.5)
                nn.init.normal_(attention.out_proj.weight, std=self.width**-0.5)


Keys = tuple[Tensor, Tensor]  # keys and values, (B, heads, length, width of a head)


class Attention(nn.Module):
    """Multi-head attention without biases."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.num_heads, self.dropout = shape.num_heads, shape.dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * shape.width, shape.width))
        self.out_proj = nn.Linear(shape.width, shape.width, bias=False)
        nn.init.xavier_uniform_(self.in_proj_weight)

    def split(self, x_BLD: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of the same vectors, in one product."""
        query, key, value = (
            self._heads(x) for x in functional.linear(x_BLD, self.in_proj_weight).chunk(3, -1)
        )
        return query, key, value

    def queries(self, x_BLD: Tensor) -> Tensor:
        """Queries (B, heads, L, width of a head)."""
        return self._heads(functional.linear(x_BLD, self.in_proj_weight[: x_BLD.shape[-1]]))

    def keys(self, x_BTD: Tensor) -> Keys:
        """Keys and values of what is looked at."""
        both = functional.linear(x_BTD, self.in_proj_weight[x_BTD.shape[-1] :])
        key, value = both.chunk(2, -1)
        return self._heads(key), self._heads(value)

    def forward(self, query: Tensor, keys: Keys, visible: Tensor | None, is_causal: bool = False) -> Tensor:
        """What each query sees, (B, L, D)."""
        dropout = self.dropout if self.training else 0.0
        seen = functional.scaled_dot_product_attention(query, *keys, visible, dropout, is_causal)
        result: Tensor = self.out_proj(seen.transpose(1, 2).flatten(2))
        return result

    def _heads(self, x_BLD: Tensor) -> Tensor:
        return x_BLD.view(*x_BLD.shape[:2], self.num_heads, -1).transpose(1, 2)


class Layer(nn.Module):
    """One decoder layer: looks back, looks at the frames, thinks."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.norm_first, self.gelu = shape.norm_first, shape.gelu
        self.self_attn, self.multihead_attn = Attention(shape), Attention(shape)
        self.linear1 = nn.Linear(shape.width, shape.feed_forward, bias=False)
        self.linear2 = nn.Linear(shape.feed_forward, shape.width, bias=False)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(shape.width, bias=False) for _ in range(3))
        self.dropout = nn.Dropout(shape.dropout)

    def forward(
        self, x_BLD: Tensor, memory: Keys, heard: Tensor, visible: Tensor | None, past: "_Past | None" = None
    ) -> Tensor:
        """The next layer's input; positions see those before them, or what is `visible`, or all of `past`."""
        x_BLD = self._add(self.norm1, x_BLD, lambda x: self._look_back(x, visible, past))
        x_BLD = self._add(self.norm2, x_BLD, lambda x: self._listen(x, memory, heard))
        return self._add(self.norm3, x_BLD, self._think)

    def _add(self, norm: nn.Module, x_BLD: Tensor, part: Callable[[Tensor], Tensor]) -> Tensor:
        first, last = (norm, nn.Identity()) if self.norm_first else (nn.Identity(), norm)
        result: Tensor = last(x_BLD + self.dropout(part(first(x_BLD))))
        return result

    def _look_back(self, x_BLD: Tensor, visible: Tensor | None, past: "_Past | None") -> Tensor:
        query, key, value = self.self_attn.split(x_BLD)
        keys = (key, value) if past is None else past.append(key, value)
        result: Tensor = self.self_attn(query, keys, visible, is_causal=visible is None and past is None)
        return result

    def _listen(self, x_BLD: Tensor, memory: Keys, heard: Tensor) -> Tensor:
        # The beams of a clip are so many queries over the same frames, whose keys are held once.
        num_clips = len(memory[0])
        query = self.multihead_attn.queries(x_BLD.reshape(num_clips, -1, x_BLD.shape[-1]))
        result: Tensor = self.multihead_attn(query, memory, heard)
        return result.view_as(x_BLD)

    def _think(self, x_BLD: Tensor) -> Tensor:
        wide = self.dropout(functional.gelu(self.linear1(x_BLD), approximate=self.gelu))
        result: Tensor = self.linear2(wide)
        return result


class _Past:
    """Keys and values of one layer's own positions so far."""

    def __init__(self) -> None:
        self.keys: Keys | None = None

    def append(self, key: Tensor, value: Tensor) -> Keys:
        if self.keys is not None:
            key, value = torch.cat((self.keys[0], key), 2), torch.cat((self.keys[1], value), 2)
        self.keys = key, value
        return self.keys

    def select(self, rows_N: Tensor) -> None:
        if self.keys is not None:
            self.keys = self.keys[0].index_select(0, rows_N), self.keys[1].index_select(0, rows_N)


class _ScratchDraft(Draft):
    def __init__(self, decoder: ScratchDecoder, memory_BTD: Tensor, heard: Tensor) -> None:
        self._decoder, self._heard, self._length = decoder, heard, 0
        self._memory = [layer.multihead_attn.keys(memory_BTD) for layer in decoder.stack()]
        self._past = [_Past() for _ in decoder.stack()]

    def extend(self, ids_N: Tensor) -> Tensor:
        x_N1D = (self._decoder.embed(ids_N) + self._decoder.positions[self._length])[:, None]
        self._length += 1
        for layer, memory, past in zip(self._decoder.stack(), self._memory, self._past, strict=True):
            x_N1D = layer(x_N1D, memory, self._heard, None, past)
        hidden: Tensor = self._decoder.norm(x_N1D)[:, 0]
        return hidden

    def select(self, rows_N: Tensor) -> None:
        for past in self._past:
            past.select(rows_N)


def _heard(frames_BTD: Tensor, lengths_B: Tensor) -> Tensor:
    return mask_BT(lengths_B, frames_BTD.shape[1])[:, None, None]


def _sinusoids(length: int, width: int) -> Tensor:
    """Sine in the even and cosine in the odd places (Vaswani et al. 2017 §3.5)."""
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    angles = torch.arange(length)[:, None] * rates
    return torch.stack((angles.sin(), angles.cos()), -1).flatten(1)
