"""The manifest of a build: every file with its rows and hash, totals, and the account of what was dropped."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from captionstew import __version__
from captionstew.digest import file_sha256
from captionstew.errors import BuildError
from captionstew.schema import schema
from captionstew.shards.atomic import write_bytes
from captionstew.shards.layout import MANIFEST, SUMS, inside
from captionstew.shards.release import ReleaseFile, Share, Total, release_file, totals
from captionstew.shards.write import Written


@dataclass(frozen=True)
class Account:
    """What a stage received of a corpus, kept of it, and dropped by reason."""

    corpus: str
    stage: str
    received: int
    kept: int
    drops: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Leak:
    """How many clips of each corpus one method found in an evaluation set, or on a block list.

    Methods: `split` (its own clips), `key` (the same video at an overlapping time), `upload` (the same recording),
    `blocklist`, `fingerprint`. A clip found twice counts twice: drops are in the accounting.
    """

    against: str
    method: str
    items: int  # of the set that could be compared: spans, recordings or fingerprints; 0 means that nothing was at hand
    clips: Mapping[str, int] = field(default_factory=dict)  # by corpus


@dataclass(frozen=True)
class Repeat:
    """How often captions of one source and style stand on more than one clip, letter by letter."""

    source: str
    style: str
    captions: int
    texts: int  # different ones
    repeated: int  # captions whose text stands on several clips
    most: int  # clips that share one text


@dataclass(frozen=True)
class Enrichment:
    """What came of one prompt: how many captions were asked for, how many passed the guard's rules, and their words.

    The rates are those of `captionstew.enrich.faithfulness`, over at most so many passed texts as `sampled` says.
    Tokens are those of the last answer of each caption.
    """

    prompt: str  # name@hash
    style: str
    model: str
    revision: str
    clips: int  # that could be asked about
    asked: int
    passed: int
    failed: int  # without any answer
    retried: int
    rejected: Mapping[str, int]  # by reason; each attempt counts
    prompt_tokens: int
    completion_tokens: int
    words: float  # per passed text
    distinct_words: int
    sampled: int
    distinct_1: float
    distinct_2: float
    unsupported_event_rate: float
    coverage: float
    source_event_recall: float
    alarms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tally:
    """What a stage counted besides the rows that it kept and dropped."""

    leaks: tuple[Leak, ...] = ()
    repeats: tuple[Repeat, ...] = ()
    enrichment: tuple[Enrichment, ...] = ()

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.leaks + other.leaks, self.repeats + other.repeats, self.enrichment + other.enrichment
        )


@dataclass(frozen=True)
class Manifest:
    """All that a build says of itself."""

    recipe: str
    recipe_digest: str
    files: tuple[ReleaseFile, ...]
    totals: tuple[Total, ...]
    accounting: tuple[Account, ...]
    made_with: Mapping[str, str]
    leaks: tuple[Leak, ...] = ()
    repeats: tuple[Repeat, ...] = ()
    enrichment: tuple[Enrichment, ...] = ()

    def encode(self) -> bytes:
        """The manifest as it stands in the file: the same bytes for the same build."""
        schemas = sorted({file.schema for file in self.files})
        facts = asdict(self) | {"schema": "release.v1", "schemas": schemas}
        return (json.dumps(facts, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def write_manifest(
    folder: Path,
    shards: Iterable[Written],
    *,
    recipe: str,
    recipe_digest: str,
    accounting: Iterable[Account],
    tally: Tally = Tally(),
) -> Manifest:
    """`manifest.json` and `SHA256SUMS` tell of these shards; totals are read from their rows.

    The accounting stays in the order given: corpora and stages as the recipe has them.
    """
    ordered = sorted(shards, key=lambda shard: inside(folder, shard.path))
    files = tuple(release_file(folder, shard) for shard in ordered)
    versions = {"captionstew": __version__, "pyarrow": pa.__version__}
    made = totals(folder, files), tuple(accounting), versions, tally.leaks, tally.repeats, tally.enrichment
    manifest = Manifest(recipe, recipe_digest, files, *made)
    write_bytes(folder / MANIFEST, manifest.encode())
    write_bytes(folder / SUMS, sums(manifest, file_sha256(folder / MANIFEST)).encode())
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a build folder; BuildError if there is none or it is damaged."""
    path = folder / MANIFEST
    hint = "run the build to its end: it writes the manifest last"
    if not path.is_file():
        raise BuildError(f"there is no {MANIFEST}", where=str(folder), hint=hint)
    try:
        return _decoded(json.loads(path.read_text("utf-8")))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        cause = f"{type(error).__name__}: {error}"
        raise BuildError(f"{MANIFEST} is damaged", cause=cause, where=str(path), hint=hint) from error


def sums(manifest: Manifest, manifest_sha256: str, others: Mapping[str, str] | None = None) -> str:
    """The text of `SHA256SUMS`, for `sha256sum --check`; a release names its `others` too, by path."""
    lines = (
        {file.path: file.sha256 for file in manifest.files} | {MANIFEST: manifest_sha256} | dict(others or {})
    )
    return "".join(f"{lines[path]}  {path}\n" for path in sorted(lines))


def _decoded(facts: Mapping[str, Any]) -> Manifest:
    pa.Table.from_pylist(facts["files"], schema("release.v1").arrow())  # types are as the contract says
    return Manifest(
        recipe=facts["recipe"],
        recipe_digest=facts["recipe_digest"],
        files=tuple(ReleaseFile(**file) for file in facts["files"]),
        totals=tuple(_total(total) for total in facts["totals"]),
        accounting=tuple(Account(**account) for account in facts["accounting"]),
        made_with=facts["made_with"],
        leaks=tuple(Leak(**leak) for leak in facts.get("leaks", ())),
        repeats=tuple(Repeat(**repeat) for repeat in facts.get("repeats", ())),
        enrichment=enrichments(facts.get("enrichment", ())),
    )


def enrichments(rows: Iterable[Mapping[str, Any]]) -> tuple[Enrichment, ...]:
    """What JSON says of them."""
    return tuple(Enrichment(**{**row, "alarms": tuple(row["alarms"])}) for row in rows)


def _total(facts: Mapping[str, Any]) -> Total:
    licenses = {name: Share(**share) for name, share in facts["licenses"].items()}
    return Total(**{**facts, "licenses": licenses})
