"""What a stage is: a frozen dataclass that keeps rows, and counts what it drops by reason."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl

from captionstew.corpora.facts import Corpus
from captionstew.digest import digest
from captionstew.pipeline.progress import Watch, unwatched
from captionstew.pipeline.sound import Sound
from captionstew.shards.manifest import Tally

if TYPE_CHECKING:
    from captionstew.pipeline.local import Runner

DROPS = {
    "rank": pl.UInt64,
    "clip_id": pl.String,
    "corpus": pl.String,
    "reason": pl.String,
    "detail": pl.String,
}


@dataclass(frozen=True)
class Stage:
    """One decision about clips. Its fields are its parameters; raise `version` when its output changes."""

    version: ClassVar[int] = 1

    @property
    def name(self) -> str:
        """The class' name in lower case, as ledger and drops call it."""
        return type(self).__name__.lower()

    def identity(self) -> str:
        """A hash of class, version and fields: equal identities make equal output from equal input."""
        fields = {key: _plain(value) for key, value in asdict(self).items()}
        return digest(type(self).__name__, self.version, fields, _own_code(type(self)))


def _own_code(kind: type) -> list[str]:
    """Hashes of the methods of a stage that is not ours: nobody raises the version of what they are trying out."""
    if kind.__module__.startswith("captionstew."):
        return []
    methods = [
        (name, vars(kind)[name]) for name in sorted(vars(kind)) if isinstance(vars(kind)[name], FunctionType)
    ]
    return [
        digest(name, _code(method.__code__))
        for name, method in methods
        if not name.startswith("__") or name == "__call__"
    ]


def _code(code: CodeType) -> list[Any]:
    constants = [_code(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return [code.co_code.hex(), constants, list(code.co_names)]


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, set | frozenset) else value


@dataclass(frozen=True)
class Tables:
    """The metadata of all clips, lazily: one row per clip, one row per caption, joined by `rank`.

    `rank` numbers annotation rows in the order of the recipe's corpora; a lower rank wins wherever one must be chosen.
    """

    clips: pl.LazyFrame
    captions: pl.LazyFrame


@dataclass(frozen=True)
class Out:
    """What a table stage leaves, and what it dropped, clip by clip and caption by caption (columns `DROPS`)."""

    tables: Tables
    drops: pl.LazyFrame = field(default_factory=lambda: nothing())
    caption_drops: pl.LazyFrame = field(default_factory=lambda: nothing())
    received: Tables | None = None  # what came in, where that is not the tables given (Read)
    tally: Tally = field(default_factory=Tally)


def nothing() -> pl.LazyFrame:
    """An empty table of drops."""
    return pl.LazyFrame(schema=DROPS)


def dropped(rows: pl.LazyFrame, reason: str | pl.Expr, detail: str | pl.Expr = "") -> pl.LazyFrame:
    """These rows as drops; `rows` has rank, clip_id and corpus."""
    why, more = (pl.lit(text) if isinstance(text, str) else text for text in (reason, detail))
    return rows.select("rank", "clip_id", "corpus", why.alias("reason"), more.cast(pl.String).alias("detail"))


@dataclass(frozen=True)
class Context:
    """What a table stage may know beyond its rows."""

    corpora: tuple[Corpus, ...]  # in the recipe's order
    places: Mapping[str, tuple[Path, ...]]  # corpus name -> folders that hold its files
    limit: int | None = None  # clips per corpus, for trying things out
    audio: pl.LazyFrame | None = None  # after the audio pass: one row of measures per clip
    heard: pl.LazyFrame | None = (
        None  # after it: corpus, clip_id, fingerprint of the evaluation audio at hand
    )
    work: Path = Path()  # the build's folder of work to go on from; after the audio pass `audio` is in it
    runner: "Runner | None" = None  # after it: where pieces of a stage's own work run
    watch: Watch = unwatched


@dataclass(frozen=True)
class TableStage(Stage):
    """A stage over the metadata of all clips at once."""

    def needs(self) -> tuple[str, ...]:
        """Corpora whose annotations the stage reads besides those that are built."""
        return ()

    def hears(self, context: Context) -> "Hearing | None":
        """Audio outside the build that a stage after the audio pass compares with; None if there is none."""
        return None

    def upstream(self, context: Context) -> str:
        """What the output depends on beyond fields and rows, such as files; part of the fingerprint."""
        return ""

    def leaves(self, context: Context) -> tuple[Path, ...]:
        """Files below `enrich` or `work` of the build that it writes besides its tables; the ledger has them too."""
        return ()

    def __call__(self, tables: Tables, context: Context) -> Out:
        """The rows that stay; lazily, so that ten million of them fit."""
        raise NotImplementedError


@dataclass(frozen=True)
class Drop:
    """Why one clip ends here."""

    reason: str
    detail: str = ""


@dataclass(frozen=True)
class ClipStage(Stage):
    """A stage over one clip's audio; all of them run in one pass, so that samples never leave the process."""

    def __call__(self, sound: Sound) -> Drop | None:
        """Add to `sound` what is found, or say why the clip is dropped."""
        raise NotImplementedError


@dataclass(frozen=True)
class Hearing:
    """Clips with their files (the columns of an audio unit's plan), what they go through, and folders by corpus."""

    clips: pl.DataFrame
    stages: tuple[ClipStage, ...]
    places: Mapping[str, tuple[Path, ...]]


@dataclass(frozen=True)
class Sink(Stage):
    """The last stage: it decides the size and the tiers of the files that are written."""

    megabytes: int = 500
    tiers: tuple[str, ...] = ("audio",)
