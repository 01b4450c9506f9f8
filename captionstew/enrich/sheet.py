"""A sheet for people who judge captions blind, and what they wrote into it."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from captionstew.corpora.strict import nearest
from captionstew.enrich.guard import KEPT
from captionstew.enrich.items import GENERATED
from captionstew.errors import BuildError, UsageError
from captionstew.shards.atomic import write_bytes

COLUMNS = ("row", "before", "events", "after", "right", "reason", "note")  # the last three are the rater's
_KEPT_SHARE = 0.75  # of the rows: captions that the guard let pass; the others are those that it rejected
_FORMULA = tuple("=+-@\t\r|%\uff1d\uff0b\uff0d\uff20")  # a cell that begins so is a command to some programs
_YES, _NO = frozenset({"yes", "y", "1", "true", "right"}), frozenset({"no", "n", "0", "false", "wrong"})


@dataclass(frozen=True)
class Line:
    """One caption to judge; `row` names it and says nothing of the guard's verdict."""

    row: str
    before: tuple[str, ...]
    events: tuple[str, ...]
    after: str


@dataclass(frozen=True)
class Opinion:
    """What a person says of one caption: whether it is right, and if not why, in a word."""

    right: bool
    reason: str = ""


def drawn(build: Path, count: int) -> list[Line]:
    """`count` of a build's generated captions, the same ones each time, in an order that tells nothing.

    Three in four passed the guard; of either kind each corpus has its proportion. BuildError if there are none.
    """
    rows = provenance_of(build).filter(pl.col("text").is_not_null())
    kept = (pl.col("verdict") == KEPT).alias("kept")
    sizes = rows.group_by(kept, "corpus").len().collect(engine="streaming").sort("kept", "corpus")
    if sizes.is_empty():
        raise BuildError(
            "no generated caption is here", where=str(build), hint="captionstew build --enrich WHERE"
        )
    quota = _quota(sizes, count)
    # Keys are hashes of what a caption is made of, so that the lowest of them are a random sample.
    chosen = rows.with_columns(kept).join(quota.lazy(), on=["kept", "corpus"])
    place = pl.col("key").rank("ordinal").over("kept", "corpus")
    found = chosen.filter(place <= pl.col("most")).select("key", "clip_id", "certain", "possible", "text")
    table = found.collect(engine="streaming").sort(pl.col("key").str.reverse())
    originals = _originals(build, table["clip_id"])
    return [
        Line(key, originals.get(clip, ()), (*certain, *(f"{name}?" for name in possible)), text)
        for key, clip, certain, possible, text in table.iter_rows()
    ]


def provenance_of(build: Path) -> pl.LazyFrame:
    """What the build says of its generated captions; BuildError if it has none."""
    path = build / "enrich" / "provenance.parquet"
    if not path.is_file():
        hint = "build it with --enrich WHERE"
        raise BuildError(
            "this build has no generated captions", cause=f"no {path.name}", where=str(build), hint=hint
        )
    return pl.scan_parquet(path)


def verdicts(build: Path, rows: Iterable[str]) -> dict[str, str]:
    """What the guard said of these rows of sheets; UsageError where one is of another build."""
    wanted = pl.DataFrame({"key": sorted(set(rows))}, schema={"key": pl.String()})
    known = provenance_of(build).select("key", "verdict").join(wanted.lazy(), on="key", how="semi")
    found = dict(known.collect(engine="streaming").iter_rows())
    if strange := next((row for row in wanted["key"] if row not in found), ""):
        cause = f"{strange[:40]!r} is no caption of it"
        raise UsageError(
            "a sheet is not of this build", cause=cause, where=str(build), hint="name the build it is of"
        )
    return found


def write_sheet(path: Path, lines: Iterable[Line]) -> None:
    """The lines as CSV, with empty columns for the rater; no cell is a formula to any spreadsheet."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for line in lines:
        cells = (line.row, " | ".join(line.before), "; ".join(line.events), line.after)
        writer.writerow([*map(harmless, cells), "", "", ""])
    write_bytes(path, text.getvalue().encode("utf-8-sig"))


def harmless(cell: str) -> str:
    """The text on one line, with an apostrophe before what a spreadsheet would take for a formula."""
    plain = " ".join("".join(one if one.isprintable() else " " for one in cell).split())
    return f"'{plain}" if plain.startswith(_FORMULA) else plain


def read_sheet(path: Path) -> dict[str, Opinion]:
    """The opinions of one person by row, rows without one left out; UsageError where the sheet is not ours."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, restval=""))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(
            f"{path.name} cannot be read", cause=str(error), hint="give a CSV file in UTF-8"
        ) from error
    if not rows or not {"row", "right"} <= {*rows[0]}:
        hint = "fill in the columns `right` and `reason` of what captionstew enrich audit wrote, and keep the others"
        raise UsageError(
            f"{path.name} is no sheet of an audit", cause="it has no columns row and right", hint=hint
        )
    found: dict[str, Opinion] = {}
    for number, row in enumerate(rows, 2):
        said = row["right"].strip().lower()
        if said:
            found[row["row"]] = _opinion(said, row.get("reason", ""), path.name, number)
    return found


def _opinion(said: str, reason: str, name: str, number: int) -> Opinion:
    if said not in _YES | _NO:
        hint = nearest(said, ("yes", "no"))
        raise UsageError(f"{name}, line {number}: {said[:20]!r} is neither yes nor no", hint=hint)
    return Opinion(said in _YES, " ".join(reason.lower().split())[:40])


def _quota(sizes: pl.DataFrame, count: int) -> pl.DataFrame:
    """How many rows of each kind and corpus: in proportion, by the largest remainders (Hamilton's method)."""
    there = {bool(kept): int(rows) for kept, rows in sizes.group_by("kept").agg(pl.sum("len")).iter_rows()}
    passed = min(round(_KEPT_SHARE * count), there.get(True, 0))
    others = min(count - passed, there.get(False, 0))
    wanted = {True: min(count - others, there.get(True, 0)), False: others}
    parts = []
    for kept, most in wanted.items():
        part = sizes.filter(pl.col("kept") == kept)
        share = pl.col("len") * most / max(1, there.get(kept, 0))
        part = part.with_columns(most=share.floor().cast(pl.Int64), rest=share - share.floor())
        left = most - int(part["most"].sum())
        more = pl.col("rest").rank("ordinal", descending=True) <= left
        parts.append(part.with_columns(pl.col("most") + more.cast(pl.Int64)).select("kept", "corpus", "most"))
    return pl.concat(parts)


def _originals(build: Path, clips: pl.Series) -> dict[str, tuple[str, ...]]:
    """The captions of these clips that no model of ours wrote, as the shards have them."""
    rows = pl.scan_parquet(build / "data" / "*" / "*" / "*.parquet").select("clip_id", "captions")
    found = rows.filter(pl.col("clip_id").is_in(clips.unique().implode())).collect(engine="streaming")
    return {clip: _texts(captions) for clip, captions in found.iter_rows()}


def _texts(captions: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    return tuple(one["text"] for one in captions if one["source"] != GENERATED)
