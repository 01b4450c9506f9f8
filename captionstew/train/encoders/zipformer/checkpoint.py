"""Zipformers from icefall's and Auden's checkpoints, whatever lies around them in the file."""

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from captionstew.errors import StewError
from captionstew.train.encoders.tensors import Loaded, load_tensors, read_tensors
from captionstew.train.encoders.zipformer.config import ZipformerConfig
from captionstew.train.encoders.zipformer.model import PaddingMode, Zipformer

_EMBED = re.compile(r"(.*\b)encoder_embed\.conv\.0\.weight")
_STACKS = re.compile(r"(.*?\b)encoders\.0\.(?:encoder\.)?layers\.0\.norm\.bias")
_COUNTERS = ("model_batch_count",)  # Auden's, of its training
_TELLING = ("encoder.downsample_output.bias", "encoder_embed.out.weight", "encoder_embed.conv.7.weight")
_UNREAD = re.compile(r"layers\.\d+\.bypass_scale")  # kept by icefall, used by nobody


def load_zipformer(
    path: Path,
    config: ZipformerConfig | None = None,
    padding: PaddingMode = "exact",
    allow_pickle: bool = False,
    within: str = "",
) -> tuple[Zipformer, Loaded]:
    """The encoder of a checkpoint, sized by its tensors, and what was missing or extra (a tagging head, a decoder).

    Takes safetensors and torch files: bare tensors or under `model`, `model_avg` or `state_dict`, with any prefix; of
    several encoders in a file `within` names one by the beginning of its tensors' names. A file that holds more than
    tensors, as icefall's training checkpoints do, needs `allow_pickle`: loading it can run code. StewError if there is
    no Zipformer in the file, or its head widths are not the usual ones and no `config` tells them.
    """
    tensors, others, ignored = _own(read_tensors(path, allow_pickle), within, path)
    encoder = Zipformer(config or config_from_shapes(tensors), padding=padding)
    loaded = load_tensors(encoder, tensors)
    missing = tuple(name for name in loaded.missing if not _UNREAD.search(name))
    return encoder, Loaded(missing, loaded.extra + others, ignored)


def config_from_shapes(
    tensors: Mapping[str, Tensor], usual: ZipformerConfig | None = None
) -> ZipformerConfig:
    """The sizes that tensors under icefall's names have.

    Numbers of heads follow from the widths per head of `usual` (by default 32, 12 and 4); what the channels that
    feature masks spare are is not written in any shape: icefall's lists for these widths.
    """
    usual = usual or ZipformerConfig()
    if absent := [name for name in _TELLING if name not in tensors]:
        raise StewError("the checkpoint is not a whole Zipformer", cause=f"{absent[0]} is missing")
    shape = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    stacks = [_stack_name(shape, i) for i in range(_count(shape, r"encoder\.encoders\.(\d+)\."))]
    first = [f"{stack}.layers.0" for stack in stacks]
    a, b, c = (shape[f"encoder_embed.conv.{number}.weight"][0] for number in (0, 4, 7))
    widths = tuple(shape[f"{layer}.norm.bias"][0] for layer in first)
    config = ZipformerConfig(
        downsampling=tuple(
            shape.get(f"encoder.encoders.{i}.downsample.bias", (1,))[0] for i in range(len(stacks))
        ),
        num_layers=tuple(_count(shape, rf"{re.escape(stack)}\.layers\.(\d+)\.") for stack in stacks),
        widths=widths,
        feed_forward=tuple(shape[f"{layer}.feed_forward2.in_proj.weight"][0] for layer in first),
        num_heads=tuple(
            shape[f"{layer}.self_attn_weights.linear_pos.weight"][0] // usual.position_query_width
            for layer in first
        ),
        kernels=tuple(shape[f"{layer}.conv_module1.depthwise_conv.weight"][2] for layer in first),
        unmasked=tuple(min(width, 192 if width <= 256 else 256) for width in widths),
        query_width=usual.query_width,
        value_width=usual.value_width,
        position_query_width=usual.position_query_width,
        position_width=shape[f"{first[0]}.self_attn_weights.linear_pos.weight"][1],
        output_downsampling=shape["encoder.downsample_output.bias"][0],
        embed_channels=(a, b, c),
        num_mels=_num_mels(shape["encoder_embed.out.weight"][1] // c),
    )
    _check_heads(config, first, shape)
    return config


def _own(
    tensors: Mapping[str, Tensor], within: str, path: Path
) -> tuple[dict[str, Tensor], tuple[str, ...], tuple[str, ...]]:
    """The encoder's tensors under their own names; the names of others; those of counters."""
    embed, stacks = (_prefix(pattern, tensors, within, path) for pattern in (_EMBED, _STACKS))
    own: dict[str, Tensor] = {}
    others: list[str] = []
    ignored: list[str] = []
    for name, tensor in tensors.items():
        if name.startswith(f"{embed}encoder_embed."):
            own[name.removeprefix(embed)] = tensor
        elif name.startswith((f"{stacks}encoders.", f"{stacks}downsample_output.")):
            own[f"encoder.{name.removeprefix(stacks)}"] = tensor
        else:
            (ignored if name.endswith(_COUNTERS) else others).append(name)
    return own, tuple(others), tuple(ignored)


def _prefix(pattern: re.Pattern[str], names: Mapping[str, Tensor], within: str, path: Path) -> str:
    found = [match[1] for name in names if name.startswith(within) and (match := pattern.fullmatch(name))]
    if not found:
        raise StewError(
            "there is no Zipformer in the checkpoint", where=str(path), hint="is it one of icefall's?"
        )
    if len(found) > 1:
        cause = f"found under {', '.join(repr(prefix) for prefix in found)}"
        hint = "name one by the beginning of its tensors' names (within=...)"
        raise StewError(
            "there are several Zipformers in the checkpoint", cause=cause, where=str(path), hint=hint
        )
    return found[0]


def _stack_name(shape: Mapping[str, tuple[int, ...]], stack: int) -> str:
    name = f"encoder.encoders.{stack}"
    return f"{name}.encoder" if f"{name}.downsample.bias" in shape else name


def _count(names: Mapping[str, object], pattern: str) -> int:
    numbers = {int(match[1]) for name in names if (match := re.match(pattern, name))}
    return len(numbers)


def _num_mels(frequencies: int) -> int:
    """Four numbers of mel channels leave as many frequencies; the one that is a multiple of four."""
    return 4 * (frequencies + 1)


def _check_heads(config: ZipformerConfig, layers: list[str], shape: Mapping[str, tuple[int, ...]]) -> None:
    for layer, heads in zip(layers, config.num_heads, strict=True):
        rows = (
            shape[f"{layer}.self_attn_weights.in_proj.weight"][0],
            shape[f"{layer}.self_attn1.in_proj.weight"][0],
        )
        wanted = heads * (2 * config.query_width + config.position_query_width), heads * config.value_width
        if rows != wanted:
            cause = (
                f"{layer} has {rows[0]} and {rows[1]} rows, {heads} heads want {wanted[0]} and {wanted[1]}"
            )
            hint = "give the config with query_width, value_width and position_query_width"
            raise StewError(
                "the widths of the attention heads are not the usual ones", cause=cause, hint=hint
            )
