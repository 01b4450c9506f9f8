"""enrich similarity: what each threshold on how near captions are to their sounds would cost, by a build's scores."""

from math import floor

import polars as pl

from captionstew.cli.console import TICK, Console
from captionstew.cli.folder import build_folder
from captionstew.cli.parser import Arguments
from captionstew.cli.table import Column
from captionstew.enrich.matching import FALSE, MADE, TRUE
from captionstew.enrich.similarity import threshold
from captionstew.errors import StewError
from captionstew.figures import plural, share
from captionstew.shards.layout import MANIFEST
from captionstew.shards.manifest import read_manifest

_SHARES = (1.0, 0.999, 0.99, 0.98, 0.95, 0.9, 0.75, 0.5)  # of originals that stay
_CHOSEN = 0.99  # only a far tail is worth dropping
_COLUMNS = (
    Column("threshold", right=True), Column("originals kept", right=True),
    Column("another clip's kept", right=True), Column("generated kept", right=True),
)  # fmt: skip


def run(arguments: Arguments, console: Console) -> int:
    """The curve, as a table; the build is not touched."""
    build = build_folder(arguments.folder).path
    path = build / "enrich" / "similarity.parquet"
    if not path.is_file():
        hint = "build with --set Guard.similarity=laion/clap-htsat-unfused, or another model of that kind"
        raise StewError("this build has no scores of similarity", where=str(build), hint=hint)
    scores = dict(pl.read_parquet(path, columns=["kind", "score"]).group_by("kind").agg("score").iter_rows())
    true, false, made = (list(map(float, scores.get(kind, []))) for kind in (TRUE, FALSE, MADE))
    if not true:
        raise StewError(
            "no original caption was scored", where=str(path), hint="build a corpus that has captions"
        )
    points = {point.threshold: point for point in (threshold(true, false, keep) for keep in _SHARES)}
    rows = [
        {"threshold": at, "originals": point.true_kept, "others": point.false_kept if false else None,
         "generated": sum(one >= at for one in made) / len(made) if made else None}
        for at, point in sorted(points.items())
    ]  # fmt: skip
    console.data({"originals": len(true), "others": len(false), "generated": len(made), "curve": rows})
    console.rows(_COLUMNS, [_row(row) for row in rows])
    numbers = plural(len(true), "original caption"), plural(len(made), "generated caption")
    console.mark(TICK, f"{numbers[0]} with their own sounds and with others, {numbers[1]}")
    at = threshold(true, false, _CHOSEN).threshold
    recipe = read_manifest(build).recipe if (build / MANIFEST).is_file() else "RECIPE"
    console.say("  the same command as before, and what keeps 99 % of the originals:")
    console.next(
        f"captionstew build {recipe} --out {arguments.folder} ... --set Guard.least_similarity={_floor(at)}"
    )
    return 0


def _row(row: dict[str, float | None]) -> list[str]:
    shares = (row[name] for name in ("originals", "others", "generated"))
    return [f"{row['threshold']:.3f}", *("-" if one is None else share(one, 1) for one in shares)]


def _floor(value: float) -> str:
    """With three decimals, none of which drops what the number itself keeps."""
    return f"{floor(value * 1000) / 1000:.3f}"
