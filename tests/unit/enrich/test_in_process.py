"""The worker's process may die: what was under way is asked again, and an ask that kills it fails alone."""

import os
import signal
from collections.abc import Callable

import pytest

from captionstew.enrich.engine import Answer, Ask, Message, Sampling
from captionstew.enrich.in_process import InProcess
from captionstew.errors import EngineError, IncompleteError


@pytest.fixture
def engine(in_process: Callable[..., InProcess]) -> Callable[..., InProcess]:
    """Makes engines on vLLM's few names."""
    return in_process


def asks(*words: str) -> list[Ask]:
    """One for each word."""
    return [Ask(f"key {word}", (Message("user", word),), Sampling(), seed=1) for word in words]


def by_key(engine: InProcess, wanted: list[Ask]) -> dict[str, Answer]:
    """Each came once."""
    answers = list(engine.answers(wanted))
    assert sorted(one.key for one in answers) == sorted(one.key for one in wanted)
    return {one.key: one for one in answers}


def test_all_are_answered_and_the_model_stays_loaded(engine: Callable[..., InProcess]) -> None:
    model = engine()
    words = [f"rain {number}" for number in range(500)]
    answers = by_key(model, asks(*words))
    assert all(one.text == "heard " + key.removeprefix("key ") for key, one in answers.items())
    process = model._pipe
    assert len(by_key(model, asks("dog"))) == 1
    assert list(model.answers([])) == []
    assert model._pipe is process


def test_an_ask_that_the_model_refuses_fails_alone(engine: Callable[..., InProcess]) -> None:
    answers = by_key(engine(), asks("rain", "x" * 51, "dog"))
    assert answers["key " + "x" * 51].error == "longer than the context"
    assert answers["key dog"].text == "heard dog"


def test_an_ask_that_kills_the_engine_is_found_and_fails_alone(engine: Callable[..., InProcess]) -> None:
    words = [f"rain {number}" for number in range(60)]
    answers = by_key(engine(), asks(*words[:30], "poison", *words[30:]))
    assert answers.pop("key poison").error == "it ends the engine"
    assert {one.finish for one in answers.values()} == {"stop"}


def test_too_many_deaths_end_the_work(engine: Callable[..., InProcess]) -> None:
    with pytest.raises(IncompleteError, match="died 9 times"):
        by_key(engine(), asks(*(f"poison {number}" for number in range(30))))


def test_a_killed_worker_loses_nothing(engine: Callable[..., InProcess]) -> None:
    model = engine()
    answers = model.answers(asks(*(f"rain {number}" for number in range(300))))
    got = [next(answers) for _ in range(5)]
    assert model._pipe is not None
    os.kill(model._pipe._process.pid, signal.SIGKILL)
    got += list(answers)
    assert len({one.key for one in got}) == len(got) == 300


def test_what_a_caller_left_is_not_answered_to_the_next(engine: Callable[..., InProcess]) -> None:
    model = engine()
    answers = model.answers(asks(*(f"rain {number}" for number in range(300))))
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert set(by_key(model, asks("dog", "siren"))) == {"key dog", "key siren"}


def test_a_model_that_cannot_be_loaded_is_said(engine: Callable[..., InProcess]) -> None:
    with pytest.raises(EngineError, match="no such model"):
        list(engine("none").answers(asks("rain")))
