"""inspect: the rows of a build or a release, its columns, or one clip in full."""

from typing import Any

from captionstew.cli import clip
from captionstew.cli.console import DOT, Console, visible
from captionstew.cli.folder import finished
from captionstew.cli.parser import Arguments
from captionstew.cli.table import Column
from captionstew.errors import UsageError
from captionstew.figures import NONE, hours, plural, size
from captionstew.schema import schema
from captionstew.shards.layout import AUDIO_TIERS
from captionstew.shards.manifest import Manifest
from captionstew.shards.remote import url_of
from captionstew.shards.rows import Opened, open_rows

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
    if not arguments.clip and (arguments.play or arguments.png):
        option = "--play" if arguments.play else "--png"
        raise UsageError(
            f"{option} is for one clip", hint=f"captionstew inspect {arguments.folder} --clip ID {option}"
        )
    url = url_of(arguments.folder)
    opened = open_rows(url or finished(arguments.folder).path)
    if arguments.schema:
        _schema("clip.v1" if len(opened.audio) else "caption.v1", console)
    elif arguments.clip:
        clip.show(opened, arguments, console)
    else:
        _rows(opened, arguments, console)
    return 0


def _schema(key: str, console: Console) -> None:
    contract = schema(key)
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


def _rows(opened: Opened, arguments: Arguments, console: Console) -> None:
    clips, manifest = opened.shown, opened.manifest
    number = min(arguments.limit, len(clips))
    chosen = [at * len(clips) // number for at in range(number)]
    rows: list[dict[str, Any]] = [clips.row(at, _ROW).to_pylist()[0] for at in chosen]
    console.data({"recipe": manifest.recipe, "clips": len(clips), "rows": rows})
    console.say(_title(opened))
    console.say()
    console.rows(_COLUMNS, [_row(row) for row in rows])
    if number < len(clips):
        console.say()
        console.say(f"  {number} of {len(clips):,} rows, evenly spread")
    if rows:
        console.next(f"captionstew inspect {arguments.folder} --clip '{rows[0]['clip_id']}'")


def _title(opened: Opened) -> str:
    """What is shown: the clips with audio, or where there is none those of the captions tier."""
    tiers = AUDIO_TIERS if len(opened.audio) else ("captions",)
    manifest: Manifest = opened.manifest
    length = sum(total.hours for total in manifest.totals if total.tier in tiers)
    held = sum(file.bytes for file in manifest.files)
    parts = [visible(manifest.recipe), plural(len(opened.shown), "clip"), f"{hours(length)} h", size(held)]
    parts += [] if len(opened.audio) else ["captions only"]
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
