"""Named tensors of a checkpoint file, read without running what lies in it."""

import argparse
import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from captionstew.errors import StewError

_CONTAINERS = ("model", "state_dict", "model_avg")


@dataclass(frozen=True)
class Loaded:
    """What a checkpoint did not hold (`missing`), held beyond need (`extra`), and held for others (`ignored`)."""

    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


def read_tensors(path: Path, allow_pickle: bool = False) -> dict[str, Tensor]:
    """The tensors of a safetensors or torch file by name, on the CPU, wherever in it they lie.

    A torch file with other objects than tensors and plain values is a StewError unless `allow_pickle`.
    """
    if not path.is_file():
        raise StewError(f"no checkpoint at {path}", hint="give the path of a .safetensors, .pt or .pth file")
    content: dict[str, Any] = (
        load_file(path) if path.suffix == ".safetensors" else _torch_file(path, allow_pickle)
    )
    for container in _CONTAINERS:
        if isinstance(content.get(container), Mapping):
            content = content[container]
            break
    return {name: value for name, value in content.items() if isinstance(value, Tensor)}


def load_tensors(module: nn.Module, tensors: Mapping[str, Tensor], ignored: Iterable[str] = ()) -> Loaded:
    """The module holds the tensors of its names; what was missing and what was extra is told, other shapes refused."""
    left = set(ignored)
    own = module.state_dict()
    unlike = [name for name, value in tensors.items() if name in own and own[name].shape != value.shape]
    if unlike:
        name = unlike[0]
        cause = f"{name} is {tuple(tensors[name].shape)}, wanted {tuple(own[name].shape)}"
        raise StewError(
            "the checkpoint is of another shape", cause=cause, hint="choose the model's own configuration"
        )
    result = module.load_state_dict({k: v for k, v in tensors.items() if k not in left}, strict=False)
    return Loaded(tuple(result.missing_keys), tuple(result.unexpected_keys), tuple(sorted(left)))


def _torch_file(path: Path, allow_pickle: bool) -> dict[str, Any]:
    try:
        with torch.serialization.safe_globals(
            [argparse.Namespace]
        ):  # AudioMAE stores its arguments beside the weights
            content = torch.load(path, map_location="cpu", weights_only=not allow_pickle)
    except pickle.UnpicklingError as error:
        hint = "if you trust whoever made it, allow pickles; loading it can run any code"
        raise StewError("the checkpoint holds more than tensors", where=str(path), hint=hint) from error
    if not isinstance(content, dict):
        raise StewError(
            "the checkpoint is no table of tensors", cause=type(content).__name__, where=str(path)
        )
    return content
