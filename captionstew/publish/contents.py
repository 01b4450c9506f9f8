"""What a release holds: its files, what was refused or taken down, and the manifest that says so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from captionstew.corpora.facts import Corpus
from captionstew.shards.manifest import Manifest

Tier = Literal["captions", "audio", "audio-sa", "audio-nc"]
TIERS: tuple[Tier, ...] = ("captions", "audio", "audio-sa", "audio-nc")


@dataclass(frozen=True)
class DataFile:
    """A file of the release: where it stands in the repository, and where its bytes are on this disk."""

    path: str
    source: Path
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Refusal:
    """Clips of one corpus and license that a tier does not take, and the rule that says so."""

    tier: Tier
    corpus: str
    license: str
    clips: int
    seconds: float
    reason: str


@dataclass(frozen=True)
class Removal:
    """A clip that was taken down: the id is never used again. One row of `removed.parquet`."""

    clip_id: str
    reason: str
    date: str  # ISO 8601, as the list of removals says
    tag: str  # the first tag without it


@dataclass(frozen=True)
class Release:
    """One version of a repository, all of it but its documents.

    `manifest` tells of the data files alone, whose accounting goes on where the build's ended: stage `publish`,
    per corpus, received = kept + dropped. `previous` is the manifest at the newest tag, None for a first release.
    """

    repository: str  # ORG/NAME
    tag: str  # vMAJOR.MINOR.PATCH
    tiers: tuple[Tier, ...]
    manifest: Manifest
    files: tuple[DataFile, ...]
    corpora: tuple[Corpus, ...]  # facts of each corpus that rows or captions come from
    recipe: Mapping[str, object]  # recipe.json of the build
    refusals: tuple[Refusal, ...] = ()
    removals: tuple[Removal, ...] = ()
    previous: Manifest | None = None
    previous_tag: str = ""
    changelog: str = ""  # CHANGELOG.md at the newest tag; the new section goes on top
    notes: Sequence[str] = field(default=())  # the publisher's own words for the changelog
