"""An endpoint answers every ask exactly once, whatever the network and the servers do."""

import asyncio
import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from captionstew.enrich.endpoint import Endpoint
from captionstew.enrich.engine import Answer, Ask, Message, Sampling
from captionstew.enrich.repair import repair
from captionstew.errors import EngineError, IncompleteError

from .conftest import QUICK, ChatServer, completion, echo, fault

Make = Callable[..., ChatServer]


def asks(count: int) -> list[Ask]:
    """That many different asks."""
    return [Ask(f"key {number}", (Message("user", f"word {number}"),)) for number in range(count)]


def endpoint(*servers: ChatServer, **fields: Any) -> Endpoint:
    """The servers as an engine that does not wait for long."""
    fields = {"model": "tiny", "patience": QUICK, **fields}
    return Endpoint(tuple(server.url for server in servers), **fields)


def answered(engine: Endpoint, wanted: list[Ask]) -> dict[str, Answer]:
    """By key; each came once."""
    answers = list(engine.answers(wanted))
    assert sorted(one.key for one in answers) == sorted(one.key for one in wanted)
    return {one.key: one for one in answers}


def test_every_word_of_an_ask_reaches_the_server_and_its_answer_comes_back(chat_server: Make) -> None:
    server = chat_server()
    sampling = Sampling(temperature=0.3, top_p=0.9, max_tokens=12, stop=("</s>",))
    ask = Ask("a", (Message("system", "Be brief."), Message("user", "caf\u00e9 \ud800?")), sampling, seed=5)
    (answer,) = endpoint(server).answers([ask])
    assert answer == Answer("a", "heard caf\u00e9 ??", "stop", None, 7, 3)
    assert server.bodies[0] == {
        "model": "tiny", "temperature": 0.3, "top_p": 0.9, "max_tokens": 12, "stop": ["</s>"], "seed": 5,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "caf\u00e9 \ud800?"}],
    }  # fmt: skip


def test_a_model_is_held_to_json_where_a_prompt_wants_a_field(chat_server: Make) -> None:
    async def told(body: dict[str, Any], _number: int) -> web.StreamResponse:
        schema = body["response_format"]["json_schema"]["schema"]
        return completion(json.dumps(dict.fromkeys(schema["required"], "A dog barks")))

    wanted = Ask("a", (Message("user", "dog"),), Sampling(field="caption"))
    (answer,) = endpoint(chat_server(told)).answers([wanted])
    assert repair(str(answer.text)) == "A dog barks."


def test_whether_anybody_is_there_is_seen_at_once(chat_server: Make) -> None:
    async def bare(_body: dict[str, Any], _number: int) -> web.StreamResponse:
        return fault(400, "this tokenizer has no chat template")

    async def broken(_body: dict[str, Any], _number: int) -> web.StreamResponse:
        return fault(400, "no such thing as a word")

    good = chat_server()
    endpoint(good).check()
    assert [body["max_tokens"] for body in good.bodies] == [1]
    for server, model, problem in (
        (good, "other", "no model 'other'"),
        (chat_server(bare), "tiny", "no chat template"),
        (chat_server(broken), "tiny", "answers no chat"),
    ):
        with pytest.raises(EngineError, match=problem):
            endpoint(server, model=model).check()


def test_no_seed_is_sent_where_none_is_wanted(chat_server: Make) -> None:
    server = chat_server()
    list(endpoint(server).answers(asks(1)))
    assert "seed" not in server.bodies[0]
    assert "stop" not in server.bodies[0]


def test_200_at_a_time_with_errors_slow_answers_and_a_restart_are_all_answered_once(
    chat_server: Make,
) -> None:
    async def reply(body: dict[str, Any], number: int) -> web.StreamResponse:
        place = int(body["messages"][-1]["content"].split()[1])
        await asyncio.sleep(0.3 if place % 20 == 1 else 0.005)
        return fault(500, "a bad moment") if place % 20 == 0 and number == 1 else await echo(body, number)

    server = chat_server(reply)
    engine = endpoint(server, concurrency=200)

    def restart() -> None:
        time.sleep(0.15)
        server.stop()
        time.sleep(0.3)
        server.start()

    restarting = threading.Thread(target=restart)
    restarting.start()
    answers = answered(engine, asks(2000))
    restarting.join()
    assert all(one.finish == "stop" for one in answers.values())
    assert all(one.text == f"heard word {key.split()[1]}" for key, one in answers.items())
    assert 100 < server.most_busy <= 200
    assert max(server.seen.values()) > 1


def test_an_ask_that_the_server_refuses_fails_alone(chat_server: Make) -> None:
    async def reply(body: dict[str, Any], number: int) -> web.StreamResponse:
        long = body["messages"][-1]["content"] == "word 3"
        return fault(400, "context length is 64 tokens") if long else await echo(body, number)

    server = chat_server(reply)
    answers = answered(endpoint(server), asks(6))
    assert answers["key 3"] == Answer.failed("key 3", "HTTP 400: context length is 64 tokens")
    assert [one.finish for one in answers.values()].count("stop") == 5
    assert server.seen["word 3"] == 1


