"""Any OpenAI-compatible server, or several of them, as an engine."""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from captionstew.enrich.engine import Answer, Ask, Engine, Message, Sampling
from captionstew.enrich.patience import Patience
from captionstew.errors import EngineError

KEY_NAME = "CAPTIONSTEW_API_KEY"
_SOON = 5.0  # s; who waits for a server to start waits for it by hand
_TRIAL = Ask("trial", (Message("user", "Say yes."),), Sampling(temperature=0.0, max_tokens=1))
_NO_AIOHTTP = "pip install 'captionstew[enrich]'"


@dataclass(frozen=True)
class Endpoint(Engine):
    """A model behind base addresses such as `http://127.0.0.1:8000/v1`; the least busy server gets the next ask.

    The revision is the recipe's word: the protocol has no way to ask a server for it. A key is read from the
    environment, sent to these servers alone, and written nowhere.
    """

    urls: tuple[str, ...]
    model: str
    revision: str = ""
    concurrency: int = 128  # asks under way per server
    tokens: int = 1 << 17  # of prompts and answers that are sent ahead, per server: Vicuna's cache in 60 GB
    patience: Patience = field(default_factory=Patience)
    key_name: str = KEY_NAME

    def __post_init__(self) -> None:
        if not self.urls or self.concurrency < 1:
            raise EngineError("an endpoint needs an address and a concurrency of 1 or more",
                              hint="such as http://127.0.0.1:8000/v1")  # fmt: skip
        object.__setattr__(self, "urls", tuple(dict.fromkeys(map(base, self.urls))))

    @classmethod
    def of(cls, file: Path, **fields: object) -> Self:
        """The servers that `captionstew enrich serve` wrote down; EngineError if the file is none of its own."""
        try:
            facts = json.loads(file.read_text(encoding="utf-8"))
            found = {"urls": tuple(map(str, facts["urls"])), "model": str(facts["model"]),
                     "revision": str(facts["revision"])}  # fmt: skip
        except (OSError, ValueError, KeyError, TypeError) as error:
            hint = "captionstew enrich serve MODEL writes it, and removes it when it stops"
            raise EngineError(f"{file.name} names no servers", cause=str(error), where=str(file.parent),
                              hint=hint) from error  # fmt: skip
        return cls(**{**found, **fields})  # type: ignore[arg-type]

    def check(self) -> None:
        """A server is there, has the model and takes a chat: it is asked for one word."""
        soon = replace(
            self.patience, reach=min(self.patience.reach, _SOON), tries=min(self.patience.tries, 2)
        )
        for answer in replace(self, patience=soon).answers([_TRIAL]):
            if answer.error is not None:
                where = ", ".join(self.urls)
                hint = "look at the server's log: it must answer a chat of one sentence"
                raise EngineError(f"{self.model} answers no chat", cause=answer.error, where=where, hint=hint)

    def answers(self, asks: Iterable[Ask]) -> Iterator[Answer]:
        """As the servers give them. EngineError before the first if none is there or none has the model;
        IncompleteError when all have been gone for too long: what was answered before has come by then."""
        try:
            from captionstew.enrich.balance import Balance
            from captionstew.enrich.client import Client
            from captionstew.enrich.crossing import crossed
        except ModuleNotFoundError as error:
            raise EngineError("aiohttp is not installed", cause=str(error), hint=_NO_AIOHTTP) from error

        def enter() -> Client:
            balance = Balance(self.urls, self.concurrency, self.patience)
            return Client(
                self.model, balance, self.patience, os.environ.get(self.key_name, ""), self.key_name
            )

        servers = len(self.urls)
        return crossed(asks, enter, self.concurrency * servers, self.tokens * servers)


def base(url: str) -> str:
    """An address as a base: without a slash at its end, and with the path that all servers use if it has none."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise EngineError(f"{url!r} is no address of a server", hint="such as http://127.0.0.1:8000/v1")
    if parts.username is not None or parts.password is not None:
        raise EngineError("an address must not carry a password", where=parts.hostname,
                          hint=f"put the key into the environment variable {KEY_NAME}")  # fmt: skip
    return url.rstrip("/") + ("/v1" if parts.path in {"", "/"} else "")
