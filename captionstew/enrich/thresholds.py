"""From a score to a word: certain, possible or neither, class by class, by default or calibrated on labelled clips."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from captionstew.corpora.strict import build, nearest
from captionstew.digest import digest
from captionstew.enrich.ontology import Ontology, ontology
from captionstew.errors import RecipeError
from captionstew.shards.atomic import write_bytes

Scores = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
Tier = Literal["certain", "possible"]
FLOOR = 0.02  # lower scores are not kept on disk, so that no threshold may ask for them


@dataclass(frozen=True)
class Tiers:
    """The labels of one clip, best first: what is there, and what may be."""

    certain: tuple[str, ...] = ()
    possible: tuple[str, ...] = ()


@dataclass(frozen=True)
class Thresholds:
    """The least score of each class for either tier; `least_certain` and `least_possible` for classes without one.

    AudioSet taggers are shy: half of their classes peak below 0.5 on clips that hold them, hence the floor of 0.15 for
    what may be there. A label set by people scores 1 and is certain under any threshold.
    """

    least_certain: float = 0.5
    least_possible: float = 0.15
    certain: Mapping[str, float] = field(default_factory=dict)
    possible: Mapping[str, float] = field(default_factory=dict)
    model: str = ""  # whose scores they were calibrated on, and on what
    revision: str = ""
    data: str = ""

    def __post_init__(self) -> None:
        values = [self.least_certain, self.least_possible, *self.certain.values(), *self.possible.values()]
        if bad := [value for value in values if not FLOOR <= value <= 1]:
            hint = f"give {FLOOR} to 1; lower scores are not kept"
            raise RecipeError(f"{bad[0]} is no threshold", hint=hint)
        known = ontology().classes
        if strange := [name for name in (*self.certain, *self.possible) if name not in known]:
            raise RecipeError(f"AudioSet has no class {strange[0]!r}", hint=nearest(strange[0], known))

    def tier(self, label: str, score: float) -> Tier | None:
        """Where a label with this score belongs."""
        if score >= self.certain.get(label, self.least_certain):
            return "certain"
        return "possible" if score >= self.possible.get(label, self.least_possible) else None

    def tiers(self, events: Iterable[tuple[str, float]], known: Ontology | None = None) -> Tiers:
        """The labels of a clip by tier, folded: none that a surer one implies, and `vague` ones never certain.

        A label with the score 1 was set by people: only another one of theirs folds it.
        """
        known = known or ontology()
        ranked = sorted(events, key=lambda event: -event[1])
        tier = {label: self.tier(label, score) for label, score in ranked}
        certain = [label for label in tier if tier[label] == "certain" and label not in known.vague]
        possible = [label for label in tier if tier[label] and label not in certain]
        told = known.folded([label for label, score in ranked if score == 1])
        stays = {*told, *known.folded(certain)}
        certain = [label for label in certain if label in stays]
        if possible:
            stays = {*told, *known.folded([*certain, *possible])}
        return Tiers(tuple(certain), tuple([label for label in possible if label in stays]))

    def identity(self) -> str:
        """A hash of all thresholds."""
        return digest(self.least_certain, self.least_possible, dict(self.certain), dict(self.possible))

    def save(self, path: Path) -> None:
        """The thresholds as TOML, whole or not at all."""
        lines = [f"{name} = {_quoted(getattr(self, name))}" for name in ("model", "revision", "data")]
        lines += [f"{name} = {getattr(self, name)}" for name in ("least_certain", "least_possible")]
        for tier in ("certain", "possible"):
            table = getattr(self, tier)
            lines += ["", f"[{tier}]", *(f"{_quoted(label)} = {table[label]}" for label in sorted(table))]
        write_bytes(path, ("\n".join(lines) + "\n").encode())

    @classmethod
    def load(cls, path: str | Path = "") -> "Thresholds":
        """Those of a file that `save` wrote, or the default ones for no path; RecipeError if there is none."""
        if not str(path):
            return cls()
        try:
            text = Path(path).expanduser().read_text(encoding="utf-8")
            return build(cls, tomllib.loads(text), str(path))
        except (OSError, ValueError) as error:
            hint = "give a file that Thresholds.save wrote, or none for the default thresholds"
            raise RecipeError(f"no thresholds at {path}", cause=str(error), hint=hint) from error


@dataclass(frozen=True)
class Calibration:
    """How thresholds follow from scores of labelled clips, class by class.

    A tier begins at the lowest score from which on the share of true labels is at least its precision. Classes with
    fewer than `fewest` clips keep the default; a class that never gets so precise is never in that tier.
    """

    certain: float = 0.8
    possible: float = 0.3
    fewest: int = 10

    def __call__(
        self, scores: Scores, truth: Flags, classes: Iterable[str] = (), *, judged: Flags | None = None
    ) -> Thresholds:
        """Thresholds of the columns (N, C) of scores in 0..1 and labels; `classes` name them, by default AudioSet's.

        Where `judged` (N, C) is given, only those clips say anything of a class.
        """
        names = list(classes) or list(ontology().classes)
        assert scores.shape == truth.shape == (len(scores), len(names)), (
            scores.shape,
            truth.shape,
            len(names),
        )
        counted = [place for place in range(len(names)) if truth[:, place].sum() >= self.fewest]
        certain, possible = (
            {names[place]: _least(*_of(place, scores, truth, judged), precision) for place in counted}
            for precision in (self.certain, self.possible)
        )
        return Thresholds(certain=certain, possible=possible)


def _of(place: int, scores: Scores, truth: Flags, judged: Flags | None) -> tuple[Scores, Flags]:
    """Scores and labels of one class."""
    rows = slice(None) if judged is None else judged[:, place]
    return scores[rows, place], truth[rows, place]


def _least(scores: Scores, truth: Flags, precision: float) -> float:
    """The lowest score such that of the clips from it on at least this share is true; 1 if there is none."""
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(truth[order])
    share = hits / np.arange(1, len(ranked) + 1)
    whole = np.append(ranked[1:] < ranked[:-1], True)  # equal scores stand or fall together
    good = np.flatnonzero(whole & (share >= precision) & (ranked >= FLOOR))
    return round(float(ranked[good[-1]]), 4) if len(good) else 1.0


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
