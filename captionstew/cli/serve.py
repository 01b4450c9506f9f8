"""enrich serve: vLLM servers of one model, watched until they are told to stop; their addresses for the stage."""

import json
import os
from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from captionstew.cli.console import Console
from captionstew.cli.parser import Arguments
from captionstew.enrich.endpoint import KEY_NAME
from captionstew.enrich.environment import check_vllm, gpus, template, vllm_python
from captionstew.enrich.process import Process, free_port
from captionstew.enrich.serving import Serving
from captionstew.enrich.supervise import Handle, State, Supervisor
from captionstew.enrich.weights import revision_here
from captionstew.errors import UsageError
from captionstew.figures import plural
from captionstew.shards.atomic import write_bytes

ENDPOINTS = "endpoints.json"
_HERE = frozenset({"127.0.0.1", "localhost", "::1"})


def options(parser: ArgumentParser) -> None:
    """The arguments of `captionstew enrich serve`."""
    add = parser.add_argument
    add("model", metavar="MODEL", help="a model on the Hub, such as lmsys/vicuna-7b-v1.5, or a folder")
    add("--revision", metavar="NAME", default="", help="a commit of it, so that captions can be made again")
    help = "GPUs that share one copy (1, or 0: the CPU, where there is no GPU)"
    add("--gpus-per-server", metavar="N", type=int, help=help)
    add("--servers", metavar="N", type=int, help="copies; as many as the GPUs are enough for, if not said")
    add("--port", metavar="P", type=int, default=8000, help="of the first, the others follow (8000)")
    add("--host", metavar="H", default="127.0.0.1", help="where they listen (127.0.0.1: this machine alone)")
    add("--context", metavar="N", type=int, default=0, help="tokens of prompt and answer; the model's own")
    help = "a chat template; ours for Vicuna, the tokenizer's for others"
    add("--template", metavar="FILE", help=help)
    add("--python", metavar="FILE", default="", help="the interpreter that has vLLM (make enrich-env)")
    add("--cluster", metavar="WHERE", default="none", help="none: here; or a Ray cluster: local, ADDRESS")
    add("--out", metavar="DIR", default="serve", help="logs and endpoints.json (serve)")


def run(arguments: Arguments, console: Console) -> int:
    """Serve until Ctrl-C or SIGTERM, which are no failure; all servers have ended then."""
    out, serving = Path(arguments.out).expanduser(), _serving(arguments)
    handles = _handles(arguments, serving, out)
    version, count = check_vllm(serving.python), plural(len(handles), "server")
    console.tell(f"vLLM {version}: {count} of {serving.model}; logs in {out}")
    if not os.environ.get(KEY_NAME) and (arguments.cluster != "none" or serving.host not in _HERE):
        console.tell(
            f"everybody on the network can ask these servers: set {KEY_NAME}, and they want that key"
        )
    file = out / ENDPOINTS
    with suppress(KeyboardInterrupt), Supervisor(handles, console.tell) as supervisor:
        try:
            supervisor.ready()
            _announce(file, serving, supervisor.urls, console)
            while True:
                known = supervisor.states.count(State.GIVEN_UP)
                supervisor.wait(lambda states: states.count(State.GIVEN_UP) == known)  # noqa: B023
                _write(file, serving, supervisor.urls)
        finally:
            file.unlink(missing_ok=True)
            console.tell("stopping")
    return 0


def _serving(arguments: Arguments) -> Serving:
    per_server = arguments.gpus_per_server
    if per_server is None:
        per_server = 1 if arguments.cluster not in {"none", "local"} or gpus() else 0
    if per_server < 0 or (arguments.servers or 1) < 1:
        raise UsageError("a number of servers or GPUs is too small", hint="--servers 1 --gpus-per-server 1")
    chosen = Path(arguments.template).expanduser() if arguments.template else template(arguments.model)
    if chosen and not chosen.is_file():
        raise UsageError(f"there is no chat template {chosen}", hint="--template FILE, a Jinja file")
    model = arguments.model
    path = Path(model).expanduser()
    return Serving(
        str(path.absolute()) if path.is_dir() else model, vllm_python(arguments.python),
        revision_here(model, arguments.revision), per_server, chosen.absolute() if chosen else None,
        arguments.context, arguments.host,
    )  # fmt: skip


def _handles(arguments: Arguments, serving: Serving, out: Path) -> Sequence[Handle]:
    logs = out.absolute()
    if arguments.cluster != "none":
        from captionstew.enrich.cluster import OnCluster, connect

        connect(arguments.cluster)
        numbers = range(arguments.servers or 1)
        return [OnCluster(serving, logs / f"server-{number}.log") for number in numbers]
    groups = groups_of(gpus(), serving.gpus, arguments.servers)
    ports = [free_port(serving.host, arguments.port + number) for number in range(len(groups))]
    return [
        Process(serving, logs / f"server-{number}.log", group if serving.gpus else None, port)
        for number, (group, port) in enumerate(zip(groups, ports, strict=True))
    ]


def groups_of(found: Sequence[str], per_server: int, servers: int | None) -> list[tuple[str, ...]]:
    """The GPUs of each server; UsageError if there are fewer than that takes."""
    count = servers or (len(found) // per_server if per_server else 1)
    if not count or count * per_server > len(found):
        raise UsageError(f"{max(count, 1)} servers of {per_server} GPUs, and this machine has {len(found)}",
                         hint="fewer --servers or --gpus-per-server (0: the CPU)")  # fmt: skip
    return [tuple(found[place * per_server : (place + 1) * per_server]) for place in range(count)]


def _announce(file: Path, serving: Serving, urls: Sequence[str], console: Console) -> None:
    _write(file, serving, urls)
    console.data({"endpoints": str(file.absolute()), "model": serving.model, "revision": serving.revision,
                  "urls": urls})  # fmt: skip
    for url in urls:
        console.say(url)
    console.tell("Ctrl-C stops the servers")
    console.next(f"captionstew enrich sample stew --enrich @{file}")


def _write(file: Path, serving: Serving, urls: Sequence[str]) -> None:
    facts = {"model": serving.model, "revision": serving.revision, "urls": list(urls)}
    write_bytes(file, (json.dumps(facts, indent=1) + "\n").encode())
