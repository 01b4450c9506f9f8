"""Markdown that hostile text cannot break: cells, links, tables, fences, and numbers as people read them."""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote, urlsplit

from captionstew import figures

NONE = "none"
UNKNOWN = "?"
# What Markdown, its tables or HTML give a meaning; as entities they are text wherever they stand.
_SPECIAL = {ord(sign): f"&#{ord(sign)};" for sign in "&<>|`*_[]\\#~${}@\"'"}
_PLAIN = {**_SPECIAL, ord("'"): "'", ord('"'): '"'}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_INVISIBLE = re.compile(r"[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")  # they turn or hide text
_LINKED = re.compile(r"(?i)(://|\bwww\.)")
_LISTED = re.compile(r"^([-+]|\d+[.)](?=\s))")  # would begin a list
_URL_SAFE = "/:?&=%#+~,;.-_@!"


def text(value: str, most: int = 300) -> str:
    """Any text as plain words of one line; no markup in it works, and no address becomes a link."""
    return _LINKED.sub(_unlinked, _LISTED.sub(_unlisted, _one_line(value, most).translate(_PLAIN)))


def words(value: str) -> str:
    """Our own sentences from facts: what stands between backticks is code, all else plain words of one line."""
    parts = _one_line(value, 2000).split("`")
    return "".join(code(part) if number % 2 else _spaced(part) for number, part in enumerate(parts))


def attribute(value: str) -> str:
    """Any text as the value of an HTML attribute, without its quotes."""
    return _one_line(value, 2000).translate(_SPECIAL)


def link(words: str, url: str | None) -> str:
    """A link of these (raw) words to an http address; the words alone where the address is none."""
    if not (target := address(url)):
        return text(words)
    return f"[{text(words)}]({target})"


def address(url: str | None) -> str:
    """An http address that ends nothing it stands in; empty for every other."""
    if not url or _CONTROL.search(url):
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return quote(url, safe=_URL_SAFE) if parts.scheme in {"http", "https"} and parts.netloc else ""


def code(value: str) -> str:
    """Any text as code within a line."""
    plain = _one_line(value, 300).replace("|", "&#124;")
    if "`" in plain or "&#124;" in plain:
        return f"<code>{text(value)}</code>"
    return f"`{plain}`" if plain else ""


def fence(content: str, language: str = "") -> str:
    """A block of code that no line of the content ends."""
    marks = max((len(run) for run in re.findall(r"`+", content)), default=0)
    bar = "`" * max(3, marks + 1)
    return f"{bar}{language}\n{content.rstrip()}\n{bar}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already; a heading that ends in `:` is of numbers.

    A column with nothing in it is left out, and a table without a row is `none`.
    """
    listed = list(rows)
    used = [place for place in range(len(head)) if any(row[place] for row in listed)]
    if not used:
        return NONE
    names = [head[place] for place in used]
    rule = "| " + " | ".join("---:" if name.endswith(":") else "---" for name in names) + " |"
    lines = [_line([row[place] for place in used]) for row in listed]
    return "\n".join([_line([name.removesuffix(":") for name in names]), rule, *lines])


def bullets(lines: Iterable[str]) -> str:
    """A list of lines that are Markdown already; an empty one is `none`."""
    return "\n".join(f"- {line}" for line in lines) or NONE


def details(summary: str, content: str) -> str:
    """Something long behind a line that one clicks on."""
    return f"<details>\n<summary>{summary}</summary>\n\n{content}\n\n</details>"


def enumerated(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def hours(number: float) -> str:
    """`0.20`, `37.1`, `2,769`; less than half a minute is said so."""
    if 0 < number < 0.005:
        return "under 0.01"
    if number >= 1000:
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 10 else f"{number:.2f}"


def size(number: float) -> str:
    """`980 B`, `16.6 MB`, `3.2 TB`: decimal, as disks are sold; not to be parted at the end of a line."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 999.5:
            return (
                f"{number:.0f}&nbsp;{unit}" if unit == "B" or number >= 100 else f"{number:.1f}&nbsp;{unit}"
            )
        number /= 1000
    return f"{number:,.1f}&nbsp;TB"


def share(part: float, whole: float) -> str:
    """`0 %`, `0.4 %`, `12 %`, `100 %`, `under 0.1 %`, `over 99 %`: no sign that Markdown gives a meaning."""
    return figures.share(part, whole).replace("<", "under ").replace(">", "over ")


def _line(cells: Sequence[str]) -> str:
    assert not any("\n" in cell for cell in cells), f"a cell of several lines: {cells}"
    return "| " + " | ".join(cells) + " |"


def _spaced(part: str) -> str:
    """Plain words with the blanks at their ends."""
    left, right = part[: len(part) - len(part.lstrip())], part[len(part.rstrip()) :]
    return f"{left}{text(part, 2000)}{right}" if part.strip() else part


def _unlisted(found: re.Match[str]) -> str:
    return f"{found[0][:-1]}&#{ord(found[0][-1])};"


def _unlinked(found: re.Match[str]) -> str:
    return "&#58;//" if found[0] == "://" else found[0][:-1] + "&#46;"


def _one_line(value: str, most: int) -> str:
    plain = " ".join(_INVISIBLE.sub("", _CONTROL.sub(" ", value)).split())
    return plain if len(plain) <= most else plain[: most - 1].rstrip() + "\u2026"
