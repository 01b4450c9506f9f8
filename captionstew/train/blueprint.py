"""What rebuilds an encoder and its objective without weights and without network: names, sizes, tokenizers."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from captionstew.errors import StewError
from captionstew.shards.atomic import write_bytes
from captionstew.train.encoders.encoder import Encoder
from captionstew.train.objectives.objective import Objective

MODEL = "model.json"
_TOKENS = "tokens"  # the folder of tokenizers beside it


def save_blueprint(folder: Path, encoder: Encoder, objective: Objective | None = None) -> Mapping[str, Any]:
    """`model.json` and the tokenizers lie in the folder; what it says."""
    plan = blueprint(encoder, objective, folder)
    write_bytes(folder / MODEL, (json.dumps(plan, indent=1, sort_keys=True) + "\n").encode())
    return plan


def blueprint(encoder: Encoder, objective: Objective | None, folder: Path) -> Mapping[str, Any]:
    """Class and settings of both as JSON takes them; tokenizers are copied into the folder and named by their place."""
    kind = type(encoder).__name__
    plan: dict[str, Any] = {
        "encoder": {"kind": kind, "config": asdict(_config(encoder)), **_besides(encoder)},
        "hidden_size": encoder.width,
        "sampling_rate": encoder.sample_rate,
    }
    if objective is not None:
        plan["objective"] = {"kind": type(objective).__name__, "settings": dict(objective.settings())}
    plan = json.loads(json.dumps(plan, default=_plain))
    for number, place in enumerate(_tokens_in(plan)):
        name = _TOKENS if number == 0 else f"{_TOKENS}-{number + 1}"
        _copy_tokens(place["name"], folder / name)
        place["name"] = name
    return plan


def built_encoder(plan: Mapping[str, Any]) -> Encoder:
    """The encoder of a blueprint with fresh weights."""
    facts = dict(plan["encoder"])
    kind, config = facts.pop("kind"), facts.pop("config")
    if kind == "Zipformer":
        from captionstew.train.encoders.zipformer.config import ZipformerConfig
        from captionstew.train.encoders.zipformer.model import Zipformer

        return Zipformer(ZipformerConfig(**config), **facts)
    if kind == "ViT":
        from captionstew.train.encoders.vit import ViT, ViTConfig

        return ViT(ViTConfig(**config))
    if kind == "Pretrained":
        from captionstew.train.encoders.pretrained import Pretrained, PretrainedConfig

        return Pretrained(PretrainedConfig(**config))
    raise StewError(
        f"no encoder {kind}", hint="use the version of captionstew that this was made with, or a later one"
    )


def built_objective(plan: Mapping[str, Any], folder: Path) -> Objective | None:
    """The objective of a blueprint that lies in `folder`, with fresh weights; None if it has none."""
    facts = json.loads(json.dumps(plan.get("objective")))
    if facts is None:
        return None
    for place in _tokens_in(facts):
        place["name"] = str(folder / place["name"])
    settings = facts["settings"]
    if facts["kind"] == "Hybrid":
        from captionstew.train.objectives.hybrid import Hybrid

        pair = _contrastive(settings.pop("contrastive")), _captioning(settings.pop("captioning"))
        return Hybrid(*pair, **settings)
    objective: Objective = (_contrastive if facts["kind"] == "Contrastive" else _captioning)(settings)
    return objective


def _contrastive(settings: Mapping[str, Any]) -> Any:
    from captionstew.train.objectives.contrastive import Contrastive

    return Contrastive(**settings)


def _captioning(settings: Mapping[str, Any]) -> Any:
    from captionstew.train.objectives.captioning import Captioning

    return Captioning(**settings)


def _config(encoder: Encoder) -> Any:
    config = getattr(encoder, "config", None)
    assert config is not None, f"{type(encoder).__name__} has no config"
    return config


def _besides(encoder: Encoder) -> dict[str, str]:
    """What of a Zipformer is not in its configuration but changes its frames."""
    return {"padding": encoder.padding} if hasattr(encoder, "padding") else {}  # type: ignore[dict-item]


def _tokens_in(facts: Any) -> Iterator[dict[str, Any]]:
    """The settings of every tokenizer."""
    if isinstance(facts, dict):
        for key, value in facts.items():
            if key == "tokens" and isinstance(value, dict):
                yield value
            else:
                yield from _tokens_in(value)


def _copy_tokens(name: str, folder: Path) -> None:
    from captionstew.train.text.tokens import Tokens

    if Path(name).resolve() != folder.resolve():
        Tokens(name).save(folder)


def _plain(value: Any) -> Any:
    """Paths, and what transformers' configurations hold besides, as JSON takes them."""
    return sorted(value) if isinstance(value, set | frozenset) else str(value)
