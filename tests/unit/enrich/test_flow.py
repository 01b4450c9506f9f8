"""The caller's side of every engine: all answered, never too many out."""

import queue
from collections import deque

import pytest

from captionstew.enrich.engine import Answer, Ask, Message, Sampling
from captionstew.enrich.flow import STEP, flow, size


class Echo:
    """Answers the newest first, and only what it was asked."""

    def __init__(self) -> None:
        self.out: deque[Ask] = deque()
        self.most = 0
        self.steps: list[int] = []

    def send(self, asks: list[Ask]) -> None:
        """They wait."""
        self.steps.append(len(asks))
        self.out.extend(asks)
        self.most = max(self.most, len(self.out))

    def receive(self, block: bool) -> Answer:
        """The newest, where it is waited for."""
        if not block:
            raise queue.Empty
        return Answer(self.out.pop().key, "rain", "stop")


@pytest.mark.parametrize("count", [0, 1, STEP - 1, STEP, STEP + 1, 5 * STEP, 1000])
def test_every_ask_is_answered_once_and_the_last_step_is_short(count: int) -> None:
    echo = Echo()
    asks = (Ask(str(number), (Message("user", "?"),)) for number in range(count))
    keys = [one.key for one in flow(asks, 3 * STEP, echo.send, echo.receive)]
    assert sorted(keys, key=int) == [str(number) for number in range(count)]
    assert echo.most <= 3 * STEP
    assert [size < STEP for size in echo.steps] == [False] * (len(echo.steps) - 1) + [True]


@pytest.mark.parametrize(("words", "most"), [(10, 3 * STEP), (2000, STEP + 2), (100_000, STEP)])
def test_long_asks_wait_here_by_their_tokens_and_not_by_their_number(words: int, most: int) -> None:
    echo = Echo()
    asks = [
        Ask(str(number % 7), (Message("user", "bark" * words),), Sampling(max_tokens=20))
        for number in range(200)
    ]
    assert size(asks[0]) == words + 20
    assert len(list(flow(asks, 3 * STEP, echo.send, echo.receive, most_tokens=5_000))) == 200
    assert echo.most == most