def test_an_ask_that_breaks_the_server_is_given_up_and_the_others_are_answered(chat_server: Make) -> None:
    async def reply(body: dict[str, Any], number: int) -> web.StreamResponse:
        bad = body["messages"][-1]["content"] == "word 3"
        return fault(500, "engine dead") if bad else await echo(body, number)

    server = chat_server(reply)
    answers = answered(endpoint(server), asks(40))
    assert answers["key 3"].error == "given up after 5 tries: HTTP 500: engine dead"
    assert [one.finish for one in answers.values()].count("stop") == 39


@pytest.mark.parametrize("status", [408, 425, 429, 502, 503])
def test_a_server_that_asks_for_a_rest_gets_it_and_no_ask_is_lost(chat_server: Make, status: int) -> None:
    times: list[float] = []

    async def reply(body: dict[str, Any], number: int) -> web.StreamResponse:
        times.append(time.monotonic())
        return fault(status, **{"Retry-After": "1"}) if len(times) == 1 else await echo(body, number)

    answers = answered(endpoint(chat_server(reply), concurrency=1), asks(3))
    assert {one.finish for one in answers.values()} == {"stop"}
    assert times[1] - times[0] >= 1.0


def test_too_many_asks_cost_none_of_them_a_try(chat_server: Make) -> None:
    async def reply(body: dict[str, Any], number: int) -> web.StreamResponse:
        return fault(429, "slower") if number <= 7 else await echo(body, number)

    engine = endpoint(chat_server(reply), concurrency=1)
    assert answered(engine, asks(1))["key 0"].finish == "stop"  # 7 is more than its 5 tries


@pytest.mark.parametrize("body", ["<html>busy</html>", "{}", '{"choices": []}', "[1]"])
def test_a_reply_that_is_no_completion_is_tried_again(chat_server: Make, body: str) -> None:
    async def reply(wanted: dict[str, Any], number: int) -> web.StreamResponse:
        return web.Response(text=body) if number < 3 else await echo(wanted, number)

    assert answered(endpoint(chat_server(reply)), asks(2))["key 1"].text == "heard word 1"


def test_a_reply_without_an_end_is_cut_off(chat_server: Make) -> None:
    async def reply(_body: dict[str, Any], _number: int) -> web.StreamResponse:
        return web.Response(body=b" " * (5 << 20))

    error = answered(endpoint(chat_server(reply)), asks(1))["key 0"].error
    assert error == "given up after 5 tries: the reply has more than 4 MiB"


def test_a_cut_answer_and_one_without_text_are_told_apart(chat_server: Make) -> None:
    async def reply(body: dict[str, Any], _number: int) -> web.StreamResponse:
        word = body["messages"][-1]["content"]
        return completion("a dog", "length" if word == "word 0" else "content_filter")

    answers = answered(endpoint(chat_server(reply)), asks(2))
    assert (answers["key 0"].finish, answers["key 0"].text) == ("length", "a dog")
    assert (answers["key 1"].finish, answers["key 1"].text) == ("error", None)


def test_a_request_without_an_answer_is_cut_and_sent_again(chat_server: Make) -> None:
    async def reply(body: dict[str, Any], number: int) -> web.StreamResponse:
        await asyncio.sleep(0.8 if number == 1 else 0)
        return await echo(body, number)

    engine = endpoint(chat_server(reply), patience=replace(QUICK, timeout=0.3))
    assert answered(engine, asks(2))["key 0"].finish == "stop"


def test_a_model_that_the_server_lacks_is_an_error_before_the_work(chat_server: Make) -> None:
    server = chat_server(models=("vicuna-7b", "qwen"))
    with pytest.raises(EngineError) as caught:
        list(endpoint(server, model="vicuna-7b-v1.5").answers(asks(3)))
    assert "it has vicuna-7b, qwen" in str(caught.value)
    assert "did you mean `vicuna-7b`?" in str(caught.value)
    assert not server.bodies


def test_a_page_that_is_no_api_is_said_so(chat_server: Make) -> None:
    engine = replace(endpoint(chat_server()), urls=(chat_server().url + "/wrong",))
    with pytest.raises(EngineError, match="ends in /v1"):
        list(engine.answers(asks(1)))


