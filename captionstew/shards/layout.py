"""Where things lie in a build folder, and how a shard is named."""

import re
from dataclasses import dataclass
from pathlib import Path

MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
SIDECAR = "index/clips.arrow"
# A build has the first; a release may hold what is share-alike and what is not for commerce apart from it.
AUDIO_TIERS = ("audio", "audio-sa", "audio-nc")

_WORD = r"[a-z0-9][a-z0-9._-]*"
_NAME = re.compile(
    rf"data/(audio|audio-sa|audio-nc|captions)/({_WORD})/({_WORD})-(\d{{5}})-of-(\d{{5}})\.parquet"
)


@dataclass(frozen=True)
class ShardName:
    """What the path of a shard says: shard `number`, from zero, of `count` of one corpus and split."""

    tier: str
    corpus: str
    split: str
    number: int
    count: int

    def __str__(self) -> str:
        return f"data/{self.tier}/{self.corpus}/{self.split}-{self.number:05d}-of-{self.count:05d}.parquet"


def shard_path(tier: str, corpus: str, split: str, number: int, count: int) -> str:
    """The path of a shard inside its folder: `data/audio/clotho/train-00000-of-00012.parquet`."""
    path = str(ShardName(tier, corpus, split, number, count))
    assert parse_shard(path), f"{path} is no name for a shard"
    return path


def parse_shard(path: str) -> ShardName | None:
    """What a path says, or None if it is not the path of a shard."""
    if not (match := _NAME.fullmatch(path)):
        return None
    name = ShardName(match[1], match[2], match[3], int(match[4]), int(match[5]))
    return name if name.number < name.count else None


def shard_files(folder: Path, tier: str = "") -> list[Path]:
    """Every finished Parquet file of a build folder's `data`, or of one tier, in the order of their paths."""
    return sorted(p for p in (folder / "data" / tier).rglob("*.parquet") if not p.name.startswith("."))


def audio_files(folder: Path) -> list[Path]:
    """Every finished Parquet file with audio, of all tiers that have it, in the order of their paths."""
    return sorted(path for tier in AUDIO_TIERS for path in shard_files(folder, tier))


def inside(folder: Path, path: Path) -> str:
    """A path as manifests spell it: relative to the folder, with forward slashes."""
    return path.relative_to(folder).as_posix()
