"""inspect: the rows of a build, its columns, or one clip in full."""

from typing import Any

from captionstew.cli import clip
from captionstew.cli.console import DOT, Console
from captionstew.cli.figures import NONE, hours, plural, size
from captionstew.cli.folder import BuildFolder, finished
from captionstew.cli.parser import Arguments
from captionstew.cli.table import Column
from captionstew.schema import schema
from captionstew.shards.manifest import Manifest
from captionstew.shards.read import Clips

_ROW = ["clip_id", "corpus", "split", "domain", "duration", "captions", "license"]
_COLUMNS = (
    Column("clip", least=20),
    Column("corpus", spare=2),
    Column("split", spare=1),
    Column("s", right=True),
    Column("captions", right=True),
    Column("the first", least=24),
)


def run(arguments: Arguments, console: Console) -> int:
    """Rows, columns or a clip."""
    folder = finished(arguments.folder)
    if arguments.schema:
        _schema(console)
    elif arguments.clip:
        clip.show(Clips(folder.path), arguments.clip, console)
    else:
        _rows(folder, arguments.limit, console)
    return 0


def _schema(console: Console) -> None:
    contract = schema("clip.v1")
    facts = [{"name": c.name, "type": c.type, "unit": c.unit, "nullable": c.nullable, "doc": c.doc}
             for c in contract.columns]  # fmt: skip
    console.data({"schema": contract.key, "columns": facts})
    console.say(f"{contract.key}   {contract.title}")
    console.say()
    for c in contract.columns:
        kind = f"{c.type}{'?' * c.nullable} {c.unit}"
        console.wrapped(f"  {c.name:19} {kind:15} {c.doc}", indent=" " * 38)
    console.say()
    console.say("  ? may be null: nobody knows")


def _rows(folder: BuildFolder, limit: int, console: Console) -> None:
    clips = Clips(folder.path)
    number = min(limit, len(clips))
    chosen = [at * len(clips) // number for at in range(number)]
    rows: list[dict[str, Any]] = [clips.row(at, _ROW).to_pylist()[0] for at in chosen]
    manifest = folder.manifest
    assert manifest is not None
    console.data({"recipe": manifest.recipe, "clips": len(clips), "rows": rows})
    console.say(_title(manifest, len(clips)))
    console.say()
    console.rows(_COLUMNS, [_row(row) for row in rows])
    if number < len(clips):
        console.say()
        console.say(f"  {number} of {len(clips):,} rows, evenly spread")
    if rows:
        console.next(f"captionstew inspect {folder.path} --clip '{rows[0]['clip_id']}'")


def _title(manifest: Manifest, clips: int) -> str:
    total = sum(total.hours for total in manifest.totals if total.tier == "audio")
    held = sum(file.bytes for file in manifest.files)
    parts = [manifest.recipe, plural(clips, "clip"), f"{hours(total)} h", size(held)]
    return DOT.join([*parts, plural(len(manifest.files), "shard")])


def _row(row: dict[str, Any]) -> list[str]:
    captions = row["captions"]
    return [
        row["clip_id"],
        row["corpus"],
        row["split"],
        f"{row['duration']:.1f}",
        str(len(captions)),
        captions[0]["text"] if captions else NONE,
    ]
