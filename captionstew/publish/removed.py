"""Clips that were taken down: read from the publisher's list, joined with those of all tags before."""

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import polars as pl

from captionstew.clip import is_safe_id
from captionstew.corpora.strict import nearest
from captionstew.errors import StewError
from captionstew.publish.contents import Removal

COLUMNS = ("clip_id", "reason", "date")
_READERS: Mapping[str, Callable[[Path], pl.DataFrame]] = {
    ".csv": lambda path: pl.read_csv(path, infer_schema=False),
    ".parquet": pl.read_parquet,
    ".jsonl": pl.read_ndjson,
    ".ndjson": pl.read_ndjson,
}


def read_removals(path: Path, tag: str = "") -> tuple[Removal, ...]:
    """The rows of a list with `COLUMNS`, in its order; StewError names the first row that is not in order."""
    table = _table(path)
    if missing := [name for name in COLUMNS if name not in table.columns]:
        cause = f"its columns are {', '.join(table.columns)}"
        close = nearest(missing[0], table.columns)
        add = f"add it: {' and '.join(COLUMNS)} (YYYY-MM-DD) belong in each row"
        hint = f"{close} rename it" if close.startswith("did") else add
        raise StewError(
            f"the list of removals has no column `{missing[0]}`", cause=cause, where=str(path), hint=hint
        )
    rows = table.select(pl.col(name).cast(pl.String).str.strip_chars() for name in COLUMNS).iter_rows()
    found = []
    for number, row in enumerate(rows, 1):
        if fault := _fault(*row):
            raise StewError(f"row {number} of the list of removals is not in order", cause=fault, where=str(path),
                            hint="mend it; the same command goes on")  # fmt: skip
        found.append(Removal(clip_id=row[0], reason=row[1], date=row[2], tag=tag))
    return tuple(found)


def joined(before: Iterable[Removal], now: Sequence[Removal]) -> tuple[Removal, ...]:
    """All removals by id; one that was there before stays as it is."""
    known = {one.clip_id: one for one in (*now[::-1], *before)}
    return tuple(known[clip_id] for clip_id in sorted(known))


def _table(path: Path) -> pl.DataFrame:
    reader = _READERS.get(path.suffix.lower())
    if reader is None or not path.is_file():
        cause = "there is no such file" if not path.is_file() else f"{path.suffix or 'it'} is no table"
        hint = f"give a table with {', '.join(COLUMNS)}: {' '.join(_READERS)}"
        raise StewError("the list of removals cannot be read", cause=cause, where=str(path), hint=hint)
    try:
        return reader(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        cause = str(error).splitlines()[0]
        raise StewError(
            "the list of removals cannot be read", cause=cause, where=str(path), hint="mend it"
        ) from error


def _fault(clip_id: str | None, reason: str | None, date: str | None) -> str:
    if not clip_id or not is_safe_id(clip_id):
        return f"{clip_id!r} is no clip id"
    if not reason:
        return f"{clip_id} has no reason"
    try:
        datetime.date.fromisoformat(date or "")
    except ValueError:
        return f"{clip_id}: {date!r} is no date (YYYY-MM-DD)"
    return ""
