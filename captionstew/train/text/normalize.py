"""Captions as the literature's text towers were fed with them."""

import re
from typing import Literal

Normalize = Literal["none", "auden", "lower"]

_SPACE_BEFORE = re.compile(r'\s+(?=[,.!?;:"](?:\s|$))')
_MARKS = re.compile(r'[(),.!?;:|*"\[\]{}]')


def normalize(caption: str, how: Normalize) -> str:
    """The caption as it is, in lower case, or as Auden has it: lower case, no punctuation, single spaces."""
    if how == "none":
        return caption
    caption = caption.lower()
    if how == "lower":
        return caption
    return " ".join(_MARKS.sub(" ", _SPACE_BEFORE.sub("", caption)).split())
