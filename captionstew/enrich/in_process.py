"""vLLM without a server, for one machine: its `LLM` in one process of its own environment, fed through pipes."""

import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from captionstew.enrich.chat import clean
from captionstew.enrich.engine import LENGTH, STOP, Answer, Ask, Engine
from captionstew.enrich.environment import check_folder, own, vllm_python
from captionstew.enrich.environment import template as template_of
from captionstew.enrich.flow import STEP, flow
from captionstew.enrich.process import tail
from captionstew.errors import EngineError, IncompleteError

_WORKER = Path(__file__).with_name("worker.py")
_CRASHES = 8  # of the worker, in one stream of asks
_WHOLE = 8192  # tokens of one step on a CPU, which must hold a whole prompt: see captionstew.enrich.serving


@dataclass
class InProcess(Engine):
    """A model over `gpus` GPUs, or on the CPU where that is 0; it is loaded at the first ask and stays until `close`.

    The same asks in the same order give the same text on the same machine. An ask that ends the engine is found by
    sending those that were under way one by one, and fails alone.
    """

    model: str
    revision: str = ""
    python: Path | None = None
    gpus: int = 0
    template: Path | None = None  # None: the one that we bring for this model, or its tokenizer's
    context: int = 0
    log: Path | None = None
    options: dict[str, Any] = field(default_factory=dict)  # more arguments of vllm.LLM
    _pipe: "_Pipe | None" = field(default=None, init=False, repr=False)
    _next: int = field(default=0, init=False, repr=False)
    _more: bool = field(default=False, init=False, repr=False)
    _crashes: int = field(default=0, init=False, repr=False)
    _under_way: dict[str, Ask] = field(default_factory=dict, init=False, repr=False)
    _ready: list[Answer] = field(default_factory=list, init=False, repr=False)

    def check(self) -> None:
        """The interpreter is there, and the model if it is a folder."""
        vllm_python(str(self.python or ""))
        check_folder(self.model, has_template=self.template is not None)

    def answers(self, asks: Iterable[Ask]) -> Iterator[Answer]:
        """As the model gives them. EngineError if it cannot be loaded; IncompleteError if it dies again and again."""
        assert not self._under_way, "answers are being taken already"
        self._crashes = 0
        pipe = self._pipe or self._load()
        try:
            yield from flow(asks, 4 * pipe.seats + STEP, self._send, self._receive)
        finally:
            if self._under_way and self._pipe:
                self._pipe.say({"forget": [*self._under_way]})
            self._under_way, self._ready = {}, []

    def close(self) -> None:
        """The model is unloaded."""
        if self._pipe:
            self._pipe.close()
            self._pipe = None

    def _load(self) -> "_Pipe":
        python = vllm_python(str(self.python or ""))
        self.log = self.log or Path(mkdtemp(prefix="captionstew-vllm-")) / "vllm.log"
        template = self.template or template_of(self.model)
        text = template.read_text(encoding="utf-8") if template else None
        pipe = _Pipe([str(python), "-P", str(_WORKER)], self._environment(), self.log)
        self._pipe = pipe
        pipe.say({"llm": self._arguments(), "template": text})
        first = pipe.lines.get()
        if first is None or "fault" in first:
            self.close()
            cause = str(first["fault"]) if first else tail(self.log)
            hint = "mend what it names; the log has more (make enrich-env makes the environment)"
            raise EngineError(f"vLLM cannot load {self.model}", cause=cause, where=str(self.log), hint=hint)
        pipe.seats = int(first["seats"])
        return pipe

    def _arguments(self) -> dict[str, Any]:
        """Of vllm.LLM. Sampling defaults of the model's own files are left out: every ask brings all of its own."""
        found: dict[str, Any] = {
            "model": self.model, "generation_config": "vllm", "enable_prefix_caching": True, "seed": 0,
        }  # fmt: skip
        if self.revision and not Path(self.model).is_dir():
            found |= {"revision": self.revision, "tokenizer_revision": self.revision}
        if self.context:
            found["max_model_len"] = self.context
        if self.gpus:
            found["tensor_parallel_size"] = self.gpus
        else:
            whole = max(_WHOLE, self.context)
            found |= {"enforce_eager": True, "enable_chunked_prefill": False, "max_num_batched_tokens": whole}
        return found | self.options

    def _environment(self) -> dict[str, str]:
        more = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "VLLM_ENABLE_V1_MULTIPROCESSING": "0"}
        if Path(self.model).is_dir():
            more["HF_HUB_OFFLINE"] = "1"
        if not self.gpus:
            # Threads that fight for cores cost a factor of forty; who has many cores says so.
            more["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS", "1")
            more["VLLM_CPU_KVCACHE_SPACE"] = os.environ.get("VLLM_CPU_KVCACHE_SPACE", "4")
        return own(**more)

    def _send(self, asks: list[Ask]) -> None:
        named = {str(self._next + place): ask for place, ask in enumerate(asks)}
        self._next += len(named)
        self._under_way |= named
        self._more = len(asks) == STEP
        self._say(named, self._more)

    def _say(self, named: dict[str, Ask], more: bool) -> None:
        assert self._pipe is not None
        self._pipe.say({"asks": [_plain(name, ask) for name, ask in named.items()], "more": more})

    def _receive(self, block: bool) -> Answer:
        while not self._ready:
            assert self._pipe is not None
            line = self._pipe.lines.get(block=block)
            if line is None:
                self._revive()
            elif ask := self._under_way.pop(line["id"], None):  # else it was forgotten
                return _answer(ask.key, line)
        return self._ready.pop()

    def _revive(self) -> None:
        """A new worker has what was under way; after the second crash it gets that piece by piece."""
        self._restart()
        if self._crashes < 2:
            self._say(self._under_way, self._more)
            return
        for name, ask in list(self._under_way.items()):
            self._say({name: ask}, more=False)
            assert self._pipe is not None
            line = self._pipe.lines.get()
            del self._under_way[name]
            if line is None:
                self._ready.append(Answer.failed(ask.key, "it ends the engine"))
                self._restart()
            else:
                self._ready.append(_answer(ask.key, line))
        self._say({}, self._more)

    def _restart(self) -> None:
        self._crashes += 1
        self.close()
        if self._crashes > _CRASHES:
            cause = tail(self.log) if self.log else ""
            hint = "look at its log; the same command continues with what is missing"
            raise IncompleteError(
                f"vLLM died {self._crashes} times", cause=cause, where=str(self.log), hint=hint
            )
        self._load()


