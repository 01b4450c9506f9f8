"""Sifting: what every tier takes of every shard of a build, decided on columns that hold no audio."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from captionstew.digest import digest
from captionstew.errors import StewError
from captionstew.pipeline.progress import Event, Watch
from captionstew.publish.choice import COLUMNS, choose
from captionstew.publish.contents import Tier
from captionstew.publish.gate import Gate
from captionstew.publish.tally import Tally
from captionstew.schema import schema
from captionstew.shards.columns import read_columns
from captionstew.shards.manifest import Manifest
from captionstew.shards.release import ReleaseFile

_UNPLAYABLE = "pcm-zstd"  # players and the Hub do not know it


@dataclass(frozen=True)
class Piece:
    """What one tier takes of one shard of the build; `name` is a hash of the shard and of the choice."""

    shard: ReleaseFile
    tier: Tier
    rows: int
    whole: bool  # the shard itself will do
    name: str

    @property
    def schema(self) -> str:
        """The contract of its rows."""
        return "caption.v1" if self.tier == "captions" else "clip.v1"


def sifted(
    build: Path, manifest: Manifest, gate: Gate, removed: frozenset[str], tally: Tally, watch: Watch
) -> list[Piece]:
    """What every tier takes of every shard, counted in the tally; StewError for audio that nobody plays."""
    pieces: list[Piece] = []
    seen = 0
    shards = [file for file in manifest.files if file.tier == "audio"]
    for number, shard in enumerate(shards, 1):
        rows = read_columns(build / shard.path, [*COLUMNS, "codec"])
        choice = choose(rows, gate, removed)
        tally.add(rows, choice)
        for tier in gate.tiers:
            if taken := int(choice.rows(tier).sum()):
                if tier != "captions":
                    _playable(shard, rows)
                whole = tier != "captions" and choice.whole(tier)
                key = "caption.v1" if tier == "captions" else "clip.v1"
                name = digest(shard.sha256, key, schema(key).names, choice.digest(tier))
                pieces.append(Piece(shard, tier, taken, whole, name))
        seen += len(rows)
        watch(Event("sift", number, len(shards), clips=seen))
    return pieces


def _playable(shard: ReleaseFile, rows: pa.Table) -> None:
    if _UNPLAYABLE in pc.unique(rows["codec"]).to_pylist():
        hint = "captionstew build with --set codec=flac (or opus), into another folder; or publish --tier captions"
        raise StewError(
            f"the audio is {_UNPLAYABLE}, which neither players nor the Hub know",
            where=shard.path, hint=hint,
        )  # fmt: skip
