"""What of a clip a page for everybody may have: as the gate of a release decides, and nothing in doubt."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from captionstew.publish.contents import TIERS, Tier
from captionstew.publish.gate import Gate, Place
from captionstew.report.source import known_corpora


@dataclass(frozen=True)
class Shown:
    """What the page has of one clip; `why` is what keeps its sound off the page."""

    clip: bool = True
    sound: bool = True
    texts: bool = True  # of its publisher: titles, tags, transcripts
    why: str = ""


@dataclass(frozen=True)
class Everything:
    """For oneself: all of it."""

    public: bool = False

    def clip(self, corpus: str, license: str) -> Shown:
        """All of it."""
        return Shown()

    def caption(self, row: Mapping[str, Any], source: str, model: str | None) -> bool:
        """All of them."""
        return True


@dataclass(frozen=True)
class Permitted:
    """For everybody: sound that an open tier of a release would hold, captions that any would."""

    gate: Gate
    public: bool = True

    def clip(self, corpus: str, license: str) -> Shown:
        """As the gate decides of the clips of a corpus under a license; of a corpus that nobody knows, nothing."""
        if corpus not in self.gate.corpora:
            return Shown(
                clip=False, sound=False, texts=False, why="no facts say what may be shown of this corpus"
            )
        place: Place = self.gate.place(corpus, license)
        if place.refused:
            return Shown(clip=False, sound=False, texts=False, why=place.rule)
        return Shown(sound=place.audio is not None, texts=place.texts, why=place.rule)

    def caption(self, row: Mapping[str, Any], source: str, model: str | None) -> bool:
        """As the gate decides of a caption of `source`, by a model if one wrote it."""
        known = row["corpus"] in self.gate.corpora and (source in self.gate.corpora or source == "llm")
        return known and not self.gate.caption(row["corpus"], row["license"], source, model)


def shown(public: bool) -> Everything | Permitted:
    """What may be shown to whom; without `public` the page stays with those who built it."""
    if not public:
        return Everything()
    return Permitted(_gate(("captions", "audio", "audio-sa")))


def tier(corpus: str, license: str) -> Tier | None:
    """The tier with audio that clips of a corpus under a license would go to, if a release had them all."""
    gate = _gate(TIERS)
    return gate.place(corpus, license).audio if corpus in gate.corpora else None


@cache
def _gate(tiers: tuple[Tier, ...]) -> Gate:
    return Gate(known_corpora(), tiers)