class _Pipe:
    """The worker's process; `lines` has what it says, and None when it has ended."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file,
                start_new_session=True,
            )  # fmt: skip
        self.seats = 0
        self.lines: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def say(self, line: dict[str, Any]) -> None:
        """The worker has it, or has ended: that comes back in `lines`."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(line).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return

    def close(self) -> None:
        """Every process of the worker has ended."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # nothing of it is kept, so nothing need be said
        self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if not line.endswith(b"\n"):
                break  # it died in the middle of it
            self.lines.put(json.loads(line))
        self.lines.put(None)


def _plain(name: str, ask: Ask) -> dict[str, Any]:
    sampling = {**asdict(ask.sampling), "stop": list(ask.sampling.stop), "seed": ask.seed}
    del sampling["field"]
    messages = [asdict(one) for one in ask.messages]
    return {"id": name, "messages": messages, "sampling": sampling, "schema": ask.sampling.schema}


def _answer(key: str, line: dict[str, Any]) -> Answer:
    if "error" in line:
        return Answer.failed(key, clean(line["error"]))
    if line["finish"] not in {STOP, LENGTH}:
        return Answer.failed(key, f"the model ended with {line['finish']!r}")
    return Answer(key, clean(line["text"]), line["finish"], None, line["prompt"], line["completion"])
