"""The user's own data: a folder of audio, or a table of `audio` and `caption`."""

import difflib
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from captionstew.corpora.facts import Captions, Columns, Corpus, File, Id, Labels, Reading, corpus
from captionstew.corpora.fault import Fault, Numbers, explained
from captionstew.corpora.find import Found, Shelf
from captionstew.corpora.readers import csv, jsonl, parquet
from captionstew.corpora.readers import json as json_reader
from captionstew.corpora.walk import audio_files
from captionstew.digest import digest
from captionstew.errors import CorpusError

if TYPE_CHECKING:
    from types import ModuleType

log = logging.getLogger(__name__)
METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")  # as the Hub's audiofolder names them
AUDIO = ("audio", "file_name")
PATH = "relative path"  # what `rows` adds
TEXTS = ("caption", "captions", "text")
PLAIN = ("split", "domain", "duration", "speaker", "attribution", "source_url")  # columns of clip.v1, by name
_READERS: dict[str, "ModuleType"] = {
    ".csv": csv,
    ".tsv": csv,
    ".jsonl": jsonl,
    ".ndjson": jsonl,
    ".json": json_reader,
    ".parquet": parquet,
}


def own(path: Path) -> tuple[Corpus, list[Path]]:
    """The facts about the user's own data at `path`, and the folders that its audio lies in.

    `path` is a table or a folder; in a folder, captions are in `metadata.csv` (`.jsonl`, `.parquet`) beside
    `file_name`, or in a .txt or .json of the audio's own name. Columns of no use are listed in `traps`.
    """
    path = path.absolute()
    if path.is_dir():
        tables = [name for name in METADATA if (path / name).is_file()]
        place, names = path, tuple(tables[:1])
    elif path.is_file() and path.suffix.lower() in _READERS:
        place, names = path.parent, (path.name,)
    else:
        cause = (
            "there is no such file or folder" if not path.exists() else f"{path.suffix or 'it'} is no table"
        )
        hint = f"give a folder of audio, or a table: {' '.join(_READERS)}"
        if path.name.endswith(".jsonl.gz"):
            hint += f"\nif it holds cuts of Lhotse: captionstew import {path}"
        raise CorpusError("this cannot be built from", cause=cause, where=str(path), hint=hint)
    base = corpus("folder")
    state = "" if names else _state(place)
    file = File(path=names, read=Reading(reader="folder"), optional=not names, state=state)
    found = Found(file, tuple(place / name for name in names))
    shelf = Shelf(base, (place,), (found,), ())
    try:
        table = rows(found, shelf)
        schema = table.collect_schema()
    except pl.exceptions.PolarsError as error:
        raise explained("folder", found, Numbers(), str(error).splitlines()[0]) from error
    given = pl.Schema({name: kind for name, kind in schema.items() if name != PATH})
    file = replace(file, read=Reading("folder", tuple(given.names())))
    facts = _facts(replace(base, files=(file,)), given, str(path))
    if facts.source is not None:
        _one_audio_per_id(table, str(path))
    return facts, [place, *_elsewhere(table, place)]


def _state(place: Path) -> str:
    """A digest of the audio and its sidecars: names, sizes and times."""
    files = [place / name for name in audio_files(place)]
    beside = (path.with_suffix(suffix) for path in files for suffix in (".txt", ".json"))
    stats = [(path, path.stat()) for path in (*files, *beside) if path.is_file()]
    return digest(*((path.relative_to(place).as_posix(), at.st_size, at.st_mtime_ns) for path, at in stats))


def rows(found: Found, shelf: Shelf) -> pl.LazyFrame:
    """The table, or one row per audio file, and the audio's path relative to the folder."""
    table = _table(found, shelf) if found.paths else _folder(shelf.places[0])
    audio = next((name for name in AUDIO if name in table.collect_schema()), None)
    if audio is None:
        return table
    relative = pl.col(audio).cast(pl.String, strict=False)
    for place in shelf.places:
        relative = relative.str.strip_prefix(f"{place}/")
    return table.with_columns(relative.str.strip_chars_start("/").alias(PATH))


def _elsewhere(table: pl.LazyFrame, place: Path) -> list[Path]:
    """The folder that holds all audio which the table names by whole paths outside its own folder."""
    audio = next((name for name in AUDIO if name in table.collect_schema()), None)
    if audio is None:
        return []
    path = pl.col(audio).cast(pl.String, strict=False)
    outside = path.str.starts_with("/") & ~path.str.starts_with(f"{place}/")
    folders = table.filter(outside).select(path.str.replace(r"/[^/]*$", "").unique()).collect().to_series()
    common = Path(os.path.commonpath(folders.to_list())) if len(folders) else place
    if common == Path("/"):
        hint = "give them relative to one folder, and that folder: --audio folder=DIR"
        raise CorpusError(
            "the audio lies in folders that have nothing in common", where=str(place), hint=hint
        )
    return [common] if common != place and common.is_dir() else []


def fault(path: Path, read: Reading, numbers: Numbers) -> Fault | None:
    """The first broken line, as far as the table has lines."""
    module = _READERS[path.suffix.lower()]
    broken: Fault | None = module.fault(path, _reading(path), numbers) if hasattr(module, "fault") else None
    return broken


def _table(found: Found, shelf: Shelf) -> pl.LazyFrame:
    path = found.paths[0]
    file = replace(found.file, read=_reading(path))
    table: pl.LazyFrame = _READERS[path.suffix.lower()].rows(Found(file, (path,)), shelf)
    return table


