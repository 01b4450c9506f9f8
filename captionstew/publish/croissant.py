"""croissant.json: files, columns, provenance and responsible use for machines (Croissant 1.1, with its RAI part)."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from captionstew.publish.configs import Config, configs
from captionstew.publish.contents import DataFile, Release
from captionstew.publish.datasheet import counts, stages
from captionstew.publish.facts import facts, generated
from captionstew.publish.header import title
from captionstew.publish.markdown import address, enumerated
from captionstew.publish.prose import filled, prose
from captionstew.publish.references import references
from captionstew.publish.terms import terms
from captionstew.schema import Column

_CONFORMS = ("http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0")
_PARQUET = "application/x-parquet"  # as its readers know it
_REPOSITORY = "repo"
_TYPES = {
    "string": "sc:Text", "json": "sc:Text", "binary": "sc:Text", "bool": "sc:Boolean", "int16": "cr:Int16",
    "int32": "cr:Int32", "int64": "cr:Int64", "float32": "cr:Float32", "float64": "cr:Float64",
    "audio": "sc:AudioObject",
}  # fmt: skip


def croissant(release: Release, date: str = "") -> bytes:
    """The document; `date` (YYYY-MM-DD) is that of the publication."""
    every = [one for one in configs(release) if not one.corpus]
    told = prose("croissant")
    home = f"https://huggingface.co/datasets/{release.repository}"
    owner = release.repository.partition("/")[0]
    organization = {"@type": "sc:Organization", "name": owner, "url": f"https://huggingface.co/{owner}"}
    facts = {
        "@context": dict(told["context"]),
        "@type": "sc:Dataset",
        "name": title(release),
        "conformsTo": list(_CONFORMS),
        "description": _words(told["description"], release),
        "url": home,
        "version": release.tag.removeprefix("v"),
        **({"datePublished": date} if date else {}),
        "license": _licenses(release, home),
        "creator": organization,
        "publisher": organization,
        "citeAs": "\n\n".join(references(release)),
        "keywords": ["audio", "audio captioning", "audio-text retrieval", *sorted({c.domain for c in release.corpora})],
        "inLanguage": sorted({made.language for corpus in release.corpora for made in corpus.captions}),
        "prov:wasDerivedFrom": [_derived(corpus) for corpus in release.corpora],
        "prov:wasGeneratedBy": _generated(release),
        **_responsible(release),
        "distribution": [_repository(release, home), *(_file(one, release, home) for one in _parquet(release)),
                         *(_files(one) for one in every)],
        "recordSet": [_splits(every), *(_records(one) for one in every)],
    }  # fmt: skip
    kept = {key: value for key, value in facts.items() if value not in ("", [])}
    return (json.dumps(kept, indent=1, ensure_ascii=False) + "\n").encode()


def _words(template: str, release: Release) -> str:
    """Sentences of one line, with what they name set in."""
    rows = generated(release.manifest)
    models = ", ".join(sorted({row.model for row in rows}))
    authors = {
        made.model for corpus in release.corpora for made in corpus.captions if made.style == "machine"
    }
    tools = ", ".join(sorted(filter(None, authors | {row.model for row in rows})))
    held = facts(release.manifest)
    values = counts(release) | {
        "stages": ", ".join(stages(release.recipe)),
        "generated": f"More captions by {models}, checked by rules."
        if rows
        else "None was generated for this version.",
        "tools": tools or "none",
        "domains": enumerated(sorted({corpus.domain for corpus in release.corpora}, reverse=True)),
        "per_clip": f"{held.whole.captions_per_clip:.1f}",
        "languages": ", ".join(sorted({m.language for c in release.corpora for m in c.captions})) or "none",
    }
    return " ".join(filled(template, values).split())


def _responsible(release: Release) -> dict[str, Any]:
    said: Mapping[str, Any] = prose("croissant")["rai"]
    return {
        f"rai:{key}": _words(value, release)
        if isinstance(value, str)
        else [_words(one, release) for one in value]
        for key, value in said.items()
    }


def _licenses(release: Release, home: str) -> list[str]:
    """The page that has all of them, then the text of each that has one."""
    named = {one.license for corpus in facts(release.manifest).corpora for one in corpus.licenses}
    named |= {corpus.license.captions for corpus in release.corpora}
    texts = sorted({terms(license).url for license in named} - {""})
    return [f"{home}/blob/{release.tag}/LICENSES.md", *texts]


def _derived(corpus: Any) -> dict[str, Any]:
    """A corpus as the source of what is here."""
    known = address(corpus.homepage) or f"urn:captionstew:corpus:{corpus.name}"
    return {"@id": known, "@type": "prov:Entity", "prov:label": corpus.title}


def _generated(release: Release) -> list[dict[str, Any]]:
    """The build, and each model that wrote captions for it."""
    manifest = release.manifest
    software = {
        "@type": "prov:SoftwareAgent",
        "prov:label": f"CaptionStew {manifest.made_with.get('captionstew', '')}",
    }
    build = {"@type": "prov:Activity", "prov:label": f"Recipe {manifest.recipe} ({manifest.recipe_digest})",
             "prov:wasAssociatedWith": software}  # fmt: skip
    models = [
        {"@type": "prov:Activity", "prov:label": f"Captions by the prompt {row.prompt}",
         "prov:wasAssociatedWith": {"@type": "prov:SoftwareAgent",
                                    "prov:label": f"{row.model}@{row.revision}" if row.revision else row.model}}
        for row in generated(manifest)
    ]  # fmt: skip
    return [build, *models]


def _repository(release: Release, home: str) -> dict[str, Any]:
    """The repository as a whole; its hash is that of the lines that SHA256SUMS has for `data`."""
    lines = "".join(
        f"{one.sha256}  {one.path}\n" for one in sorted(_parquet(release), key=lambda one: one.path)
    )
    return {
        "@type": "cr:FileObject", "@id": _REPOSITORY, "name": _REPOSITORY,
        "description": "The repository; sha256 is that of the lines of SHA256SUMS about the Parquet files listed here.",
        "contentUrl": home, "encodingFormat": "git+https",
        "sha256": hashlib.sha256(lines.encode()).hexdigest(),
    }  # fmt: skip


def _parquet(release: Release) -> list[DataFile]:
    """The files that hold rows."""
    return [one for one in release.files if one.path.endswith(".parquet")]


def _file(one: DataFile, release: Release, home: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject", "@id": one.path, "name": one.path, "contentSize": f"{one.bytes} B",
        "contentUrl": f"{home}/resolve/{release.tag}/{one.path}", "encodingFormat": _PARQUET, "sha256": one.sha256,
    }  # fmt: skip


def _files(config: Config) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet", "@id": f"files-{config.name}", "name": f"files-{config.name}",
        "description": f"The files of {config.name}: {config.about}.", "containedIn": {"@id": _REPOSITORY},
        "encodingFormat": _PARQUET, "includes": [config.glob(split) for split in config.splits],
    }  # fmt: skip


def _splits(every: Sequence[Config]) -> dict[str, Any]:
    names = list(dict.fromkeys(split for one in every for split in one.splits))
    return {
        "@type": "cr:RecordSet", "@id": "splits", "name": "splits", "description": "The splits that rows name.",
        "dataType": "cr:Split", "key": {"@id": "splits/name"},
        "field": [{"@type": "cr:Field", "@id": "splits/name", "name": "name", "description": "Of a split.",
                   "dataType": "sc:Text"}],
        "data": [{"splits/name": name} for name in names],
    }  # fmt: skip


def _records(config: Config) -> dict[str, Any]:
    """A record per row, a field per column of the contract."""
    fields = [_field(column, config) for column in config.schema.columns]
    return {
        "@type": "cr:RecordSet", "@id": config.name, "name": config.name, "description": f"{config.about}.",
        "key": {"@id": f"{config.name}/clip_id"}, "field": fields,
    }  # fmt: skip


def _field(column: Column, config: Config) -> dict[str, Any]:
    several = column.type.startswith("list<")
    field: dict[str, Any] = {"@type": "cr:Field", "@id": f"{config.name}/{column.name}", "name": column.name,
                             "description": _described(column)}  # fmt: skip
    if several:
        field |= {"isArray": True, "arrayShape": "-1"}
    if column.fields:
        return field | {"subField": [_sub_field(one, column, config) for one in column.fields]}
    field["dataType"] = _TYPES[column.type[5:-1] if several else column.type]
    return field | {"source": _source(column.name, config, "bytes" if column.type == "audio" else "")}


def _sub_field(one: Column, column: Column, config: Config) -> dict[str, Any]:
    return {
        "@type": "cr:Field", "@id": f"{config.name}/{column.name}/{one.name}", "name": one.name,
        "description": _described(one), "dataType": _TYPES[one.type],
        "source": _source(column.name, config, one.name),
    }  # fmt: skip


def _source(column: str, config: Config, inside: str = "") -> dict[str, Any]:
    source: dict[str, Any] = {"fileSet": {"@id": f"files-{config.name}"}, "extract": {"column": column}}
    return source | {"transform": {"jsonPath": inside}} if inside else source


def _described(column: Column) -> str:
    return f"{column.doc} ({column.unit})" if column.unit else column.doc
