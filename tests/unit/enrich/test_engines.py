"""Every engine keeps the same promises: a server, vLLM in process, transformers."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from captionstew.enrich.endpoint import Endpoint
from captionstew.enrich.engine import Ask, Engine, Message, Sampling
from captionstew.enrich.in_process import InProcess
from captionstew.enrich.in_torch import InTorch

from .conftest import QUICK, ChatServer, echo, fault


@pytest.fixture(params=["endpoint", "vllm", "transformers"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Each of them in turn."""
    with _engine(request) as made:
        yield made


def _engine(request: pytest.FixtureRequest) -> Engine:
    async def reply(body: dict[str, Any], number: int) -> web.StreamResponse:
        long = len(body["messages"][-1]["content"]) > 1_000
        return fault(400, "longer than the context") if long else await echo(body, number)

    if request.param == "endpoint":
        chat_server: Callable[..., ChatServer] = request.getfixturevalue("chat_server")
        return Endpoint((chat_server(reply).url,), "tiny", patience=QUICK)
    if request.param == "vllm":
        in_process: Callable[..., InProcess] = request.getfixturevalue("in_process")
        return in_process()
    folder: Path = request.getfixturevalue("llama_folder")
    return InTorch(str(folder))


def ask(key: str, text: str) -> Ask:
    """For at most four tokens."""
    return Ask(key, (Message("user", text),), Sampling(max_tokens=4), seed=1)


def test_each_ask_is_answered_once_and_a_key_may_come_twice(engine: Engine) -> None:
    answers = list(engine.answers([ask(key, f"rain {key}") for key in "abcdbe"]))
    assert sorted(one.key for one in answers) == sorted("abcdbe")
    assert all(isinstance(one.text, str) and one.error is None for one in answers)
    assert all(one.finish in {"stop", "length"} and one.completion_tokens > 0 for one in answers)


def test_nothing_asked_is_nothing_answered(engine: Engine) -> None:
    assert list(engine.answers([])) == []


def test_an_ask_beyond_the_context_fails_alone_with_its_cause(engine: Engine) -> None:
    asks = [ask("a", "rain"), ask("long", "a dog barks " * 512), ask("b", "wind")]
    answers = {one.key: one for one in engine.answers(asks)}
    assert (answers["long"].text, answers["long"].finish) == (None, "error")
    assert "context" in str(answers["long"].error)
    assert answers["a"].error is answers["b"].error is None


def test_asks_without_end_are_read_ahead_a_little_and_the_engine_goes_on_with_others(engine: Engine) -> None:
    read = count()
    answers = engine.answers(ask(str(number), "rain") for number in read)
    assert len({next(answers).key for _ in range(20)}) == 20
    answers.close()  # type: ignore[attr-defined]
    assert next(read) < 1_000
    assert [one.key for one in engine.answers([ask("new", "wind")])] == ["new"]
