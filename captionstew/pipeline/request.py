"""What the user asks of a build, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from captionstew.corpora.facts import Corpus
from captionstew.pipeline.pipeline import Pipeline
from captionstew.shards.manifest import Manifest


@dataclass(frozen=True)
class Request:
    """A recipe, where its corpora lie, and where the result goes."""

    pipeline: Pipeline
    out: Path
    corpora: tuple[Corpus, ...]
    places: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    limit: int | None = None
    cluster: str = "auto"  # none, local, auto, or the address of a Ray cluster
    fresh: bool = False
    # Source files per piece of audio work: some seconds of it, so that a kill costs little.
    unit_bytes: int = 128_000_000


@dataclass(frozen=True)
class Summary:
    """What was built and what it took."""

    out: Path
    manifest: Manifest
    runner: str
    wall: float  # s
    audio_wall: float  # s spent on audio units in this run
    audio_seconds: float  # of audio worked on in this run
    skipped: int  # pieces of work that were done already
    done: int  # pieces of work done in this run
