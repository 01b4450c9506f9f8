"""Corpora as facts: one TOML file each in `pipelines/corpora`, read into frozen dataclasses."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from captionstew.corpora.strict import build, merged, nearest
from captionstew.digest import digest
from captionstew.errors import CorpusError
from captionstew.rooms import room

Domain = Literal["speech", "music", "sound"]
Form = Literal[
    "youtube", "youtube-y", "youtube-start", "youtube-start-duration", "youtube-start-end",
    "youtube-start-ms", "freesound", "bbc", "jamendo", "file", "path", "key",
]  # fmt: skip
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class License:
    """Who may do what, as the publisher says at `*_url`, read on `*_date`."""

    audio: str  # SPDX, LicenseRef, or `per-clip`
    audio_url: str
    audio_date: str
    captions: str
    captions_url: str
    captions_date: str
    publish: Literal["audio", "audio-where-allowed", "captions", "nothing"]
    column: str = ""  # per-clip: the annotation column (or `{template}`) with the licence
    values: Mapping[str, str] = field(default_factory=dict)  # per-clip: what its values mean
    default: str = "LicenseRef-unknown"  # per-clip: where the column says nothing


@dataclass(frozen=True)
class Size:
    """The size as published; null is unknown."""

    clips: int | None
    captions: int | None
    hours: float | None


@dataclass(frozen=True)
class Reading:
    """How a file of annotations is laid out: the reader (a module of `corpora.readers`) and its options."""

    reader: str
    header: tuple[str, ...] = ()  # all columns, in order; needed where the file names none itself
    headed: bool = True  # csv: the first line names the columns
    separator: str = ","
    comment: str = ""  # csv: lines that begin with this are skipped
    quote: str = '"'
    encoding: Literal["utf-8", "utf-8-or-latin-1"] = "utf-8"
    extra: Literal["raise", "ignore"] = "raise"  # csv: fields beyond the header
    path: str = ""  # json: the key under which the rows are


@dataclass(frozen=True)
class Id:
    """How a native id is written (`corpora.ids`), in which columns: the id itself, then start and end (s)."""

    form: Form
    columns: tuple[str, ...]
    scheme: str = ""  # `yt`, `fs`, ... by form, else the corpus' name
    span: str = ""  # a column `[first, last]` of samples at `rate`: where the excerpt lies in its source
    rate: int = 44100


@dataclass(frozen=True)
class Columns:
    """Which annotation column (or `{template}` of columns) fills which clip column."""

    file: str = ""
    split: str = ""
    domain: str = ""
    duration: str = ""
    transcript: str = ""
    speaker: str = ""
    channel: str = ""  # the channel, counted from 1, that is this clip's in a whole recording
    refused: str = ""  # a column of the reader's: why a row is a drop, `reason` or `reason: detail`
    artist: str = ""  # whose music it is: `<scheme>:<name or number>`; splits are not to cross it
    attribution: str = ""
    source_url: str = ""


@dataclass(frozen=True)
class Labels:
    """A column of tags or events, and how several of them are written in one value."""

    column: str
    form: Literal["value", "list", "separated", "python-list"] = "value"
    separator: str = ";"
    prefix: str = ""


@dataclass(frozen=True)
class Captions:
    """Columns of captions that were made in one way."""

    columns: tuple[str, ...]
    style: Literal["human", "machine", "template", "label"]
    style_column: str = ""  # a column that says it row by row
    model: str | None = None
    language: str = "en"


@dataclass(frozen=True)
class File:
    """One file of annotations: where it is published, and where it may lie below a given folder."""

    path: tuple[str, ...]  # alternatives, the first that exists wins; `*` may match several
    read: Reading
    role: Literal["annotations", "starts", "ids", "metadata", "blocklist"] = "annotations"
    split: str = ""  # the native split of all its rows
    url: str | None = None
    bytes: int | None = None
    sha256: str | None = None
    md5: str | None = None  # where the publisher gives no better one (Zenodo)
    optional: bool = False
    name: str = ""  # what other files call it
    stands_in_for: str = ""  # read only where the file of this name is missing
    key: str = ""  # ids, metadata: the column that joins it to the annotations
    state: str = ""  # of a folder that stands for a file: a digest of what is in it
    id: Id | None = None
    columns: Columns | None = None
    example: str = ""  # a tiny file in this very layout, invented (parquet: as JSON lines)
    gives: tuple[str, ...] = ()  # the clip ids of the example


@dataclass(frozen=True)
class Splits:
    """What the native splits mean, and which of train, val and test are evaluation data."""

    evaluation: tuple[Literal["train", "val", "test"], ...] = ()
    default: str = "train"
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Audio:
    """How one comes by the audio, and what its files are called."""

    access: Literal["direct", "form", "youtube", "gated", "elsewhere", "generated"]
    names: tuple[str, ...]  # templates over {file}, {name}, {stem}, {id}, {start}, {end}, {duration}
    whole: bool = False  # the file is the whole source recording: start and end are cut out of it
    recordings: tuple[str, ...] = ()  # the whole recordings, to cut from where a clip has no file of its own
    container: str = ""
    seconds: float | None = None  # nominal length of a clip


@dataclass(frozen=True)
class Archive:
    """Audio that one can download; unpacked, it lies in the layout that `--audio` takes."""

    url: str  # https://..., hf://datasets/OWNER/NAME@REVISION/PATTERN (`*` matches many), a Google Drive address
    parts: tuple[str, ...] = ()  # of a split zip: the addresses of .z01, .z02, ..., in order
    bytes: int | None = None  # of all parts together
    sha256: str | None = None
    md5: str | None = None
    split: str = ""  # the native split whose audio this is; for all splits if empty
    to: str = ""  # the folder, below that of the corpus, in which it is unpacked
    unpack: Literal["auto", "zip", "7z", "tar", "parquet", "none"] = "auto"  # auto: by the suffix
    access: Literal["open", "gated", "form"] = "open"  # gated: a login that has agreed; form: by hand only
    page: str = ""  # where to agree or to ask


@dataclass(frozen=True)
class Mirror:
    """A public copy of the audio that some use; never fetched by default."""

    url: str
    license: str  # as the mirror states it; `unstated` where it says nothing
    about: str  # what is there, and how much is missing


@dataclass(frozen=True)
class Overlap:
    """Corpora with the same source recordings, and how many as far as known."""

    corpora: tuple[str, ...] = field(default=(), metadata={"key": "with"})
    size: str = ""


@dataclass(frozen=True)
class Corpus:
    """All facts about one corpus."""

    name: str
    title: str
    domain: Domain
    homepage: str
    cite: str
    license: License
    size: Size
    files: tuple[File, ...] = field(metadata={"key": "file"})
    id: Id
    columns: Columns
    splits: Splits
    audio: Audio
    captions: tuple[Captions, ...] = ()
    source: Id | None = None  # the upload that a clip is an excerpt of, where its own id is another
    tags: tuple[Labels, ...] = ()
    events: tuple[Labels, ...] = ()
    archives: tuple[Archive, ...] = field(default=(), metadata={"key": "archive"})
    mirrors: tuple[Mirror, ...] = field(default=(), metadata={"key": "mirror"})
    overlap: Overlap = Overlap()
    traps: tuple[str, ...] = ()  # what goes wrong if one does not know it
    reference: str = ""  # what to cite, as BibTeX
    unchecked: tuple[str, ...] = ()  # facts from general knowledge, to be checked before they are relied on
    made_by: str = ""
    like: str = ""

    def fingerprint(self) -> str:
        """A digest of all facts that decide what is read; prose and examples do not."""
        facts = asdict(self)
        for prose in ("title", "cite", "reference", "homepage", "traps", "unchecked", "archives", "mirrors"):
            del facts[prose]
        for file in facts["files"]:
            del file["example"], file["gives"]
        return digest(facts)


def corpora(folder: Path | None = None) -> tuple[Corpus, ...]:
    """All corpora of the room, by name."""
    return tuple(corpus(name, folder) for name in _names(_folder(folder)))


def corpus(name: str, folder: Path | None = None) -> Corpus:
    """The facts of the corpus `name`."""
    table = _table(name, _folder(folder))
    where = f"{name}.toml"
    if table.get("name") != name:
        raise CorpusError(f"the name is {table.get('name')!r}", where=where, hint=f'write name = "{name}"')
    facts = build(Corpus, _laid_out(table), where)
    _check(facts, where)
    return facts


def _folder(folder: Path | None) -> Path:
    return folder or room("pipelines") / "corpora"


def _names(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.toml"))


def _table(name: str, folder: Path, seen: tuple[str, ...] = ()) -> dict[str, Any]:
    path = folder / f"{name}.toml"
    if not path.is_file() or Path(name).name != name:
        hint = nearest(name, _names(folder))
        raise CorpusError(f"there is no corpus `{name}`", where=str(folder), hint=hint)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise CorpusError(
            f"{path.name} is not TOML", cause=str(error), where=str(path), hint="mend it"
        ) from error
    parent = table.get("like", "")
    if parent in (*seen, name):
        raise CorpusError(f"{name} is like itself", where=path.name, hint="name another corpus in `like`")
    return merged(_unpublished(_table(parent, folder, (*seen, name))), table) if parent else table


def _unpublished(table: dict[str, Any]) -> dict[str, Any]:
    """What a corpus in the same layout takes over: not the addresses and hashes of the published files."""
    files = [
        {key: value for key, value in file.items() if key not in {"url", "bytes", "sha256", "md5", "gives"}}
        for file in table.get("file", [])
    ]
    kept = {key: value for key, value in table.items() if key not in {"archive", "mirror"}}
    return {**kept, "file": files}


def _laid_out(table: dict[str, Any]) -> dict[str, Any]:
    """The table with [read] and [columns] as the defaults of each file."""
    read = table.get("read", {})
    files = [dict(file, read=merged(read, file.get("read", {}))) for file in table.get("file", [])]
    for file in files:
        if "columns" in file:
            file["columns"] = merged(table.get("columns", {}), file["columns"])
    return {**{key: value for key, value in table.items() if key != "read"}, "file": files}


def _check(corpus: Corpus, where: str) -> None:
    for native, split in corpus.splits.names.items():
        if split not in SPLITS:
            raise CorpusError(f"{native} = {split!r} is no split", where=where, hint=nearest(split, SPLITS))
    if corpus.license.audio == "per-clip" and not corpus.license.column:
        raise CorpusError(
            "the licence is per clip, but no column says it", where=where, hint="set license.column"
        )
