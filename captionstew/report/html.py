"""Elements of HTML: what is not an element already is escaped, so that no text of others becomes markup."""

import re
from collections.abc import Iterable, Sequence
from html import escape

# Others' text may hold what no HTML parser takes (NUL), or what turns the order of a line around.
_CONTROL = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_URL = re.compile(r"https?://[^\s\"'<>\\]+")
_EMPTY = frozenset({"img", "input", "meta", "col", "br", "hr"})


class Html(str):
    """Markup that is safe as it stands."""

    __slots__ = ()


Child = str | int | float | None  # None is nothing


def text(value: Child) -> Html:
    """Markup stays, anything else is escaped."""
    if isinstance(value, Html):
        return value
    return Html("" if value is None else escape(_CONTROL.sub("\ufffd", str(value))))


def join(*parts: Child, by: str = "") -> Html:
    """One after the other."""
    return Html(text(by).join(text(part) for part in parts if part is not None))


def element(name: str, /, *children: Child, **attributes: str | int | float | bool | None) -> Html:
    """`<name ...>children</name>`; of an attribute `class_` is `class`, `aria_label` is `aria-label`.

    None and False leave an attribute out. Styles and handlers inside elements would be stopped by the page's policy.
    """
    given = []
    for key, value in attributes.items():
        label = key.rstrip("_").replace("_", "-")
        assert not label.startswith(("on", "style")), label
        if value is True:
            given.append(f" {label}")
        elif value is not None and value is not False:
            given.append(f' {label}="{text(str(value))}"')
    opened = f"<{name}{''.join(given)}>"
    return Html(opened if name in _EMPTY else f"{opened}{join(*children)}</{name}>")


def link(label: Child, url: str) -> Html:
    """A link to a page of others; where the address is none of the web, the label alone."""
    if not _URL.fullmatch(url):
        return text(label)
    return element("a", label, href=url, rel="noopener noreferrer", target="_blank")


def table(
    head: Sequence[Child], rows: Iterable[Sequence[Child]], *, caption: str, numbers: Iterable[int] = ()
) -> Html:
    """A table whose columns `numbers` hold figures; it scrolls in itself where the screen is narrow.

    A cell that is a `th` or `td` already stays as it is; the first of each row is its head.
    """
    right = frozenset(numbers)
    kinds = ["number" if place in right else None for place in range(len(head))]
    top = [element("th", name, scope="col", class_=kind) for name, kind in zip(head, kinds, strict=True)]
    body = [
        element(
            "tr", *(_cell(cell, kind, not at) for at, (cell, kind) in enumerate(zip(row, kinds, strict=True)))
        )
        for row in rows
    ]
    whole = element(
        "table",
        element("caption", caption, class_="unseen"),
        element("thead", element("tr", *top)),
        element("tbody", *body),
    )
    return element("div", whole, class_="scroll", tabindex="0", role="region", aria_label=caption)


def _cell(cell: Child, kind: str | None, first: bool) -> Html:
    if isinstance(cell, Html) and cell.startswith(("<td", "<th")):
        return cell
    return element("th", cell, scope="row") if first else element("td", cell, class_=kind)


def details(summary: Child, *body: Child, id: str | None = None, open: bool = False) -> Html:
    """What opens on demand."""
    return element("details", element("summary", summary), *body, id=id, open=open)


def paragraph(*parts: Child, class_: str | None = None) -> Html:
    """A paragraph."""
    return element("p", *parts, class_=class_)
