"""A real server on the loopback that speaks the chat protocol, well or badly, as a test asks it to."""

import asyncio
import json
import sys
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from captionstew.enrich.in_process import InProcess
from captionstew.enrich.patience import Patience

QUICK = Patience(
    connect=2, timeout=1, tries=5, first_wait=0.01, longest_wait=0.1, longest_asked=5, reach=0.5, silence=6
)
Reply = Callable[[dict[str, Any], int], Awaitable[web.StreamResponse]]
# A server with the command line and the addresses of vLLM's, which does what a file beside the model says.
SERVER = """
import argparse, http.server, json, os, pathlib, signal, subprocess, sys, time
parser = argparse.ArgumentParser()
parser.add_argument("--model"); parser.add_argument("--port", type=int); parser.add_argument("--host")
known, rest = parser.parse_known_args()
mood = pathlib.Path(known.model) / "mood"
say = lambda: mood.read_text() if mood.exists() else "well"
print("words", rest, os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ.get("HF_HUB_OFFLINE"), flush=True)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
if say() == "dead":
    sys.exit("no such model")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if say() == "deaf":
            time.sleep(600)
        if say() == "die":
            mood.unlink()
            os._exit(3)
        self.reply({"data": [{"id": known.model}]})
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        message = {"content": "heard " + body["messages"][-1]["content"]}
        self.reply({"choices": [{"finish_reason": "stop", "message": message}], "usage": {}})
    def reply(self, value):
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer((known.host, known.port), Handler).serve_forever()
"""

# The few names of vLLM that the worker uses, on a model that repeats its prompt; tests/vllm has the real one.
VLLM = """
import os
from types import SimpleNamespace as Facts
class SamplingParams:
    def __init__(self, **fields): self.__dict__.update(fields)
class Tokenizer:
    chat_template = "{}"
    def apply_chat_template(self, messages, **_): return messages[-1]["content"]
    def encode(self, text, add_special_tokens): return [ord(one) for one in text]
class LLM:
    def __init__(self, model, **_):
        if model == "none": raise OSError("no such model")
        self.llm_engine, self.vllm_config = self, Facts(scheduler_config=Facts(max_num_seqs=16))
        self.waiting = {}
    def get_tokenizer(self): return Tokenizer()
    def add_request(self, name, prompt, params):
        if len(prompt["prompt_token_ids"]) > 50:
            from vllm.exceptions import VLLMClientError
            raise VLLMClientError("longer than the context")
        self.waiting[name] = "".join(map(chr, prompt["prompt_token_ids"]))
    def abort_request(self, names):
        for name in names: self.waiting.pop(name, None)
    def get_num_unfinished_requests(self): return len(self.waiting)
    def step(self):
        if any("poison" in text for text in self.waiting.values()): os._exit(5)
        done = list(self.waiting.items())[:8]
        for name, _ in done: del self.waiting[name]
        return [Facts(finished=True, request_id=name, prompt_token_ids=[1, 2], outputs=[
            Facts(text="heard " + text, finish_reason="stop", token_ids=[3])]) for name, text in done]
"""


