"""What is wrong with a row of annotations, and where: the slow second look after a fast reader gave up."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from captionstew.errors import CorpusError

if TYPE_CHECKING:
    from captionstew.corpora.find import Found


@dataclass(frozen=True)
class Fault:
    """The first broken row of a file: its line (counted from 1), how it begins, and what is wrong with it."""

    line: int
    text: str
    cause: str


@dataclass(frozen=True)
class Numbers:
    """Columns that hold numbers: `required` in every row, `optional` where they are not empty."""

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


def located(corpus: str, found: "Found", numbers: Numbers) -> CorpusError | None:
    """The error about the first row that the file's own reader cannot make sense of, or None."""
    module = importlib.import_module(f"captionstew.corpora.readers.{found.file.read.reader}")
    if hasattr(module, "fault"):
        for path in found.paths:
            fault: Fault | None = module.fault(path, found.file.read, numbers)
            if fault is not None:
                return _error(corpus, path, fault)
    return None


def explained(corpus: str, found: "Found", numbers: Numbers, cause: str) -> CorpusError:
    """The error about the first broken row; where none can be named, about the file."""
    where = ", ".join(str(path) for path in found.paths)
    hint = "get the file again, or mend it"
    unlocated = CorpusError(f"{corpus}: the annotations cannot be read", cause=cause, where=where, hint=hint)
    return located(corpus, found, numbers) or unlocated


def _error(corpus: str, path: Path, fault: Fault) -> CorpusError:
    begins = f", which begins {fault.text[:60]!r}" if fault.text else ""
    return CorpusError(
        f"{corpus}: a row cannot be read",
        cause=fault.cause,
        where=f"{path}, line {fault.line}{begins}",
        hint="mend the row or remove it; if the download was cut short, get the file again",
    )