def _reading(path: Path) -> Reading:
    return Reading(reader="folder", separator="\t" if path.suffix.lower() == ".tsv" else ",")


def _folder(place: Path) -> pl.LazyFrame:
    lines: list[dict[str, Any]] = [{"audio": name, **_sidecar(place / name)} for name in audio_files(place)]
    if not lines:
        hint = "give the folder that the audio lies in, or a table"
        raise CorpusError(
            "there is no audio here", cause="no file of a known type", where=str(place), hint=hint
        )
    schema = {"audio": pl.String(), "captions": pl.List(pl.String())}
    return pl.DataFrame(lines, infer_schema_length=None, schema_overrides=schema).lazy()


def _sidecar(audio: Path) -> dict[str, Any]:
    """Captions, and columns of clip.v1, from the file beside the audio; no caption where there is none."""
    fields: dict[str, Any] = {"captions": []}
    text, table = audio.with_suffix(".txt"), audio.with_suffix(".json")
    try:
        if text.is_file():
            fields["captions"] = [
                line for line in text.read_text(encoding="utf-8").splitlines() if line.strip()
            ]
        elif table.is_file():
            fields |= _fields(json.loads(table.read_text(encoding="utf-8")))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        where = str(text if text.is_file() else table)
        hint = "mend it or remove it"
        raise CorpusError("a sidecar cannot be read", cause=str(error), where=where, hint=hint) from error
    return fields


def _fields(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        return {"captions": _strings(given)}
    texts = [text for name in TEXTS for text in _strings(given.get(name))]
    known = (*PLAIN, "license", "transcript", "start", "end")
    plain = {name: str(given[name]) for name in known if isinstance(given.get(name), str | int | float)}
    return {"captions": texts, **plain, **({"tags": _strings(given["tags"])} if "tags" in given else {})}


def _strings(value: Any) -> list[str]:
    return (
        [value] if isinstance(value, str) else [str(one) for one in value] if isinstance(value, list) else []
    )


def _facts(base: Corpus, schema: pl.Schema, where: str) -> Corpus:
    names = schema.names()
    audio = _audio_column(schema, where)
    numbered = sorted(
        (name for name in names if name.startswith("caption_") and name[8:].isdigit()), key=_number
    )
    texts = (*(name for name in TEXTS if name in names), *numbered)
    times = tuple(name for name in ("start", "end") if name in names and "start" in names)
    recording = Id("path", (PATH, *times))
    style = "caption_style" if "caption_style" in names else ""
    plain = {name: name for name in PLAIN if name in names}
    transcript = next((name for name in ("transcript", "transcription") if name in names), "")
    tags = Labels("tags", "list" if isinstance(schema.get("tags"), pl.List) else "separated")
    used = {audio, *texts, *times, style, *plain, transcript, "tags", "id", "license"}
    unused = [name for name in names if name not in used]
    if unused:
        log.info("%s: columns without a meaning here: %s", where, ", ".join(unused))
    return replace(
        base,
        id=Id("path", ("id",)) if "id" in names else recording,
        source=recording if "id" in names else None,
        columns=Columns(file=audio, transcript=transcript, **plain),
        captions=(Captions(texts, "human", style_column=style),) if texts else (),
        tags=(tags,) if "tags" in names else (),
        traps=(f"columns without a meaning here: {', '.join(unused)}",) if unused else (),
    )


def _number(name: str) -> int:
    return int(name.removeprefix("caption_"))


def _audio_column(schema: pl.Schema, where: str) -> str:
    names = schema.names()
    there = [name for name in AUDIO if name in names]
    if len(there) == 1 and schema[there[0]] == pl.String:
        return there[0]
    cause = f"the columns are {', '.join(names)}"
    if len(there) > 1:
        hint = "keep one of them"
        raise CorpusError("both `audio` and `file_name` name audio", cause=cause, where=where, hint=hint)
    if there:
        hint = "write the path of the audio file there; audio inside a table is not read"
        raise CorpusError(
            f"`{there[0]}` is no path", cause=f"it is {schema[there[0]]}", where=where, hint=hint
        )
    cuts = {"recording", "supervisions"} <= set(names)
    hint = f"these are cuts of Lhotse: captionstew import {where}" if cuts else _rename(names)
    raise CorpusError("no column names the audio", cause=cause, where=where, hint=hint)


def _rename(names: Sequence[str]) -> str:
    for word in ("audio", "file_name", "filepath", "path", "file", "wav"):
        close = difflib.get_close_matches(word, [name.lower() for name in names], n=1)
        if close:
            given = next(name for name in names if name.lower() == close[0])
            return f"did you mean `{given}`? rename it to `audio`"
    return "name the column of the paths `audio`"


def _one_audio_per_id(table: pl.LazyFrame, where: str) -> None:
    """An id stands for one clip; two audio files of one id would lose one of them."""
    twice = (
        table.group_by("id")
        .agg(pl.col(PATH).n_unique())
        .filter(pl.col(PATH) > 1)
        .select(pl.col("id").first())
    )
    try:
        ids = twice.collect(engine="streaming")["id"]
    except pl.exceptions.PolarsError:  # a broken row; reading the corpus names it
        return
    if ids.len() and ids[0] is not None:
        cause = "the rows of one id name different files"
        raise CorpusError(
            f"two audio files have the id {ids[0]!r}", cause=cause, where=where, hint="make ids unique"
        )
