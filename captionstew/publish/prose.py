"""Prose: the sentences of cards and datasheets, facts in `pipelines/release`, with the numbers of a release set in."""

import string
import textwrap
import tomllib
from collections.abc import Mapping
from functools import cache
from typing import Any

from captionstew.rooms import room


def prose(name: str) -> Mapping[str, Any]:
    """The table of facts `pipelines/release/NAME.toml`."""
    return _read(name)


def filled(template: str, values: Mapping[str, object]) -> str:
    """The sentences with every `{value}` set in; AssertionError where they name one that nobody computes."""
    names = {field for _, field, _, _ in string.Formatter().parse(template) if field is not None}
    assert names <= values.keys(), f"nobody computes {sorted(names - values.keys())}"
    return textwrap.dedent(template).format_map(values).strip()


def reason(name: str) -> str:
    """What a reason for a drop means; the reason itself where it says all there is."""
    return str(prose("reasons").get(name, name.replace("-", " ")))


@cache
def _read(name: str) -> Mapping[str, Any]:
    file = room("pipelines") / "release" / f"{name}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))
