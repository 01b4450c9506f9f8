"""The language model engines: our client against an instant server, and vLLM through us against vLLM alone.

    python -m benchmarks.enrich_engine client [--rows 20000]
    python -m benchmarks.enrich_engine vllm --model DIR [--python .venv-vllm/bin/python] [--rows 512] [--tokens 32]

The second loads the model twice, once for `LLM.generate` called directly and once for our engine, and then lets them
work on the same asks in turn. Processor time is that of both ends: ours and the worker's.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from captionstew.enrich.endpoint import Endpoint
from captionstew.enrich.engine import Ask, Engine, Message, Sampling
from captionstew.enrich.environment import own, template, vllm_python
from captionstew.enrich.in_process import InProcess, _plain

_REPLY = json.dumps(
    {
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "A dog barks."}}
        ],
        "usage": {"prompt_tokens": 120, "completion_tokens": 5},
    }
).encode()
_MODELS = b'{"data": [{"id": "instant"}]}'


def asks(count: int, tokens: int) -> Iterator[Ask]:
    """Prompts of some hundred tokens with a common beginning, as enrichment's are."""
    rules = "Write one sentence about what can be heard. Do not invent sources, places or causes. " * 3
    for number in range(count):
        text = f"{rules}\nSounds: Dog, Rain, Siren\nCaption: a dog barks near road {number}"
        yield Ask(str(number), (Message("user", text),), Sampling(max_tokens=tokens), seed=number)


class Instant(asyncio.Protocol):
    """HTTP/1.1 at its barest, so that the server is not what is measured."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._held = transport, b""

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._held += data
        while (end := self._held.find(b"\r\n\r\n")) >= 0:
            head = self._held[:end].lower()
            size = int(head.partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
            if len(self._held) < end + 4 + size:
                return
            self._held = self._held[end + 4 + size :]
            body = _MODELS if head.startswith(b"get") else _REPLY
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                % (len(body), body)
            )


def serve(ports: "multiprocessing.Queue[int]") -> None:
    """The instant server, in a process of its own."""

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Instant, "127.0.0.1", 0)
        ports.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def taken(engine: Engine, rows: int, tokens: int) -> int:
    """Completion tokens of all rows, each of which was answered."""
    answers = list(engine.answers(asks(rows, tokens)))
    assert len(answers) == rows
    assert all(one.error is None for one in answers), next(one.error for one in answers if one.error)
    return sum(one.completion_tokens for one in answers)


def client(rows: int) -> None:
    """Rows per second of our client, by concurrency."""
    ports: multiprocessing.Queue[int] = multiprocessing.Queue()
    server = multiprocessing.Process(target=serve, args=(ports,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ports.get()}/v1"
    print("| concurrency | rows/s | rows per core-second of the client |\n| ---: | ---: | ---: |")
    for concurrency in (1, 16, 128, 512):
        engine = Endpoint((url,), "instant", concurrency=concurrency)
        taken(engine, min(rows, 500), 8)
        count = rows if concurrency > 1 else max(rows // 10, 1)
        wall, core = time.perf_counter(), time.process_time()
        taken(engine, count, 8)
        wall, core = time.perf_counter() - wall, time.process_time() - core
        print(f"| {concurrency} | {count / wall:,.0f} | {count / core:,.0f} |", flush=True)
    server.terminate()


# Runs in vLLM's environment: the same asks, by `LLM.generate` on a whole list, as its documentation does it.
_DIRECT = """
import json, os, sys, time
out = os.fdopen(os.dup(1), "w"); os.dup2(2, 1)
from vllm import LLM, SamplingParams
order = json.loads(sys.stdin.readline())
model = LLM(**order["llm"]); tokenizer = model.get_tokenizer()
def work():
    texts = [tokenizer.apply_chat_template(a["messages"], tokenize=False, chat_template=order["template"],
             add_generation_prompt=True) for a in order["asks"]]
    prompts = [{"prompt_token_ids": tokenizer.encode(text, add_special_tokens=False)} for text in texts]
    params = [SamplingParams(**a["sampling"]) for a in order["asks"]]
    return sum(len(o.outputs[0].token_ids) for o in model.generate(prompts, params, use_tqdm=False))
