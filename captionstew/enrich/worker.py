"""Runs in vLLM's environment and imports nothing of ours: asks as JSON lines in, answers as JSON lines out.

Asks are taken up to a fixed number under way before every step of the model, so that what is computed together, and
with it every rounding, depends on the asks and their order alone.
"""

import json
import os
import queue
import sys
import threading
from typing import IO, Any

_PROTOCOL = 1


class Worker:
    """One `vllm.LLM`, fed while it runs."""

    def __init__(self, order: dict[str, Any]) -> None:
        from vllm import LLM

        self._model = LLM(**order["llm"])
        self._engine = self._model.llm_engine
        self._tokenizer = self._model.get_tokenizer()
        self._template: str | None = order["template"]
        self.seats = int(self._engine.vllm_config.scheduler_config.max_num_seqs)
        if self._template is None and not getattr(self._tokenizer, "chat_template", None):
            raise ValueError("the model's tokenizer has no chat template, and none was given")

    def run(self, lines: "queue.SimpleQueue[dict[str, Any] | None]", out: IO[bytes]) -> None:
        """Until the lines end: fill up, take a step, say what has finished."""
        under_way, more = 0, False  # more: asks are still to come, so that it is worth waiting for them
        while True:
            while under_way < 2 * self.seats and (more or not under_way):
                line = lines.get()
                if line is None:
                    return
                if "asks" in line:
                    more = bool(line["more"])
                    under_way += sum(self._add(ask, out) for ask in line["asks"])
                else:
                    self._engine.abort_request(line["forget"])
                    under_way, more = self._engine.get_num_unfinished_requests(), False
            finished = [one for one in self._engine.step() if one.finished]
            under_way -= len(finished)
            for one in finished:
                result = one.outputs[0]
                say(out, {"id": one.request_id, "text": result.text, "finish": result.finish_reason,
                          "prompt": len(one.prompt_token_ids), "completion": len(result.token_ids)})  # fmt: skip
            out.flush()

    def _add(self, ask: dict[str, Any], out: IO[bytes]) -> int:
        """1 if the model has begun with it, 0 if it cannot: that is said at once."""
        from jinja2 import TemplateError
        from vllm import SamplingParams
        from vllm.exceptions import VLLMClientError
        from vllm.sampling_params import RequestOutputKind

        try:
            text = self._tokenizer.apply_chat_template(
                ask["messages"], chat_template=self._template, tokenize=False, add_generation_prompt=True
            )
            tokens = self._tokenizer.encode(text, add_special_tokens=False)
            held = _held(ask["schema"]) if ask["schema"] else {}
            params = SamplingParams(**ask["sampling"], **held, output_kind=RequestOutputKind.FINAL_ONLY)
            self._engine.add_request(ask["id"], {"prompt_token_ids": tokens}, params)
        except (
            VLLMClientError,
            TemplateError,
            ValueError,
        ) as error:  # too long, a role that the template lacks
            say(out, {"id": ask["id"], "error": str(error)[:300]})
            out.flush()
            return 0
        return 1


def _held(schema: dict[str, Any]) -> dict[str, Any]:
    """What holds a model to JSON of this schema."""
    from vllm.sampling_params import StructuredOutputsParams

    return {"structured_outputs": StructuredOutputsParams(json=schema)}


def say(out: IO[bytes], line: dict[str, Any]) -> None:
    """The line is on its way."""
    out.write(json.dumps(line).encode() + b"\n")


def read(lines: "queue.SimpleQueue[dict[str, Any] | None]") -> None:
    """Standard input as a queue; how much is in it is bounded by the other side."""
    for line in sys.stdin.buffer:
        lines.put(json.loads(line))
    lines.put(None)


def main() -> None:
    """Read the order, load the model, work."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else prints goes to the log
    order = json.loads(sys.stdin.buffer.readline())
    try:
        worker = Worker(order)
    except (ValueError, OSError, RuntimeError) as error:
        say(out, {"fault": f"{type(error).__name__}: {error}"[:2000]})
        out.flush()
        raise
    say(out, {"protocol": _PROTOCOL, "seats": worker.seats})
    out.flush()
    lines: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    threading.Thread(target=read, args=(lines,), daemon=True).start()
    worker.run(lines, out)


if __name__ == "__main__":
    main()
