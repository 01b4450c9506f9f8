"""Reading: what a caption says, as sounds, facts and denials."""

import re
from dataclasses import dataclass

from captionstew.enrich.lexicon import lexicon
from captionstew.enrich.sounds import Claim

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")  # also of other scripts; a hyphen parts two words
_REACH = 4  # words over which a "no" or a "without" reaches to its sound
_ENDS_REACH = frozenset({"as", "and", "while", "but", "then", "when", "with", "followed"})


@dataclass(frozen=True, slots=True)
class Reading:
    """One text, read."""

    words: tuple[str, ...]  # in lower case
    claims: tuple[Claim, ...]  # the sounds that it says are heard
    sure: int  # the sounds that words of one meaning name
    unsure: tuple[int, ...]  # what words of several meanings may name
    denied: tuple[Claim, ...]  # the sounds that it says are not there
    facts: int
    poles: int


def words(text: str) -> tuple[str, ...]:
    """Its words in lower case."""
    plain = text.lower()
    return tuple(_WORD.findall(plain if plain.isascii() else plain.replace("\u2019", "'")))


def read(text: str) -> Reading:  # noqa: C901  # the hot path; its slow twin is in the tests
    """What the text says; pure, a microsecond or two per word."""
    said = words(text)
    find = lexicon().entries.get
    claims: dict[int, Claim] = {}
    denied: dict[int, Claim] = {}
    unsure: list[int] = []
    sure = facts = poles = after = reach = 0
    for place, word in enumerate(said):
        if place < after:
            continue
        rows = find(word)
        if rows is None and word[-2:] == "'s":
            rows = find(word[:-2])
        if rows is None:
            if reach and word in _ENDS_REACH:
                reach = 0
            continue
        lengths, phrases, entry = rows
        after = place + 1
        for more in lengths:
            longer = phrases.get(said[place + 1 : place + 1 + more])
            if longer is not None:
                entry, after = longer, place + 1 + more
                break
        if entry is None:
            if reach and word in _ENDS_REACH:
                reach = 0
            continue
        sounds, ambiguous, claim, new_facts, new_poles, negates = entry
        if new_facts:
            facts |= new_facts
        if new_poles:
            poles |= new_poles
        if negates:
            reach = place + _REACH
        elif claim is not None and place <= reach and reach:
            denied[sounds] = claim
        elif sounds:
            if ambiguous:
                unsure.append(sounds)
            else:
                sure |= sounds
            if claim is not None:
                claims[sounds] = claim
    return Reading(said, tuple(claims.values()), sure, tuple(unsure), tuple(denied.values()), facts, poles)
