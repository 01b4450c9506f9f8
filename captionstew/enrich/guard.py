"""Guard: whether a generated caption says what its source supports, in a sentence; rules only, pure and fast.

The reasons, in the order in which they are looked for, are `REASONS`; the first that applies is the verdict.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from captionstew.enrich import form, residue
from captionstew.enrich.evidence import Evidence, evidence
from captionstew.enrich.item import Item
from captionstew.enrich.lexicon import FACTS, lexicon, lists
from captionstew.enrich.reading import Reading, read
from captionstew.enrich.sounds import Claim

KEPT = "kept"
UNLIKE = "unlike-audio"  # by a model that compares texts with audio, where Guard names one
_AGAIN = "near-duplicate"
_QUOTED = re.compile(r'["\u201c\u201d\u00ab\u00bb][^"\u201c\u201d\u00ab\u00bb]*')
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+")


@dataclass(frozen=True)
class Rules:
    """What a generated caption may do; `allow` names reasons that are not looked for."""

    fewest_words: int = 2
    most_words: int = 60
    most_lost: int = 0  # events of labels and originals that may be missing
    most_invented: int = 0  # sounds that may be new
    agreement: float = 0.75  # share of several originals that must say an event for it to be required
    repeated_words: int = 5  # a run of so many words may stand once
    most_repeated: float = 0.3  # share of word pairs that were there before
    resemblance: float = 0.9  # word pairs in common with another caption of the clip: beyond, it is a copy
    most_foreign: float = 0.1  # share of letters outside the Latin script
    transcript_words: int = 5  # a run of so many words of what is said may not be in the caption
    allow: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the text stays, and if not why: a reason of `REASONS` and the words that it is about."""

    kept: bool
    reason: str = KEPT
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One text with everything that the rules look at."""

    text: str
    finish: str
    item: Item
    read: Reading
    said: frozenset[str]
    source: Evidence


def judge(item: Item, text: str, finish: str, rules: Rules) -> Verdict:
    """The verdict on one text; `finish` is `stop` or `length`, why the model ended it."""
    reading = read(text)
    if not reading.words:
        return Verdict(False, "empty", text[:40])
    case = Case(text, finish, item, reading, frozenset(reading.words), evidence(item, rules.agreement))
    for reason, rule in _RULES:
        detail = rule(case, rules)
        if detail and reason not in rules.allow:
            return Verdict(False, reason, detail)
    return Verdict(True)


def again(text: str, before: Sequence[str], rules: Rules) -> Verdict:
    """The verdict on a text that `judge` keeps, beside those that its clip has got `before`: no copy of them stays."""
    if not before or _AGAIN in rules.allow:
        return Verdict(True)
    found = form.copies(read(text).words, [read(one).words for one in before], rules.resemblance)
    return Verdict(False, _AGAIN, found) if found else Verdict(True)


def _refusal(case: Case, _: Rules) -> str:
    return residue.refusal(case.text, case.said, case.source.words)


def _residue(case: Case, _: Rules) -> str:
    found = residue.residue(case.text, case.said, case.source.words)
    return found or residue.template(case.text, case.read.words, case.item.captions)


def _leak(case: Case, _: Rules) -> str:
    found = residue.leak(case.text, case.said, case.source.words)
    if found:
        return found
    for name in (*case.item.certain, *case.item.possible):
        if "," in name and name.lower() in case.text.lower():
            return name
    return ""


def _cut(case: Case, _: Rules) -> str:
    return "token limit" if case.finish == "length" else form.unfinished(case.text, case.read.words)


def _long(case: Case, rules: Rules) -> str:
    return f"{len(case.read.words)} words" if len(case.read.words) > rules.most_words else ""


def _short(case: Case, rules: Rules) -> str:
    return f"{len(case.read.words)} words" if len(case.read.words) < rules.fewest_words else ""


def _language(case: Case, rules: Rules) -> str:
    return form.foreign(case.text, case.read.words, rules.most_foreign)


def _repetition(case: Case, rules: Rules) -> str:
    return form.repetition(case.read.words, rules.repeated_words, rules.most_repeated)


def _echo(case: Case, rules: Rules) -> str:
    originals = [original.words for original in case.source.originals]
    return form.copies(case.read.words, originals, rules.resemblance)


def _quote(case: Case, rules: Rules) -> str:
    """Words in quotes that no original has, and runs of what is said."""
    quoted = _QUOTED.search(case.text)
    if quoted and not any(quoted[0] in original for original in case.item.captions):
        return quoted[0]
    if not case.item.transcript:
        return ""
    spoken, length = read(case.item.transcript).words, rules.transcript_words
    runs = {spoken[place : place + length] for place in range(len(spoken) - length + 1)}
    words = case.read.words
    shared = (words[place : place + length] for place in range(len(words) - length + 1))
    return next((" ".join(run) for run in shared if run in runs), "")


def _polarity(case: Case, _: Rules) -> str:
    """An absence that the source does not state, a presence that it denies, or the opposite of a quality."""
    reading, source = case.read, case.source
    for claim in reading.denied:
        if not any(claim.borne_out(other.bits, ()) for other in source.denied):
            return f"no {claim.word}"
    for other in source.denied:
        if any(claim.bits & other.bits and not source.supports(claim) for claim in reading.claims):
            return other.word
    if reading.poles and source.poles:
        for first, second, name in lexicon().opposites:
            both = first | second
            said, known = reading.poles & both, source.poles & both
            if said and known and not said & known:
                return name
    return ""


def _unsupported(kind: str) -> Callable[[Case, Rules], str]:
    def rule(case: Case, _: Rules) -> str:
        new = case.read.facts & ~case.source.facts
        if not new:
            return ""
        found = new & lexicon().kinds[kind]
        return lexicon().fact(found) if found else ""

    return rule


def _name(case: Case, _: Rules) -> str:
    if case.text[1:].islower():
        return ""
    found = _NAME.findall(case.text)
    if not found or 2 * len(found) > len(case.read.words):
        return ""  # a caption In Title Case names nobody
    known, capitals = lexicon().entries, lists()["capitals"]
    new = (name for name in found if name.lower() not in case.source.words)
    return next((name for name in new if name.lower() not in known and name.lower() not in capitals), "")


def _lost(case: Case, rules: Rules) -> str:
    reading = case.read
    lost = [claim for claim in case.source.required if not claim.borne_out(reading.sure, reading.unsure)]
    return lost[0].word if _events(lost) > rules.most_lost else ""


def _invented(case: Case, rules: Rules) -> str:
    new = [claim for claim in case.read.claims if not case.source.supports(claim)]
    return new[0].word if _events(new) > rules.most_invented else ""


def _events(claims: Sequence[Claim]) -> int:
    """How many there are if those that stand for an earlier one are not counted: a siren that wails is one."""
    before = count = 0
    for claim in claims:
        count += not claim.bits & before
        before |= claim.bits | claim.stands
    return count


_RULES: tuple[tuple[str, Callable[[Case, Rules], str]], ...] = (
    ("refusal", _refusal),
    ("quote", _quote),
    ("residue", _residue),
    ("leak", _leak),
    ("cut", _cut),
    ("language", _language),
    ("long", _long),
    ("short", _short),
    ("repetition", _repetition),
    ("echo", _echo),
    ("polarity", _polarity),
    *((f"invented-{kind}" if kind == "count" else kind, _unsupported(kind)) for kind in FACTS),
    ("name", _name),
    ("lost-event", _lost),
    ("invented-sound", _invented),
)
REASONS = ("empty", *(reason for reason, _ in _RULES), _AGAIN, UNLIKE)
