"""Prompts: what a language model is asked about a clip, as facts of `pipelines/prompts`."""

import string
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from captionstew.corpora.strict import build, nearest
from captionstew.digest import digest
from captionstew.enrich.engine import Message, Sampling
from captionstew.enrich.item import Item
from captionstew.errors import RecipeError, StewError
from captionstew.rooms import room

Part = Literal["captions", "events", "tags", "transcript", "order"]
FIELDS = ("captions", "certain", "possible", "tags", "transcript", "order", "fewest", "most")
NONE = "none"
_DOMAINS = ("sound", "music", "speech")
_HINT = "captionstew/enrich/prompt.py names every key and field; pipelines/prompts has examples"


@dataclass(frozen=True)
class Prompt:
    """One way to ask for a caption. Equal hashes ask in the same words, with the same sampling.

    The template stands in `messages`; `FIELDS` in braces are filled in, and what differs from clip to clip stands in
    the last message alone, so that all before it is one prefix that servers keep in their cache.
    """

    name: str
    version: int
    style: str  # what the answer is like, in a word, for statistics
    about: str
    messages: tuple[Message, ...] = field(metadata={"key": "message"})
    sampling: Sampling = field(default_factory=Sampling)
    domains: tuple[str, ...] = _DOMAINS
    needs: tuple[Part, ...] = ()  # a clip without any of these is not asked about
    without: tuple[Part, ...] = ()  # a clip with any of these is not asked about
    words: tuple[int, ...] = (5, 30)  # fewest and most, as the template tells the model
    most_captions: int = 5
    language: str = "en"
    source: str = ""  # where the idea or the wording is from

    def __post_init__(self) -> None:
        if problem := _problem(self):
            raise RecipeError(f"the prompt {self.name or '(no name)'}: {problem}", hint=_HINT)

    @cached_property
    def hash(self) -> str:
        """What its answers depend on, in 16 hex digits: template, version, sampling and word range."""
        asked = [(one.role, one.content) for one in self.messages]
        return digest(
            self.name,
            self.version,
            asked,
            asdict(self.sampling),
            self.words,
            self.most_captions,
            self.language,
        )

    @property
    def label(self) -> str:
        """As captions carry it: `flap@9a1e...`."""
        return f"{self.name}@{self.hash}"

    def fits(self, item: Item) -> bool:
        """Whether the clip is of its domains, has all that it needs and nothing that it must be without."""
        if item.domain not in self.domains:
            return False
        for part in self.needs:
            if not _has(item, part):
                return False
        return not (self.without and any(_has(item, part) for part in self.without))

    def fields(self, item: Item) -> tuple[str, ...]:
        """The values of the template's fields, in the order of `FIELDS`: all that the question knows of the clip."""
        return (
            "\n".join(f"- {_line(text)}" for text in item.captions[: self.most_captions]) or NONE,
            _listed(item.certain),
            _listed(item.possible),
            _listed(item.tags),
            _line(item.transcript or "") or NONE,
            _ordered(item),
            str(self.words[0]),
            str(self.words[1]),
        )

    def filled(self, values: tuple[str, ...]) -> tuple[Message, ...]:
        """The conversation with these values of `FIELDS`."""
        said, last = dict(zip(FIELDS, values, strict=True)), self.messages[-1]
        return (*self._prefix, Message(last.role, last.content.format_map(said)))

    @cached_property
    def _prefix(self) -> tuple[Message, ...]:
        """All but the last message, which are the same for every clip."""
        words = {"fewest": str(self.words[0]), "most": str(self.words[1])}
        return tuple(Message(one.role, one.content.format_map(words)) for one in self.messages[:-1])

    def render(self, item: Item) -> tuple[Message, ...]:
        """The conversation about a clip; the same for the same item, always."""
        return self.filled(self.fields(item))


def prompts() -> tuple[str, ...]:
    """The names of the prompts in the room."""
    return tuple(sorted(path.stem for path in (room("pipelines") / "prompts").glob("*.toml")))


