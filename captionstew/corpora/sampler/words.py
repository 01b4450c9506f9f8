"""The wording of captions: alternatives, number words, note names."""

import re

import numpy as np

_ALTERNATIVES = re.compile(r"\[([^\[\]]*)\]")
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NOTES = ("C", "C sharp", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B")


def expand(template: str, random: np.random.Generator) -> str:
    """The template with one alternative drawn in each `[this|or that]`."""

    def draw(match: re.Match[str]) -> str:
        choices = match[1].split("|")
        return choices[int(random.integers(len(choices)))]

    return " ".join(_ALTERNATIVES.sub(draw, template).split())


def number(count: int) -> str:
    """A count as people write it: `three`."""
    return _NUMBERS[count]


def times(count: int) -> str:
    """How often: `once`, `twice`, `three times`."""
    return {1: "once", 2: "twice"}.get(count, f"{number(count)} times")


def note(midi: int) -> str:
    """The name of a note without its octave: `F sharp`."""
    return _NOTES[midi % 12]


def article(phrase: str) -> str:
    """The phrase with its article: `an A minor chord`, `a pure tone`."""
    spoken_vowel = phrase[0] in "aeioAEIO" or re.match(r"F( sharp)?\b", phrase)  # a lone F is said "eff"
    return f"{'an' if spoken_vowel else 'a'} {phrase}"


def sentence(text: str, stop: str) -> str:
    """The caption with a capital letter and its corpus' way to end."""
    return text[:1].upper() + text[1:] + stop