def test_the_key_comes_from_the_environment_and_is_never_said(
    chat_server: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = chat_server(key="s3cret")
    monkeypatch.setenv("CAPTIONSTEW_API_KEY", "s3cret")
    assert answered(endpoint(server), asks(2))["key 1"].finish == "stop"
    monkeypatch.setenv("CAPTIONSTEW_API_KEY", "wr0ng")
    with pytest.raises(EngineError) as caught:
        list(endpoint(server).answers(asks(1)))
    assert "CAPTIONSTEW_API_KEY" in str(caught.value)
    assert "wr0ng" not in str(caught.value) + repr(endpoint(server))


def test_nothing_that_listens_is_an_error_in_good_time() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        engine = Endpoint((f"http://127.0.0.1:{taken.getsockname()[1]}",), "tiny", patience=QUICK)
        with pytest.raises(EngineError, match="no language model answers"):
            list(engine.answers(asks(1)))


def test_a_server_gone_for_good_ends_the_work_after_what_it_answered(chat_server: Make) -> None:
    server = chat_server()
    engine = endpoint(server, concurrency=4, patience=replace(QUICK, silence=1))
    answers = engine.answers(iter(asks(1000)))
    first = [next(answers) for _ in range(50)]
    server.stop()
    kept: list[Answer] = []
    with pytest.raises(IncompleteError, match="the language model is gone"):
        kept.extend(answers)
    server.start()
    assert len({one.key for one in first + kept}) == len(first) + len(kept) < 1000
    assert {one.finish for one in first + kept} == {"stop"}  # what the server never saw is no ask's fault


def test_when_one_of_two_servers_dies_the_other_answers_all(chat_server: Make) -> None:
    servers = chat_server(), chat_server()
    answers = endpoint(*servers, concurrency=8).answers(iter(asks(600)))
    got = [next(answers) for _ in range(100)]
    servers[0].stop()
    got += list(answers)
    servers[0].start()
    assert sorted(one.key for one in got) == sorted(one.key for one in asks(600))
    assert {one.finish for one in got} == {"stop"}


def test_the_server_with_the_least_to_do_gets_the_next_ask(chat_server: Make) -> None:
    async def slow(body: dict[str, Any], number: int) -> web.StreamResponse:
        await asyncio.sleep(0.1)
        return await echo(body, number)

    servers = chat_server(slow), chat_server(slow)
    answered(endpoint(*servers, concurrency=8), asks(8))
    assert [len(server.bodies) for server in servers] == [4, 4]
    servers = chat_server(slow), chat_server()
    answered(endpoint(*servers, concurrency=4), asks(200))
    assert len(servers[0].bodies) < len(servers[1].bodies)
    assert max(server.most_busy for server in servers) <= 4


def test_asks_without_end_are_read_a_bounded_number_ahead(chat_server: Make) -> None:
    read = itertools.count()

    def endless() -> Iterator[Ask]:
        for number in read:
            yield Ask(str(number), (Message("user", "a dog"),))

    answers = endpoint(chat_server(), concurrency=8).answers(endless())
    for _ in range(300):
        next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert next(read) <= 300 + 3 * 16


def test_long_asks_do_not_all_crowd_the_server_at_once(chat_server: Make) -> None:
    async def slow(body: dict[str, Any], number: int) -> web.StreamResponse:
        await asyncio.sleep(0.05)
        return await echo(body, number)

    server = chat_server(slow)
    wanted = [
        Ask(str(n), (Message("user", f"{n} " + "bark" * 2_000),), Sampling(max_tokens=20)) for n in range(64)
    ]
    answered(endpoint(server, concurrency=64, tokens=8_000), wanted)
    assert server.most_busy <= 16 + 4  # one step of asks, and what 8,000 tokens hold
    answered(endpoint(server, concurrency=64), wanted)
    assert server.most_busy > 32


def test_no_thread_is_left_when_the_caller_stops_early(chat_server: Make) -> None:
    before = set(threading.enumerate())
    answers = endpoint(chat_server()).answers(asks(100))
    server_thread = {one for one in set(threading.enumerate()) - before if one.name != "asks"}
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert not {one for one in set(threading.enumerate()) - before - server_thread if one.name == "asks"}


def test_addresses_are_bases_and_carry_no_password() -> None:
    assert Endpoint(("http://a:1/", "http://a:1/v1"), "m").urls == ("http://a:1/v1",)
    assert Endpoint(("https://a/api/v3/",), "m").urls == ("https://a/api/v3",)
    for wrong in ("a:8000", "ftp://a", "http://me:word@a/v1"):
        with pytest.raises(EngineError) as caught:
            Endpoint((wrong,), "m")
        assert "word@" not in str(caught.value)


def test_what_serve_wrote_down_is_an_endpoint(tmp_path: Path) -> None:
    file = tmp_path / "endpoints.json"
    file.write_text('{"urls": ["http://a:1/v1"], "model": "m", "revision": "r"}', encoding="utf-8")
    assert Endpoint.of(file, concurrency=3) == Endpoint(("http://a:1/v1",), "m", "r", 3)
    file.write_text("[]", encoding="utf-8")
    with pytest.raises(EngineError, match="names no servers"):
        Endpoint.of(file)
