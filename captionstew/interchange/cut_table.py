"""Manifests of Lhotse cuts as one table, a row for each cut, usable or not."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from captionstew.interchange.cuts import Defaults, Row, Unfit, row
from captionstew.interchange.manifest_lines import Line, objects
from captionstew.interchange.places import packed_suffix
from captionstew.interchange.said import Caption

_AT_ONCE = 10_000  # rows held in memory
_MOST_WRITERS = 200  # kinds of captions told apart: styles, models, languages
_TEXT = pa.string()
_TEXTS = ("id", "source", "above", "path", "split", "domain", "license", "attribution", "source_url", "transcript",
          "speaker", "place", "refused")  # fmt: skip
_WRITTEN = pa.struct([("text", _TEXT), ("writer", pa.uint16())])
_COLUMNS = pa.schema(
    [
        *((name, _TEXT) for name in _TEXTS),
        *((name, pa.float64()) for name in ("start", "end")),
        *((name, pa.list_(_TEXT)) for name in ("tags", "events")),
        ("channel", pa.uint8()),
        ("captions", pa.list_(_WRITTEN)),
    ]
)
Writer = tuple[str, str | None, str]  # style, model, language


@dataclass
class Seen:
    """What went through: cuts, why some were refused, the writers of captions, and who says no license."""

    cuts: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    writers: dict[Writer, int] = field(default_factory=dict)
    unlicensed: int = 0
    first_unlicensed: str = ""
    uncaptioned: int = 0


def write_cuts(
    manifests: Sequence[Path], defaults: Defaults, audio_root: Path | None, path: Path, seen: Seen
) -> None:
    """`path` is a Parquet file of all cuts in their order, some thousands of them in memory; `seen` counts them."""
    with pq.ParquetWriter(path, _COLUMNS, compression="zstd") as writer:
        batch: list[dict[str, Any]] = []
        for manifest in manifests:
            for line in objects(manifest):
                batch.append(_row(line, defaults, audio_root, seen))
                if len(batch) == _AT_ONCE:
                    writer.write_table(pa.Table.from_pylist(batch, _COLUMNS))
                    batch = []
        writer.write_table(pa.Table.from_pylist(batch, _COLUMNS))


def _row(line: Line, defaults: Defaults, audio_root: Path | None, seen: Seen) -> dict[str, Any]:
    seen.cuts += 1
    try:
        if line.fault:
            raise Unfit("json", line.fault)
        found = row(line.value, defaults)
        above, path = _place(found, line, audio_root)
    except Unfit as unfit:
        seen.refused[unfit.reason] += 1
        detail = f"{line.where}: {unfit.detail}"
        return {"id": f"line {line.number} of {line.path.name}", "place": line.where, "split": defaults.split,
                "refused": f"{unfit.reason}: {detail}"}  # fmt: skip
    if found.license is None:
        seen.unlicensed += 1
        seen.first_unlicensed = seen.first_unlicensed or line.where
    seen.uncaptioned += not found.captions
    captions = [{"text": one.text, "writer": _writer(one, seen)} for one in found.captions]
    return {**vars(found), "above": above, "path": path, "captions": captions, "place": line.where}


def _place(found: Row, line: Line, audio_root: Path | None) -> tuple[str, str]:
    """The folder of the file, and the file itself, from the root on; Unfit if it climbs out of `audio_root`."""
    above = os.path.abspath(audio_root or line.path.parent)
    if found.packed:
        return above, f"{above}/{found.path}{packed_suffix(line.path)}"
    path = os.path.normpath(os.path.join(above, found.path))
    if audio_root is not None and not found.path.startswith("/") and not Path(path).is_relative_to(above):
        raise Unfit("path", f"{found.path[:80]} climbs out of {audio_root}")
    return os.path.dirname(path), path


def _writer(caption: Caption, seen: Seen) -> int:
    """The number of who wrote it; beyond so many, models are not told apart."""
    writer = (caption.style, caption.model, caption.language)
    if writer not in seen.writers and len(seen.writers) >= _MOST_WRITERS:
        writer = (caption.style, None, "en")
    return seen.writers.setdefault(writer, len(seen.writers))
