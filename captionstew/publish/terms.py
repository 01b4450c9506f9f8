"""Terms: what a licence is called, where its text is, and what it asks (`pipelines/release/licenses.toml`)."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache

from captionstew.corpora.license import CREATIVE_COMMONS
from captionstew.corpora.strict import build
from captionstew.rooms import room

_CREATIVE = re.compile(r"CC-(BY(?:-NC)?(?:-SA|-ND)?)-(\d\.\d)")
_SPOKEN = {"BY": "Attribution", "NC": "NonCommercial", "SA": "ShareAlike", "ND": "NoDerivatives"}


@dataclass(frozen=True)
class Terms:
    """What one licence asks; None is what nobody has stated, or nobody here has read."""

    title: str
    url: str = ""  # of its text; empty where it has none but the page that a corpus names
    attribution: bool | None = None  # whoever passes it on names the author
    commercial: bool | None = None  # it may be used commercially
    share_alike: bool | None = None  # what is made of it keeps the licence


def terms(license: str) -> Terms:
    """The terms of an SPDX id or LicenseRef; of one that nobody has looked at, its own words."""
    if found := _CREATIVE.fullmatch(license):
        return _creative(license, found[1].split("-"), found[2])
    return _known().get(license, Terms(license.removeprefix("LicenseRef-").replace("-", " ")))


def _creative(license: str, parts: list[str], version: str) -> Terms:
    path = next((path for path, spdx in CREATIVE_COMMONS.items() if spdx == license), "")
    title = f"Creative Commons {'-'.join(_SPOKEN[part] for part in parts)} {version}"
    url = f"https://creativecommons.org/licenses/{path}/" if path else ""
    return Terms(title, url, True, "NC" not in parts, "SA" in parts)


@cache
def _known() -> dict[str, Terms]:
    file = room("pipelines") / "release" / "licenses.toml"
    tables = tomllib.loads(file.read_text(encoding="utf-8"))
    return {name: build(Terms, table, f"{file.name}, {name}") for name, table in tables.items()}
