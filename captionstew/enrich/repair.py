"""Repair: what can be set right in a model's answer without guessing what it meant."""

import json
import re

_FENCE = re.compile(r"^\s*```\w*\s*(.*?)\s*```\s*$", re.DOTALL)
_LEAD = re.compile(
    r"^\W*(?:(?:new|rewritten|revised|final|enriched)\s+)?(?:(?:audio|sound)\s+)?(?:caption|output|answer|description)\s*:[\s*]*",
    re.IGNORECASE,
)
_BULLET = re.compile(r"^\s*(?:[-*\u2022]|1[.)])\s+")
_WRAPS = (
    ('"', '"'),
    ("'", "'"),
    ("\u201c", "\u201d"),
    ("\u2018", "\u2019"),
    ("**", "**"),
    ("*", "*"),
    ("`", "`"),
)
# Where a text begins with a letter and has none of these, as most do, there is nothing to take off or to set right.
_ODD = re.compile(r":|[^\S ]|\s[\s.,;!?]|^\d|\s\Z")
# {caption: 'A dog barks',  with any quotes around key and text, a comma too many, or no brace at its end
_OBJECT = re.compile(
    r"\{\s*[\"'\u2018-\u201d]?\w+[\"'\u2018-\u201d]?\s*:\s*"
    r"(?P<open>[\"'\u2018\u201c])(?P<inner>.+)(?P<close>[\"'\u2019\u201d])\s*,?\s*\}?",
    re.DOTALL,
)
_PAIRS = {'"': '"', "'": "'", "\u2018": "\u2019", "\u201c": "\u201d"}
_SPACE_BEFORE = re.compile(r"\s+([.,;:!?])")


def repair(text: str) -> str:
    """The answer without a leading "Caption:", a list mark, wrapping quotes, a code fence or JSON of one field.

    White space is single and a full stop ends it. Whatever needs judgement stays for the guard; repairing twice
    changes nothing more.
    """
    if text[:1].isalnum() and not _ODD.search(text):
        return text + "." if text[-1].isalnum() else text
    before = None
    while text != before:
        before, text = text, _once(text)
    return text + "." if text and text[-1].isalnum() else text


def _once(text: str) -> str:
    fenced = _FENCE.match(text)
    text = _unwrapped(" ".join(_field(fenced[1] if fenced else text).split()))
    text = _BULLET.sub("", _LEAD.sub("", text, count=1), count=1)
    return _SPACE_BEFORE.sub(r"\1", text).strip()


def _unwrapped(text: str) -> str:
    for opening, closing in _WRAPS:
        inner = text[len(opening) : -len(closing)]
        wrapped = text.startswith(opening) and text.endswith(closing) and len(text) > len(opening + closing)
        if wrapped and opening not in inner and closing not in inner:
            return inner.strip()
    return text


def _field(text: str) -> str:
    """The one text of a JSON object of one field, also where its quotes, commas or last brace are at fault; any other
    text as it is."""
    if not text.lstrip().startswith("{"):
        return text
    try:
        found = json.loads(text, strict=False)
    except ValueError:
        return _nearly(text)
    values = list(found.values()) if isinstance(found, dict) else []
    return values[0] if len(values) == 1 and isinstance(values[0], str) else text


def _nearly(text: str) -> str:
    """The one text of what is almost such an object; the text as it is if there are several, or it is cut off."""
    found = _OBJECT.fullmatch(text.strip())
    if not found or found["open"] not in _PAIRS or found["close"] != _PAIRS[found["open"]]:
        return text
    inner, close = found["inner"], found["close"]
    if re.search(rf"(?<!\\){close}\s*[,:}}]", inner) or (close == '"' and re.search(r'(?<!\\)"', inner)):
        return text
    return inner.replace("\\n", " ").replace("\\", "").strip()
