"""Generators: the models that wrote captions, the license of each, and whether what it wrote may be published."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from typing import Literal

from captionstew.corpora.strict import build
from captionstew.rooms import room
from captionstew.shards.manifest import Enrichment

FILE = "models.toml"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Model:
    """What the license of models of these names (at `url`; noted on `date`) says of the text that they write."""

    names: tuple[str, ...]  # patterns
    license: str
    url: str
    date: str
    outputs: Literal["yes", "clause", "no"]  # clause: `says` goes with them
    says: str


@dataclass(frozen=True)
class _Models:
    models: tuple[Model, ...] = field(metadata={"key": "model"})


@dataclass(frozen=True)
class Generator:
    """A model that wrote captions of a release, how many of them, by which prompts, and its license."""

    model: str
    revision: str
    captions: int
    prompts: tuple[str, ...]  # name@hash
    license: Model

    @property
    def forbids(self) -> bool:
        """Whether its captions stay out of a release, unless the publisher overrules that with a note."""
        return self.license.outputs == "no"


@cache
def models() -> tuple[Model, ...]:
    """All rows of `pipelines/models.toml`, in their order."""
    facts = tomllib.loads((room("pipelines") / FILE).read_text(encoding="utf-8"))
    return build(_Models, facts, FILE).models


def license_of(model: str) -> Model:
    """What is known of a model by its name, `name@revision` or folder; one that no row names may not be published."""
    name = model.partition("@")[0].rstrip("/")
    local = name.startswith(("/", "~", ".")) or "/" not in name
    folder = name.rpartition("/")[2] if local else None
    for one in models():
        for pattern in one.names:
            # The same weights in a folder of one's own go by the folder's name.
            if fnmatchcase(name, pattern) or (folder and fnmatchcase(folder, pattern.rpartition("/")[2])):
                return one
    says = f"nobody has looked at the license of {name or 'this model'}: pipelines/{FILE} does not name it"
    return Model((name,), UNKNOWN, "", "", "no", says)


def generators(rows: Iterable[Enrichment]) -> tuple[Generator, ...]:
    """The roll-up of a manifest's `enrichment`: each model and revision that a kept caption is from, in their order."""
    found: dict[tuple[str, str], Generator] = {}
    for row in rows:
        if row.passed:
            key = row.model, row.revision
            one = found.get(key) or Generator(*key, 0, (), license_of(row.model))
            found[key] = Generator(*key, one.captions + row.passed, (*one.prompts, row.prompt), one.license)
    return tuple(found.values())
