"""From the words of a recipe to an engine: addresses, the file of `enrich serve`, vLLM or transformers here."""

from dataclasses import dataclass
from pathlib import Path

from captionstew.enrich.endpoint import Endpoint
from captionstew.enrich.engine import Engine
from captionstew.enrich.in_process import InProcess
from captionstew.enrich.in_torch import InTorch
from captionstew.errors import EngineError

VLLM, TORCH = "vllm", "transformers"
FILE = "@"  # before the path of the file that `captionstew enrich serve` writes


@dataclass(frozen=True)
class Served:
    """Who answers: `where` is `http://...` (several, with commas), `@endpoints.json`, `vllm` or `transformers`."""

    where: str
    model: str
    revision: str = ""
    concurrency: int = 128
    python: str = ""
    gpus: int = 0
    context: int = 0

    def engine(self) -> Engine:
        """The engine; EngineError if the file of servers names another model than is asked for."""
        if self.where == VLLM:
            python = Path(self.python) if self.python else None
            return InProcess(self.model, self.revision, python=python, gpus=self.gpus, context=self.context)
        if self.where == TORCH:
            return InTorch(self.model, self.revision, self.context)
        if not self.where.startswith(FILE):
            urls = tuple(url.strip() for url in self.where.split(",") if url.strip())
            return Endpoint(urls, self.model, self.revision, self.concurrency)
        found = Endpoint.of(self.file, concurrency=self.concurrency)
        if (found.model, found.revision) != (self.model, self.revision):
            asked, there = (f"{model}@{revision}" for model, revision in
                            ((self.model, self.revision), (found.model, found.revision)))  # fmt: skip
            hint = f"--set Enrich.model={found.model} --set Enrich.revision={found.revision}"
            raise EngineError(f"the servers have {there}", cause=f"the recipe asks for {asked}", hint=hint)
        return found

    def check(self) -> None:
        """EngineError where nobody would answer, before any work."""
        self.engine().check()

    @property
    def file(self) -> Path:
        """The file of servers that `where` names."""
        return Path(self.where.removeprefix(FILE)).expanduser()
