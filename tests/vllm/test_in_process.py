"""The real vLLM without a server, in one process of its own environment."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from captionstew.enrich.engine import Answer, Ask, Message, Sampling
from captionstew.enrich.in_process import InProcess
from captionstew.errors import EngineError

from .conftest import CONTEXT

pytestmark = pytest.mark.vllm


@pytest.fixture(scope="module")
def engine(python: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    """The tiny model, few at a time, so that much of it queues."""
    log = tmp_path_factory.mktemp("logs") / "vllm.log"
    with InProcess(
        str(model), python=python, log=log, context=CONTEXT, options={"max_num_seqs": 32}
    ) as engine:
        yield engine


def asks(count: int) -> list[Ask]:
    """Each with a seed of its own."""
    return [
        Ask(
            f"key {number}",
            (Message("user", f"Sounds: Dog\nCaption: rain {number}"),),
            Sampling(max_tokens=8),
            number,
        )
        for number in range(count)
    ]


def by_key(engine: InProcess, wanted: list[Ask]) -> dict[str, Answer]:
    """Each came once."""
    answers = list(engine.answers(wanted))
    assert sorted(one.key for one in answers) == sorted(one.key for one in wanted)
    return {one.key: one for one in answers}


def test_the_same_asks_give_the_same_text_and_overlong_ones_fail_alone(engine: InProcess) -> None:
    long = Ask("long", (Message("user", "a dog barks " * CONTEXT),))
    wanted = [*asks(200), long, replace(asks(1)[0], key="odd", messages=(Message("tool", "?"),))]
    first, second = by_key(engine, wanted), by_key(engine, wanted)
    assert first == second
    assert "context length" in str(first.pop("long").error)
    assert "roles" in str(first.pop("odd").error)
    assert {one.finish for one in first.values()} <= {"stop", "length"}
    assert len({one.text for one in first.values()}) > 100


def test_the_model_is_held_to_json_of_one_field(engine: InProcess) -> None:
    wanted = [replace(ask, sampling=Sampling(max_tokens=120, field="caption")) for ask in asks(8)]
    whole = [one for one in by_key(engine, wanted).values() if one.finish == "stop"]
    assert whole
    for one in whole:
        assert list(json.loads(str(one.text), strict=False)) == ["caption"]


def test_asks_without_end_are_answered_and_forgotten(engine: InProcess) -> None:
    read = count()
    endless = (Ask(str(number), (Message("user", "rain"),), Sampling(max_tokens=4)) for number in read)
    answers = engine.answers(endless)
    got = [next(answers).key for _ in range(300)]
    answers.close()  # type: ignore[attr-defined]
    assert len(set(got)) == 300
    assert next(read) <= 300 + 4 * 32 + 3 * 16
    assert set(by_key(engine, asks(20))) == {one.key for one in asks(20)}


def test_a_killed_worker_is_replaced_and_no_ask_is_lost(engine: InProcess) -> None:
    answers = engine.answers(asks(200))
    got = [next(answers) for _ in range(10)]
    assert engine._pipe is not None
    os.kill(engine._pipe._process.pid, signal.SIGKILL)
    got += list(answers)
    assert sorted(one.key for one in got) == sorted(one.key for one in asks(200))
    assert {one.finish for one in got} <= {"stop", "length"}


def test_a_model_that_cannot_be_loaded_is_said_with_vllms_words(python: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with (
        InProcess(str(tmp_path / "empty"), python=python, log=tmp_path / "log") as broken,
        pytest.raises(EngineError, match="vLLM cannot load") as caught,
    ):
        list(broken.answers(asks(1)))
    assert "config" in caught.value.cause
