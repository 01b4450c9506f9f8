"""AudioSet's classes and the ontology above them: names, what one name says of others, names of other corpora."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from captionstew.corpora.strict import build
from captionstew.digest import file_sha256
from captionstew.rooms import room

_PUNCTUATION = re.compile(r"[\s,_()./-]+")


@dataclass(frozen=True)
class Facts:
    """`pipelines/events/audioset.toml` as it stands: one line per class, in the order of models' outputs."""

    source: str
    license: str
    scene: tuple[str, ...]
    alone: tuple[str, ...]
    vague: tuple[str, ...]
    classes: str
    groups: str
    children: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Ontology:
    """The 527 classes by display name, and what lies above them (Gemmeke et al. 2017).

    `scene` names where a recording was made, `alone` counts where nothing else is heard, `vague` names no one sound.
    """

    classes: tuple[str, ...]
    mids: Mapping[str, str]  # machine id -> name; groups of the ontology too
    parents: Mapping[str, tuple[str, ...]]
    scene: frozenset[str] = frozenset()
    alone: frozenset[str] = frozenset()
    vague: frozenset[str] = frozenset()
    others: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # corpus -> its name -> AudioSet's

    @cached_property
    def places(self) -> Mapping[str, int]:
        """The place of each class among a model's outputs."""
        return {name: place for place, name in enumerate(self.classes)}

    @cached_property
    def implied(self) -> Mapping[str, frozenset[str]]:
        """What a text that says a name has said as well: its ancestors on every way up to a root.

        Speech of male speech; but of a growl neither dog nor cat, since both growl, only that it is an animal.
        """
        found: dict[str, frozenset[str]] = {}

        def above(name: str) -> frozenset[str]:
            if name not in found:
                ways = [above(parent) | {parent} for parent in self.parents.get(name, ())]
                found[name] = frozenset.intersection(*ways) if ways else frozenset()
            return found[name]

        for name in self.mids.values():
            above(name)
        return found

    @cached_property
    def _by_key(self) -> Mapping[str, str]:
        return {_key(name): name for name in self.mids.values()}

    def canonical(self, name: str, corpus: str = "") -> str:
        """AudioSet's display name of a label: a name, a machine id, or the corpus' own name; the label if none fits.

        Case and punctuation do not count: FSD50K's `Dishes_and_pots_and_pans` is `Dishes, pots, and pans`.
        """
        own = self.others.get(corpus, {}).get(name)
        return own or self.mids.get(name) or self._by_key.get(_key(name), name)

    def folded(self, names: Iterable[str]) -> list[str]:
        """These names without those that another of them implies, and without `alone` ones in company."""
        given = list(dict.fromkeys(names))
        if len(given) < 2:
            return given
        said = {above for name in given for above in self.implied.get(name, ())}
        left = [name for name in given if name not in said]
        company = [name for name in left if name not in self.alone]
        return company or left


@cache
def ontology() -> Ontology:
    """AudioSet's, from the facts beside the recipes."""
    folder = room("pipelines") / "events"
    facts = build(Facts, _table(folder / "audioset.toml"), "audioset.toml")
    classes, groups = _lines(facts.classes), _lines(facts.groups)
    parents: dict[str, tuple[str, ...]] = {}
    for parent, children in facts.children.items():
        for child in children:
            parents[child] = (*parents.get(child, ()), parent)
    words = {name: frozenset(getattr(facts, name)) for name in ("scene", "alone", "vague")}
    others = _table(folder / "corpora.toml")
    made = Ontology(tuple(classes.values()), {**classes, **groups}, parents, **words, others=others)
    _check(made)
    return made


def facts_digest() -> str:
    """A hash of the facts: what was folded by other facts is not up to date."""
    folder = room("pipelines") / "events"
    return file_sha256(folder / "audioset.toml") + file_sha256(folder / "corpora.toml")


def _table(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return tomllib.load(file)


def _lines(text: str) -> dict[str, str]:
    """Machine ids and names."""
    pairs = [line.split(maxsplit=1) for line in text.strip().splitlines()]
    return {mid: name.strip() for mid, name in pairs}


def _check(made: Ontology) -> None:
    """Every name of the facts is one of the ontology's."""
    names = set(made.mids.values())
    mapped = {name for table in made.others.values() for name in table.values()}
    used = {*made.parents, *(p for several in made.parents.values() for p in several), *mapped}
    stray = sorted((used | made.scene | made.alone | made.vague) - names)
    assert not stray, f"the facts of the ontology name what is not in it: {stray}"
    assert len(made.classes) == len(set(made.classes)) == 527, len(made.classes)


def _key(name: str) -> str:
    words = _PUNCTUATION.sub(" ", name.lower()).split()
    return " ".join(word for word in words if word not in {"and", "etc"})
