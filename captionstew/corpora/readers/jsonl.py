"""JSON lines: one object per line."""

import json
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from captionstew.corpora.facts import Reading
from captionstew.corpora.fault import Fault, Numbers
from captionstew.corpora.find import Found

if TYPE_CHECKING:
    from captionstew.corpora.find import Shelf


def rows(found: Found, shelf: "Shelf") -> pl.LazyFrame:
    """The fields of all lines; one that some lines lack is null there."""
    return pl.concat(
        [pl.scan_ndjson(path, infer_schema_length=None) for path in found.paths], how="diagonal_relaxed"
    )


def fault(path: Path, read: Reading, numbers: Numbers) -> Fault | None:
    """The first line that is no JSON object, or has no number where one must be."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for line, text in enumerate(file, 1):
            cause = _cause(text, numbers) if text.strip() else ""
            if cause:
                return Fault(line, text.strip(), cause)
    return None


def _cause(text: str, numbers: Numbers) -> str:
    try:
        row = json.loads(text)
    except json.JSONDecodeError as error:
        return f"no JSON: {error.msg} at character {error.pos + 1}"
    if not isinstance(row, dict):
        return "no JSON object"
    for name in (*numbers.required, *numbers.optional):
        given = row.get(name)
        if not is_number(given) and (given is not None or name in numbers.required):
            return f"{name} is {given!r}, not a number"
    return ""


def is_number(value: object) -> bool:
    """Whether a JSON value is a finite number, or the text of one."""
    if not isinstance(value, str | int | float):
        return False
    try:
        return isfinite(float(value))
    except ValueError:
        return False
