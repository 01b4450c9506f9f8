"""Residue: what a model leaves of itself and of its prompt in a text that should describe a sound."""

import re
from collections.abc import Collection, Sequence
from functools import cache

from captionstew.digest import digest
from captionstew.enrich.lexicon import lists
from captionstew.enrich.prompt import Prompt, prompt, prompts
from captionstew.enrich.reading import words as words_of

_SEARCHED = re.IGNORECASE
# A pattern is tried where one of its words is in the text and not in the source: somebody may be heard to say "sorry".
_OURS = r"(?:captions?|sentences?|descriptions?|labels?|tags?|text|events?)"  # what prompts are about
_REFUSAL = re.compile(
    r"\bas an? (?:ai|artificial|(?:large )?language model)\b|\ban ai (?:language )?model\b"
    r"|\bi(?:'m| am) (?:(?:very |so |truly )?(?:sorry|unable|afraid)|not able|just an? |an ai)\b"
    r"|\bi (?:cannot|can't|can not|could not|couldn't|do not|don't|won't|will not|apologi[sz]e)\b"
    r"|^\W*(?:sorry|apologies|unfortunately)\b|\b(?:my|our) apologies\b"
    r"|\bunable to (?:process|generate|provide|access|describe|determine|identify|create|assist|hear|listen)\b"
    r"|\b(?:cannot|can't|can not) (?:be )?(?:provide|generate|describe|identif|assist|help|access|create)"
    r"|\b(?:not|isn't) (?:enough|sufficient) (?:information|context|detail)|\bnot possible to\b"
    r"|\bwithout (?:more|further|additional) (?:information|context|details)\b"
    rf"|\bno (?:information|details?|context|{_OURS}) (?:is |are |was |were )?(?:provided|given|available)\b",
    _SEARCHED,
)
_PROMPT = re.compile(
    r"^\W*(?:sure|certainly|of course|absolutely|okay|great|no problem)\b\s*(?:[,!.:]|here|thing)"
    r"|\bhere(?:'s|\u2019s| is| are)\b[^.:]{0,40}\b(?:versions?|rewrit|paraphras|response|output|answer)"
    rf"|\bhere(?:'s|\u2019s| is| are)\b[^.:]{{0,40}}\b{_OURS}"
    r"|^\W*(?:(?:new|enriched|rewritten|revised|final|possible|enhanced|updated|short|detailed|modified) )?"
    rf"(?:(?:audio|sound) )?(?:output|answer|response|result|note|example|summary|rewrite|{_OURS})\s*\d*\s*(?::|- )"
    r"|^\W*(?:enriched|rewritten|revised|paraphrased?|final)\s*:"
    r"|\b(?:original|given|provided|above|following|source|input|modified|rewritten|revised|enriched|new|certain"
    rf"|possible|detected) (?:audio |sound )?{_OURS}\b"
    r"|\bbased on (?:the|your|these|this)\b[^.]{0,30}\b(?:given|provided|audio|sounds?|detected|information|input)\b"
    rf"|\bbased on (?:the|your|these|this)\b[^.]{{0,30}}\b{_OURS}"
    r"|\b(?:the|this|my|your) (?:\w+ )?(?:caption|sentence|description|label|rewrite|paraphrase)s?"
    r" (?:is|are|has|have|describes?|includes?|contains?|mentions?|combines?|should|could|was|must)\b"
    r"|\b(?:user|assistant|system|human)\s*:|\blet me know\b|\bhope (?:this|that|it) helps\b|\bfeel free\b"
    r"|\bin (?:one|a single) sentence\b|\b(?:note|remember) that\b|^\W*(?:note|sentence|output)\b\s*[:(]"
    rf"|\baccording to the (?:prompt|instructions?|{_OURS})\b",
    _SEARCHED,
)
_FORMAT = re.compile(r"<\|?/?[a-z_]+\|?>|\[/?inst\]|#{2,}|```|^\s*(?:[-*\u2022]|\d+[.)])\s", _SEARCHED)
_RUN = 6  # words of a prompt: of five there are some that people write too ("at the same time as")
_SENTENCE = 4  # words of a prompt's sentence that is shorter
_SENTENCES, _HEADING = re.compile(r"[.:]\s"), re.compile(r"^([^{}:]+):", re.MULTILINE)
_LEAK = re.compile(r"[\[\]{}<>%|#*=_\\~^@()]|\d+(?:[.,:]\d+)?")


def refusal(text: str, words: frozenset[str], source: Collection[str]) -> str:
    """The words with which a model declines, or nothing."""
    if lists()["refusal"].isdisjoint(words):
        return ""
    found = _REFUSAL.search(text.replace("\u2019", "'"))
    return found[0] if found and not _reported(found[0], source) else ""


def residue(text: str, words: frozenset[str], source: Collection[str]) -> str:
    """The part of a prompt or of an assistant's talk, or nothing."""
    if not lists()["prompt"].isdisjoint(words):
        found = _PROMPT.search(text)
        if found and not _reported(found[0], source):
            return found[0]
    form = _FORMAT.search(text)
    if form:
        return form[0]
    if lists()["voice"].isdisjoint(words):
        return ""
    return next((word for word in sorted(lists()["voice"] & words) if word not in source), "")


def template(text: str, words: Sequence[str], originals: Sequence[str]) -> str:
    """What the room's prompts tell a model, or the heading under which they ask, or nothing."""
    told, headings = _told()
    for place, first in enumerate(zip(words, words[1:], words[2:], words[3:], strict=False)):
        if first in told:
            for run in told[first]:
                if tuple(words[place : place + len(run)]) == run:
                    return " ".join(run)
    found = headings.search(text) if ":" in text else None
    return found[0] if found and not any(found[0] in one for one in originals) else ""


@cache
def prompts_digest() -> str:
    """A hash of all that `template` looks for."""
    return digest([prompt(name).hash for name in prompts()])


@cache
def _told() -> tuple[dict[tuple[str, ...], list[tuple[str, ...]]], re.Pattern[str]]:
    """Runs of words of the instructions, by their first four, and the headings of the questions."""
    every = [prompt(name) for name in prompts()]
    runs: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for sentence in (one for asked in every for one in _instructions(asked)):
        length = min(len(sentence), _RUN)
        for place in range(len(sentence) - length + 1 if length >= _SENTENCE else 0):
            run = sentence[place : place + length]
            runs.setdefault(run[:_SENTENCE], []).append(run)
    heads = {head for asked in every for head in _HEADING.findall(asked.messages[-1].content)}
    any_head = "|".join(map(re.escape, sorted(heads)))
    return runs, re.compile(rf"\b(?:{any_head}):", re.IGNORECASE)


def _instructions(asked: Prompt) -> list[tuple[str, ...]]:
    """The sentences of a prompt's system message, as words."""
    texts = [" ".join(one.content.split()) for one in asked.messages if one.role == "system"]
    return [words_of(sentence) for text in texts for sentence in _SENTENCES.split(text)]


def leak(text: str, words: frozenset[str], source: Collection[str]) -> str:
    """A label's number, name or bracket, or nothing."""
    if not lists()["leak"].isdisjoint(words):
        found = next((word for word in sorted(lists()["leak"] & words) if word not in source), "")
        if found:
            return found
    if _LEAK.search(text) is None:
        return ""
    return next((mark for mark in _LEAK.findall(text) if mark not in source), "")


def _reported(found: str, source: Collection[str]) -> bool:
    """Whether the source has these words: then somebody is heard to say them."""
    return all(word in source for word in re.findall(r"[\w']+", found.lower()))
