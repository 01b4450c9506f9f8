"""What a language model is to us: asks go in, answers come out, each exactly once and in any order."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

STOP, LENGTH, ERROR = "stop", "length", "error"


@dataclass(frozen=True)
class Message:
    """One turn of a conversation; `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn. All of it is sent with every ask, so that no server's default decides."""

    temperature: float = 0.7
    top_p: float = 1.0
    max_tokens: int = 96
    stop: tuple[str, ...] = ()
    field: str = ""  # the answer is a JSON object with this one text; servers that can hold a model to it do

    @property
    def schema(self) -> dict[str, Any] | None:
        """What such an answer must be, as JSON Schema; None where any text will do."""
        if not self.field:
            return None
        text = {self.field: {"type": "string", "minLength": 1}}
        return {"type": "object", "properties": text, "required": [self.field], "additionalProperties": False}


@dataclass(frozen=True)
class Ask:
    """One text that is wanted. `key` comes back with its answer and is the caller's own: it need not be unique."""

    key: str
    messages: tuple[Message, ...]
    sampling: Sampling = field(default_factory=Sampling)
    seed: int | None = None

    def __post_init__(self) -> None:
        assert self.seed is None or 0 <= self.seed < 1 << 63, self.seed  # what vLLM and torch take


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an ask: `finish` is stop, length (cut by the token limit) or error, with its cause in `error`."""

    key: str
    text: str | None
    finish: str
    error: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @staticmethod
    def failed(key: str, error: str) -> "Answer":
        """An ask that will not be answered, however often this model is asked."""
        return Answer(key, None, ERROR, error)


class Engine(ABC):
    """A language model at one revision. EngineError or IncompleteError if no ask can be answered (any more)."""

    model: str
    revision: str

    @abstractmethod
    def answers(self, asks: Iterable[Ask]) -> Iterator[Answer]:
        """Every ask is answered once, in any order; one that fails alone has an answer with its error.

        Asks are read a bounded number ahead of the answers that were taken, in the thread of the caller. They may
        therefore be without end, and must not wait for an answer.
        """

    def check(self) -> None:  # noqa: B027  an engine that is always there has nothing to look at
        """EngineError where the model is not there or takes no chat, as far as that can be seen in some seconds."""

    def close(self) -> None:  # noqa: B027  an endpoint holds nothing
        """Give back what the engine holds; it answers nothing afterwards."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self.close()
