"""Attempts: captions are asked for, judged, and asked for again with another seed, as often as a recipe allows."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from captionstew.enrich.engine import Answer, Ask, Engine
from captionstew.enrich.guard import Rules, Verdict, again, judge
from captionstew.enrich.repair import repair
from captionstew.enrich.store import Store
from captionstew.enrich.want import Want

FAILED = "failed"


@dataclass
class Traffic:
    """What goes to the model and comes back, counted from the beginning of a run."""

    sent: int = 0
    answered: int = 0
    known: int = 0  # asks that needed no model, for their answers were there
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def waiting(self) -> int:
        """Asks that are sent and not answered yet."""
        return self.sent - self.answered

    def add(self, answer: Answer) -> None:
        """One answer has come."""
        self.answered += 1
        self.prompt_tokens += answer.prompt_tokens
        self.completion_tokens += answer.completion_tokens


@dataclass(frozen=True, slots=True)
class Made:
    """What came of one want: its last answer, as text and verdict, and why earlier attempts were rejected."""

    want: Want
    attempt: int
    answer: Answer
    text: str
    verdict: Verdict
    rejected: tuple[str, ...]  # reasons, in order

    @property
    def failed(self) -> bool:
        """Whether the model gave no text at all."""
        return self.answer.text is None


@dataclass(frozen=True)
class Judging:
    """How answers are judged between attempts: the rules of the guard that comes after."""

    rules: Rules
    repairs: bool = True

    def __call__(self, want: Want, attempt: int, answer: Answer, rejected: tuple[str, ...]) -> Made:
        """The answer with its verdict."""
        if answer.text is None:
            return Made(want, attempt, answer, "", Verdict(False, FAILED, answer.error or ""), rejected)
        text = repair(answer.text) if self.repairs else answer.text
        return Made(want, attempt, answer, text, judge(want.item, text, answer.finish, self.rules), rejected)

    def apart(self, several: Iterable[Made]) -> Iterator[Made]:
        """The captions of each clip, which follow one another, and none of them kept that is like an earlier one."""
        clip, before = "", list[str]()
        for made in several:
            if made.want.item.clip_id != clip:
                clip, before = made.want.item.clip_id, []
            if made.verdict.kept:
                verdict = again(made.text, before, self.rules)
                if verdict.kept:
                    before.append(made.text)
                else:
                    made = replace(made, verdict=verdict)
            yield made


@dataclass(frozen=True)
class Attempts:
    """The loop. The engine is made when the first ask is not in the store; none is sent that is.

    An answer is stored before it is judged. A text that is rejected is asked for again, `retries` times at most, and
    the last one stays with its verdict for the guard to drop; the clip then has what it had. An ask that failed in
    passing is sent again by later runs, until it has failed `tries` times.
    """

    engine: Callable[[], Engine]
    store: Store
    judging: Judging
    retries: int = 1
    tries: int = 3
    traffic: Traffic = field(default_factory=Traffic)
    seen: Callable[[], None] = lambda: None  # called after each answer of the model

    def __call__(self, wants: Sequence[Want]) -> list[Made]:
        """One result for each want, in their order, which is clip by clip."""
        done: dict[int, Made] = {}
        left = list(range(len(wants)))
        for attempt in range(self.retries + 1):
            left = self._round(wants, left, attempt, done)
            if not left:
                break
        return list(self.judging.apart(done[place] for place in range(len(wants))))

    def _round(
        self, wants: Sequence[Want], places: Sequence[int], attempt: int, done: dict[int, Made]
    ) -> list[int]:
        """Answer these wants; returns those that are worth another attempt."""
        by_key: dict[str, list[int]] = defaultdict(list)
        for place in places:
            by_key[wants[place].ask_key(attempt)].append(place)
        again = []
        for answer in self._answers(wants, by_key, attempt):
            for place in by_key[answer.key]:
                before = done.get(place)
                rejected = (*before.rejected, before.verdict.reason) if before else ()
                made = self.judging(wants[place], attempt, answer, rejected)
                if made.failed and before:
                    continue  # the text that was rejected says more than a fault
                done[place] = made
                if (
                    not made.failed
                    and not made.verdict.kept
                    and wants[place].one.prompt.sampling.temperature > 0
                ):
                    again.append(place)
        return sorted(again)

    def _answers(self, wants: Sequence[Want], by_key: dict[str, list[int]], attempt: int) -> Iterator[Answer]:
        known = self.store.known(by_key.keys())
        missing = []
        for key, places in by_key.items():
            if key not in known or known[key].wanting(self.tries):
                missing.append(places[0])
            else:
                self.traffic.known += 1
                yield known[key].answer
        if missing:
            yield from self._asked([wants[place] for place in missing], attempt)

    def _asked(self, wants: Iterable[Want], attempt: int) -> Iterator[Answer]:
        """The model's answers, each stored; what came is a segment even if the engine breaks down."""
        out: set[str] = set()

        def asks() -> Iterator[Ask]:
            for want in wants:
                ask = want.ask(attempt)
                out.add(ask.key)
                self.traffic.sent += 1
                yield ask

        try:
            for answer in self.engine().answers(asks()):
                out.remove(answer.key)
                self.store.add(answer)
                self.traffic.add(answer)
                self.seen()
                yield answer
        finally:
            self.store.seal()
        assert not out, f"{len(out)} asks have no answer"
