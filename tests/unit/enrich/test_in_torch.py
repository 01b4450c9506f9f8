"""The engine of transformers keeps the promises of every engine, with a tiny Llama on the CPU."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from captionstew.enrich.engine import Answer, Ask, Message, Sampling
from captionstew.enrich.in_torch import InTorch
from captionstew.enrich.open import TORCH, Served
from captionstew.errors import EngineError

pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def engine(llama_folder: Path) -> InTorch:
    """It is loaded at the first ask."""
    return InTorch(str(llama_folder))


def asks(count: int) -> list[Ask]:
    """Each with a seed of its own."""
    sampling = Sampling(temperature=1.0, top_p=0.95, max_tokens=6)
    return [Ask(f"key {n}", (Message("user", f"A dog barks {n}"),), sampling, seed=n) for n in range(count)]


def by_key(engine: InTorch, wanted: list[Ask]) -> dict[str, Answer]:
    """Each came once."""
    answers = list(engine.answers(wanted))
    assert sorted(one.key for one in answers) == sorted(one.key for one in wanted)
    return {one.key: one for one in answers}


def test_a_seed_gives_the_same_text_in_any_company(engine: InTorch) -> None:
    wanted = asks(8)
    first = by_key(engine, wanted)
    assert by_key(engine, wanted[::-1]) == first
    assert by_key(engine, wanted[5:6])["key 5"] == first["key 5"]
    assert len({one.text for one in first.values()}) > 4
    assert all(one.finish in {"stop", "length"} and 0 < one.completion_tokens <= 6 for one in first.values())
    other = by_key(engine, [replace(one, seed=99) for one in wanted])
    assert other != first


def test_without_chance_the_seed_does_not_matter_and_the_limit_is_told(engine: InTorch) -> None:
    greedy = [replace(one, sampling=Sampling(temperature=0.0, max_tokens=4)) for one in asks(1)]
    (one,) = engine.answers(greedy)
    (two,) = engine.answers([replace(greedy[0], seed=7)])
    assert one == two
    assert (one.finish, one.completion_tokens) == ("length", 4)


def test_a_stop_string_ends_the_text_and_is_not_in_it(engine: InTorch) -> None:
    greedy = replace(asks(1)[0], sampling=Sampling(temperature=0.0, max_tokens=8))
    (whole,) = engine.answers([greedy])
    assert whole.text
    middle = whole.text[3:5]
    (cut,) = engine.answers([replace(greedy, sampling=replace(greedy.sampling, stop=(middle,)))])
    assert cut.text == whole.text[: whole.text.find(middle)]
    assert cut.finish == "stop"


def test_an_overlong_ask_and_a_strange_role_fail_alone(engine: InTorch) -> None:
    good = asks(1)[0]
    long = replace(good, key="long", messages=(Message("user", "a dog barks " * 512),))
    odd = replace(good, key="odd", messages=(Message("tool", "?"),))
    found = by_key(engine, [long, good, odd])
    assert found["key 0"].error is None
    assert "context length of 512" in str(found["long"].error)
    assert "roles" in str(found["odd"].error)


def test_what_is_no_model_is_said_before_any_ask(llama_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no model at"):
        InTorch(str(tmp_path / "nothing")).check()
    with pytest.raises(EngineError, match="no language model"):
        InTorch(str(tmp_path)).check()
    with pytest.raises(EngineError, match="cannot load"):
        list(InTorch(str(tmp_path)).answers(asks(1)))
    plain = tmp_path / "plain"
    shutil.copytree(llama_folder, plain)
    for act in (InTorch(str(plain)).check, lambda: list(InTorch(str(plain)).answers(asks(1)))):
        with pytest.raises(EngineError, match="no chat template"):
            act()
    facts = json.loads((plain / "tokenizer_config.json").read_text())
    (plain / "tokenizer_config.json").write_text(
        json.dumps(facts | {"chat_template": "{{ messages[0].content }}"})
    )
    InTorch(str(plain)).check()
    InTorch(str(llama_folder)).check()


def test_a_recipe_names_it_by_a_word(llama_folder: Path) -> None:
    served = Served(TORCH, str(llama_folder), context=300)
    served.check()
    with served.engine() as engine:
        (answer,) = engine.answers(asks(1))
    assert answer.error is None
