"""The gate: from licence families and the facts of the corpora to the tiers that a clip and its captions may go to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from captionstew.corpora.facts import Corpus
from captionstew.corpora.license import Family, allows, family
from captionstew.enrich.generators import FILE, UNKNOWN, license_of
from captionstew.enrich.items import GENERATED
from captionstew.errors import BuildError, CorpusError
from captionstew.publish.contents import Tier
from captionstew.rooms import room

OWN = "folder"  # the user's own data: the license of a row is that of its captions too
_AUDIO: Mapping[str, Tier] = {"yes": "audio", "own-config": "audio-sa", "gated": "audio-nc"}
_ASKED_FOR = "{}; only behind a gate, with --tier audio-nc"


@dataclass(frozen=True)
class Place:
    """Where the clips of one corpus and license may go; `refused` is why in no tier at all, a reason in one word."""

    refused: str = ""
    audio: Tier | None = None
    rule: str = ""  # what keeps the audio, or all of it, at home
    texts: bool = True  # whether titles, tags and transcripts of the publisher may go with it


@dataclass(frozen=True)
class Gate:
    """The rules for a release in `tiers`, without some corpora; `models` are allowed by a note of the publisher's."""

    corpora: Mapping[str, Corpus]
    tiers: tuple[Tier, ...]
    without: frozenset[str] = frozenset()
    models: Mapping[str, str] = field(default_factory=dict)

    def place(self, corpus: str, license: str) -> Place:
        """Where clips of a corpus under a license go."""
        if corpus in self.without:
            return Place("left-out", rule="left out by --without")
        facts, kind = self.corpora[corpus], family(license)
        if facts.license.publish == "nothing" and facts.name != OWN:
            return Place("forbidden", rule="its facts allow nothing to be published")
        if kind.name == "unknown":
            return Place("unlicensed", rule=f"{license} is no license that we know: {kind.says}")
        texts = kind.captions != "no"
        if facts.license.publish == "captions":
            rule = kind.says if kind.audio == "no" else "its facts allow captions only"
            return Place(rule=rule, texts=texts)
        return self._heard(kind, texts)

    def caption(self, corpus: str, license: str, source: str, by: str | None) -> str:
        """Why a caption of `source`, by the model `by`, may not stand on a clip of this place; empty if it may.

        StewError if nobody knows whether the model's text may be published, or it goes by a path of some machine.
        """
        made = generated(source, by)
        if source in self.without or (made and GENERATED in self.without):
            return "left-out"
        if made:
            _check_name(by or "")
            if not self._allowed(by or ""):
                raise _unknown_model(by or "an unnamed model")
            return ""
        if source == corpus and not self.place(corpus, license).texts:
            return "forbidden"
        if source == OWN:
            return ""
        terms = self.corpora[source].license
        return "" if terms.publish != "nothing" and family(terms.captions).text else "forbidden"

    def check(self, licenses: Mapping[str, Iterable[str]], models: Iterable[str]) -> None:
        """CorpusError where a corpus (with the licenses of its rows) or a model has no policy that was checked."""
        for name, facts in sorted(self.corpora.items()):
            if name in self.without:
                continue
            if name == OWN:
                _own(licenses.get(name, ()))
            elif facts.license.publish != "nothing":
                _checked(facts)
        for name in sorted(set(models)) if GENERATED not in self.without else ():
            _check_name(name)
            if not self._allowed(name):
                raise _unknown_model(name)

    def _heard(self, kind: Family, texts: bool) -> Place:
        """The audio's own tier, if the family has one and it is asked for."""
        tier = _AUDIO.get(kind.audio)
        if tier == "audio-nc" and tier not in self.tiers:
            return Place(rule=_ASKED_FOR.format(kind.says.split(":")[0]), texts=texts)
        if tier is None:
            return Place(rule=kind.says, texts=texts)
        return Place(audio=tier if tier in self.tiers else None, texts=texts)

    def _allowed(self, name: str) -> bool:
        return name.partition("@")[0] in self.models or license_of(name).outputs != "no"


def generated(source: str, by: str | None) -> bool:
    """Whether a caption goes by the license of the model `by`: ours, and those that a user's own data brings along."""
    return source == GENERATED or (source == OWN and bool(by))


def _checked(facts: Corpus) -> None:
    open_questions = [name for name in facts.unchecked if name.split(".")[0] == "license"]
    terms = facts.license
    unknown = [spdx for spdx in (terms.audio, terms.captions) if _unknown(spdx)]
    if not open_questions and not unknown and allows(terms):
        return
    if open_questions:
        cause = (
            f"{' and '.join(open_questions)} in its facts {'are' if open_questions[1:] else 'is'} unchecked"
        )
        page = terms.audio_url if open_questions == ["license.audio"] else terms.captions_url
        remedy = f"read {page}, mend [license] with today's date, and take the name out of `unchecked`"
    elif unknown:
        cause, remedy = (
            f"{unknown[0]} is no license that we know",
            f"read {terms.audio_url} and name it there",
        )
    else:
        cause = f"it says publish = {terms.publish!r}, which its own licenses do not allow"
        remedy = "mend [license]"
    raise CorpusError(
        f"{facts.name}: what may be published of it is not settled",
        cause=cause,
        where=str(room("pipelines") / "corpora" / f"{facts.name}.toml"),
        hint=f"{remedy}; or leave the corpus out: --without {facts.name}",
    )


def _unknown(spdx: str) -> bool:
    return spdx != "per-clip" and family(spdx).name == "unknown"


def _own(licenses: Iterable[str]) -> None:
    given = sorted(set(licenses))
    if given and all(family(spdx).name == "unknown" for spdx in given):
        raise CorpusError(
            "no clip of your own data has a license that we know",
            cause=f"their licenses: {', '.join(given[:5])}",
            hint="add a column `license` to the table, such as CC-BY-4.0 or CC0-1.0 for what you made yourself, "
            "and run captionstew build folder again",
        )


def _check_name(model: str) -> None:
    """BuildError for a path in place of a name: it would tell of a machine, and to nobody which model it is."""
    if model.startswith(("/", "~")):
        hint = "build it again: captions then name a model in a folder by the folder's last name"
        raise BuildError("captions go by a path of this machine", cause=f"their model is {model}", hint=hint)


def _unknown_model(name: str) -> CorpusError:
    terms, plain = license_of(name), name.partition("@")[0]
    remedy = "read its license and add it there; or take" if terms.license == UNKNOWN else "take"
    return CorpusError(
        f"captions by {plain} may not be published as things stand",
        cause=terms.says,
        where=str(room("pipelines") / FILE),
        hint=f'{remedy} it upon you: --allow-model {plain}="why it is allowed"; or leave them out: --without llm',
    )
