"""Examples: a few rows of a release as they are, two with their audio to be played on the card."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from captionstew.enrich.items import GENERATED
from captionstew.publish.contents import DataFile, Release
from captionstew.publish.facts import facts
from captionstew.publish.markdown import attribute, code, hours, link, text
from captionstew.shards.manifest import Manifest

FOLDER = "examples"
_PLAYABLE = {"flac": "flac", "opus": "opus"}  # what browsers play, and the name of its files
_MOST_BYTES = 1 << 20
_FILES = 4  # of a corpus that are looked at
_HEARD = "audio"  # the tier that anybody may pass on
_COLUMNS = ("clip_id", "corpus", "duration", "captions", "events", "license", "attribution", "source_url")


@dataclass(frozen=True)
class Example:
    """One row, and its audio as a file of its own where it may stand on a card."""

    row: Mapping[str, Any]
    audio: bytes = b""
    path: str = ""  # of that file in the repository


def examples(release: Release, most: int = 2) -> tuple[Example, ...]:
    """The first captioned clips of as many corpora, two of one if there is no other: first, not best.

    From the tier with open audio if there is one (only such audio is played), else from the captions.
    """
    tiers = [tier for tier in (_HEARD, "captions", *release.tiers) if tier in release.tiers]
    for tier in tiers:
        found = _of_tier(release, tier, most)
        if found:
            return tuple(_numbered(example, number) for number, example in enumerate(found, 1))
    return ()


def shown(example: Example, release: Release) -> str:
    """A row as Markdown: player, captions, events, licence and whom to name."""
    row = example.row
    lines = [f"**{text(row['clip_id'])}** · {text(row['corpus'])} · {hours(row['duration'])} s"]
    if example.path:
        address = f"https://huggingface.co/datasets/{release.repository}/resolve/{release.tag}/{example.path}"
        lines.append(f'<audio controls preload="none" src="{attribute(address)}"></audio>')
    lines.append("\n".join(f"- {_caption(caption)}" for caption in _some(row["captions"])))
    if row["events"]:
        lines.append("Events: " + ", ".join(_event(event) for event in row["events"][:8]))
    by = f" · by {text(row['attribution'])}" if row["attribution"] else ""
    source = f" · {link('source', row['source_url'])}" if row["source_url"] else ""
    lines.append(f"License: {code(row['license'])}{by}{source}")
    return "\n\n".join(lines)


def _of_tier(release: Release, tier: str, most: int) -> list[Example]:
    """One per corpus, in the order of the manifest's accounting; more of the first if corpora are few."""
    files = _files(release.manifest, release.files, tier)
    streams = [chain.from_iterable(_rows(path, tier) for path in paths) for paths in files.values()]
    found: list[Example] = []
    while streams and len(found) < most:
        for stream in list(streams):
            example = next(stream, None)
            if example is None:
                streams.remove(stream)
            elif len(found) < most:
                found.append(example)
    return found


def _files(manifest: Manifest, files: Sequence[DataFile], tier: str) -> dict[str, list[Path]]:
    """A few files of each corpus, of train first."""
    places = {file.path: file.source for file in files}
    order = {corpus.name: place for place, corpus in enumerate(facts(manifest).corpora)}
    here = [file for file in manifest.files if file.tier == tier]
    here.sort(key=lambda file: (order[file.corpus], file.split != "train", file.path))
    found: dict[str, list[Path]] = {}
    for file in here:
        found.setdefault(file.corpus, []).append(places[file.path])
    return {corpus: paths[:_FILES] for corpus, paths in found.items()}


def _rows(path: Path, tier: str) -> Iterator[Example]:
    """Rows with a caption and, where audio is there to be played, audio that is."""
    file, heard = pq.ParquetFile(path), tier == _HEARD
    columns = [*_COLUMNS, "audio", "codec"] if heard else list(_COLUMNS)
    with file:
        for batch in file.iter_batches(
            batch_size=20, row_groups=range(min(2, file.num_row_groups)), columns=columns
        ):
            for row in batch.to_pylist():
                if not row["captions"]:
                    continue
                if not heard:
                    yield Example(row)
                elif row["codec"] in _PLAYABLE and len(row["audio"]["bytes"]) <= _MOST_BYTES:
                    yield Example(row, row["audio"]["bytes"])


def _numbered(example: Example, number: int) -> Example:
    if not example.audio:
        return example
    return Example(example.row, example.audio, f"{FOLDER}/{number}.{_PLAYABLE[example.row['codec']]}")


def _some(captions: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """A few of the publishers', and of those that a model wrote for this release."""
    made = [caption for caption in captions if caption["source"] == GENERATED][:2]
    return [caption for caption in captions if caption["source"] != GENERATED][: 5 - len(made)] + made


def _caption(caption: Mapping[str, Any]) -> str:
    who = caption["source"] if caption["source"] != GENERATED else "generated"
    by = f" by {text(caption['model'])}" if caption["model"] else ""
    return f"{text(caption['text'])} <sub>{text(who)}, {text(caption['style'])}{by}</sub>"


def _event(event: Mapping[str, Any]) -> str:
    return f"{text(event['label'])} {event['score']:.2f}"
