"""Configs: the names under which people load a release, and the files, splits and columns behind each."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import pyarrow.parquet as pq

from captionstew.publish.contents import TIERS, Release
from captionstew.publish.enriched import CONTRACT, FOLDER
from captionstew.publish.facts import Amount, facts
from captionstew.schema import Column, Schema, schema

ENRICHED = FOLDER  # generated captions by themselves, to be joined by clip id
_FIRST = ("audio", "audio-sa", "audio-nc", "captions")
_ABOUT = {
    "audio": "audio in every row, under licenses that let anybody pass it on: public domain, CC0, CC BY",
    "audio-sa": "audio under share-alike licenses: what is made of it keeps the license",
    "audio-nc": "audio for non-commercial use or research only",
    "captions": "every clip without its audio: captions, events, ids, times and hashes",
    ENRICHED: "captions by a language model alone, with what each was made of; joins by `clip_id`",
}


@dataclass(frozen=True)
class Config:
    """One name to load: a tier, or one corpus of it, by split."""

    name: str
    tier: str
    splits: Mapping[str, Amount]
    schema: Schema
    corpus: str = ""  # empty: all of them

    def glob(self, split: str) -> str:
        """Where the files of a split lie; `*` stands for any corpus."""
        folder = self.tier if self.tier == ENRICHED else f"data/{self.tier}"
        return f"{folder}/{self.corpus or '*'}/{split}-*.parquet"

    @property
    def whole(self) -> Amount:
        """All splits together."""
        return sum(self.splits.values(), Amount())

    @property
    def about(self) -> str:
        """What it holds, in a line."""
        return f"the captions of {self.corpus} alone" if self.corpus else _ABOUT[self.tier]


def configs(release: Release) -> tuple[Config, ...]:
    """Every config of a release, those with audio first; each captions corpus also has one of its own."""
    assert set(_FIRST) == set(TIERS), f"tiers without a config: {TIERS}"
    held = facts(release.manifest)
    tiers = [_tier(release, tier) for tier in _FIRST if tier in held.tiers]
    single = [one.name for one in held.corpora if "captions" in one.tiers]
    corpora = [_tier(release, "captions", name) for name in sorted(single)]
    return (*tiers, *corpora, *_enriched(release))


def features(contract: Schema) -> list[dict[str, Any]]:
    """The Hub's feature types of a contract as a card spells them; those in the Parquet files say the same."""
    return [_feature(column) for column in contract.columns]


def _tier(release: Release, tier: str, corpus: str = "") -> Config:
    splits: dict[str, Amount] = {}
    for split in ("train", "val", "test"):
        totals = [
            total
            for total in release.manifest.totals
            if (total.tier, total.split) == (tier, split) and corpus in ("", total.corpus)
        ]
        size = sum(
            file.bytes
            for file in release.manifest.files
            if (file.tier, file.split) == (tier, split) and corpus in ("", file.corpus)
        )
        if totals:
            amount = sum((Amount(t.clips, t.captions, t.hours, t.files) for t in totals), Amount())
            splits[split] = amount + Amount(bytes=size)
    contract = schema("caption.v1" if tier == "captions" else "clip.v1")
    name = f"{tier}-{corpus}" if corpus else tier
    return Config(name, tier, splits, contract, corpus)


def _enriched(release: Release) -> tuple[Config, ...]:
    """The config of the generated captions, where their files are part of the release."""
    files = [file for file in release.files if fnmatchcase(file.path, f"{FOLDER}/*.parquet")]
    if not files:
        return ()
    rows = sum(pq.read_metadata(file.source).num_rows for file in files)
    amount = Amount(rows, files=len(files), bytes=sum(file.bytes for file in files))
    return (Config(ENRICHED, ENRICHED, {"train": amount}, schema(CONTRACT)),)


def _feature(column: Column) -> dict[str, Any]:
    if column.type == "list<struct>":
        return {"name": column.name, "list": [_feature(field) for field in column.fields]}
    feature = column.hub_feature()
    if feature["_type"] == "Audio":
        return {"name": column.name, "dtype": {"audio": {"sampling_rate": feature["sampling_rate"]}}}
    if feature["_type"] == "List":
        return {"name": column.name, "list": feature["feature"]["dtype"]}
    return {"name": column.name, "dtype": feature["dtype"]}