def prompt(name: str) -> Prompt:
    """A prompt of the room by its name, or of a TOML file by its path; RecipeError if it is not right."""
    if name.endswith(".toml"):
        path = Path(name).expanduser()
    elif name in prompts():
        path = room("pipelines") / "prompts" / f"{name}.toml"
    else:
        raise RecipeError(f'there is no prompt "{name}"', hint=nearest(name, prompts()))
    try:
        facts = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        hint = "give a TOML file as those of pipelines/prompts"
        raise RecipeError(
            f"no prompt at {path.name}", cause=str(error), where=str(path.parent), hint=hint
        ) from error
    return _of(facts, path)


def _of(facts: Mapping[str, object], path: Path) -> Prompt:
    try:
        found = build(Prompt, facts, path.name)
    except StewError as error:
        raise RecipeError(
            error.message, cause=error.cause, where=error.where or str(path), hint=error.hint
        ) from error
    if found.name != path.stem:
        raise RecipeError(f"{path.name} calls itself {found.name!r}", hint=f'write name = "{path.stem}"')
    # Blanks at the ends are of the file, not of the prompt.
    return replace(found, messages=tuple(Message(one.role, one.content.strip()) for one in found.messages))


def _problem(one: Prompt) -> str:
    """What is wrong with a prompt, or nothing."""
    roles = [message.role for message in one.messages]
    body = [role for role in roles if role != "system"]
    if "user" not in roles:
        return "no message has the role user"
    if "system" in roles[1:] or body != [("user", "assistant")[place % 2] for place in range(len(body))]:
        return f"roles must be system, user, assistant, user..., not {', '.join(roles)}"
    if roles[-1] != "user":
        return "the last message must be the user's"
    if any(not message.content.strip() for message in one.messages):
        return "a message is empty"
    if not one.name or one.version < 1 or not one.style:
        return "it needs a name, a version from 1 on and a style"
    if len(one.words) != 2 or not 1 <= one.words[0] <= one.words[1]:
        return "words are the fewest and the most, such as [5, 30]"
    if strange := [domain for domain in one.domains if domain not in _DOMAINS]:
        return f"there is no domain {strange[0]!r}: {nearest(strange[0], _DOMAINS)}"
    return _sampling_problem(one.sampling) or _template_problem(one)


def _sampling_problem(sampling: Sampling) -> str:
    if sampling.field and not sampling.field.isidentifier():
        return "field names the one text of a JSON object, such as caption"
    if sampling.temperature < 0 or not 0 < sampling.top_p <= 1 or sampling.max_tokens < 1:
        return "temperature is 0 or more, top_p above 0 and at most 1, max_tokens 1 or more"
    return ""


def _template_problem(one: Prompt) -> str:
    used: set[str] = set()
    for place, message in enumerate(one.messages):
        try:
            parts = list(string.Formatter().parse(message.content))
        except ValueError as error:
            return f"a brace stands alone ({error}); write it twice to mean itself"
        names = {name for _, name, _, _ in parts if name is not None}
        if strange := sorted(names - set(FIELDS)):
            return f"there is no field {{{strange[0]}}}: {nearest(strange[0], FIELDS)}"
        if any(more or mark for _, name, more, mark in parts if name is not None):
            return "fields take no format"
        differs = names - {"fewest", "most"}
        if differs and place < len(one.messages) - 1:
            return f"{{{min(differs)}}} must stand in the last message: what is before it is kept in the servers' cache"
        used |= differs
    return "" if used else "the last message has no field, so all clips would be asked the same"


def _has(item: Item, part: Part) -> bool:
    if part == "events":
        return bool(item.certain or item.possible)
    if part == "order":
        return len(_in_order(item)) > 1
    return bool(getattr(item, part))


def _in_order(item: Item) -> list[str]:
    """The events that are there or may be, by when they begin."""
    return [name for name in item.order if name in item.certain or name in item.possible]


def _ordered(item: Item) -> str:
    return "; then ".join(map(_line, _in_order(item))) or NONE


def _line(text: str) -> str:
    return " ".join(text.split())


def _listed(names: tuple[str, ...]) -> str:
    return "; ".join(map(_line, names)) or NONE  # AudioSet's names have commas