work()
print("ready", file=out, flush=True)
for _ in sys.stdin:
    wall, core = time.perf_counter(), time.process_time(); tokens = work()
    print(json.dumps([tokens, time.perf_counter() - wall, time.process_time() - core]), file=out, flush=True)
"""


def core_seconds(process: int) -> float:
    """Processor time of one process, all its threads."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def vllm(model: str, python: Path, rows: int, tokens: int, repeats: int, log: Path) -> None:
    """Tokens per second of both on the same asks, in turn; medians, and the ratio."""
    engine = InProcess(model, python=python, log=log)
    path = template(model)
    order = {
        "llm": engine._arguments(), "template": path.read_text(encoding="utf-8") if path else None,
        "asks": [
            {"messages": [asdict(one) for one in ask.messages],
             "sampling": _plain("", ask)["sampling"]}
            for ask in asks(rows, tokens)
        ],
    }  # fmt: skip
    with log.with_suffix(".direct").open("wb") as words:
        direct = subprocess.Popen([python, "-P", "-c", _DIRECT], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=words, env={**own(), **engine._environment()})  # fmt: skip
    assert direct.stdin is not None
    assert direct.stdout is not None
    say(direct.stdin, json.dumps(order))
    with engine:
        taken(engine, rows, tokens)
        assert direct.stdout.readline().strip() == b"ready", log
        assert engine._pipe is not None
        worker = engine._pipe._process.pid
        alone: list[tuple[float, ...]] = []
        ours: list[tuple[float, ...]] = []
        for _ in range(repeats):
            say(direct.stdin, "go")
            count, wall, core = json.loads(direct.stdout.readline())
            alone.append((count / wall, count / core, count / core))
            ours.append(measured(lambda: taken(engine, rows, tokens), worker))
    direct.kill()
    direct.wait()
    print(f"{rows} asks of at most {tokens} tokens, {repeats} repeats in turn, load {os.getloadavg()[0]:.1f}")
    print(
        "| | tokens/s | best | per core-second | of vLLM's process alone |\n| --- | ---: | ---: | ---: | ---: |"
    )
    middle = [[statistics.median(one[place] for one in side) for place in range(3)] for side in (alone, ours)]
    rates = [[wall, max(one[0] for one in side), both, worker]
             for (wall, both, worker), side in zip(middle, (alone, ours), strict=True)]  # fmt: skip
    for name, numbers in zip(("LLM.generate", "ours"), rates, strict=True):
        print(f"| {name} | " + " | ".join(f"{number:,.0f}" for number in numbers) + " |")
    print("| ratio | " + " | ".join(f"{b / a:.3f}" for a, b in zip(*rates, strict=True)) + " |")


def measured(work: Callable[[], int], worker: int) -> tuple[float, ...]:
    """Tokens per second, per second of processor time here and in the worker, and per second of the worker's."""
    wall, here, there = time.perf_counter(), time.process_time(), core_seconds(worker)
    count = work()
    wall, here, there = time.perf_counter() - wall, time.process_time() - here, core_seconds(worker) - there
    return count / wall, count / (here + there), count / there


def say(pipe: IO[bytes], line: str) -> None:
    """The other process has it."""
    pipe.write(line.encode() + b"\n")
    pipe.flush()


def main() -> None:
    """What is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("client", "vllm"))
    parser.add_argument("--rows", type=int)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--model")
    parser.add_argument("--python", default="")
    parser.add_argument("--log", type=Path, default=Path("build/enrich_engine.log"))
    given: Any = parser.parse_args()
    if given.what == "client":
        client(given.rows or 20_000)
    elif not given.model:
        sys.exit("vllm needs --model")
    else:
        vllm(
            given.model, vllm_python(given.python), given.rows or 512, given.tokens, given.repeats, given.log
        )


if __name__ == "__main__":
    main()
