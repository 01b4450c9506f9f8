"""The OpenAI-compatible chat protocol, as bytes: what is sent and what comes back."""

import json
from typing import Any

from captionstew.enrich.engine import LENGTH, STOP, Answer, Ask

_LONGEST = 300  # characters of a server's words that are kept


def request(ask: Ask, model: str) -> bytes:
    """The body of `POST /chat/completions`; a seed and stop strings are sent only where there are any."""
    sampling = ask.sampling
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": one.role, "content": one.content} for one in ask.messages],
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
    }
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if sampling.schema:
        named = {"name": sampling.field, "schema": sampling.schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": named}
    if ask.seed is not None:
        body["seed"] = ask.seed
    return json.dumps(body).encode()


def answer(key: str, body: bytes) -> Answer:
    """A good reply as an Answer; ValueError if it is none."""
    try:
        reply = json.loads(body)
        choice, used = reply["choices"][0], reply.get("usage") or {}
        finish, text = choice["finish_reason"], choice["message"]["content"]
        counts = int(used.get("prompt_tokens") or 0), int(used.get("completion_tokens") or 0)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"no chat completion: {clipped(body)}") from error
    if finish not in {STOP, LENGTH} or not isinstance(text, str):
        return Answer.failed(key, f"the model ended with {str(finish)[:40]!r} and gave no text")
    return Answer(key, clean(text), finish, None, *counts)


def clean(text: str) -> str:
    """The text without halves of characters, which no file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def complaint(body: bytes) -> str:
    """What a server says is wrong: its message where it sends one, else the beginning of what it sent."""
    try:
        reply = json.loads(body)
        fault = reply.get("error", reply)
        message = fault.get("message") or fault.get("detail") if isinstance(fault, dict) else fault
    except (ValueError, AttributeError):
        message = None
    return clean(" ".join(message.split()))[:_LONGEST] if isinstance(message, str) else clipped(body)


def models(body: bytes) -> list[str]:
    """The names in a reply to `GET /models`; ValueError if it is none."""
    try:
        return [str(one["id"]) for one in json.loads(body)["data"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"no list of models: {clipped(body)}") from error


def clipped(body: bytes) -> str:
    """The beginning of what a server sent, on one line."""
    return " ".join(body[:_LONGEST].decode("utf-8", "replace").split()) or "nothing"