def completion(text: str, finish: str = "stop") -> web.Response:
    """A good reply."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    return web.json_response(
        {"choices": [choice], "usage": {"prompt_tokens": 7, "completion_tokens": len(text.split())}}
    )


def fault(status: int, message: str = "no", **headers: str) -> web.Response:
    """A bad one."""
    return web.json_response({"error": {"message": message}}, status=status, headers=headers)


async def echo(body: dict[str, Any], _number: int) -> web.StreamResponse:
    """Say the last message again."""
    return completion("heard " + body["messages"][-1]["content"])


@dataclass
class ChatServer:
    """Answers `reply(body, how many times this ask came)`; `stop` and `start` are a restart at the same port."""

    reply: Reply = echo
    models: tuple[str, ...] = ("tiny",)
    models_status: int = 200
    key: str = ""
    port: int = 0
    busy: int = 0
    most_busy: int = 0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Its base address."""
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        """It listens, at the port it had."""
        self._wait(self._start())

    def stop(self) -> None:
        """All its connections are cut."""
        self._wait(self._runner.cleanup())

    def end(self) -> None:
        """Nothing is left of it."""
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _wait(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _start(self) -> None:
        app = web.Application()
        app.add_routes([web.get("/v1/models", self._models), web.post("/v1/chat/completions", self._chat)])
        self._runner = web.AppRunner(app, shutdown_timeout=0, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True, backlog=1024)
        await site.start()
        self.port = self._runner.addresses[0][1]

    def _barred(self, request: web.Request) -> bool:
        return bool(self.key) and request.headers.get("Authorization") != f"Bearer {self.key}"

    async def _models(self, request: web.Request) -> web.StreamResponse:
        if self._barred(request):
            return fault(401, "a key is wanted")
        data = [{"id": name} for name in self.models]
        return web.json_response({"object": "list", "data": data}, status=self.models_status)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        word = body["messages"][-1]["content"]
        self.bodies.append(body)
        self.seen[word] += 1
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        try:
            return fault(401) if self._barred(request) else await self.reply(body, self.seen[word])
        finally:
            self.busy -= 1


@pytest.fixture
def chat_server() -> Iterator[Callable[..., ChatServer]]:
    """Makes servers that have started: `chat_server(reply, models=...)`."""
    started: list[ChatServer] = []

    def make(reply: Reply = echo, **fields: Any) -> ChatServer:
        server = ChatServer(reply, **fields)
        server.start()
        started.append(server)
        return server

    yield make
    for server in started:
        server.end()


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """An interpreter whose `vllm` is the server above."""
    package = tmp_path / "packages" / "vllm" / "entrypoints" / "openai"
    package.mkdir(parents=True)
    (package / "api_server.py").write_text(SERVER, encoding="utf-8")
    (tmp_path / "packages" / "vllm" / "__init__.py").write_text("__version__ = '0'", encoding="utf-8")
    path = tmp_path / "python"
    path.write_text(
        f'#!/bin/sh\nPYTHONPATH={tmp_path}/packages exec {sys.executable} "$@"\n', encoding="utf-8"
    )
    path.chmod(0o755)
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder whose file `mood` says how the server does."""
    (tmp_path / "model").mkdir()
    return tmp_path / "model"


@pytest.fixture
def in_process(tmp_path: Path) -> Iterator[Callable[..., InProcess]]:
    """Makes engines on an interpreter whose `vllm` is `VLLM`: `in_process(model)`."""
    package = tmp_path / "packages" / "vllm"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(VLLM, encoding="utf-8")
    (package / "exceptions.py").write_text("class VLLMClientError(Exception): pass", encoding="utf-8")
    (package / "sampling_params.py").write_text("class RequestOutputKind: FINAL_ONLY = 1", encoding="utf-8")
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\nPYTHONPATH={tmp_path}/packages exec {sys.executable} "$@"\n', encoding="utf-8"
    )
    python.chmod(0o755)
    made: list[InProcess] = []

    def make(model: str = "tiny") -> InProcess:
        made.append(InProcess(model, python=python, log=tmp_path / "log"))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="session")
def clap_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLAP of a few thousand weights with its extractor and a tokenizer of letters."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    place = tmp_path_factory.mktemp("clap")
    tower = {"hidden_size": 32, "intermediate_size": 37, "num_hidden_layers": 1, "num_attention_heads": 2}
    audio = {
        "patch_embeds_hidden_size": 8, "hidden_size": 64, "depths": [1, 1, 1, 1], "num_attention_heads": [2, 2, 2, 2],
        "projection_dim": 16, "num_mel_bins": 64, "spec_size": 256, "window_size": 8, "patch_size": 4,
        "enable_fusion": False, "num_hidden_layers": 4,
    }  # fmt: skip
    config = transformers.ClapConfig(
        text_config={**tower, "vocab_size": 40, "projection_dim": 16, "max_position_embeddings": 66},
        audio_config=audio, projection_dim=16,
    )  # fmt: skip
    torch.manual_seed(3)
    transformers.ClapModel(config).save_pretrained(place)
    letters = {
        word: n for n, word in enumerate(["<s>", "<pad>", "</s>", "<unk>", *"abcdefghijklmnopqrstuvwxyz "])
    }
    tokens = Tokenizer(models.WordLevel(letters, unk_token="<unk>"))
    tokens.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokens.post_processor = processors.TemplateProcessing(
        "<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokens, pad_token="<pad>", unk_token="<unk>", model_max_length=64
    )
    extractor = transformers.ClapFeatureExtractor(truncation="rand_trunc", padding="repeatpad")
    transformers.ClapProcessor(extractor, tokenizer).save_pretrained(place)
    return place
