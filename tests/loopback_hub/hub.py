"""A small Hub on the loopback: true HTTP, true LFS, and the true Xet client writing to this disk."""

import asyncio
import itertools
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.loopback_hub.answers import Answers
from tests.loopback_hub.faults import Asked, Fault, Faults
from tests.loopback_hub.store import Commit, Repository, Store

TOKEN = "hf_loopbackTokenThatNobodyMaySee"


class LoopbackHub:
    """A running server; `url` is its endpoint, `token` the only one that it lets write and see private ones."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.token, self.faults = folder, TOKEN, Faults()
        self.store = Store(folder / "store")
        self.answers = Answers(self.store, TOKEN, self.faults)
        self._numbers = itertools.count()
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(10), "the server did not start"

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.answers.url

    def fresh(self) -> str:
        """The name of a repository that nobody has asked for yet."""
        return f"org/stew-{next(self._numbers)}"

    def fail(self, route: str, **how: Any) -> None:
        """The next requests of a route meet a `Fault`, such as `fail("commit", status=503, times=2)`."""
        self.faults.add(Fault(route, **how))

    def asked(self, *routes: str) -> list[Asked]:
        """The requests so far, of these routes or all."""
        return [one for one in list(self.answers.asked) if not routes or one.route in routes]

    def forget(self) -> None:
        """No request was made, no fault is to come, lists are long."""
        self.answers.asked.clear()
        self.faults.clear()
        self.answers.page = 1000

    def repository(self, name: str) -> Repository:
        """What it keeps of a repository."""
        return self.store.repository(name)

    def files(self, name: str, revision: str = "main") -> dict[str, bytes]:
        """Every file of a revision, whole, but the attributes that each repository has."""
        commit: Commit = self.repository(name).resolve(revision)
        paths = sorted(set(commit.tree) - {".gitattributes"})
        return {path: self.store.content(commit.tree[path]).read_bytes() for path in paths}

    def environment(self, home: Path, *, xet: bool = True, token: bool = True) -> dict[str, str]:
        """For a client in a process of its own: this Hub, its caches and its token in `home`."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        own = {
            "HF_ENDPOINT": self.url, "HF_HOME": str(home / "hf"), "XDG_CACHE_HOME": str(home / "cache"),
            "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "0" if xet else "1", "NO_PROXY": "127.0.0.1",
            "HF_XET_CACHE": str(home / "xet"),
        }  # fmt: skip
        return kept | own | ({"HF_TOKEN": self.token} if token else {})

    def enter(
        self, monkeypatch: pytest.MonkeyPatch, home: Path, *, xet: bool = False, token: bool = True
    ) -> None:
        """This process talks to this Hub: what `huggingface_hub` read from the environment is set again."""
        for name in [name for name in os.environ if name.startswith(("HF_", "HUGGING"))]:
            monkeypatch.delenv(name)
        for name, value in self.environment(home, xet=xet, token=token).items():
            if os.environ.get(name) != value:
                monkeypatch.setenv(name, value)
        for name, constant in _constants(self.url, home, xet).items():
            monkeypatch.setattr(f"huggingface_hub.constants.{name}", constant)

    def close(self) -> None:
        """Stop."""
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _serve(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        ready.set()
        self._loop.run_forever()

    async def _listen(self) -> None:
        runner = self._runner = web.AppRunner(
            self.answers.application(), access_log=None, shutdown_timeout=0.1
        )
        await runner.setup()
        for _ in range(2):  # the store of large files is another server, as it is for the Hub
            await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.answers.url, self.answers.large_url = (
            f"http://{host}:{port}" for host, port in runner.addresses
        )


def _constants(url: str, home: Path, xet: bool) -> Mapping[str, str | bool]:
    """What `huggingface_hub.constants` holds where the environment says so."""
    cache = home / "hf"
    return {
        "ENDPOINT": url, "HUGGINGFACE_CO_URL_TEMPLATE": url + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HOME": str(cache), "HF_HUB_CACHE": str(cache / "hub"), "HF_TOKEN_PATH": str(cache / "token"),
        "HF_XET_CACHE": str(home / "xet"), "HF_HUB_DISABLE_XET": not xet,
    }  # fmt: skip
