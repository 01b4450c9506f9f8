"""What changed from one caption to another, word by word."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from captionstew.report.html import Html, element, join

_PIECE = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*|\s+|[^\w\s]|_")


def closest(text: str, others: Sequence[str]) -> int | None:
    """The place of the text that shares most words in order with this one; None if there are none."""
    if not others:
        return None
    mine = _keys(_PIECE.findall(text))
    return max(
        range(len(others)),
        key=lambda at: (
            SequenceMatcher(None, _keys(_PIECE.findall(others[at])), mine, autojunk=False).ratio(),
            -at,
        ),
    )


def changed(before: str, after: str) -> tuple[Html, Html]:
    """Both texts, with the words that are not in the other marked as deleted and as inserted."""
    old, new = _PIECE.findall(before), _PIECE.findall(after)
    matcher = SequenceMatcher(None, _keys(old), _keys(new), autojunk=False)
    left: list[Html] = []
    right: list[Html] = []
    for kind, a, b, c, d in matcher.get_opcodes():
        left.append(_marked(old[a:b], "del" if kind != "equal" else ""))
        right.append(_marked(new[c:d], "ins" if kind != "equal" else ""))
    return join(*left), join(*right)


def _keys(pieces: Sequence[str]) -> list[str]:
    """As they are compared: without case, one blank for any."""
    return [piece.lower() if piece.strip() else " " for piece in pieces]


def _marked(pieces: Sequence[str], tag: str) -> Html:
    """The pieces, blanks and punctuation at either end outside of the mark."""
    if not tag:
        return join(*pieces)
    first, last = 0, len(pieces)
    while first < last and not pieces[first][0].isalnum():
        first += 1
    while last > first and not pieces[last - 1][0].isalnum():
        last -= 1
    inside = element(tag, *pieces[first:last]) if first < last else None
    return join(*pieces[:first], inside, *pieces[last:])
