"""Plain tables: aligned columns, no boxes, cut to the terminal."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from unicodedata import category, east_asian_width

_GAP = "  "
_MORE = "\u2026"


@dataclass(frozen=True)
class Column:
    """A column: `right` for numbers, `least` is how narrow it may get, `spare` columns go first (the highest first)."""

    title: str
    right: bool = False
    least: int = 0  # 0: never cut
    spare: int = 0  # 0: always there


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]], width: int | None = None) -> list[str]:
    """The lines of a table with its titles, no wider than `width`; two blanks stand before it."""
    body = [list(row) for row in rows]
    cells = [[column.title for column in columns], *body] if any(c.title for c in columns) else body
    shown = list(range(len(columns)))
    widest = [max((cell_width(row[i]) for row in cells), default=0) for i in shown]
    while (
        width and _wide(columns, widest, shown, least=True) > width and any(columns[i].spare for i in shown)
    ):
        shown.remove(max(shown, key=lambda i: columns[i].spare))
    for i in sorted(shown, key=lambda i: -columns[i].least):
        over = _wide(columns, widest, shown) - width if width else 0
        if over > 0 and columns[i].least:
            widest[i] = max(columns[i].least, widest[i] - over)
    return [_line(columns, row, widest, shown) for row in cells]


def cell_width(text: str) -> int:
    """Terminal cells that a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if category(c) in {"Mn", "Me", "Cf"} else 2 if east_asian_width(c) in "WF" else 1 for c in text
    )


def cut(text: str, width: int) -> str:
    """The text in at most `width` cells, with an ellipsis where something is missing."""
    if cell_width(text) <= width:
        return text
    while text and cell_width(text) > width - 1:
        text = text[:-1]
    return text.rstrip() + _MORE


def _wide(
    columns: Sequence[Column], widest: Sequence[int], shown: Sequence[int], *, least: bool = False
) -> int:
    widths = [min(widest[i], columns[i].least) if least and columns[i].least else widest[i] for i in shown]
    return sum(widths) + len(_GAP) * len(shown)


def _line(columns: Sequence[Column], row: Sequence[str], widths: Sequence[int], shown: Sequence[int]) -> str:
    cells = []
    for i in shown:
        text = cut(row[i], widths[i])
        blank = " " * (widths[i] - cell_width(text))
        cells.append(blank + text if columns[i].right else text + blank)
    return (_GAP + _GAP.join(cells)).rstrip()
