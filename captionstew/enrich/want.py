"""What is wanted of a language model: which prompts a clip gets, under which keys, with which seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import log

from captionstew.enrich.engine import Ask
from captionstew.enrich.item import Item
from captionstew.enrich.prompt import Prompt, prompt
from captionstew.enrich.weights import called
from captionstew.errors import RecipeError


@dataclass(frozen=True)
class Weighed:
    """A prompt of a recipe, how likely it is drawn, and its place in the recipe, which is that of its captions."""

    prompt: Prompt
    weight: float
    place: int


@dataclass(frozen=True)
class Asking:
    """Everything besides a clip that decides what is asked about it."""

    prompts: tuple[Weighed, ...]
    model: str
    revision: str
    detector: str = ""  # who heard the labels
    run_seed: int = 0
    captions: int = 1  # per clip, each by a prompt of its own
    share: float = 1.0  # of the clips
    own_seeds: bool = False  # identical prompts of several clips are different asks

    @property
    def writer(self) -> str:
        """The model as captions and provenance name it: no path of this machine."""
        return called(self.model)

    def wants(self, item: Item) -> list["Want"]:
        """What is asked about a clip. By hashes of its id alone: other clips and the order of work have no part in it.

        Prompts that fit are drawn by weight without replacement (Efraimidis and Spirakis 2006).
        """
        if self.share < 1 and _fraction(self.run_seed, item.clip_id) >= self.share:
            return []
        fitting = [one for one in self.prompts if one.prompt.fits(item)]
        if len(fitting) > self.captions:
            fitting = sorted(fitting, key=lambda one: self._lot(item, one))[: self.captions]
        return [self._want(item, one) for one in sorted(fitting, key=lambda one: one.place)]

    def _lot(self, item: Item, one: Weighed) -> float:
        return -log(_fraction(self.run_seed, item.clip_id, one.prompt.name)) / one.weight

    def _want(self, item: Item, one: Weighed) -> "Want":
        values = one.prompt.fields(item)
        asked = (one.prompt.hash, self.model, self.revision, values)
        base = key_of(*asked, item.clip_id) if self.own_seeds else key_of(*asked)
        return Want(item, one, values, base, self.run_seed)

    def key(self, want: "Want", attempt: int) -> str:
        """The key of one caption to be, for its provenance: clip, captions, labels and who heard them, prompt, model,
        sampling and seed. Two captions with one key were made of the same things."""
        item, prompt = want.item, want.one.prompt
        labels = (item.certain, item.possible, item.tags, item.transcript, item.order, self.detector)
        made_by = (prompt.style, prompt.name, prompt.version, prompt.hash, self.model, self.revision)
        return key_of(item.clip_id, item.captions, labels, made_by, want.seed(attempt))


@dataclass(slots=True)
class Want:
    """One caption that is wanted."""

    item: Item
    one: Weighed
    values: tuple[str, ...]  # of the prompt's fields
    base: str  # the hash of what is asked, but for the seed
    run_seed: int
    _last: tuple[int, int, str] = (
        -1,
        0,
        "",
    )  # an attempt, its seed and its key: each is wanted several times

    def seed(self, attempt: int) -> int:
        """The seed of an attempt, 0 to 2^63 - 1, by what is asked alone; each attempt has another."""
        return self._of(attempt)[1]

    def ask_key(self, attempt: int) -> str:
        """The key of the ask; clips with the same words share it."""
        return self._of(attempt)[2]

    def ask(self, attempt: int) -> Ask:
        """What is sent."""
        prompt = self.one.prompt
        return Ask(self.ask_key(attempt), prompt.filled(self.values), prompt.sampling, self.seed(attempt))

    def _of(self, attempt: int) -> tuple[int, int, str]:
        if self._last[0] != attempt:
            seed = int(key_of(self.run_seed, self.base, attempt)[:16], 16) >> 1
            self._last = attempt, seed, key_of(self.base, seed)
        return self._last


def weighed(names: Sequence[str]) -> tuple[Weighed, ...]:
    """The prompts of a recipe, `name` or `name=weight` each; RecipeError if one stands twice or weighs nothing."""
    found = []
    for place, text in enumerate(names):
        name, equals, weight = text.partition("=")
        try:
            number = float(weight) if equals else 1.0
        except ValueError:
            number = 0.0
        if not 0 < number < 1e9:
            raise RecipeError(f'"{text}" weighs nothing', hint=f"write {name} or {name}=0.5")
        found.append(Weighed(prompt(name), number, place))
    called = [one.prompt.name for one in found]
    if twice := [name for name in called if called.count(name) > 1]:
        raise RecipeError(
            f"the prompt {twice[0]} stands twice", hint="name each prompt once, with its weight"
        )
    return tuple(found)


def key_of(*parts: object) -> str:
    """A hash (32 hex digits) of strings, numbers and tuples of them; the same in every process and on every machine."""
    return blake2b(ascii(parts).encode(), digest_size=16).hexdigest()


def _fraction(*parts: object) -> float:
    """A number above 0 and below 1 that these decide."""
    return (int(key_of(*parts)[:13], 16) + 0.5) / 2.0**52
