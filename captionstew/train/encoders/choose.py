"""Audio encoders by name: presets, transformers' models, checkpoints, exported folders."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from captionstew.errors import StewError
from captionstew.train.encoders.encoder import Encoder
from captionstew.train.encoders.hub import fetched
from captionstew.train.encoders.tensors import Loaded, load_tensors, read_tensors

PRETRAINED = "pretrained:"
_WANTED = "config.json", "*.safetensors", "*.pt", "*.pth"  # of a repository on the Hub


def encoder(name: str, allow_pickle: bool = False) -> Encoder:
    """The encoder of a name; StewError with the choices if there is none.

    A preset begins with fresh weights. `pretrained:NAME` is a model of transformers, on the Hub or in a folder;
    `pretrained:NAME@9` ends it behind its ninth layer, `@all` mixes all layers with learned weights. A path is that of
    a checkpoint of a Zipformer (icefall, Auden) or a ViT (AudioMAE), or of a folder that `captionstew export` wrote or
    that holds a Zipformer; OWNER/NAME is such a folder on the Hub.
    """
    path = Path(name)
    if name in PRESETS:
        return PRESETS[name]()
    if name.startswith(PRETRAINED):
        return _pretrained(name.removeprefix(PRETRAINED))
    if path.is_dir():
        return _in_folder(path, allow_pickle)
    if path.is_file():
        return _in_file(path, allow_pickle)
    if re.fullmatch(r"[\w.-]+/[\w.-]+", name) and not path.suffix:
        return _in_folder(fetched(name, _WANTED), allow_pickle)
    choices = (
        f"{', '.join(PRESETS)}, {PRETRAINED}NAME, an exported folder, a checkpoint, or OWNER/NAME on the Hub"
    )
    raise StewError(f"there is no encoder {name!r}", hint=f"choose one of {choices}")


def _zipformer(size: str) -> Encoder:
    from captionstew.train.encoders.zipformer.config import ZipformerConfig
    from captionstew.train.encoders.zipformer.model import Zipformer

    return Zipformer(getattr(ZipformerConfig, size)())


def _vit(size: str) -> Encoder:
    from captionstew.train.encoders.vit import ViT, ViTConfig

    return ViT(getattr(ViTConfig, size)())


PRESETS: Mapping[str, Callable[[], Encoder]] = {
    "zipformer-m": lambda: _zipformer("medium"),
    "zipformer-small": lambda: _zipformer("small"),
    "zipformer-large": lambda: _zipformer("large"),
    "zipformer-tiny": lambda: _zipformer("tiny"),
    "zipformer-auden-m": lambda: _zipformer("auden_medium"),
    "zipformer-auden-large": lambda: _zipformer("auden_large"),
    "vit-b": lambda: _vit("base"),
    "vit-tiny": lambda: _vit("tiny"),
}


def _pretrained(name: str) -> Encoder:
    from captionstew.train.encoders.pretrained import Pretrained

    name, _, word = name.partition("@")
    if word and word != "all" and not word.isdecimal():
        raise StewError(
            f"there is no layer {word!r}", hint=f"write {PRETRAINED}{name}@9 or @all, or no layer at all"
        )
    return Pretrained.load(name, -1 if not word else None if word == "all" else int(word))


def _in_folder(folder: Path, allow_pickle: bool) -> Encoder:
    config = folder / "config.json"
    kind = json.loads(config.read_text(encoding="utf-8")).get("model_type") if config.is_file() else None
    if kind == "captionstew":
        return _exported(folder)
    if kind not in (None, "zipformer"):
        hint = f"for a model of transformers write {PRETRAINED}{folder}"
        raise StewError("this folder was not written by captionstew export", where=str(folder), hint=hint)
    from captionstew.train.encoders.zipformer.hub import from_pretrained

    return from_pretrained(folder, allow_pickle=allow_pickle)[0]


def _exported(folder: Path) -> Encoder:
    from captionstew.train.blueprint import built_encoder

    built = built_encoder(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    tensors = read_tensors(folder / "model.safetensors")
    own = {k.removeprefix("encoder."): v for k, v in tensors.items() if k.startswith("encoder.")}
    loaded = load_tensors(built, own)
    assert loaded == Loaded(), loaded
    return built


def _in_file(path: Path, allow_pickle: bool) -> Encoder:
    names = read_tensors(path, allow_pickle)
    if "patch_embed.proj.weight" in names:
        from captionstew.train.encoders.vit import load_vit

        return load_vit(path, allow_pickle=allow_pickle)[0]
    if any("encoder_embed.conv.0.weight" in name for name in names):
        from captionstew.train.encoders.zipformer.checkpoint import load_zipformer

        return load_zipformer(path, allow_pickle=allow_pickle)[0]
    hint = "give a checkpoint of icefall, Auden or AudioMAE, or a folder that captionstew export wrote"
    raise StewError("the checkpoint holds neither a Zipformer nor a ViT", where=str(path), hint=hint)
