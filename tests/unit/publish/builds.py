"""Finished builds of a few tones, made by arithmetic: rows of real corpora under any license."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa

from captionstew.clip import subset
from captionstew.schema import schema
from captionstew.shards.layout import shard_path
from captionstew.shards.manifest import Account, Manifest, write_manifest
from captionstew.shards.sidecar import write_sidecar
from captionstew.shards.write import write_shard

from ..shards.conftest import make_row

Row = dict[str, Any]


def caption(text: str, source: str, model: str | None = None) -> Row:
    """A caption by a person, or by a model if one is named."""
    style = "machine" if model else "human"
    return {"text": text, "source": source, "style": style, "model": model, "prompt": None, "language": "en"}


def clip(number: int, corpus: str, license: str, split: str = "train", **changes: Any) -> Row:
    """A row of a corpus with one caption of its own."""
    row = make_row(number, corpus=corpus, license=license, split=split, attribution="somebody",
                   captions=[caption(f"tone {number}", corpus)], clip_id=f"fs:{number:06d}", source_id=f"fs:{number}",
                   subset=subset(f"fs:{number:06d}"), tags=["tone"])  # fmt: skip
    return row | changes


def make_build(folder: Path, clips: Iterable[Row], shard: int = 150, **manifest: Any) -> Manifest:
    """A build of those rows, `shard` to a file, with an account that balances."""
    every = sorted(clips, key=lambda row: (row["corpus"], row["split"], row["clip_id"]))
    shards, contract = [], schema("clip.v1").arrow()
    for (corpus, split), group in groupby(every, lambda row: (row["corpus"], row["split"])):
        rows = list(group)
        parts = [rows[at : at + shard] for at in range(0, len(rows), shard)]
        for number, part in enumerate(parts):
            path = folder / shard_path("audio", corpus, split, number, len(parts))
            shards.append(write_shard(path, [pa.Table.from_pylist(part, contract)]))
    (folder / "recipe.json").write_text(json.dumps({"recipe": "test", "stages": []}))
    made = write_manifest(
        folder, shards, recipe="test", recipe_digest="0" * 16, accounting=_accounts(every), **manifest
    )
    write_sidecar(folder)
    return made


def _accounts(rows: Sequence[Row]) -> list[Account]:
    clips = Counter(row["corpus"] for row in rows)
    texts = Counter(one["source"] for row in rows for one in row["captions"])
    made = [Account(name, "read", count + 2, count, {"missing": 2}) for name, count in sorted(clips.items())]
    return [*made, *(Account(name, "clean.captions", n, n, {}) for name, n in sorted(texts.items()))]


def ids(table: Mapping[str, Any] | pa.Table) -> list[str]:
    """The clip ids of a table."""
    return list(table["clip_id"].to_pylist())
