"""Lines of manifests that strangers wrote: compressed or not, never longer than memory."""

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from captionstew.errors import CorpusError

_LONGEST = 16 << 20  # bytes of a line; a cut takes a few thousand


@dataclass(frozen=True)
class Line:
    """A line by its number, from 1 on: the object that it holds, or what is wrong with it."""

    path: Path
    number: int
    value: dict[str, Any]
    fault: str = ""

    @property
    def where(self) -> str:
        """Its place, for people."""
        return f"{self.path.name}, line {self.number}"


def objects(path: Path) -> Iterator[Line]:
    """Every line that is not blank; CorpusError if the file cannot be read to its end."""
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"  # by content: names lie
        raw.seek(0)
        file = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw
        try:
            for number, data in enumerate(_lines(file), 1):
                if data is None:
                    yield Line(path, number, {}, f"longer than {_LONGEST >> 20} MB")
                elif data.strip():
                    yield _object(path, number, data)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            hint = "get it again: it is cut short or damaged"
            raise CorpusError(
                f"{path.name} cannot be read", cause=str(error), where=str(path), hint=hint
            ) from error


def _lines(file: BinaryIO) -> Iterator[bytes | None]:
    """The lines; None in place of one that is too long."""
    while data := file.readline(_LONGEST):
        if len(data) < _LONGEST or data.endswith(b"\n"):
            yield data
            continue
        while (rest := file.readline(_LONGEST)) and not rest.endswith(b"\n"):
            pass
        yield None


def _object(path: Path, number: int, data: bytes) -> Line:
    try:
        value = json.loads(data.decode("utf-8"), parse_constant=_refused)
        if b"\\u" in data:
            json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError) as error:
        return Line(path, number, {}, f"no JSON: {error}")
    if not isinstance(value, dict):
        return Line(path, number, {}, "no JSON object")
    return Line(path, number, value)


def _refused(constant: str) -> float:
    raise ValueError(f"{constant} is no number")
