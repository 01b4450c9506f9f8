"""Header: the YAML at the top of a card, which the Hub searches, loads and draws by."""

from collections.abc import Iterable, Sequence
from typing import Any

from captionstew.corpora.facts import Captions, Corpus
from captionstew.publish.configs import Config, features
from captionstew.publish.contents import Release
from captionstew.publish.facts import facts, generated
from captionstew.publish.prose import prose

_SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B", "1B<n<10B")
_CREATORS = {"human": "crowdsourced", "machine": "machine-generated", "template": "machine-generated",
             "label": "found"}  # fmt: skip
_TASKS = ("audio-text-to-text", "text-to-audio", "audio-classification")
MIXED = "captionstew-mixed"  # the name of the license: several, row by row


def header(release: Release, configs: Sequence[Config]) -> dict[str, Any]:
    """What stands between the dashes of README.md."""
    made = [captions for corpus in release.corpora for captions in corpus.captions]
    synthetic = bool(generated(release.manifest))
    return {
        "pretty_name": title(release),
        "language": _languages(made),
        "license": "other",
        "license_name": MIXED,
        # The Hub knows a file only if it is LICENSE or LICENSE.md; an address may be any.
        "license_link": f"https://huggingface.co/datasets/{release.repository}/blob/{release.tag}/LICENSES.md",
        "annotations_creators": _creators(made, synthetic),
        "source_datasets": ["extended"],
        "task_categories": list(_TASKS),
        "tags": _tags(release.corpora, made, synthetic),
        "size_categories": [size_category(facts(release.manifest).whole.clips)],
        **_gate(configs),
        # None is the default: load_dataset asks which one is meant, and the viewer opens the first by name.
        "configs": [_config(one) for one in configs],
        "dataset_info": [_info(one) for one in configs],
    }


def title(release: Release) -> str:
    """The repository's own name, without who owns it."""
    return release.repository.rpartition("/")[2]


def size_category(clips: int) -> str:
    """The Hub's category of so many rows."""
    return _SIZES[min(max(len(str(clips)) - 3, 0), len(_SIZES) - 1)]


def _languages(made: Iterable[Captions]) -> list[str]:
    return sorted({captions.language.partition("-")[0] for captions in made} or {"en"})


def _creators(made: Iterable[Captions], synthetic: bool) -> list[str]:
    found = {_CREATORS[captions.style] for captions in made}
    return sorted(found | ({"machine-generated"} if synthetic else set())) or ["no-annotation"]


def _tags(corpora: Sequence[Corpus], made: Iterable[Captions], synthetic: bool) -> list[str]:
    synthetic = synthetic or any(captions.style == "machine" for captions in made)
    tags = ["audio", "audio-captioning", "audio-text-retrieval"]
    tags += ["synthetic-captions"] if synthetic else []
    return [*tags, *sorted({corpus.domain for corpus in corpora}), "captionstew"]


def _gate(configs: Sequence[Config]) -> dict[str, Any]:
    """What somebody agrees to before the files come, where a license asks for it."""
    if not any(config.tier == "audio-nc" for config in configs):
        return {}
    words = prose("card")["gate"]
    return {"extra_gated_prompt": words["prompt"].strip(), "extra_gated_fields": {words["agree"]: "checkbox"}}


def _config(config: Config) -> dict[str, Any]:
    files = [{"split": split, "path": config.glob(split)} for split in config.splits]
    return {"config_name": config.name, "data_files": files}


def _info(config: Config) -> dict[str, Any]:
    """Features (those of one corpus are its tier's) and sizes; bytes are those of the files."""
    splits = [
        {"name": split, "num_bytes": amount.bytes, "num_examples": amount.clips}
        for split, amount in config.splits.items()
    ]
    size = config.whole.bytes
    columns = {} if config.corpus else {"features": features(config.schema)}
    sizes = {"splits": splits, "download_size": size, "dataset_size": size}
    return {"config_name": config.name, **columns, **sizes}
